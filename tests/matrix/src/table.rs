//! What came of the cases.

use std::fmt;

use crate::case::{Case, Kind};

/// What came of a case.
pub struct Done {
    /// The case.
    pub case: Case,
    /// From its new account to its verdict.
    pub seconds: f64,
    /// Why it did not end as it must.
    pub outcome: Result<(), String>,
}

/// What came of all of them.
#[derive(Default)]
pub struct Table(pub Vec<Done>);

impl Table {
    /// Those that did not end as they must.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.0.iter().filter(|done| done.outcome.is_err()).count()
    }

    /// The median of their seconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.0.iter())
    }
}

fn median<'a>(done: impl Iterator<Item = &'a Done>) -> f64 {
    let mut seconds: Vec<f64> = done.map(|done| done.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome.as_ref().map_or_else(|why| format!("FAILED: {why}"), |()| "ok".to_owned());
        write!(f, "{:5.1} s  {}: {outcome}", self.seconds, self.case)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:30}{:>7}{:>11}{:>10}{:>10}", "", "cases", "converged", "median s", "longest s")?;
        for kind in Kind::ALL {
            let of = || self.0.iter().filter(|done| done.case.kind == kind);
            let (many, well) = (of().count(), of().filter(|done| done.outcome.is_ok()).count());
            let longest = of().map(|done| done.seconds).fold(0.0, f64::max);
            writeln!(f, "{:30}{many:>7}{well:>11}{:>10.1}{longest:>10.1}", kind.to_string(), median(of()))?;
        }
        let (many, failed) = (self.0.len(), self.failed());
        write!(f, "{:30}{many:>7}{:>11}{:>10.1}", "all", many - failed, self.median())
    }
}
