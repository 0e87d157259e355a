//! `down`: look, show, ask, take everything away, and look again.

use serde_json::json;

use super::{Start, ended, plan};
use crate::engine::{Events, Standing};
use crate::error::Error;
use crate::report::{self, Reporter, show};

pub(super) async fn run(start: &Start, yes: bool) -> Result<(), Error> {
    let cloud = start.cloud("down").await?;
    let mut walk = start.walk(&cloud, false).await?;
    let survey = walk.look().await;
    let there: Vec<_> = survey.sightings.iter().filter(|seen| !seen.watched && seen.standing != Standing::Absent).collect();
    if !start.json() {
        plan::head(&cloud);
        for seen in &there {
            let foreign = matches!(seen.standing, Standing::Foreign { .. });
            show::line(format!("  {} {}{}", if foreign { ' ' } else { '-' }, seen.node, if foreign { " is not ours and stays" } else { "" }));
        }
        let models = there.iter().any(|seen| &*seen.node == "bucket");
        show::line(format!("{} to delete{}.", there.len(), if models { ", with the models, images and videos in the bucket" } else { "" }));
    }
    if !yes && !there.is_empty() && !report::confirm("Delete all of it?")? {
        return Err(Error::Interrupted { exists: Vec::new(), next: "nothing was changed".to_owned() });
    }
    let reporter = Reporter::start(start.mode);
    walk.events = reporter.events();
    let outcome = walk.down().await;
    walk.events = Events::nowhere();
    reporter.end().await;
    ended(&outcome, format!("{} again: it goes on from here", start.again("down")))?;
    let left: Vec<String> = walk.look().await.sightings.into_iter()
        .filter(|seen| !matches!(seen.standing, Standing::Absent | Standing::Foreign { .. }))
        .map(|seen| format!("{} ({})", seen.node, show::words(&seen.standing)))
        .collect();
    if start.json() {
        show::json(&json!({"outcome": outcome, "left": left, "seconds": outcome.took.as_secs_f64()}));
    } else if left.is_empty() {
        show::line(format!("Left of {} in {}: nothing.", cloud.config.name, cloud.aws.region));
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::Failed { why: "something is left".to_owned(), exists: left, next: start.again("down") })
}
