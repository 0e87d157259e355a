//! What commands found, for people: facts, statuses, twins.

use std::collections::HashSet;
use std::io::IsTerminal;

use serde::Serialize;

use super::words;
use crate::engine::{Change, Fact, NodeReport, Report, Status, Twin, UpdateMode, with_origin};
use crate::models;

/// One JSON object, at the end of a command.
pub fn json(value: &impl Serialize) {
    outln!("{}", super::json::versioned(value));
}

/// JSON whose keys are another program's.
pub fn foreign_json(value: &impl Serialize) {
    outln!("{}", words::harmless_json(&serde_json::to_string(value).unwrap_or_default()));
}

/// A line.
pub fn line(text: impl AsRef<str>) {
    outln!("{}", text.as_ref());
}

/// Something to know beside what was asked for.
pub fn note(text: &str) {
    errln!("note: {}", words::harmless(text));
}

/// What is there more than once, is billed more than once, and goes: with what is in it.
pub fn twins(survey: &Report) {
    for (seen, twin) in survey.nodes.iter().flat_map(|seen| seen.twins.iter().map(move |twin| (seen, twin))) {
        outln!("  - {}", words::harmless(&described(&seen.node, twin)));
    }
}

/// How many things go as twins, with all that is in them.
#[must_use]
pub fn count_twins(survey: &Report) -> usize {
    survey.nodes.iter().flat_map(|seen| &seen.twins).map(|twin| 1 + twin.holds.len()).sum()
}

fn described(node: &str, twin: &Twin) -> String {
    let named = |node: &str, id: Option<&String>, facts: &[Fact]| {
        let facts = facts.iter().map(|fact| &fact.value).filter(|value| Some(*value) != id);
        let all: Vec<&str> = id.into_iter().chain(facts).map(String::as_str).collect();
        if all.is_empty() { node.to_owned() } else { format!("{node} ({})", all.join(", ")) }
    };
    let why = match &twin.kept {
        Some(kept) => format!("a duplicate; {kept} is kept"),
        None => "it serves a twin, and cannot serve here".to_owned(),
    };
    let holds: Vec<String> = twin.holds.iter().map(|held| named(&held.node, held.id.as_ref(), &[])).collect();
    let holds = if holds.is_empty() { String::new() } else { format!("; with {}", holds.join(", ")) };
    format!("{}: {why}{holds}", named(node, twin.id.as_ref(), &twin.facts))
}

/// Names with a sign before them; those of a kind on one line.
pub fn grouped<'a>(sign: char, names: impl IntoIterator<Item = &'a str>) {
    for (group, members) in words::groups(names) {
        match (group, members.as_slice()) {
            ("", [name]) => outln!("  {sign} {name}"),
            (group, [name]) => outln!("  {sign} {group}/{name}"),
            (group, members) => outln!("  {sign} {group}: {}", members.join(", ")),
        }
    }
}

pub(super) fn changed(change: &Change, how: UpdateMode) -> String {
    let how = match how {
        UpdateMode::InPlace => "",
        UpdateMode::Replace => "  (takes a new one in its place)",
        UpdateMode::Refuse => "  (cannot be changed)",
    };
    let (field, from) = (&change.field, &change.from);
    match change.known_after() {
        Some(node) if from.is_null() => format!("{field}: known after {node}{how}"),
        Some(node) => format!("{field}: {} -> known after {node}{how}", value(from)),
        None => format!("{field}: {} -> {}{how}", value(from), value(&change.to)),
    }
}

/// A value on a line; of what would fill a screen (a file in a config map), how it begins.
fn value(value: &serde_json::Value) -> String {
    const MOST: usize = 1000;
    let text = value.to_string();
    match text.len() {
        _ if value.is_null() => "nothing".to_owned(),
        0..=MOST => text,
        bytes => format!("{}... ({bytes} bytes)", text.chars().take(100).collect::<String>()),
    }
}

/// How a node stands, in a few words.
#[must_use]
pub fn words(status: &Status) -> String {
    match status {
        Status::Absent => "absent".to_owned(),
        Status::Present => "ready".to_owned(),
        Status::Changing { why } => format!("changing: {why}"),
        Status::Broken { why, .. } => format!("broken: {why}"),
        Status::Foreign { why } => format!("not ours: {why}"),
        Status::Unknown { why, origin } => {
            format!("unknown: {}", with_origin(why, origin.as_deref()))
        }
    }
}

/// Most lines of evidence of one thing: the rest is in the log.
pub const EVIDENCE: usize = 8;

/// These nodes with how they stand, those that stand alike on one line, and what is known of why.
pub fn standings<'a>(seen: impl IntoIterator<Item = &'a NodeReport>) {
    let mut alike: Vec<(String, Vec<&NodeReport>)> = Vec::new();
    for seen in seen {
        let words = match seen.status {
            Status::Present if seen.changes.is_empty() => "there, and its service tells of a problem".to_owned(),
            Status::Present => "differs from the configuration".to_owned(),
            // The same of all, whatever the request.
            Status::Unknown { ref why, .. } => words(&Status::Unknown { why: why.clone(), origin: None }),
            ref status => words(status),
        };
        match alike.iter_mut().find(|(known, _)| *known == words) {
            Some((_, members)) => members.push(seen),
            None => alike.push((words, vec![seen])),
        }
    }
    let mut told = HashSet::new();
    for (words, members) in &alike {
        let names: Vec<&str> = members.iter().map(|seen| &*seen.node).collect();
        // The call and the request of one of them.
        let origin = members.iter().find_map(|seen| match &seen.status {
            Status::Unknown { origin, .. } => origin.as_deref(),
            _ => None,
        });
        outln!("  {}: {}", words::brief(&names), words::harmless(&with_origin(words, origin)));
        let changes = members.iter().flat_map(|seen| &seen.changes);
        changes.for_each(|(change, how)| outln!("      {}", changed(change, *how)));
        let evidence = members.iter().flat_map(|seen| &seen.evidence);
        let new = evidence.filter(|line| !words.contains(line.as_str()) && told.insert(line.as_str()));
        new.take(EVIDENCE).for_each(|line| outln!("      {}", words::harmless(line)));
    }
}

