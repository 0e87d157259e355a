//! The checks in their order: each is timed and shown when it ends, and what cannot run is skipped with its cause.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::Level;
use crate::engine::format_duration;
use crate::report::checks::{self, Check, Verdict, clean, count};

/// Every check: its name, and the level that it belongs to. docs/operations.md has the same list.
pub(super) const CHECKS: [(&str, Level); 17] = [
    ("address", Level::Simple),
    ("dns", Level::Simple),
    ("tcp", Level::Simple),
    ("tls", Level::Simple),
    ("websocket", Level::Simple),
    ("readyz", Level::Simple),
    ("greeting", Level::Simple),
    ("triton/health", Level::Extended),
    ("triton/metadata", Level::Extended),
    ("triton/metrics", Level::Extended),
    ("triton/index", Level::Extended),
    ("bucket/list", Level::Extended),
    ("bucket/read", Level::Extended),
    ("inference", Level::Inference),
    ("protocol/v1", Level::Inference),
    ("protocol/v0", Level::Inference),
    ("round-trips", Level::Inference),
];

/// Those that need the gateway's connection, in their order.
pub(super) const OF_GATEWAY: [&str; 9] =
    ["tls", "websocket", "readyz", "greeting", "bucket/read", "inference", "protocol/v1", "protocol/v0", "round-trips"];

/// Those that need to know where the server is, before those of the bucket.
pub(super) const BEFORE_BUCKET: [&str; 10] = [
    "dns",
    "tcp",
    "tls",
    "websocket",
    "readyz",
    "greeting",
    "triton/health",
    "triton/metadata",
    "triton/metrics",
    "triton/index",
];

/// No single check takes longer, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(70);

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// Something is wrong.
    Failed(Finding),
    /// It has no meaning here, or something else keeps it from running.
    Skipped(String),
    /// The port is not open, and need not be.
    Closed(String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was seen.
    pub(super) detail: String,
    /// What that means.
    pub(super) meaning: String,
    /// What to do about it.
    pub(super) next: String,
}

impl Not {
    pub(super) fn failed(detail: impl Display, meaning: impl Display, next: impl Display) -> Self {
        let [detail, meaning, next] = [detail.to_string(), meaning.to_string(), next.to_string()];
        Self::Failed(Finding { detail, meaning, next })
    }
}

/// A check that passed: what later ones use, and what was found.
pub(super) type Found<T> = Result<(T, String), Not>;

/// What was checked so far.
pub(super) struct Tally {
    planned: Vec<&'static str>,
    show: fn(&Check),
    checks: Vec<Check>,
    running: Option<(String, Instant)>,
}

impl Tally {
    /// `show` gets each check when it has ended.
    pub(super) fn new(planned: Vec<&'static str>, show: fn(&Check)) -> Self {
        Self { planned, show, checks: Vec::new(), running: None }
    }

    pub(super) fn is_planned(&self, name: &str) -> bool {
        self.planned.contains(&name)
    }

    /// Runs one check, of a name that is planned or that is `PLANNED/...`; what it found, when it passed.
    pub(super) async fn check<T>(&mut self, name: &str, looking: impl Future<Output = Found<T>>) -> Option<T> {
        let begun = Instant::now();
        self.running = Some((name.to_owned(), begun));
        let found = tokio::time::timeout(LONGEST, looking).await.unwrap_or_else(|_| {
            let detail = format!("no result within {}", format_duration(LONGEST));
            Err(Not::failed(detail, "what answers is far too slow, or hangs", "run it again"))
        });
        self.running = None;
        let took = begun.elapsed();
        match found {
            Ok((value, detail)) => {
                self.push(name, Verdict::Passed, took, &detail, None);
                Some(value)
            }
            Err(not) => {
                self.not(name, took, not);
                None
            }
        }
    }

    fn not(&mut self, name: &str, took: Duration, not: Not) {
        match not {
            Not::Failed(finding) => {
                self.push(name, Verdict::Failed, took, &finding.detail, Some((finding.meaning, finding.next)))
            }
            Not::Skipped(why) => self.push(name, Verdict::Skipped, Duration::ZERO, &why, None),
            Not::Closed(why) => self.push(name, Verdict::Closed, took, &why, None),
        }
    }

    /// Says why a check is not run.
    pub(super) fn skip(&mut self, name: &str, why: impl Display) {
        self.push(name, Verdict::Skipped, Duration::ZERO, &why.to_string(), None);
    }

    /// Says that a check's port was found closed by a check before it.
    pub(super) fn close(&mut self, name: &str, why: &str) {
        self.push(name, Verdict::Closed, Duration::ZERO, why, None);
    }

