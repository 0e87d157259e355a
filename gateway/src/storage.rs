//! Reading objects from S3: images that clients name, and the files of a release.

mod config;
mod trust;

use std::env;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use bytes::{Bytes, BytesMut};

pub use config::Config;
use tritondeploy_wire::echo::Echo;

use crate::admission::memory::{self, Space};

/// Bytes of a key, by S3's own rule:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub(crate) const LONGEST_KEY: usize = 1024;

/// Why an object could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not exist, or it may not be read; whoever asks is not told which.
    #[error("s3://{}/{} does not exist or may not be read", Echo(bucket), Echo(key))]
    NotFoundOrForbidden {
        /// As asked for.
        bucket: String,
        /// As asked for.
        key: String,
    },
    /// It is over the byte cap.
    #[error("s3://{}/{} is larger than {limit} bytes, the most that is read", Echo(bucket), Echo(key))]
    TooLarge {
        /// As asked for.
        bucket: String,
        /// As asked for.
        key: String,
        /// The cap.
        limit: u64,
    },
    /// S3 or the way there failed. Worth another try.
    #[error("the object storage does not answer: {0}")]
    Unavailable(String),
    /// The gateway's own set-up is wrong.
    #[error("{0}")]
    Config(String),
}

/// A reader of one bucket.
#[derive(Clone, Debug)]
pub struct Storage {
    client: Client,
    config: Config,
    /// Of clients' objects.
    space: Space,
}

impl Storage {
    /// Makes the client; nothing is asked of S3 yet. Credentials come from where the SDK looks for them: in the
    /// pod that is the web identity token of its service account.
    ///
    /// # Errors
    /// When region or bucket are missing, or the CA bundle cannot be read.
    pub async fn new(config: &Config) -> Result<Self, Error> {
        if config.bucket.is_empty() {
            return Err(Error::Config("storage.bucket is not set".to_owned()));
        }
        let region = config.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        let Some(region) = region else {
            return Err(Error::Config("no region: set storage.region, or AWS_REGION in the environment".to_owned()));
        };
        let endpoint = config.endpoint_url.clone();
        let bundle = config.ca_bundle.clone().or_else(|| variable("AWS_CA_BUNDLE"));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(Duration::from_secs(20))
            .operation_attempt_timeout(Duration::from_secs(60))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(trust::client(bundle.as_deref()).map_err(Error::Config)?)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(url) = &endpoint {
            loader = loader.endpoint_url(url);
        }
        let own_endpoint =
            endpoint.is_some() || variable("AWS_ENDPOINT_URL").is_some() || variable("AWS_ENDPOINT_URL_S3").is_some();
        let sdk = loader.load().await;
        // Only AWS itself is sure to resolve BUCKET.HOST.
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(own_endpoint).build();
        let space = Space::new(config.bytes_at_once);
        Ok(Self { client: Client::from_conf(s3), config: config.clone(), space })
    }

