//! What an earlier configuration made and this one does not want, for people.

use super::words;
use crate::cloud::orphans::Orphans;
use crate::engine::{NodeReport, Report, Status};

/// What `up` deletes, each with where it answers or what it is called, and why it is not wanted.
pub fn going<'a>(seen: impl IntoIterator<Item = &'a NodeReport>) {
    for seen in seen {
        outln!("  - {}", described(seen));
    }
}

/// What is left of an earlier configuration, in whatever state.
pub fn left(survey: &Report) {
    for seen in survey.nodes.iter().filter(|seen| seen.unwanted.is_some()) {
        let status =
            if seen.status == Status::Present { String::new() } else { format!("; {}", super::show::words(&seen.status)) };
        let sign = if seen.stays() { '=' } else { '-' };
        outln!("  {sign} {}{}", described(seen), words::harmless(&status));
    }
}

/// `NODE: ITS FACTS (not in the configuration any more: KEY was VALUE)`.
fn described(seen: &NodeReport) -> String {
    let facts: Vec<&str> =
        seen.facts.iter().map(|fact| fact.value.as_str()).filter(|value| !seen.node.ends_with(value)).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    let why = seen.unwanted.as_ref().map(|unwanted| format!(" (not in the configuration any more: {})", unwanted.why));
    words::harmless(&format!("{}{facts}{}", seen.node, why.unwrap_or_default()))
}

/// Data that `up` leaves, one line each, after what it is.
pub fn data(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    outln!("Data of an earlier configuration, which `up` does not delete:");
    lines.iter().for_each(|line| outln!("  = {}", words::harmless(line)));
}

/// What cannot be deleted, and what could not be read.
pub fn notes(orphans: &Orphans) {
    orphans
        .held
        .iter()
        .for_each(|held| outln!("Left, though it is not in the configuration any more: {}.", words::harmless(held)));
    orphans
        .unknown
        .iter()
        .for_each(|why| outln!("What an earlier configuration left could not be read: {}.", words::harmless(why)));
}