    /// Skips those of `names` that are planned and have not ended, since `cause` did not pass.
    pub(super) fn skip_all(&mut self, names: &[&str], cause: &str) {
        for name in names {
            if self.is_planned(name) && !self.has(name) {
                self.skip(name, because(cause));
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.checks.iter().any(|check| is_part(&check.name, name))
    }

    /// All together took too long: the check that runs has failed, and the others are skipped.
    pub(super) fn end_at_limit(&mut self, limit: Duration) {
        let why = format!("ended: all checks together may take {}", format_duration(limit));
        if let Some((name, begun)) = self.running.take() {
            let not = Not::failed(&why, "what answers is far too slow, or hangs", "try it with --level simple");
            self.not(&name, begun.elapsed(), not);
        }
        for name in self.planned.clone() {
            if !self.has(name) {
                self.skip(name, &why);
            }
        }
    }

    fn push(&mut self, name: &str, verdict: Verdict, took: Duration, detail: &str, why: Option<(String, String)>) {
        let (meaning, next) = why.unzip();
        let seconds = (took.as_secs_f64() * 1e6).round() / 1e6;
        let check = Check { name: clean(name), verdict, seconds, detail: clean(detail), meaning, next };
        (self.show)(&check);
        self.checks.push(check);
    }

    /// Those that failed, in their order.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Failed)
    }

    /// All of it, for scripts.
    pub(super) fn as_json(&self) -> Value {
        let count = |verdict| count(&self.checks, verdict);
        json!({
            "passed": count(Verdict::Passed), "failed": count(Verdict::Failed),
            "skipped": count(Verdict::Skipped), "closed": count(Verdict::Closed),
            "checks": self.checks,
        })
    }

    /// How it ended, in one line.
    pub(super) fn verdict(&self) -> String {
        let counts = checks::counts(&self.checks);
        let asked = self.checks.iter().any(|check| check.verdict == Verdict::Passed && is_part(&check.name, "inference"));
        match self.failures().count() {
            0 if self.is_planned("inference") && !asked => format!("Nothing failed, and no model answered: {counts}."),
            0 => format!("All is well: {counts}."),
            _ => format!("Not all is well: {counts}."),
        }
    }
}

/// A check of this name, or one of its parts.
fn is_part(check: &str, name: &str) -> bool {
    check.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why a check is skipped.
pub(super) fn because(cause: &str) -> String {
    format!("because {cause} failed")
}

/// The checks of a level. `ours`: of our own deployment, whose address must be looked up; `tls`: behind `wss://`.
pub(super) fn planned(level: Level, ours: bool, tls: bool) -> Vec<&'static str> {
    let wanted = |name: &str| match name {
        "address" => ours,
        "tls" => tls,
        _ => true,
    };
    let all = CHECKS.into_iter().filter(|(name, of)| *of <= level && wanted(name));
    all.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally::new(planned(Level::Inference, false, false), |_| {})
    }

    fn verdicts(tally: &Tally) -> Vec<(&str, Verdict)> {
        tally.checks.iter().map(|check| (check.name.as_str(), check.verdict)).collect()
    }

    #[tokio::test]
    async fn what_cannot_run_is_skipped_with_its_cause_and_what_ran_is_not() {
        let mut tally = tally();
        assert_eq!(tally.check("dns", async { Ok((7, "one address".to_owned())) }).await, Some(7));
        let refused: Found<()> = Err(Not::failed("refused", "nothing listens", "start it"));
        assert_eq!(tally.check("tcp", async { refused }).await, None);
        tally.check("inference/m", async { Ok(((), String::new())) }).await;
        tally.skip_all(&OF_GATEWAY, "tcp");
        let all = verdicts(&tally);
        assert_eq!(all[..3], [("dns", Verdict::Passed), ("tcp", Verdict::Failed), ("inference/m", Verdict::Passed)]);
        assert!(all[3..].iter().all(|(_, verdict)| *verdict == Verdict::Skipped));
        let names: Vec<&str> = all[3..].iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["websocket", "readyz", "greeting", "bucket/read", "protocol/v1", "protocol/v0", "round-trips"]);
        assert_eq!(tally.checks[3].detail, "because tcp failed");
        let json = tally.as_json();
        assert_eq!((&json["failed"], &json["skipped"], &json["passed"]), (&json!(1), &json!(7), &json!(2)));
        assert_eq!(tally.failures().next().unwrap().next.as_deref(), Some("start it"));
        assert!(tally.verdict().starts_with("Not all is well: 2 passed, 1 failed"));
    }

    #[tokio::test]
    async fn all_is_well_only_where_a_model_answered() {
        let mut tally = tally();
        tally.check("tcp", async { Ok(((), String::new())) }).await;
        tally.skip("inference", "no model is known");
        assert!(tally.verdict().starts_with("Nothing failed, and no model answered: 1 passed"), "{}", tally.verdict());
        tally.check("inference/m", async { Ok(((), String::new())) }).await;
        assert!(tally.verdict().starts_with("All is well"), "{}", tally.verdict());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_fails_and_a_run_that_takes_too_long_ends() {
        let mut tally = tally();
        let hangs = std::future::pending::<Found<()>>;
        assert_eq!(tally.check("dns", hangs()).await, None);
        assert!(tally.checks[0].detail.contains("no result within 70 s"), "{:?}", tally.checks);
        drop(tokio::time::timeout(Duration::from_secs(1), tally.check("tcp", hangs())).await);
        tally.end_at_limit(Duration::from_secs(180));
        let all = verdicts(&tally);
        assert_eq!(all[1], ("tcp", Verdict::Failed));
        assert_eq!(all.len(), planned(Level::Inference, false, false).len());
        assert!(all[2..].iter().all(|(_, verdict)| *verdict == Verdict::Skipped));
    }

    #[test]
    fn each_level_has_the_checks_of_those_before_it() {
        assert_eq!(planned(Level::Simple, true, false), ["address", "dns", "tcp", "websocket", "readyz", "greeting"]);
        assert_eq!(planned(Level::Simple, false, true), ["dns", "tcp", "tls", "websocket", "readyz", "greeting"]);
        let (extended, all) = (planned(Level::Extended, true, true), planned(Level::Inference, true, true));
        assert!(all.starts_with(&extended) && all.len() == CHECKS.len() && extended.ends_with(&["bucket/read"]));
    }

    #[test]
    fn the_documentation_has_every_check_in_this_order() {
        let manual = include_str!("../../../docs/operations.md");
        let (_, section) = manual.split_once("\n## Testing from outside\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let told: Vec<&str> = rows.map(|(name, _)| name.trim_end_matches("/MODEL")).collect();
        assert_eq!(told, CHECKS.map(|(name, _)| name));
    }
}
