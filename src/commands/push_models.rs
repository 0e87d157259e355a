//! `push-models`: changes the models of the running servers, or nothing at all.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::json;

use super::{Session, fault, lock};
use crate::cli::Lock;
use crate::cloud::Cloud;
use crate::cloud::orphans::Orphans;
use crate::engine::Gate;
use crate::error::Error;
use crate::models::{Bucket, Draft, Published, Report, Repository, release, strangers};
use crate::report::{Work, show};
use crate::resources::kube::serving;
use crate::resources::storage::elsewhere;

pub(super) async fn run(session: &Session, wait: Lock) -> Result<(), Error> {
    // Before the first call: it needs no account.
    session.models(&session.config()?, "push-models")?;
    let cloud = session.cloud("push-models").await?;
    let local = session.served(&cloud, "push-models").await?;
    session.own_bucket(&cloud).await?;
    let published = released(session, &cloud).await?;
    let same = Draft::new(&local, Some(&published), &BTreeMap::new()).is_empty();
    let pods = elsewhere(&cloud, &published.digest).await;
    let report = if same && pods.differ.is_empty() {
        let name = cloud.bucket();
        let strangers = strangers(Bucket { aws: &cloud.aws, name: &name }, &published.manifest).await;
        Report { published: true, not_served: pods.unknown, strangers, ..Report::default() }
    } else {
        // Another configuration's bucket is asked as far as it is known without a look at everything.
        session.alone(&cloud, &lock::others(&cloud, &Orphans::default()), "push-models").await?;
        let held = session.lock(&cloud, "push-models", wait).await?;
        let held = held.ok_or_else(|| nothing(session, &cloud))?;
        session.under(&held, push(session, &cloud, &local, &held.gate())).await?
    };
    if !session.json() {
        show::released(&report);
    }
    if let Err(why) = report.accepted() {
        let refused = report.pods.iter().any(|pod| !pod.ok);
        let next = match &report.superseded {
            Some(_) => format!("{} to release these models instead", session.again("push-models")),
            None if refused => format!("correct the model, then {}", session.again("push-models")),
            None => session.again("push-models"),
        };
        return Err(Error::failed(why.to_string(), next).with(json!(report)));
    }
    if session.json() {
        show::json(&report);
    }
    Ok(())
}

/// The release that is published.
async fn released(session: &Session, cloud: &Cloud) -> Result<Published, Error> {
    let name = cloud.bucket();
    let released = Bucket { aws: &cloud.aws, name: &name }.released().await;
    released.map_err(|why| fault(&why, "read the released models"))?.ok_or_else(|| nothing(session, cloud))
}

fn nothing(session: &Session, cloud: &Cloud) -> Error {
    Error::failed(format!("no models are released in s3://{}", cloud.bucket()), session.again("up"))
}

/// Looks again, and releases what differs. A lost lease stops it as the user does: pods serve what is published again.
async fn push(session: &Session, cloud: &Cloud, local: &Repository, gate: &Gate) -> Result<Report, Error> {
    released(session, cloud).await?;
    let name = cloud.bucket();
    let bucket = Bucket { aws: &cloud.aws, name: &name };
    let stop = session.cancel.child_token();
    let lost = async {
        gate.until_shut().await;
        stop.cancel();
        std::future::pending::<Infallible>().await
    };
    let work = Work::start(session.mode, "push-models");
    let progress = |done, total| work.progress("uploading", done, total);
    let released = tokio::select! {
        released = release(bucket, local, || serving(cloud), &stop, progress) => released,
        never = lost => match never {},
    };
    work.end();
    let why = "stopped; the former models still answer";
    let next = session.again("push-models");
    released.map_err(|fault| match gate.refusal() {
        _ if session.cancel.is_cancelled() => Error::interrupted(why, next),
        Some(lost) => Error::failed(format!("{why}: {lost}"), next),
        None => super::fault(&fault, "push the models"),
    })
}
