//! A lease that is ours: renewed until it is released or lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::object::{Done, If, Object};
use super::process::since_boot;
use super::{Holder, Pace, Seen};
use crate::engine::{Fault, Gate, format_duration};

/// How often its removal is tried.
const TRIES: u32 = 5;

/// Our lease. Where it is dropped without [`Held::release`], it ends by itself.
#[derive(Debug)]
pub struct Held {
    object: Object,
    ours: Arc<Mutex<Ours>>,
    gate: Gate,
    pace: Pace,
    stop: CancellationToken,
    renewing: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What is known of the object.
#[derive(Debug)]
struct Ours {
    holder: Holder,
    etag: String,
    /// The last time since boot at which it was certainly written.
    written: Duration,
    /// It was given back: nothing is left to keep.
    released: bool,
}

/// How a lease ended.
#[derive(Clone, Debug)]
pub enum Released {
    /// It is gone.
    Gone,
    /// It was not ours any more: whose it is now, or nobody's.
    NotOurs(Option<Box<Seen>>),
}

/// What came of one renewal, or of a look between two.
enum Renewal {
    Done,
    Lost(String),
    Failed(Fault),
}

impl Held {
    /// Keeps what was written at that time since boot.
    pub(super) fn keep(object: Object, holder: Holder, etag: String, written: Duration, pace: Pace) -> Self {
        let ours = Arc::new(Mutex::new(Ours { holder, etag, written, released: false }));
        let timed = ours.clone();
        let gate = Gate::checking(move || too_old(&timed, pace, None));
        let stop = CancellationToken::new();
        let keeper = Keeper { object: object.clone(), ours: ours.clone(), gate: gate.clone(), pace, stop: stop.clone() };
        let renewing = tokio::sync::Mutex::new(Some(tokio::spawn(keeper.renew_until_the_end())));
        Self { object, ours, gate, pace, stop, renewing }
    }

    /// What every act passes while we hold it. It stays open once the lease was released.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// In which bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.object.bucket
    }

    /// It was given back.
    #[must_use]
    pub fn is_released(&self) -> bool {
        lock(&self.ours).released
    }

    /// Makes sure at S3 that it is still ours; what is not shuts the gate.
    ///
    /// # Errors
    /// Fatal where it is lost; others where S3 does not tell.
    pub async fn confirm(&self) -> Result<(), Fault> {
        let seen = self.object.read().await?;
        let lost = lost(&self.ours, seen.as_ref());
        lost.iter().for_each(|why| self.gate.shut(why));
        self.gate.refusal().map_or(Ok(()), |why| Err(Fault::fatal(&*why)))
    }