/// The values of each key, together where there are several.
#[must_use]
pub fn values<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Vec<(&'static str, String)> {
    let mut values: Vec<(&'static str, String)> = Vec::new();
    for fact in facts {
        match values.iter_mut().find(|(key, _)| *key == fact.key) {
            Some((_, value)) => *value = format!("{value}, {}", fact.value),
            None => values.push((fact.key, fact.value.clone())),
        }
    }
    values
}

/// The same, for scripts.
#[must_use]
pub fn facts_json<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> serde_json::Value {
    values(facts).into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect::<serde_json::Map<_, _>>().into()
}

/// Values that a user reads at the end; what the photo was taken for comes last.
pub fn facts<'a>(facts: impl IntoIterator<Item = &'a Fact>) {
    let values = values(facts);
    let (proof, values): (Vec<_>, Vec<_>) =
        values.into_iter().partition(|(key, _)| ["label", "score", "answered_in"].contains(key));
    outln!();
    for (key, value) in values {
        outln!("  {key:<18} {}", without_digest(&value));
    }
    let of = |wanted: &str| proof.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.as_str());
    if let Some(label) = of("label") {
        let (bold, plain) = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let aside = ["score", "answered_in"].into_iter().filter_map(of).collect::<Vec<_>>().join(", ");
        outln!("\n  the bundled photo  {bold}{label}{plain} ({aside})\n");
    }
}

/// An image is known by its tag; its digest fills a line of its own.
fn without_digest(value: &str) -> &str {
    value.split_once("@sha256:").map_or(value, |(image, _)| image)
}

/// What a release changed, and what each pod says of it.
pub fn released(report: &models::Report) {
    if report.changed.is_empty() && report.removed.is_empty() {
        outln!("Nothing differs from what is released.");
        let again = report.pods.iter().filter(|pod| pod.ok).map(|pod| pod.pod.as_str()).collect::<Vec<_>>().join(", ");
        if !again.is_empty() {
            outln!("Released again to {again}: another release was served there.");
        }
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
            outln!("  {:<24} {:<20} {}{version} {state}{reason}{loaded}{asked}", pod.pod, model.name, model.action);
        }
    }
    report.removed.iter().for_each(|name| outln!("  {name}: no longer served"));
    report.changed.iter().filter(|_| report.pods.is_empty()).for_each(|name| outln!("  {name}: uploaded"));
    let differs = !report.changed.is_empty() || !report.removed.is_empty();
    if report.published && differs && report.pods.is_empty() && report.not_served.is_empty() {
        outln!("Published. No pod is running; the next one serves this release.");
    }
    if let Some(strangers) = &report.strangers {
        outln!("Left under models/, since no release has put it there: {}", words::harmless(&strangers.to_string()));
    }
    if let Some(why) = &report.not_cleaned_up {
        outln!("What no release needs any more is still in the bucket, and goes with the next release: {}", words::harmless(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Held;

    #[test]
    fn a_change_is_told_in_words() {
        use serde_json::json;
        let told = |from, to, how| changed(&Change { field: "f".to_owned(), from, to }, how);
        let unknown = json!({"known after": "gateway-image"});
        assert_eq!(told(json!(null), unknown.clone(), UpdateMode::InPlace), "f: known after gateway-image");
        assert_eq!(told(json!([1]), json!([unknown]), UpdateMode::InPlace), "f: [1] -> known after gateway-image");
        assert_eq!(told(json!(null), json!("a"), UpdateMode::InPlace), "f: nothing -> \"a\"");
        assert_eq!(told(json!(1), json!(2), UpdateMode::Refuse), "f: 1 -> 2  (cannot be changed)");
        assert!(told(json!(1), json!("x".repeat(5000)), UpdateMode::InPlace).ends_with("xxx... (5002 bytes)"));
    }

    #[test]
    fn a_twin_is_told_with_what_is_kept_and_what_goes_with_it() {
        let fact = |value: &str| Fact { key: "x", value: value.to_owned() };
        let held = Held { node: "nat-gateway".into(), kind: "nat-gateway", id: Some("nat-2".to_owned()), facts: Vec::new() };
        let id = |id: &str| Some(id.to_owned());
        let facts = vec![fact("vpc-b"), fact("10.0.0.0/20")];
        let vpc = Twin { id: id("vpc-b"), kept: id("vpc-a"), facts, holds: vec![held] };
        assert_eq!(described("vpc", &vpc), "vpc (vpc-b, 10.0.0.0/20): a duplicate; vpc-a is kept; with nat-gateway (nat-2)");
        let gateway = Twin { id: id("igw-b"), kept: None, facts: Vec::new(), holds: Vec::new() };
        assert_eq!(described("internet-gateway", &gateway), "internet-gateway (igw-b): it serves a twin, and cannot serve here");
    }

    #[test]
    fn values_of_one_key_stand_together() {
        let fact = |key, value: &str| Fact { key, value: value.to_owned() };
        let facts = [fact("subnet", "a"), fact("vpc", "v"), fact("subnet", "b")];
        assert_eq!(values(&facts), [("subnet", "a, b".to_owned()), ("vpc", "v".to_owned())]);
        assert_eq!(facts_json(&facts)["subnet"], "a, b");
    }
}
