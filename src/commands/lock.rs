//! The lease as commands take it: before the first change, and given back in every ending.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::{Session, ended, fault};
use crate::cli;
use crate::cloud::Cloud;
use crate::cloud::lease::{self, Held, Holder, NotTaken, Pace, Released, Seen};
use crate::cloud::orphans::Orphans;
use crate::deployment;
use crate::engine::{Event, Events, Fault, FaultKind, Gate, Report, Status, Walk, format_duration};
use crate::error::Error;
use crate::report::Reporter;

/// Why a walk without a lease does not act.
pub(super) const NONE: &str = "something is to be changed after all, and the deployment's lease is not taken";

/// How long a lease is given back after the user asked to stop.
const STOPPED: Duration = Duration::from_secs(8);

/// How often a walk that has no lease looks for another run's.
const LOOK: Duration = Duration::from_secs(3);

impl Session {
    /// How the deployment's own bucket stands, without those of an earlier configuration.
    pub(super) async fn bucket(&self, cloud: &Arc<Cloud>) -> Result<Status, Error> {
        let mut report = self.look(&self.over(cloud, deployment::bucket())).await?;
        Ok(report.nodes.remove(0).status)
    }

    /// Refuses to touch what lies in a bucket that is not this deployment's.
    pub(super) async fn own_bucket(&self, cloud: &Arc<Cloud>) -> Result<(), Error> {
        match self.bucket(cloud).await? {
            Status::Foreign { why } => {
                let next = "name this deployment's own: storage.bucket in tritondeploy.toml; nothing was changed";
                Err(Error::failed(format!("the bucket {} is not this deployment's: {why}", cloud.bucket()), next))
            }
            _ => Ok(()),
        }
    }

    /// Makes the bucket where there is none: the lease lies in it, so nobody can hold one yet. True: it was made.
    pub(super) async fn make_bucket(&self, cloud: &Arc<Cloud>) -> Result<bool, Error> {
        if self.bucket(cloud).await? != Status::Absent {
            return Ok(false);
        }
        let reporter = Reporter::start(self.mode);
        let (sender, mut told) = unbounded_channel();
        let walk = Walk { gate: Gate::open(), events: Events::to(sender), ..self.over(cloud, deployment::bucket()) };
        // It is a part of the walk that follows, which tells its own beginning and end.
        let events = reporter.events();
        let relay = tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                if !matches!(event, Event::Began { .. } | Event::Ended { .. }) {
                    events.send(event);
                }
            }
        });
        let outcome = walk.up().await;
        drop(walk);
        let _ = relay.await;
        reporter.end().await;
        ended(&outcome, self.again("up")).map(|()| outcome.changed > 0)
    }

    /// Takes the lease. Where another run holds it, waits as long as the user said. None: there is no bucket for it.
    pub(super) async fn lock(&self, cloud: &Cloud, command: &str, lock: cli::Lock) -> Result<Option<Arc<Held>>, Error> {
        let bucket = cloud.bucket();
        let me = Holder::this(&cloud.aws.caller, command).map_err(|why| fault(&why, "take the deployment's lease"))?;
        let reporter = Reporter::start(self.mode);
        let events = reporter.events();
        let limit = lock.lock_timeout.unwrap_or_default();
        let waiting = |seen: &Seen, so_far: Duration| {
            let (so_far, limit) = (format_duration(so_far), format_duration(limit));
            say(&events, format!("waiting for {} to end, {so_far} of {limit}", seen.holder));
        };
        let taken = lease::take(&cloud.aws, &bucket, me, Pace::default(), limit, &self.cancel, waiting).await;
        if let Ok((_, Some(former))) = &taken {
            say(&events, format!("taken over from a run that has ended: {former}"));
        }
        drop(events);
        reporter.end().await;
        match taken {
            Ok((held, _)) => {
                let held = Arc::new(held);
                let _ = cloud.lease.set(held.clone());
                Ok(Some(held))
            }
            Err(NotTaken::NoBucket) => Ok(None),
            Err(NotTaken::Held(seen)) => Err(self.held_by(&seen, command)),
            Err(NotTaken::Cancelled) => Err(Error::unchanged()),
            Err(NotTaken::Fault(why)) => Err(fault(&why, &format!("take the lease s3://{bucket}/{}", lease::KEY))),
        }
    }

    /// Refuses where a run holds the lease in another bucket of this deployment: one with another `storage.bucket`.
    pub(super) async fn alone(&self, cloud: &Cloud, others: &[String], command: &str) -> Result<(), Error> {
        for bucket in others {
            let seen = lease::read(&cloud.aws, bucket).await;
            let what = || format!("look whether another run holds the lease in s3://{bucket}");
            match seen {
                Ok(Some(seen)) if seen.is_live() => return Err(self.held_by(&seen, command)),
                Ok(_) => {}
                // The default name may be another account's: no run of ours is in there.
                Err(why) if why.kind == FaultKind::Denied && *bucket == cloud.default_bucket() => {}
                Err(why) => return Err(fault(&why, &what())),
            }
        }
        Ok(())
    }

    /// Another run is changing this deployment.
    pub(super) fn held_by(&self, seen: &Seen, command: &str) -> Error {
        let renewed = seen.age.map(|age| format!(" (renewed {} ago)", format_duration(age))).unwrap_or_default();
        let next = format!(
            "wait for it (`{} --lock-timeout 30m`); where that run has died, its lease ends within {}, or now with `{}`",
            self.again(command),
            format_duration(lease::EXPIRES),
            self.again("unlock"),
        );
        let why = format!("another run is changing this deployment: {}{renewed}; nothing was changed by this one", seen.holder);
        Error::failed(why, next).with(json!({"lease": fields(seen)}))
    }

    /// Does this, and gives the lease back whatever came of it.
    pub(super) async fn under<T>(&self, held: &Held, doing: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = doing.await;
        // Whoever asked to stop does not wait for a service that does not answer.
        let limit = if self.cancel.is_cancelled() { STOPPED } else { Duration::MAX };
        let released = timeout(limit, held.release()).await;
        let released =
            released.unwrap_or_else(|_| Err(Fault::try_again(format!("no answer within {}", format_duration(STOPPED)))));
        let told = match released {
            Ok(Released::Gone) => None,
            Ok(Released::NotOurs(Some(seen))) => Some(format!("another run had taken it before this one ended: {}", seen.holder)),
            Ok(Released::NotOurs(None)) => Some("somebody removed it before the run ended".to_owned()),
            Err(why) => Some(format!("it could not be removed, and ends by itself: {why}")),
        };
        if let Some(told) = told {
            let reporter = Reporter::start(self.mode);
            say(&reporter.events(), told);
            reporter.end().await;
        }
        done
    }
}

