//! Calls to S3 that are tried again: a release is one step of a walk, and minutes of upload must not be lost for one
//! answer. Only for calls that may be made twice.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::engine::{Fault, format_duration};

/// What is short has no answer after this time.
const ANSWER: Duration = Duration::from_secs(30);

/// Before each next try; about 6 s in all. With chance in it: two that have met must not meet again.
pub(super) fn waits() -> impl Iterator<Item = Duration> {
    [200, 400, 800, 1600, 3200].into_iter().map(|most| Duration::from_millis(fastrand::u64(most / 2..=most)))
}

/// Makes a call until it is answered, as long as it may be answered another time: throttled, a conflict with another
/// conditional write (409), or no answer.
///
/// # Errors
/// The last fault.
pub(super) async fn again<T, F>(mut call: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut waits = waits();
    loop {
        match (call().await, waits.next()) {
            (Err(fault), Some(wait)) if fault.may_pass() => sleep(wait).await,
            (answer, _) => return answer,
        }
    }
}

/// The answer to a short call: the S3 client waits without an end, for uploads.
///
/// # Errors
/// That of the call; `Unsure` where none came in time.
pub(super) async fn soon<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| Err(Fault::unsure(format!("S3 did not answer within {}", format_duration(ANSWER))));
    timeout(ANSWER, call).await.unwrap_or_else(late)
}
