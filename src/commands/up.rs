//! `up`: look, show, ask, take the lease, look again, walk; done when a real image has been classified.

use std::sync::Arc;

use serde_json::json;

use super::data::{self, Stored};
use super::{Session, ended, lock, plan, steps_before};
use crate::cli;
use crate::cloud::Cloud;
use crate::cloud::admins;
use crate::cloud::disk_key;
use crate::cloud::inventory::Inventory;
use crate::cloud::lease::Held;
use crate::cloud::machine::Machine;
use crate::cloud::quota;
use crate::cost;
use crate::engine::{NodeReport, Outcome, Report, Seen, Status, UpdateMode, Walk};
use crate::error::Error;
use crate::report::{self, Reporter, show, words};
use crate::resources::registry::gateway_image;

/// How often a bucket is made that then cannot be written to. It takes seconds each time.
const ROUNDS: u32 = 6;

pub(super) async fn run(session: &Session, asked: &cli::Up) -> Result<(), Error> {
    let config = session.config()?;
    if config.workload.source_ranges.is_empty() && !config.workload.public_without_auth {
        return Err(Error::usage(
            "the configuration does not say who may reach the WebSocket",
            format!(
                "set source_ranges = [\"YOUR.ADDRESS/32\"] or public_without_auth = true under [workload] in {}, or run `tritondeploy init`",
                session.config.display()
            ),
        ));
    }
    let cloud = session.cloud("up").await?;
    let inventory = inventory(session, &cloud, asked).await?;
    let walk = session.to_make(&cloud, &inventory);
    let (survey, seen) = session.look_to_act(&walk).await?;
    data::check(&survey, &asked.delete_data)?;
    if !session.json() {
        let data = Stored::orphaned(session, &cloud, &survey).await;
        plan::present(&cloud, &inventory.orphans, &survey, &data);
    }
    preflight(session, &cloud, &inventory.machine, &survey).await?;
    let unchanged = if changes_something(&survey) { None } else { Some(apply(session, walk, &survey, Some(seen)).await) };
    let outcome = match unchanged {
        // Nothing had to be done, or it failed without an act.
        Some(outcome) if outcome.shut.is_none() => outcome,
        _ => under_the_lease(session, &cloud, asked, (&inventory, &survey)).await?,
    };
    let next = format!("{} (it goes on from here), or {}", session.again("up"), session.again("down"));
    let ended = ended(&outcome, next);
    if session.json() {
        let facts = show::facts_json(outcome.facts.iter().map(|(_, fact)| fact));
        let found = json!({"outcome": outcome, "facts": facts, "seconds": outcome.took.as_secs_f64()});
        ended.map_err(|error| error.with(found.clone()))?;
        show::json(&found);
        return Ok(());
    }
    ended?;
    show::facts(outcome.facts.iter().map(|(_, fact)| fact));
    let changed = outcome.changed;
    if !outcome.unshown.is_empty() {
        let again = session.again("up");
        show::note(&format!(
            "twins that the plan did not show are left: {}; {again} deletes them",
            words::brief(&outcome.unshown)
        ));
    }
    show::line(if changed == 0 { "Nothing had to be changed.".to_owned() } else { format!("Up, after {changed} changes.") });
    Ok(())
}

/// What the graph is made of, with the data that is to go.
async fn inventory(session: &Session, cloud: &Arc<Cloud>, asked: &cli::Up) -> Result<Inventory, Error> {
    let mut inventory = session.inventory(cloud, true).await?;
    if !asked.delete_data.is_empty() {
        data::name(&mut inventory, cloud, &asked.delete_data);
    }
    Ok(inventory)
}

/// Asks, takes the lease, and looks again: what was seen before it may have changed. Of twins, and of what an earlier
/// configuration made, only what was shown is deleted.
async fn under_the_lease(
    session: &Session,
    cloud: &Arc<Cloud>,
    asked: &cli::Up,
    (inventory_shown, shown): (&Inventory, &Report),
) -> Result<Outcome, Error> {
    if !asked.ask.yes {
        let question = report::plan::Counts::of(shown).question(&cost::of(&cloud.config).brief());
        report::confirm(&question, &session.cancel).await?;
    }
    session.alone(cloud, &lock::others(cloud, &inventory_shown.orphans), "up").await?;
    let mut made = false;
    let done = async {
        let held = take(session, cloud, asked, &mut made).await?;
        let walk = async {
            let mut found = inventory(session, cloud, asked).await?;
            let others = lock::others(cloud, &found.orphans);
            // Of two that began at once in two buckets, each sees the other's now.
            session.alone(cloud, &others, "up").await?;
            found.orphans = found.orphans.shown_in(&inventory_shown.orphans);
            let walk = session.to_make(cloud, &found);
            let gate = held.gate();
            let walk = apply(session, Walk { gate: gate.clone(), ..walk }, shown, None);
            Ok(lock::watching(cloud, &others, &gate, walk).await)
        };
        session.under(&held, walk).await
    };
    match done.await {
        Ok(outcome) => Ok(Outcome { changed: outcome.changed + usize::from(made), ..outcome }),
        Err(why) => Err(why.after(made.then_some("bucket"))),
    }
}

