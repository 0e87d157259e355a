//! `status`: how everything stands, with the cause when something is wrong.

use serde_json::json;

use super::{Start, plan};
use crate::engine::{Sighting, Standing};
use crate::error::Error;
use crate::report::{show, words};

pub(super) async fn run(start: &Start) -> Result<(), Error> {
    let cloud = start.cloud("status").await?;
    let mut survey = start.look(&start.walk(&cloud, false).await?).await?;
    // What others make in our VPC is left behind only once the cluster that it serves is gone.
    let serves = survey.sightings.iter().any(|seen| &*seen.node == "cluster" && seen.standing != Standing::Absent);
    survey.sightings.retain(|seen| seen.kind != "leftovers" || (!serves && seen.standing != Standing::Absent));
    let made = survey.sightings.iter().filter(|seen| !seen.watched);
    let nothing = made.clone().all(|seen| matches!(seen.standing, Standing::Absent | Standing::Foreign { .. }));
    let wrong: Vec<&Sighting> =
        survey.sightings.iter().filter(|seen| seen.standing != Standing::Present || seen.kind == "leftovers").collect();
    let facts = || survey.sightings.iter().flat_map(|seen| &seen.facts);
    let healthy = wrong.is_empty();
    let found = json!({
        "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
        "healthy": healthy, "exists": !nothing, "facts": show::facts_json(facts()), "nodes": survey.sightings,
    });
    if !start.json() {
        plan::head(&cloud);
        if nothing {
            show::line("Nothing of it exists.");
            show::standings(made.filter(|seen| seen.standing != Standing::Absent));
        } else {
            let drifts = survey.sightings.iter().filter(|seen| seen.standing == Standing::Present && !seen.changes.is_empty());
            show::standings(wrong.iter().copied().chain(drifts));
            show::facts(facts());
        }
    }
    if !nothing && !healthy {
        let names: Vec<&str> = wrong.iter().map(|seen| &*seen.node).collect();
        return Err(Error::failed(format!("not healthy: {}", words::brief(&names)), start.again("up")).with(found));
    }
    if start.json() {
        show::json(&found);
    } else if healthy {
        show::line(format!("Healthy: all {} parts are there and answer.", survey.sightings.len()));
    }
    Ok(())
}
