//! The checks of `test`: what each found, as people and as scripts read it.

use std::io::IsTerminal;
use std::time::Duration;

use serde::Serialize;

use super::words::obeyed;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// It could not be checked, or has no meaning here.
    Skipped,
    /// The port is not open, and need not be.
    Closed,
}

/// One check that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What scripts know it by.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, to the microsecond; 0 where nothing was tried.
    pub seconds: f64,
    /// What was found, or why it was not looked for: one line.
    pub detail: String,
    /// Of a failure: what it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// Of a failure: what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Longest text of others that a line repeats, in characters.
const LONGEST: usize = 300;

/// A server's words on one line: no control character reaches the terminal, and no more than people read.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut shown: String = text.chars().map(|c| if c == '\t' || obeyed(c) { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown.trim().to_owned()
}

/// `12.3 ms`.
#[must_use]
pub fn milliseconds(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

/// A check on a line of its own; what a failure means, and what to do about it, below it.
pub fn line(check: &Check) {
    outln!("{}", text(check, std::io::stdout().is_terminal()));
}

fn text(check: &Check, colours: bool) -> String {
    let (mark, colour) = match check.verdict {
        Verdict::Passed => ("✓", "32"),
        Verdict::Failed => ("✗", "1;31"),
        Verdict::Skipped => ("-", "33"),
        Verdict::Closed => ("○", "36"),
    };
    let mark = if colours { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
    let took = match check.seconds {
        0.0 => String::new(),
        seconds => milliseconds(Duration::from_secs_f64(seconds)),
    };
    let mut text = format!("  {mark} {:<28} {took:>11}  {}", check.name, check.detail);
    let below = [("meaning", &check.meaning), ("next", &check.next)];
    for (what, words) in below.iter().filter_map(|(what, words)| Some((what, words.as_ref()?))) {
        text.push_str(&format!("\n      {what}: {words}"));
    }
    text
}

/// How many ended how.
#[must_use]
pub fn count(checks: &[Check], verdict: Verdict) -> usize {
    checks.iter().filter(|check| check.verdict == verdict).count()
}

/// `12 passed, 1 failed, 3 skipped, 4 closed`, without what did not happen.
#[must_use]
pub fn counts(checks: &[Check]) -> String {
    let all =
        [(Verdict::Passed, "passed"), (Verdict::Failed, "failed"), (Verdict::Skipped, "skipped"), (Verdict::Closed, "closed")];
    let some = all.map(|(verdict, word)| (count(checks, verdict), word));
    let some = some.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict) -> Check {
        Check { name: "tcp".to_owned(), verdict, seconds: 0.012_34, detail: "d".to_owned(), meaning: None, next: None }
    }

    #[test]
    fn a_check_is_one_line_and_a_failure_says_what_to_do() {
        assert_eq!(text(&check(Verdict::Passed), false), "  ✓ tcp                              12.3 ms  d");
        let mut failed = check(Verdict::Failed);
        (failed.meaning, failed.next) = (Some("m".to_owned()), Some("n".to_owned()));
        let told = text(&failed, false);
        assert!(told.starts_with("  ✗ tcp ") && told.ends_with("  d\n      meaning: m\n      next: n"), "{told}");
        let aligned = |name: &str| {
            let mut check = check(Verdict::Skipped);
            (check.name, check.seconds) = (name.to_owned(), 0.0);
            text(&check, false).find("  d")
        };
        assert_eq!(aligned("tcp"), aligned("round-trips"));
        assert!(text(&failed, true).contains("\x1b[1;31m✗\x1b[0m"));
    }

    #[test]
    fn what_a_server_says_cannot_write_over_the_terminal() {
        assert_eq!(clean("a\x1b[2J\r\nb\u{202e}c\0"), "a [2J  b c");
        let long = clean(&"é".repeat(100_000));
        assert_eq!((long.chars().count(), long.ends_with("é...")), (LONGEST + 3, true));
    }

    #[test]
    fn scripts_read_what_there_is() {
        let passed = serde_json::to_value(check(Verdict::Passed)).unwrap();
        assert_eq!(passed, serde_json::json!({"name": "tcp", "verdict": "passed", "seconds": 0.01234, "detail": "d"}));
        let checks = [check(Verdict::Passed), check(Verdict::Closed), check(Verdict::Passed)];
        assert_eq!(counts(&checks), "2 passed, 1 closed");
    }
}