    /// An object that a client named: only from the deployment's bucket, below the allowed prefixes, up to the cap, and once
    /// there is room for it beside those that others named.
    ///
    /// # Errors
    /// The same for what is missing, what S3 forbids and what the configuration forbids.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, Error> {
        if !self.may_name(bucket, key) {
            return Err(refused(bucket, key));
        }
        let limit = self.config.object_bytes;
        let object = self.open(key).await?;
        let length = length(&object).unwrap_or(limit).min(limit);
        // Until then S3 keeps what does not fit into the socket.
        let room = self.space.wait(length).await.ok_or_else(|| Error::Unavailable("the gateway stops".to_owned()))?;
        let bytes = self.body(object, key, limit).await?;
        // Counted as long as anybody has it.
        Ok(memory::held(bytes, room))
    }

    /// An object of the deployment's own bucket, no matter where.
    ///
    /// # Errors
    /// When it is missing, forbidden or over `limit` bytes, or S3 does not answer.
    pub async fn read(&self, key: &str, limit: u64) -> Result<Bytes, Error> {
        let object = self.open(key).await?;
        self.body(object, key, limit).await
    }

    async fn body(&self, mut object: GetObjectOutput, key: &str, limit: u64) -> Result<Bytes, Error> {
        let length = length(&object).unwrap_or(0);
        let too_large = || Error::TooLarge { bucket: self.config.bucket.clone(), key: key.to_owned(), limit };
        if length > limit {
            return Err(too_large());
        }
        let mut all = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|e| Error::Unavailable(format!("{} broke off: {e}", Echo(key))))?;
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Begins to read an object of the deployment's own bucket; its body comes as it arrives.
    ///
    /// # Errors
    /// When it is missing or forbidden, or S3 does not answer.
    pub async fn open(&self, key: &str) -> Result<GetObjectOutput, Error> {
        let request = self.client.get_object().bucket(&self.config.bucket).key(key);
        request.send().await.map_err(|e| self.sort(key, &e))
    }

    /// The deployment's bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.config.bucket
    }

    fn may_name(&self, bucket: &str, key: &str) -> bool {
        // No client of S3 resolves "..", but what stands before S3 might.
        // Longer ones S3 refuses in words of its own.
        let plain =
            key.len() <= LONGEST_KEY && key.split('/').all(|part| part != ".." && part != ".") && !key.contains(['\0', '\\']);
        bucket == self.config.bucket && plain && self.config.prefixes.iter().any(|p| key.starts_with(p.as_str()))
    }

    fn sort(&self, key: &str, error: &SdkError<GetObjectError>) -> Error {
        let status = error.raw_response().map(|r| r.status().as_u16());
        let request_id = error.request_id().unwrap_or_default();
        tracing::info!(target: "aws", key, status, request_id, "GetObject failed: {}", root_cause(error));
        match (status, error.code()) {
            // Ours to mend, not the asker's, though S3 answers 400 or 403.
            (_, Some(code @ ("ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken"))) => {
                Error::Unavailable(format!("the gateway's credentials are refused ({code})"))
            }
            (Some(403 | 404), _) => refused(&self.config.bucket, key),
            _ => Error::Unavailable(root_cause(error)),
        }
    }
}

fn length(object: &GetObjectOutput) -> Option<u64> {
    object.content_length().and_then(|n| u64::try_from(n).ok())
}

pub(crate) fn refused(bucket: &str, key: &str) -> Error {
    // Not more of it than is told: a key may be as long as a message.
    Error::NotFoundOrForbidden { bucket: Echo(bucket).to_string(), key: Echo(key).to_string() }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

/// The innermost error: what a reader can act on.
fn root_cause(error: &SdkError<GetObjectError>) -> String {
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return format!("{code}: {message}");
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn storage() -> Storage {
        let config = Config {
            bucket: "photos".to_owned(),
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some("https://127.0.0.1:1".to_owned()),
            ..Config::default()
        };
        Storage::new(&config).await.unwrap()
    }

    #[tokio::test]
    async fn clients_may_name_only_what_lies_below_the_prefixes() {
        let storage = storage().await;
        assert!(storage.may_name("photos", "images/a/b.jpg"));
        assert!(storage.may_name("photos", "temp_frames/frame_1.jpg"));
        let refused = [
            ("photos", "models/densenet_onnx/1/model.onnx"),
            ("photos", "release/manifest.json"),
            ("photos", "images"),
            ("photos", "/images/a.jpg"),
            ("photos", "images/../models/x"),
            ("photos", "images/./x"),
            ("photos", "images\\..\\x"),
            ("photos", "images/\0"),
            ("others", "images/a.jpg"),
        ];
        for (bucket, key) in refused {
            assert!(!storage.may_name(bucket, key), "{bucket} {key:?}");
            let refusal = Error::NotFoundOrForbidden { bucket: bucket.to_owned(), key: key.to_owned() };
            assert_eq!(storage.get(bucket, key).await, Err(refusal));
        }
    }
}
