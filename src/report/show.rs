//! What commands found, for people: plans, facts, standings.

use serde::Serialize;

use crate::classes::Classified;
use crate::engine::{Change, Fact, How, Standing, Survey};
use crate::models::Report;

/// One JSON object, at the end of a command.
pub fn json(value: &impl Serialize) {
    println!("{}", serde_json::to_string(value).unwrap_or_default());
}

/// A line.
pub fn line(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// What `up` would do to each node, and the sum.
pub fn plan(survey: &Survey) {
    let mut counts = [0usize; 3];
    for seen in &survey.sightings {
        match (&seen.standing, seen.watched) {
            (Standing::Present, _) if seen.changes.is_empty() => {}
            (Standing::Present, _) => {
                counts[1] += 1;
                println!("  ~ {}", seen.node);
                seen.changes.iter().for_each(|(change, how)| println!("      {}", changed(change, *how)));
            }
            (Standing::Absent, false) => {
                counts[0] += 1;
                println!("  + {}", seen.node);
            }
            // What others leave behind only matters to `down`; other watched nodes come by themselves.
            (Standing::Absent, true) => {}
            (standing, _) => {
                counts[2] += 1;
                println!("  ! {}: {}", seen.node, words(standing));
                seen.evidence.iter().for_each(|line| println!("      {line}"));
            }
        }
    }
    let [create, change, other] = counts;
    let other = if other == 0 { String::new() } else { format!(", {other} to look at") };
    println!("{create} to create, {change} to change{other}.");
}

fn changed(change: &Change, how: How) -> String {
    let how = match how {
        How::InPlace => "",
        How::Replace => "  (takes a new one in its place)",
        How::Refuse => "  (cannot be changed)",
    };
    format!("{}: {} -> {}{how}", change.field, change.from, change.to)
}

/// How a node stands, in a few words.
#[must_use]
pub fn words(standing: &Standing) -> String {
    match standing {
        Standing::Absent => "absent".to_owned(),
        Standing::Present => "ready".to_owned(),
        Standing::Changing { why } => format!("changing: {why}"),
        Standing::Broken { why, .. } => format!("broken: {why}"),
        Standing::Foreign { why } => format!("not ours: {why}"),
        Standing::Unknown { why } => format!("cannot be told: {why}"),
    }
}

/// Every node with how it stands.
pub fn standings(survey: &Survey) {
    for seen in &survey.sightings {
        let drift = if seen.changes.is_empty() { "" } else { ", differs from the configuration" };
        println!("  {:<28} {}{drift}", seen.node, words(&seen.standing));
        seen.changes.iter().for_each(|(change, how)| println!("      {}", changed(change, *how)));
        seen.evidence.iter().for_each(|line| println!("      {line}"));
    }
}

/// Values that a user reads at the end.
pub fn facts<'a>(facts: impl IntoIterator<Item = &'a Fact>) {
    for fact in facts {
        println!("  {:<24} {}", fact.key, fact.value);
    }
}

/// What a release changed, and what each pod says of it.
pub fn released(report: &Report) {
    if report.changed.is_empty() && report.removed.is_empty() {
        println!("Nothing differs from what is released.");
    }
    for pod in &report.pods {
        for model in &pod.models {
            let state = model.state.as_deref().unwrap_or("");
            let version = model.version.as_deref().map(|version| format!(" version {version}")).unwrap_or_default();
            let took = |what: &str, ms: Option<f64>| {
                ms.filter(|ms| *ms > 0.0).map(|ms| format!(", {what} in {ms:.0} ms")).unwrap_or_default()
            };
            // The whole reason of a failure is told with the error.
            let reason = model.reason.as_deref().filter(|reason| !reason.is_empty() && model.action != "failed");
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let (loaded, asked) = (took("loaded", model.load_ms), took("answered", model.infer_ms));
            println!("  {:<24} {:<20} {}{version} {state}{reason}{loaded}{asked}", pod.pod, model.name, model.action);
        }
    }
    report.removed.iter().for_each(|name| println!("  {name}: no longer served"));
}

/// The classes that each model gives a picture.
pub fn classified(models: &[Classified], took: std::time::Duration) {
    for Classified { alias, model, top } in models {
        println!("{}", if alias == model { model.clone() } else { format!("{alias} ({model})") });
        for class in top {
            let label = class.label.as_deref().unwrap_or("(the model has no labels)");
            println!("  {:5.1} %  {:>4}  {label}", class.probability * 100.0, class.index);
        }
    }
    println!("in {} ms", took.as_millis());
}