    /// Gives it back: a renewal in flight ends first.
    ///
    /// # Errors
    /// When S3 does not do it; it ends by itself then.
    pub async fn release(&self) -> Result<Released, Fault> {
        self.stop.cancel();
        if let Some(renewing) = self.renewing.lock().await.take() {
            let _ = renewing.await;
        }
        let (mut tries, mut unanswered) = (1, false);
        loop {
            let (etag, id) = {
                let ours = lock(&self.ours);
                if ours.released {
                    return Ok(Released::Gone);
                }
                (ours.etag.clone(), ours.holder.id.clone())
            };
            let deleted = self.object.delete(&etag).await;
            unanswered |= deleted.is_err();
            let ended = match deleted {
                Ok(Done::Yes(_) | Done::NoBucket) => Ok(Some(Released::Gone)),
                Err(fault) if !fault.may_pass() => Err(fault),
                // A renewal, or a deletion before this, may have gone through without an answer.
                Ok(Done::No) | Err(_) => match self.object.read().await {
                    Ok(Some(seen)) if seen.holder.id == id => {
                        lock(&self.ours).etag = seen.etag;
                        Ok(None)
                    }
                    // It was our deletion whose answer was lost.
                    Ok(None) if unanswered => Ok(Some(Released::Gone)),
                    Ok(seen) => Ok(Some(Released::NotOurs(seen.map(Box::new)))),
                    Err(fault) => Err(fault),
                },
            };
            match ended {
                Ok(Some(ended)) => {
                    lock(&self.ours).released = true;
                    return Ok(ended);
                }
                Ok(None) if tries < TRIES => {}
                Err(fault) if fault.may_pass() && tries < TRIES => sleep(self.pace.again).await,
                Ok(None) => return Err(Fault::try_again("the lease could not be deleted")),
                Err(fault) => return Err(fault),
            }
            tries += 1;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock(ours: &Mutex<Ours>) -> MutexGuard<'_, Ours> {
    ours.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why it may be another's by now. Time that this process or its machine slept counts.
fn too_old(ours: &Mutex<Ours>, pace: Pace, last: Option<&Fault>) -> Option<String> {
    let ours = lock(ours);
    let age = since_boot().saturating_sub(ours.written);
    let last = last.map(|fault| format!(" (the last error: {fault})")).unwrap_or_default();
    (!ours.released && age >= pace.give_up)
        .then(|| format!("the lease could not be renewed for {}{last}, and may be another's by now", format_duration(age)))
}

/// Whose it is, where it is not ours.
fn lost(ours: &Mutex<Ours>, seen: Option<&Seen>) -> Option<String> {
    match seen {
        Some(seen) if seen.holder.id == lock(ours).holder.id => None,
        Some(seen) => Some(format!("the lease was taken over: {}", seen.holder)),
        None => Some("the lease was removed (by `tritondeploy unlock`, or by hand)".to_owned()),
    }
}

/// What renews it.
struct Keeper {
    object: Object,
    ours: Arc<Mutex<Ours>>,
    gate: Gate,
    pace: Pace,
    stop: CancellationToken,
}

impl Keeper {
    async fn renew_until_the_end(self) {
        let (mut wait, mut last, mut renewed) = (self.pace.watch, None, Instant::now());
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.gate.until_shut() => return,
                () = sleep(wait) => {}
            }
            let due = last.is_some() || renewed.elapsed() >= self.pace.renew;
            // A call that has begun is finished: who releases must know what it wrote.
            match if due { self.renew().await } else { self.look().await } {
                Renewal::Done => {
                    renewed = if due { Instant::now() } else { renewed };
                    (wait, last) = (self.pace.watch, None);
                }
                Renewal::Lost(why) => return self.gate.shut(&why),
                Renewal::Failed(fault) => {
                    tracing::warn!(target: "lease", why = %fault, due, "not renewed");
                    wait = self.pace.again;
                    last = due.then_some(fault);
                }
            }
            if let Some(why) = too_old(&self.ours, self.pace, last.as_ref()) {
                return self.gate.shut(&why);
            }
        }
    }

    /// Whether it is still there, and ours.
    async fn look(&self) -> Renewal {
        match self.object.read().await {
            Ok(seen) => lost(&self.ours, seen.as_ref()).map_or(Renewal::Done, Renewal::Lost),
            Err(fault) => Renewal::Failed(fault),
        }
    }

    async fn renew(&self) -> Renewal {
        let (next, etag) = {
            let mut ours = lock(&self.ours);
            // Each try has content of its own, so that a read tells which of them came through.
            ours.holder.renewals += 1;
            (ours.holder.clone(), ours.etag.clone())
        };
        let asked = since_boot();
        let fault = match self.object.write(&next, If::Unchanged(&etag)).await {
            Ok(Done::Yes(etag)) => {
                let mut ours = lock(&self.ours);
                (ours.etag, ours.written) = (etag, asked);
                return Renewal::Done;
            }
            Ok(Done::NoBucket) => return Renewal::Lost("the lease is gone, with its bucket".to_owned()),
            Ok(Done::No) => None,
            Err(fault) => Some(fault),
        };
        match self.object.read().await {
            Ok(Some(seen)) if seen.holder.id == next.id => {
                let mut ours = lock(&self.ours);
                ours.etag = seen.etag;
                if seen.holder.renewals == next.renewals {
                    ours.written = asked;
                    return Renewal::Done;
                }
                Renewal::Failed(fault.unwrap_or_else(|| Fault::try_again("an earlier renewal arrived late")))
            }
            Ok(seen) => Renewal::Lost(lost(&self.ours, seen.as_ref()).unwrap_or_default()),
            Err(second) => Renewal::Failed(fault.unwrap_or(second)),
        }
    }
}
