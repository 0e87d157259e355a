//! What `up` would do.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::show::{changed, count_twins, grouped, standings, twins};
use super::{orphans, words};
use crate::engine::{NodeReport, Remedy, Report, Status};

/// What `up` would do to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    None,
    Create,
    Update,
    /// It is broken: deleted, and created again.
    Recreate,
    Delete,
    /// `up` waits for it, or a person has to look at it.
    Check,
}

impl Step {
    fn of(seen: &NodeReport) -> Self {
        match &seen.status {
            _ if seen.changes.iter().any(|(change, _)| change.removes()) => Self::Delete,
            Status::Present if seen.stays() || seen.changes.is_empty() => Self::None,
            Status::Present => Self::Update,
            // What others leave behind only matters to `down`; other watched nodes come by themselves.
            Status::Absent if seen.watched => Self::None,
            Status::Absent => Self::Create,
            Status::Broken { remedy: Remedy::Recreate | Remedy::RecreateLater, .. } if !seen.watched => Self::Recreate,
            _ => Self::Check,
        }
    }
}

/// How much `up` would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Resources that it creates.
    pub create: usize,
    /// Those that it changes in place.
    pub update: usize,
    /// Broken ones that it deletes and creates again.
    pub recreate: usize,
    /// Those that it deletes, twins included.
    pub delete: usize,
    /// Those that it waits for, or that a person has to look at.
    pub check: usize,
}

impl Counts {
    /// Of a look at everything.
    #[must_use]
    pub fn of(survey: &Report) -> Self {
        let count = |step| survey.nodes.iter().filter(|seen| Step::of(seen) == step).count();
        Self {
            create: count(Step::Create),
            update: count(Step::Update),
            recreate: count(Step::Recreate),
            delete: count(Step::Delete) + count_twins(survey),
            check: count(Step::Check),
        }
    }

    /// What a user is asked before it.
    #[must_use]
    pub fn question(&self, cost: &str) -> String {
        let all = [(self.create, "create"), (self.update, "change"), (self.recreate, "recreate"), (self.delete, "delete")];
        let mut verbs: Vec<String> =
            all.iter().filter(|(count, _)| *count > 0).map(|(count, verb)| format!("{verb} {count}")).collect();
        let (things, verb) = match (verbs.pop(), verbs.len()) {
            (None, _) => (self.check, format!("wait for {}", self.check)),
            (Some(last), 0) => (self.create + self.update + self.recreate + self.delete, last),
            (Some(last), _) => (2, format!("{} and {last}", verbs.join(", "))),
        };
        let mut chars = verb.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        let verb: String = first.into_iter().chain(chars).collect();
        let s = if things == 1 { "" } else { "s" };
        format!("{verb} resource{s} ({cost} in all)?")
    }

    /// `46 to create, 1 to change`, of what is not 0; empty where all is.
    #[must_use]
    pub fn words(&self) -> String {
        let all = [
            (self.create, "create"),
            (self.update, "change"),
            (self.recreate, "delete and create again"),
            (self.delete, "delete"),
        ];
        all.iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} to {what}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// For people: each node's step, and the sum.
pub fn show(survey: &Report) {
    let of = |step| survey.nodes.iter().filter(move |seen| Step::of(seen) == step);
    grouped('+', of(Step::Create).map(|seen| &*seen.node));
    orphans::going(of(Step::Delete));
    twins(survey);
    for seen in of(Step::Update) {
        outln!("  ~ {}", seen.node);
        seen.changes.iter().for_each(|(change, how)| outln!("      {}", changed(change, *how)));
    }
    for seen in of(Step::Recreate) {
        if let Status::Broken { why, .. } = &seen.status {
            outln!("  -/+ {}  (broken: {}; `up` deletes it and creates it again)", seen.node, words::harmless(why));
        }
    }
    standings(of(Step::Check));
    for (node, why) in survey.nodes.iter().filter_map(|seen| Some((&seen.node, seen.refused.as_ref()?))) {
        outln!("  ! {node}: `up` will refuse: {}", words::harmless(why));
    }
    let counts = Counts::of(survey);
    let mut sum = counts.words();
    if sum.is_empty() {
        sum.push_str("Nothing to create, change or delete");
        if counts.check > 0 {
            sum.push_str(" of what could be read");
        }
    }
    if counts.check > 0 {
        let _ = write!(sum, "; {} not ready or not readable", counts.check);
    }
    outln!("{sum}.");
}

/// For scripts: the nodes, each with its step as `action`.
#[must_use]
pub fn json(survey: &Report) -> Value {
    let node = |seen: &NodeReport| {
        let mut node = json!(seen);
        node["action"] = json!(Step::of(seen));
        node
    };
    survey.nodes.iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_what_is_done_to_how_many() {
        let none = Counts::default();
        assert_eq!(Counts { create: 46, ..none }.question("about $0.72/h"), "Create 46 resources (about $0.72/h in all)?");
        assert_eq!(Counts { update: 1, ..none }.question("about $0.72/h"), "Change 1 resource (about $0.72/h in all)?");
        let many = Counts { create: 1, update: 2, delete: 1, ..none };
        assert_eq!(many.question("about $1.00/h"), "Create 1, change 2 and delete 1 resources (about $1.00/h in all)?");
        assert_eq!(Counts { check: 2, ..none }.question("about $1.00/h"), "Wait for 2 resources (about $1.00/h in all)?");
    }

    #[test]
    fn the_sum_says_what_is_not_zero() {
        let none = Counts::default();
        assert_eq!(none.words(), "");
        assert_eq!(Counts { create: 2, recreate: 1, check: 1, ..none }.words(), "2 to create, 1 to delete and create again");
    }
}
