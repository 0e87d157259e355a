//! What of the configuration is about the bucket.

use serde::Deserialize;

/// Which bucket, and what of it clients may name.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The bucket of the deployment; a client's reference to any other is refused.
    pub bucket: String,
    /// Its region; else `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// An S3 endpoint in place of AWS's; else `AWS_ENDPOINT_URL`, which stands for STS too.
    pub endpoint_url: Option<String>,
    /// A file of PEM certificates to trust beside the public ones; else `AWS_CA_BUNDLE`.
    pub ca_bundle: Option<String>,
    /// Beginnings of the keys that clients may name.
    pub prefixes: Vec<String>,
    /// The largest object that a client may name, in bytes.
    pub object_bytes: u64,
    /// Bytes of the objects that clients have named and that are held at the same time; more wait.
    pub bytes_at_once: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            region: None,
            endpoint_url: None,
            ca_bundle: None,
            prefixes: vec!["images/".to_owned(), "temp_frames/".to_owned()],
            object_bytes: 64 << 20,
            bytes_at_once: 256 << 20,
        }
    }
}
