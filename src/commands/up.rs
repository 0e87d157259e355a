//! `up`: look, show, ask, walk; done when a real image has been classified.

use serde_json::json;

use super::{Start, ended, plan};
use crate::cloud::Cloud;
use crate::engine::{How, Standing, Survey};
use crate::error::Error;
use crate::report::{self, Reporter, show};
use crate::resources::registry::gateway_image;

pub(super) async fn run(start: &Start, yes: bool) -> Result<(), Error> {
    let config = start.config()?;
    if config.workload.source_ranges.is_empty() && !config.workload.public_without_auth {
        return Err(Error::usage(
            "it is not said who may reach the WebSocket",
            format!(
                "set source_ranges = [\"YOUR.ADDRESS/32\"] or public_without_auth = true under [workload] in {}, or run `tritondeploy init`",
                start.config.display()
            ),
        ));
    }
    let cloud = start.cloud("up").await?;
    let mut walk = start.walk(&cloud, true).await?;
    let survey = start.look(&walk).await?;
    if !start.json() {
        plan::present(&cloud, &survey);
    }
    preflight(start, &cloud, &survey).await?;
    if !yes && changes_something(&survey) {
        report::confirm("Go on?", &start.cancel).await?;
    }
    let reporter = Reporter::start(start.mode);
    walk.events = reporter.events();
    let outcome = walk.up().await;
    drop(walk);
    reporter.end().await;
    let next = format!("{} (it goes on from here), or {}", start.again("up"), start.again("down"));
    let ended = ended(&outcome, next);
    if start.json() {
        let facts = show::facts_json(outcome.facts.iter().map(|(_, fact)| fact));
        let found = json!({"outcome": outcome, "facts": facts, "seconds": outcome.took.as_secs_f64()});
        ended.map_err(|error| error.with(found.clone()))?;
        show::json(&found);
        return Ok(());
    }
    ended?;
    show::facts(outcome.facts.iter().map(|(_, fact)| fact));
    let changed = outcome.changed;
    show::line(if changed == 0 { "Nothing had to be changed.".to_owned() } else { format!("Up, after {changed} changes.") });
    Ok(())
}

/// What can be known to fail is said before anything is created.
async fn preflight(start: &Start, cloud: &Cloud, survey: &Survey) -> Result<(), Error> {
    let foreign = survey.sightings.iter().filter_map(|seen| match &seen.standing {
        Standing::Foreign { why } => Some(format!("{}: not ours: {why}", seen.node)),
        _ => None,
    });
    let foreign: Vec<String> = foreign.collect();
    if !foreign.is_empty() {
        let next = "give the deployment another name (--name), or its bucket or repository ([storage] bucket, [registry] repository); nothing was created";
        return Err(Error::failed(foreign.join("\n  "), next));
    }
    let replaced = replaced(survey);
    if !replaced.is_empty() {
        let next = format!(
            "put the former value back, or take the deployment away first ({}, with all that is in its bucket), \
             or make another beside it (--name); nothing was changed",
            start.again("down")
        );
        return Err(Error::failed(replaced.join("\n  "), next));
    }
    start.served(cloud, "up").await?;
    if survey.sightings.iter().any(|seen| &*seen.node == "gateway-image" && seen.standing != Standing::Present) {
        let next = format!("then {}; nothing was created", start.again("up"));
        gateway_image::preflight(cloud).await.map_err(|why| Error::failed(why, next))?;
    }
    Ok(())
}

/// What cannot be changed where it stands: the walk would refuse it too, but only after the question.
fn replaced(survey: &Survey) -> Vec<String> {
    let made = survey.sightings.iter().filter(|seen| !seen.watched);
    let one = |seen: &crate::engine::Sighting| {
        let changes = seen.changes.iter().filter(|(change, how)| *how != How::InPlace && change.known_after().is_none());
        let fields: Vec<String> =
            changes.map(|(change, _)| format!("{} is {}, wanted is {}", change.field, change.from, change.to)).collect();
        let takes = "; that takes a new one in its place, which `up` does not make";
        (!fields.is_empty()).then(|| format!("{}: {}{takes}", seen.node, fields.join(", ")))
    };
    made.filter_map(one).collect()
}

fn changes_something(survey: &Survey) -> bool {
    survey.sightings.iter().any(|seen| !seen.watched && (seen.standing != Standing::Present || !seen.changes.is_empty()))
}
