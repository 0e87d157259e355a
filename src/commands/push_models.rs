//! `push-models`: changes the models of the running servers, or nothing at all.

use serde_json::json;

use super::{Session, fault};
use crate::error::Error;
use crate::models::{Bucket, release};
use crate::report::{Work, show};
use crate::resources::kube::serving;

pub(super) async fn run(session: &Session) -> Result<(), Error> {
    // Before the first call: it needs no account.
    session.models(&session.config()?, "push-models")?;
    let cloud = session.cloud("push-models").await?;
    let local = session.served(&cloud, "push-models").await?;
    let name = cloud.bucket();
    let bucket = Bucket { aws: &cloud.aws, name: &name };
    let released = bucket.released().await.map_err(|why| fault(&why, "read the released models"))?;
    if released.is_none() {
        return Err(Error::failed(format!("no models are released in s3://{name}"), session.again("up")));
    }
    let work = Work::start(session.mode, "push-models");
    let progress = |done, total| work.progress("uploading", done, total);
    let released = release(bucket, &local, || serving(&cloud), &session.cancel, progress).await;
    work.end();
    let report = released.map_err(|why| match why {
        _ if session.cancel.is_cancelled() => Error::Interrupted {
            why: "stopped; the former models still answer",
            exists: Vec::new(),
            next: session.again("push-models"),
            found: Box::default(),
        },
        why => fault(&why, "push the models"),
    })?;
    if !session.json() {
        show::released(&report);
    }
    if let Err(why) = report.accepted() {
        let refused = report.pods.iter().any(|pod| !pod.ok);
        let next = match &report.superseded {
            Some(_) => format!("{} to release these models instead", session.again("push-models")),
            None if refused => format!("mend the model, then {}", session.again("push-models")),
            None => session.again("push-models"),
        };
        return Err(Error::failed(why.to_string(), next).with(json!(report)));
    }
    if session.json() {
        show::json(&report);
    }
    Ok(())
}
