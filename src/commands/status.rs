//! `status`: how everything stands, with the cause when something is wrong.

use serde_json::{Value, json};

use super::{Start, plan};
use crate::cli::Status;
use crate::engine::{Change, Sighting, Standing, Survey};
use crate::error::Error;
use crate::report::{show, words};

pub(super) async fn run(start: &Start, _status: Status) -> Result<(), Error> {
    let cloud = start.cloud("status").await?;
    let mut survey = start.look(&start.walk(&cloud, false).await?).await?;
    // What others make in our VPC is left behind only once the cluster that it serves is gone.
    let serves = survey.sightings.iter().any(|seen| &*seen.node == "cluster" && seen.standing != Standing::Absent);
    survey.sightings.retain(|seen| seen.kind != "leftovers" || (!serves && seen.standing != Standing::Absent));
    let made = survey.sightings.iter().filter(|seen| !seen.watched);
    let nothing = made.clone().all(|seen| matches!(seen.standing, Standing::Absent | Standing::Foreign { .. }));
    let facts = || survey.sightings.iter().flat_map(|seen| &seen.facts);
    let health = Health::of(&survey);
    let found = json!({
        "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
        "healthy": health.good(), "exists": !nothing, "drift": health.drift(), "facts": show::facts_json(facts()),
        "nodes": survey.sightings,
    });
    if !start.json() {
        plan::head(&cloud);
        if nothing {
            show::line("Nothing of it exists.");
            show::standings(made.filter(|seen| seen.standing != Standing::Absent));
        } else {
            show::standings(health.wrong.iter().chain(&health.drifted).copied());
            show::facts(facts());
        }
    }
    if !nothing && !health.good() {
        let next = if health.wrong.is_empty() { " (it puts back what differs)" } else { "" };
        return Err(Error::failed(health.words(), format!("{}{next}", start.again("up"))).with(found));
    }
    if start.json() {
        show::json(&found);
    } else if !nothing {
        show::line(format!("Healthy: all {} parts are there, as configured, and answer.", survey.sightings.len()));
    }
    Ok(())
}

/// What keeps a deployment from being healthy.
struct Health<'a> {
    /// Missing, changing, broken, not ours, or not to be told.
    wrong: Vec<&'a Sighting>,
    /// There, and not as configured.
    drifted: Vec<&'a Sighting>,
}

impl<'a> Health<'a> {
    fn of(survey: &'a Survey) -> Self {
        let (mut wrong, mut drifted) = (Vec::new(), Vec::new());
        for seen in &survey.sightings {
            if seen.standing != Standing::Present || seen.kind == "leftovers" {
                wrong.push(seen);
            } else if changes(seen).next().is_some() {
                drifted.push(seen);
            }
        }
        Self { wrong, drifted }
    }

    fn good(&self) -> bool {
        self.wrong.is_empty() && self.drifted.is_empty()
    }

    /// Each field that differs, for scripts.
    fn drift(&self) -> Vec<Value> {
        let one = |seen: &&'a Sighting| {
            let node = seen.node.clone();
            changes(seen).map(move |change| json!({"node": node, "field": change.field, "from": change.from, "to": change.to}))
        };
        self.drifted.iter().flat_map(one).collect()
    }

    fn words(&self) -> String {
        let names = |seen: &[&Sighting]| words::brief(&seen.iter().map(|seen| &*seen.node).collect::<Vec<_>>());
        let wrong = (!self.wrong.is_empty()).then(|| format!("not healthy: {}", names(&self.wrong)));
        let drifted = (!self.drifted.is_empty()).then(|| format!("not as configured: {}", names(&self.drifted)));
        wrong.into_iter().chain(drifted).collect::<Vec<_>>().join("; ")
    }
}

/// What differs by itself: what waits for another node follows from that node's own state.
fn changes(seen: &Sighting) -> impl Iterator<Item = &Change> {
    seen.changes.iter().map(|(change, _)| change).filter(|change| change.known_after().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::How;

    fn seen(node: &str, standing: Standing, to: Option<Value>) -> Sighting {
        let change = |to| (Change { field: "spec.replicas".to_owned(), from: json!(1), to }, How::InPlace);
        Sighting {
            node: node.into(),
            kind: "x",
            watched: false,
            standing,
            changes: to.map(change).into_iter().collect(),
            facts: Vec::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn what_drifted_is_not_healthy_and_is_named() {
        let fine = seen("vpc", Standing::Present, None);
        let survey = Survey { sightings: vec![fine.clone(), seen("kube/deployment", Standing::Present, Some(json!(2)))] };
        let health = Health::of(&survey);
        assert!(!health.good());
        assert_eq!(health.words(), "not as configured: kube/deployment");
        let told = json!({"node": "kube/deployment", "field": "spec.replicas", "from": 1, "to": 2});
        assert_eq!(health.drift(), [told]);
        assert!(Health::of(&Survey { sightings: vec![fine] }).good());
    }

    #[test]
    fn what_waits_for_something_missing_is_no_drift() {
        let waits = seen("kube/deployment", Standing::Present, Some(json!({"known after": "gateway-image"})));
        let survey = Survey { sightings: vec![seen("gateway-image", Standing::Absent, None), waits] };
        let health = Health::of(&survey);
        assert_eq!((health.words().as_str(), health.drift().len()), ("not healthy: gateway-image", 0));
    }
}
