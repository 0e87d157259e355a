//! `down`: look, show, ask, take the lease, look again, take everything away, and look whether it is gone.

use std::sync::Arc;

use serde_json::json;

use super::data::Stored;
use super::{LOOKING, Session, ended, fault, lock, plan};
use crate::cli;
use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::cloud::orphans::Data;
use crate::cost;
use crate::engine::{Gate, NodeReport, Outcome, Status, Walk, with_origin};
use crate::error::Error;
use crate::report::{self, Reporter, show};

pub(super) async fn run(session: &Session, asked: &cli::Down) -> Result<(), Error> {
    let cloud = session.cloud("down").await?;
    let (inventory, walk) = everything(session, &cloud, asked).await?;
    let orphans = &inventory.orphans;
    let survey = session.look(&walk).await?;
    let goes = |seen: &&NodeReport| !seen.watched && is_there(seen);
    let there: Vec<_> = survey.nodes.iter().filter(goes).collect();
    let kept = Stored::spared(&cloud, &survey).await;
    let (foreign, ours): (Vec<_>, Vec<_>) = there.into_iter().partition(|seen| matches!(seen.status, Status::Foreign { .. }));
    if !session.json() {
        plan::head(&cloud);
        let named = ours.iter().filter(|seen| seen.unwanted.is_none() && seen.status != Status::Absent);
        show::grouped('-', named.map(|seen| &*seen.node));
        report::orphans::going(ours.iter().copied().filter(|seen| seen.unwanted.is_some()));
        show::twins(&survey);
        kept.iter().for_each(|stored| show::line(format!("  = {} (kept)", stored.line())));
        show::standings(foreign.iter().copied());
        let models = ours.iter().any(|seen| seen.kind == "bucket");
        let models = if models { ", with the models, images and videos in the bucket" } else { "" };
        let stays = if foreign.is_empty() { String::new() } else { format!("; {} not ours, which stays", foreign.len()) };
        let only_twins = ours.iter().filter(|seen| seen.status == Status::Absent).count();
        let count = ours.len() - only_twins + show::count_twins(&survey);
        match count {
            0 => show::line(format!("Nothing to delete{stays}.")),
            count => show::line(format!("{count} to delete{models}{stays}.")),
        }
        if ours.iter().any(|seen| &*seen.node == "cluster") {
            show::line(format!("It costs {} until then.", cost::of(&cloud.config).line(&cloud.aws.region)));
        }
    }
    let unchanged = if ours.is_empty() { Some(destroy(session, walk).await) } else { None };
    let outcome = match unchanged {
        Some(outcome) if outcome.shut.is_none() => outcome,
        _ => under_the_lease(session, &cloud, asked, &lock::others(&cloud, orphans)).await?,
    };
    let ended = ended(&outcome, format!("{} (it goes on from here)", session.again("down")));
    let former: Vec<&str> = ours.iter().filter(|seen| seen.unwanted.is_some()).map(|seen| &*seen.node).collect();
    let done = |left: &[String]| {
        let (unknown, seconds) = (&orphans.unknown, outcome.took.as_secs_f64());
        json!({"outcome": outcome, "orphans": former, "data_left": kept, "orphans_unknown": unknown, "left": left, "seconds": seconds})
    };
    if let Err(error) = ended {
        let found = done(error.exists());
        return Err(error.with(found));
    }
    let left: Vec<String> = session
        .through(&cloud, &inventory, None)
        .look()
        .await
        .nodes
        .into_iter()
        .filter(|seen| is_there(seen) && !matches!(seen.status, Status::Foreign { .. }))
        .map(|seen| format!("{} ({})", seen.node, show::words(&seen.status)))
        .collect();
    if !left.is_empty() {
        let found = done(&left);
        let failed = Error::failed(format!("left: {}", left.join(", ")), session.again("down"));
        return Err(failed.with_existing(left, Vec::new()).with(found));
    }
    if session.json() {
        show::json(&done(&left));
    } else {
        let nothing = if kept.is_empty() { "nothing." } else { "nothing but what you keep:" };
        show::line(format!("Left of {} in {}: {nothing}", cloud.config.name, cloud.aws.region));
        kept.iter().for_each(|stored| show::line(format!("  {}", stored.line())));
        if !orphans.unknown.is_empty() {
            show::line(format!("Whose these are could not be read, and they were left: {}.", orphans.unknown.join("; ")));
        }
    }
    Ok(())
}

/// It is there, if only as a twin, and goes.
fn is_there(seen: &NodeReport) -> bool {
    !seen.spared && (seen.status != Status::Absent || !seen.twins.is_empty())
}

/// All that there is, and a walk through it.
async fn everything(session: &Session, cloud: &Arc<Cloud>, asked: &cli::Down) -> Result<(Inventory, Walk<Cloud>), Error> {
    let mut inventory = Inventory::of_all(cloud).await.map_err(|why| fault(&why, LOOKING))?;
    if asked.keep_data {
        inventory.orphans.data = Data::Keep;
    }
    let walk = session.through(cloud, &inventory, None);
    Ok((inventory, walk))
}

/// Asks, takes the lease, and looks again: what was seen before it may have changed. Where there is no bucket of ours for a
/// lease, it goes without, and stops when somebody else has one.
async fn under_the_lease(session: &Session, cloud: &Arc<Cloud>, asked: &cli::Down, others: &[String]) -> Result<Outcome, Error> {
    if !asked.ask.yes {
        report::confirm("Delete all of it?", &session.cancel).await?;
    }
    session.alone(cloud, others, "down").await?;
    let held = match session.bucket(cloud).await? {
        Status::Absent | Status::Foreign { .. } => None,
        Status::Unknown { why, origin } => {
            let why = with_origin(&why, origin.as_deref());
            let why = format!("cannot take the lease: whose the bucket {} is could not be read: {why}", cloud.bucket());
            return Err(Error::failed(why, session.again("down")));
        }
        Status::Present | Status::Changing { .. } | Status::Broken { .. } => session.lock(cloud, "down", asked.ask.lock).await?,
    };
    let walk = async |gate: Gate, more: Option<String>| {
        let (inventory, walk) = everything(session, cloud, asked).await?;
        let mut others = lock::others(cloud, &inventory.orphans);
        // Of two that began at once in two buckets, each sees the other's now.
        session.alone(cloud, &others, "down").await?;
        others.extend(more);
        let walk = destroy(session, Walk { gate: gate.clone(), ..walk });
        Ok(lock::watching(cloud, &others, &gate, walk).await)
    };
    match held {
        Some(held) => session.under(&held, walk(held.gate(), None)).await,
        None => walk(Gate::open(), Some(cloud.bucket())).await,
    }
}

/// Walks, and draws it.
async fn destroy(session: &Session, mut walk: Walk<Cloud>) -> Outcome {
    let reporter = Reporter::start(session.mode);
    walk.events = reporter.events();
    let outcome = walk.down().await;
    drop(walk);
    reporter.end().await;
    outcome
}
