//! S3's side of a lease: one object, read with its age, and written and deleted on conditions.
//!
//! S3 guide, "Conditional requests": a condition that does not hold is 412 PreconditionFailed; `If-Match` where there is no
//! object 404 NoSuchKey; a conflict with another writer at the same moment 409 ConditionalRequestConflict.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryPartition;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::timeout;

use super::{Holder, KEY, Seen};
use crate::cloud::aws::{Aws, OrFault, code};
use crate::engine::{Fault, format_duration};

/// A lease is small: what takes longer has no answer.
const CALL: Duration = Duration::from_secs(10);
/// No lease of ours is larger.
const LARGEST: i64 = 64 * 1024;

/// The object in one bucket.
#[derive(Clone, Debug)]
pub(super) struct Object {
    s3: Client,
    account: String,
    pub(super) bucket: String,
}

/// When a write or a deletion takes place.
#[derive(Clone, Copy)]
pub(super) enum If<'a> {
    /// There is no object.
    Absent,
    /// The object is still this one, by its ETag.
    Unchanged(&'a str),
}

/// What became of a write or a deletion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It took place; of a write the new ETag.
    Yes(String),
    /// The condition does not hold: it is another object, or none.
    No,
    /// There is not even the bucket.
    NoBucket,
}

impl Object {
    pub(super) fn new(aws: &Aws, bucket: &str) -> Self {
        // Uploads that S3 slows down must not slow the renewals: the pace of a client's tries is shared by its partition.
        let own = aws.s3.config().to_builder().retry_partition(RetryPartition::new("lease")).build();
        Self { s3: Client::from_conf(own), account: aws.account.clone(), bucket: bucket.to_owned() }
    }

    /// None where there is no lease, or no bucket.
    pub(super) async fn read(&self) -> Result<Option<Seen>, Fault> {
        in_time(async {
            let date = Date::default();
            let call = self.s3.get_object().bucket(&self.bucket).key(KEY).expected_bucket_owner(&self.account);
            let answer = call.customize().interceptor(date.clone()).send().await;
            let Some(object) = answer.fault_or_absent(&["NoSuchKey", "NoSuchBucket", "NotFound"])? else { return Ok(None) };
            let written = object.last_modified().copied();
            let etag = object.e_tag().unwrap_or_default().to_owned();
            let body = if object.content_length().is_some_and(|length| length <= LARGEST) {
                let body = object.body.collect().await.map_err(|why| Fault::try_again(why.to_string()))?;
                body.into_bytes()
            } else {
                bytes::Bytes::new()
            };
            // What is no lease of ours is somebody's all the same: nobody is known, and its time ends as any other's.
            let holder = serde_json::from_slice::<Holder>(&body).unwrap_or_default();
            Ok(Some(Seen { holder, etag, age: age(date.read(), written) }))
        })
        .await
    }

    pub(super) async fn write(&self, holder: &Holder, condition: If<'_>) -> Result<Done, Fault> {
        let json = serde_json::to_vec_pretty(holder).map_err(|why| Fault::fatal(why.to_string()))?;
        let call = self.s3.put_object().bucket(&self.bucket).key(KEY).expected_bucket_owner(&self.account);
        let call = call.content_type("application/json").body(json.into());
        let call = match condition {
            If::Absent => call.if_none_match("*"),
            If::Unchanged(etag) => call.if_match(etag),
        };
        in_time(async {
            match call.send().await {
                Ok(written) => Ok(Done::Yes(written.e_tag().unwrap_or_default().to_owned())),
                Err(error) => refused(code(&error)).map_or_else(|| Err(error).fault(), Ok),
            }
        })
        .await
    }

    pub(super) async fn delete(&self, etag: &str) -> Result<Done, Fault> {
        let call = self.s3.delete_object().bucket(&self.bucket).key(KEY).expected_bucket_owner(&self.account);
        in_time(async {
            match call.if_match(etag).send().await {
                Ok(_) => Ok(Done::Yes(String::new())),
                Err(error) => refused(code(&error)).map_or_else(|| Err(error).fault(), Ok),
            }
        })
        .await
    }
}

fn refused(code: Option<&str>) -> Option<Done> {
    match code? {
        "PreconditionFailed" | "NoSuchKey" => Some(Done::No),
        "NoSuchBucket" => Some(Done::NoBucket),
        _ => None,
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let answer = timeout(CALL, call).await;
    answer.unwrap_or_else(|_| Err(Fault::unsure(format!("S3 did not answer within {}", format_duration(CALL)))))
}

/// How long ago S3 wrote the object, by its own clock; None where it does not say both dates.
fn age(now: Option<DateTime>, written: Option<DateTime>) -> Option<Duration> {
    let seconds = now?.secs() - written?.secs();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// The header `Date` of an answer, which the SDK leaves out of what it returns.
#[derive(Clone, Debug, Default)]
struct Date(Arc<Mutex<Option<DateTime>>>);

impl Date {
    fn read(&self) -> Option<DateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