/// Takes the lease, in a bucket that is made where there is none.
async fn take(session: &Session, cloud: &Arc<Cloud>, asked: &cli::Up, made: &mut bool) -> Result<Arc<Held>, Error> {
    for _ in 0..ROUNDS {
        *made |= session.make_bucket(cloud).await?;
        // None: while this one waited, the `down` that held it took the bucket away.
        if let Some(held) = session.lock(cloud, "up", asked.ask.lock).await? {
            return Ok(held);
        }
    }
    let why = format!("S3 says that the bucket {} exists and that it does not, {ROUNDS} times in turn", cloud.bucket());
    Err(Error::failed(why, session.again("up")))
}

/// Walks, and draws it. Where there is nothing to change, all has been `seen` just now.
async fn apply(session: &Session, mut walk: Walk<Cloud>, shown: &Report, seen: Option<Seen>) -> Outcome {
    let reporter = Reporter::start(session.mode);
    walk.events = reporter.events();
    let outcome = match seen {
        Some(seen) => walk.up_as_seen(shown, seen).await,
        None => walk.up_as_shown(shown).await,
    };
    drop(walk);
    reporter.end().await;
    outcome
}

/// What can be known to fail is said before anything is created.
async fn preflight(session: &Session, cloud: &Cloud, machine: &Machine, survey: &Report) -> Result<(), Error> {
    let foreign = survey.nodes.iter().filter_map(|seen| match &seen.status {
        Status::Foreign { why } => Some(format!("{}: not ours: {why}", seen.node)),
        _ => None,
    });
    let foreign: Vec<String> = foreign.collect();
    if !foreign.is_empty() {
        let next = "give the deployment another name (--name), or its bucket or repository ([storage] bucket, [registry] repository); nothing was created";
        return Err(Error::failed(foreign.join("\n  "), next));
    }
    let refused = survey.nodes.iter().filter_map(|seen| Some(format!("{}: {}", seen.node, seen.refused.as_ref()?)));
    let refused: Vec<String> = refused.collect();
    let unchangeable = |seen: &NodeReport| seen.changes.iter().any(|(_, how)| *how != UpdateMode::InPlace);
    if survey.nodes.iter().any(|seen| seen.refused.is_some() && unchangeable(seen)) {
        let next = format!(
            "put the former value back, or take the deployment away first ({}, with all that is in its bucket), \
             or make another beside it (--name); nothing was changed",
            session.again("down")
        );
        return Err(Error::failed(refused.join("\n  "), next));
    }
    let mut steps = survey.nodes.iter().filter_map(|seen| seen.next.as_deref()).peekable();
    if !refused.is_empty() && steps.peek().is_some() {
        let next = format!("{}; nothing was changed", steps_before(steps, session.again("up")));
        return Err(Error::failed(refused.join("\n  "), next));
    }
    if !refused.is_empty() {
        let next = format!("fix this first ({} shows everything); nothing was changed", session.again("status"));
        return Err(Error::failed(refused.join("\n  "), next));
    }
    let entry = survey.nodes.iter().find(|seen| &*seen.node == "access-entry");
    if entry.is_some_and(|seen| seen.status != Status::Present)
        && let Some((why, next)) = admins::without_entry(&cloud.aws.caller, &cloud.config.access.admins)
    {
        return Err(Error::failed(why, format!("{next}; nothing was changed")));
    }
    session.served(cloud, "up").await?;
    if survey.nodes.iter().any(|seen| &*seen.node == "node-group" && seen.status != Status::Present || scales(seen)) {
        quota(session, cloud, machine).await?;
        if let Ok(Some(key)) = disk_key::of_customer(&cloud.aws).await {
            show::note(&disk_key::warning(&key, &cloud.aws.account));
        }
    }
    if survey.nodes.iter().any(|seen| &*seen.node == "gateway-image" && seen.status != Status::Present) {
        gateway_image::preflight(cloud).await.map_err(|why| {
            let next = steps_before(why.next.as_deref(), session.again("up"));
            Error::failed(format!("gateway-image: {why}"), format!("{next}; nothing was created"))
        })?;
    }
    Ok(())
}

/// It is to have another number of nodes.
fn scales(seen: &NodeReport) -> bool {
    &*seen.node == "node-group" && seen.changes.iter().any(|(change, _)| change.field.starts_with("scaling"))
}

/// Whether the account may run the nodes: EC2 itself says so only after the cluster has been made. Who may not ask goes on.
async fn quota(session: &Session, cloud: &Cloud, machine: &Machine) -> Result<(), Error> {
    match quota::shortage(&cloud.aws, &cloud.config, machine).await {
        Ok(None) => Ok(()),
        Ok(Some(shortage)) => {
            let next = format!("{}; then {}; nothing was changed", shortage.next(), session.again("up"));
            Err(Error::failed(shortage.to_string(), next))
        }
        Err(why) => {
            show::note(&format!("whether the account's quota allows the nodes could not be read: {why}"));
            Ok(())
        }
    }
}

fn changes_something(survey: &Report) -> bool {
    let changes = |seen: &NodeReport| {
        !seen.changes.is_empty() || !seen.watched && (seen.status != Status::Present || !seen.twins.is_empty())
    };
    survey.nodes.iter().any(|seen| !seen.stays() && changes(seen))
}
