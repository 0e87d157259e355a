//! `push-models`: changes the models of the running servers, or nothing at all.

use super::{Start, fault};
use crate::error::Error;
use crate::models::{Bucket, Repository, release};
use crate::report::{Work, show};
use crate::resources::storage::bucket;

pub(super) async fn run(start: &Start) -> Result<(), Error> {
    let config = start.config()?;
    let local = Repository::open(&config.models.directory, &config.models.serve).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::failed(
            format!("the model repository is not in order:\n  {}", lines.join("\n  ")),
            "mend it, then run `tritondeploy push-models` again; nothing was changed",
        )
    })?;
    let cloud = start.cloud("push-models").await?;
    let name = bucket::name(&cloud);
    let bucket = Bucket { aws: &cloud.aws, name: &name };
    let released = bucket.released().await.map_err(|why| fault(&why, "read the released models"))?;
    if released.is_none() {
        return Err(Error::failed(format!("no models are released in s3://{name}"), start.again("up")));
    }
    let work = Work::start(start.mode, "push-models");
    let progress = |done, total| work.progress("uploading", done, total);
    let released = release(&cloud, bucket, &local, &start.cancel, progress).await;
    work.end();
    let report = released.map_err(|why| fault(&why, "push the models"))?;
    if start.json() {
        show::json(&report);
    } else {
        show::released(&report);
    }
    report.accepted().map(drop).map_err(|why| {
        Error::failed(why.to_string(), format!("mend the model, then {}", start.again("push-models")))
    })
}
