//! `status`: how everything stands, with the cause when something is wrong.

use serde_json::json;

use super::{Start, plan};
use crate::engine::{Sighting, Standing};
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(start: &Start) -> Result<(), Error> {
    let cloud = start.cloud("status").await?;
    let mut survey = start.walk(&cloud, false).await?.look().await;
    // What others make in our VPC is left behind only once the cluster that it serves is gone.
    let serves = survey.sightings.iter().any(|seen| &*seen.node == "cluster" && seen.standing != Standing::Absent);
    survey.sightings.retain(|seen| seen.kind != "leftovers" || (!serves && seen.standing != Standing::Absent));
    let made = || survey.sightings.iter().filter(|seen| !seen.watched);
    let nothing = made().all(|seen| seen.standing == Standing::Absent);
    let wrong: Vec<&Sighting> = survey.sightings.iter()
        .filter(|seen| seen.standing != Standing::Present || seen.kind == "leftovers")
        .collect();
    let facts = || survey.sightings.iter().flat_map(|seen| &seen.facts);
    if start.json() {
        let facts: serde_json::Map<_, _> = facts().map(|fact| (fact.key.to_owned(), json!(fact.value))).collect();
        show::json(&json!({
            "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
            "healthy": wrong.is_empty(), "exists": !nothing, "facts": facts, "nodes": survey.sightings,
        }));
    } else {
        plan::head(&cloud);
        if nothing {
            show::line("Nothing of it exists.");
        } else {
            show::standings(&survey);
            show::facts(facts());
            show::line(if wrong.is_empty() { "Healthy: everything is there and answers." } else { "Not healthy." });
        }
    }
    if nothing || wrong.is_empty() {
        return Ok(());
    }
    let why = wrong.iter().map(|seen| format!("{}: {}", seen.node, show::words(&seen.standing)));
    Err(Error::failed(why.collect::<Vec<_>>().join("\n  "), start.again("up")))
}
