//! `up`: look, show, ask, walk; done when a real image has been classified.

use serde_json::json;

use super::{Start, ended, plan};
use crate::cloud::Cloud;
use crate::engine::{Outcome, Standing, Survey};
use crate::error::Error;
use crate::report::{self, Reporter, show};

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
    let survey = walk.look().await;
    if !start.json() {
        plan::present(&cloud, &survey);
    }
    preflight(&cloud, &survey).await?;
    if !yes && changes_something(&survey) && !report::confirm("Go on?")? {
        return Err(Error::Interrupted { exists: Vec::new(), next: "nothing was changed".to_owned() });
    }
    let reporter = Reporter::start(start.mode);
    walk.events = reporter.events();
    let outcome = walk.up().await;
    drop(walk);
    reporter.end().await;
    tell(start, &outcome);
    ended(&outcome, format!("{} (it goes on from here), or {}", start.again("up"), start.again("down")))
}

/// What can be known to fail is said before anything is created.
async fn preflight(cloud: &Cloud, survey: &Survey) -> Result<(), Error> {
    let absent = |node: &str| survey.sightings.iter().any(|seen| &*seen.node == node && seen.standing != Standing::Present);
    if let Err(problems) = crate::models::Repository::open(&cloud.config.models.directory, &cloud.config.models.serve) {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let why = format!("the model repository is not in order:\n  {}", lines.join("\n  "));
        return Err(Error::failed(why, "mend it, then run `tritondeploy up` again; nothing was created"));
    }
    if absent("gateway-image") {
        crate::resources::registry::gateway_image::preflight(cloud)
            .await
            .map_err(|why| Error::failed(why, "then run `tritondeploy up` again; nothing was created"))?;
    }
    Ok(())
}

fn changes_something(survey: &Survey) -> bool {
    survey.sightings.iter().any(|seen| !seen.watched && (seen.standing != Standing::Present || !seen.changes.is_empty()))
}

fn tell(start: &Start, outcome: &Outcome) {
    if start.json() {
        let facts: serde_json::Map<_, _> =
            outcome.facts.iter().map(|(_, fact)| (fact.key.to_owned(), json!(fact.value))).collect();
        show::json(&json!({"outcome": outcome, "facts": facts, "seconds": outcome.took.as_secs_f64()}));
        return;
    }
    show::facts(outcome.facts.iter().map(|(_, fact)| fact));
    if outcome.ok() {
        let changed = outcome.changed;
        show::line(if changed == 0 { "Nothing had to be changed.".to_owned() } else { format!("Up, after {changed} changes.") });
    }
}
