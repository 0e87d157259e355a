//! How a lease is taken.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::object::{Done, If, Object};
use super::process::since_boot;
use super::{Held, Holder, Pace, Seen};
use crate::cloud::aws::Aws;
use crate::engine::Fault;

/// A bucket that was just made may take so long to be found.
const APPEARS: Duration = Duration::from_secs(6);

/// Why a lease was not taken.
#[derive(Clone, Debug)]
pub enum NotTaken {
    /// Somebody holds it.
    Held(Box<Seen>),
    /// S3 did not let us, or did not answer.
    Fault(Fault),
    /// There is no bucket to take it in.
    NoBucket,
    /// The user stopped it.
    Cancelled,
}

/// Takes the lease: where there is none, or one that is over, or one whose process on this machine is dead. Where somebody
/// holds it, `waiting` is called before each wait, with the time so far, until `limit`.
///
/// # Errors
/// [`NotTaken`]. Nothing of ours is left then, as far as S3 answers.
pub async fn take(
    aws: &Aws,
    bucket: &str,
    me: Holder,
    pace: Pace,
    limit: Duration,
    cancel: &CancellationToken,
    mut waiting: impl FnMut(&Seen, Duration),
) -> Result<(Held, Option<Holder>), NotTaken> {
    let object = Object::new(aws, bucket);
    let (begun, mut failing): (Instant, Option<Instant>) = (Instant::now(), None);
    let (mut over, mut gone): (Option<Seen>, Option<Instant>) = (None, None);
    loop {
        if cancel.is_cancelled() {
            give_back(&object, &me).await;
            return Err(NotTaken::Cancelled);
        }
        // The lease counts from before the call that wrote it.
        let asked = since_boot();
        let condition = over.as_ref().map_or(If::Absent, |over| If::Unchanged(&over.etag));
        let fault = match object.write(&me, condition).await {
            Ok(Done::Yes(etag)) => return Ok((Held::keep(object, me, etag, asked, pace), over.map(|over| over.holder))),
            Ok(Done::No) => None,
            Ok(Done::NoBucket) => {
                if gone.get_or_insert_with(Instant::now).elapsed() >= APPEARS {
                    return Err(NotTaken::NoBucket);
                }
                pause(pace.again, cancel).await;
                continue;
            }
            Err(fault) => Some(fault),
        };
        let former = over.take().map(|over| over.holder);
        let seen = match fault {
            Some(fault) if !fault.may_pass() => Err(fault),
            // It may have been written all the same.
            Some(fault) => {
                object.read().await.and_then(|seen| seen.filter(|seen| seen.holder.id == me.id).ok_or(fault)).map(Some)
            }
            None => object.read().await,
        };
        match seen {
            Ok(Some(seen)) if seen.holder.id == me.id => {
                let written = asked.min(since_boot().saturating_sub(seen.age.unwrap_or_default()));
                return Ok((Held::keep(object, me, seen.etag, written, pace), former));
            }
            Ok(Some(seen)) if seen.is_live() => {
                if begun.elapsed() >= limit {
                    return Err(NotTaken::Held(Box::new(seen)));
                }
                failing = None;
                waiting(&seen, begun.elapsed());
                pause(pace.again.min(limit.saturating_sub(begun.elapsed())), cancel).await;
            }
            Ok(seen) => {
                failing = None;
                over = seen;
            }
            Err(fault) if fault.may_pass() => {
                if failing.get_or_insert_with(Instant::now).elapsed() >= pace.give_up {
                    give_back(&object, &me).await;
                    return Err(NotTaken::Fault(fault));
                }
                pause(pace.again, cancel).await;
            }
            Err(fault) => return Err(NotTaken::Fault(fault)),
        }
    }
}

async fn pause(wait: Duration, cancel: &CancellationToken) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = sleep(wait) => {}
    }
}

/// A call without an answer may have written our lease: it goes again. If S3 does not answer now either, it ends by itself.
async fn give_back(object: &Object, me: &Holder) {
    if let Ok(Some(seen)) = object.read().await
        && seen.holder.id == me.id
    {
        let _ = object.delete(&seen.etag).await;
    }
}