fn say(events: &Events, line: String) {
    events.send(Event::Said { node: "lease".into(), line });
}

/// The other buckets in which a run may hold a lease of this deployment: those that a configuration before or beside this
/// one names.
pub(super) fn others(cloud: &Cloud, orphans: &Orphans) -> Vec<String> {
    let (ours, default) = (cloud.bucket(), cloud.default_bucket());
    let mut others: Vec<String> = orphans.buckets.iter().filter(|bucket| **bucket != ours).cloned().collect();
    if default != ours && !others.contains(&default) {
        others.push(default);
    }
    others
}

/// Does this, and shuts the gate when another run holds the lease of one of these buckets, or of one that is made meanwhile.
pub(super) async fn watching<T>(cloud: &Cloud, buckets: &[String], gate: &Gate, doing: impl Future<Output = T>) -> T {
    let watched = async {
        let seen = another(cloud, buckets).await;
        gate.shut(&format!("another run has started: {}", seen.holder));
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        done = doing => done,
        never = watched => match never {},
    }
}

async fn another(cloud: &Cloud, buckets: &[String]) -> Seen {
    loop {
        for bucket in buckets {
            if let Ok(Some(seen)) = lease::read(&cloud.aws, bucket).await
                && seen.is_live()
            {
                return seen;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// For scripts.
pub(super) fn fields(seen: &Seen) -> Value {
    let mut fields = json!(seen.holder);
    fields["age_seconds"] = json!(seen.age.map(|age| age.as_secs()));
    fields["live"] = json!(seen.is_live());
    fields
}

/// The run that changes a deployment while somebody looks at it.
pub(super) struct Running(Result<Option<Seen>, Fault>);

impl Running {
    /// Looks, where there is a bucket of ours to look in.
    pub(super) async fn find(cloud: &Cloud, survey: &Report) -> Self {
        let bucket = survey.nodes.iter().find(|seen| &*seen.node == "bucket").map(|seen| &seen.status);
        let seen = match bucket {
            Some(Status::Present) => lease::read(&cloud.aws, &cloud.bucket()).await,
            Some(Status::Unknown { why, .. }) => Err(Fault::fatal(format!("the bucket could not be read: {why}"))),
            _ => Ok(None),
        };
        Self(seen.map(|seen| seen.filter(Seen::is_live)))
    }

    pub(super) fn line(&self) -> Option<String> {
        match &self.0 {
            Ok(seen) => seen.as_ref().map(|seen| format!("{} is running.", seen.holder)),
            Err(why) => Some(format!("Whether another run is changing it could not be read: {why}")),
        }
    }

    pub(super) fn json(&self) -> Value {
        match &self.0 {
            Ok(seen) => seen.as_ref().map_or(Value::Null, fields),
            Err(why) => json!({"unknown": why.to_string()}),
        }
    }
}
