//! `down`: look, show, ask, take everything away, and look again.

use serde_json::json;

use super::data::Stored;
use super::{LOOKING, Session, ended, fault, plan};
use crate::cli;
use crate::cloud::inventory::Inventory;
use crate::cloud::orphans::Data;
use crate::cost;
use crate::engine::{Events, NodeReport, Status};
use crate::error::Error;
use crate::report::{self, Reporter, show};

pub(super) async fn run(session: &Session, asked: &cli::Down) -> Result<(), Error> {
    let cloud = session.cloud("down").await?;
    let mut inventory = Inventory::of_all(&cloud).await.map_err(|why| fault(&why, LOOKING))?;
    if asked.keep_data {
        inventory.orphans.data = Data::Keep;
    }
    let orphans = &inventory.orphans;
    let mut walk = session.through(&cloud, &inventory);
    let survey = session.look(&walk).await?;
    let is_there = |seen: &&NodeReport| !seen.watched && !seen.spared && seen.status != Status::Absent;
    let there: Vec<_> = survey.nodes.iter().filter(is_there).collect();
    let kept = Stored::spared(&cloud, &survey).await;
    let (foreign, ours): (Vec<_>, Vec<_>) = there.into_iter().partition(|seen| matches!(seen.status, Status::Foreign { .. }));
    if !session.json() {
        plan::head(&cloud);
        let named = ours.iter().filter(|seen| seen.unwanted.is_none());
        show::grouped('-', named.map(|seen| &*seen.node));
        report::orphans::going(ours.iter().copied().filter(|seen| seen.unwanted.is_some()));
        kept.iter().for_each(|stored| show::line(format!("  = {} (kept)", stored.line())));
        show::standings(foreign.iter().copied());
        let models = ours.iter().any(|seen| seen.kind == "bucket");
        let models = if models { ", with the models, images and videos in the bucket" } else { "" };
        let stays = if foreign.is_empty() { String::new() } else { format!("; {} not ours, which stays", foreign.len()) };
        show::line(format!("{} to delete{models}{stays}.", ours.len()));
        if ours.iter().any(|seen| &*seen.node == "cluster") {
            show::line(format!("It costs {} until then.", cost::of(&cloud.config).line(&cloud.aws.region)));
        }
    }
    if !asked.ask.yes && !ours.is_empty() {
        report::confirm("Delete all of it?", &session.cancel).await?;
    }
    let reporter = Reporter::start(session.mode);
    walk.events = reporter.events();
    let outcome = walk.down().await;
    walk.events = Events::nowhere();
    reporter.end().await;
    let ended = ended(&outcome, format!("{} (it goes on from here)", session.again("down")));
    let former: Vec<&str> = ours.iter().filter(|seen| seen.unwanted.is_some()).map(|seen| &*seen.node).collect();
    let done = |left: &[String]| {
        let (unknown, seconds) = (&orphans.unknown, outcome.took.as_secs_f64());
        json!({"outcome": outcome, "former": former, "kept": kept, "untold": unknown, "left": left, "seconds": seconds})
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
        .filter(|seen| !seen.spared && !matches!(seen.status, Status::Absent | Status::Foreign { .. }))
        .map(|seen| format!("{} ({})", seen.node, show::words(&seen.status)))
        .collect();
    if !left.is_empty() {
        let found = done(&left);
        return Err(Error::failed(format!("left: {}", left.join(", ")), session.again("down")).with(found));
    }
    if session.json() {
        show::json(&done(&left));
    } else {
        let nothing = if kept.is_empty() { "nothing." } else { "nothing but what you keep:" };
        show::line(format!("Left of {} in {}: {nothing}", cloud.config.name, cloud.aws.region));
        kept.iter().for_each(|stored| show::line(format!("  {}", stored.line())));
        if !orphans.unknown.is_empty() {
            show::line(format!("Of these it cannot be told whether they were ours: {}.", orphans.unknown.join("; ")));
        }
    }
    Ok(())
}
