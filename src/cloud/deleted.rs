//! What S3's DeleteObjects did not delete: it answers 200 all the same.

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::Error;

use super::aws::fault_of;
use crate::engine::{Fault, FaultKind};

/// Nothing, where each object is gone now.
///
/// # Errors
/// Why the first of the others is there: `Denied` where we may not, else `TryAgain`.
pub fn all_deleted(bucket: &str, answer: &DeleteObjectsOutput) -> Result<(), Fault> {
    let is_gone = |error: &&Error| matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion"));
    let Some(error) = answer.errors().iter().find(|error| !is_gone(error)) else { return Ok(()) };
    let (key, why) = (error.key().unwrap_or_default(), error.message().unwrap_or_default());
    let fault = fault_of(error.code().unwrap_or_default(), &format!("s3://{bucket}/{key} could not be deleted: {why}"));
    Err(match fault.kind {
        FaultKind::Denied => {
            fault.with_next("allow s3:DeleteObject and s3:DeleteObjectVersion for these credentials, or use others")
        }
        // All is listed and asked for again.
        _ => fault.taken_as(FaultKind::TryAgain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_deleted_is_told_as_s3_tells_it() {
        let kind = |code: &str| {
            let error = Error::builder().code(code).key("a").message("No.").build();
            all_deleted("bucket", &DeleteObjectsOutput::builder().errors(error).build()).err()
        };
        assert!(kind("NoSuchVersion").is_none());
        let denied = kind("AccessDenied").unwrap();
        assert!(denied.kind == FaultKind::Denied && denied.next.is_some());
        assert_eq!(denied.message, "AccessDenied: s3://bucket/a could not be deleted: No.");
        assert!(["InternalError", "SlowDown", "Odd"].iter().all(|code| kind(code).unwrap().kind == FaultKind::TryAgain));
    }
}
