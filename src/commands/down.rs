//! `down`: look, show, ask, take everything away, and look again.

use serde_json::json;

use super::{LOOKING, Session, ended, fault, plan};
use crate::cloud::inventory::Inventory;
use crate::cost;
use crate::engine::{Events, NodeReport, Status};
use crate::error::Error;
use crate::report::{self, Reporter, show};

pub(super) async fn run(session: &Session, yes: bool) -> Result<(), Error> {
    let cloud = session.cloud("down").await?;
    let inventory = Inventory::of_all(&cloud).await.map_err(|why| fault(&why, LOOKING))?;
    let orphans = &inventory.orphans;
    let mut walk = session.through(&cloud, &inventory);
    let survey = session.look(&walk).await?;
    let there: Vec<_> = survey.nodes.iter().filter(|seen| !seen.watched && is_there(seen)).collect();
    let (foreign, ours): (Vec<_>, Vec<_>) = there.into_iter().partition(|seen| matches!(seen.status, Status::Foreign { .. }));
    if !session.json() {
        plan::head(&cloud);
        show::grouped('-', ours.iter().filter(|seen| seen.status != Status::Absent).map(|seen| &*seen.node));
        if let named @ [_, ..] = &*orphans.words() {
            show::line(format!("  Among them, of an earlier configuration: {}.", named.join(", ")));
        }
        show::twins(&survey);
        show::standings(foreign.iter().copied());
        let models = ours.iter().any(|seen| &*seen.node == "bucket");
        let models = if models { ", with the models, images and videos in the bucket" } else { "" };
        let stays = if foreign.is_empty() { String::new() } else { format!("; {} not ours, which stays", foreign.len()) };
        let only_twins = ours.iter().filter(|seen| seen.status == Status::Absent).count();
        let count = ours.len() - only_twins + show::count_twins(&survey);
        show::line(format!("{count} to delete{models}{stays}."));
        if ours.iter().any(|seen| &*seen.node == "cluster") {
            show::line(format!("It costs {} until then.", cost::of(&cloud.config).line(&cloud.aws.region)));
        }
    }
    if !yes && !ours.is_empty() {
        report::confirm("Delete all of it?", &session.cancel).await?;
    }
    let reporter = Reporter::start(session.mode);
    walk.events = reporter.events();
    let outcome = walk.down().await;
    walk.events = Events::nowhere();
    reporter.end().await;
    let ended = ended(&outcome, format!("{} (it goes on from here)", session.again("down")));
    let done = |left: &[String]| {
        let seconds = outcome.took.as_secs_f64();
        json!({"outcome": outcome, "former": orphans.words(), "untold": orphans.unknown, "left": left, "seconds": seconds})
    };
    if let Err(error) = ended {
        let found = done(error.exists());
        return Err(error.with(found));
    }
    let left: Vec<String> = walk
        .look()
        .await
        .nodes
        .into_iter()
        .filter(|seen| is_there(seen) && !matches!(seen.status, Status::Foreign { .. }))
        .map(|seen| format!("{} ({})", seen.node, show::words(&seen.status)))
        .collect();
    if !left.is_empty() {
        let found = done(&left);
        return Err(Error::failed(format!("left: {}", left.join(", ")), session.again("down")).with(found));
    }
    if session.json() {
        show::json(&done(&left));
    } else {
        show::line(format!("Left of {} in {}: nothing.", cloud.config.name, cloud.aws.region));
        if !orphans.unknown.is_empty() {
            show::line(format!("Of these it cannot be told whether they were ours: {}.", orphans.unknown.join("; ")));
        }
    }
    Ok(())
}

/// It is there, if only as a twin.
fn is_there(seen: &NodeReport) -> bool {
    seen.status != Status::Absent || !seen.twins.is_empty()
}
