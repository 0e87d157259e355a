//! The rows of the table: what is asked of the gateway, and how it is measured.

mod basics;
mod close;
mod idle;
mod infer;
mod overload;
mod photographs;
mod start;
mod tensors;

use futures::future::LocalBoxFuture;

use crate::compare::{Blocks, Length};
use crate::failure::Failure;
use crate::statistics::Estimate;
use crate::world::World;

/// One row.
pub(crate) struct Row {
    /// For the command line.
    pub(crate) name: &'static str,
    /// For readers.
    pub(crate) title: &'static str,
    pub(crate) run: fn(&mut World, Length) -> LocalBoxFuture<'_, Result<Found, Failure>>,
}

/// What a row found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each side's own figures.
    pub(crate) arms: Vec<Table>,
    /// Held against bars.
    pub(crate) verdicts: Vec<Verdict>,
    /// What else is to be said, a paragraph each.
    pub(crate) notes: Vec<String>,
}

/// Sides measured together, `clients` at a time.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) clients: usize,
    pub(crate) arms: Vec<Blocks>,
}

/// A figure and its bar.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) found: Estimate,
    /// Such as "us", or empty for ratios.
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// The value is at most this.
    AtMost(f64),
    /// The value is at least this.
    AtLeast(f64),
    /// The lower end of the interval is at least this.
    LowAtLeast(f64),
    /// It is told, not judged.
    None,
}

impl Verdict {
    /// Whether the bar is met, where there is one.
    pub(crate) fn met(&self) -> Option<bool> {
        match self.bar {
            Bar::AtMost(bar) => Some(self.found.value <= bar),
            Bar::AtLeast(bar) => Some(self.found.value >= bar),
            Bar::LowAtLeast(bar) => Some(self.found.low >= bar),
            Bar::None => None,
        }
    }
}

/// All rows, in the order of the report.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "direct", title: "Triton itself: tensors in the message and in shared memory", run: basics::direct },
    Row { name: "null-throughput", title: "Protocol v1, tensors, null model: throughput", run: tensors::throughput },
    Row { name: "null-latency", title: "Protocol v1, tensors, null model: latency", run: tensors::latency },
    Row { name: "sleep", title: "Protocol v1, 4 KiB tensors, a model that sleeps 10 ms, 4 instances", run: tensors::sleep },
    Row { name: "jpeg-exact", title: "Protocol v1, JPEGs of 1280 x 960, top 5, null model: exact", run: photographs::exact },
    Row { name: "jpeg-fast", title: "Protocol v1, JPEGs of 1280 x 960, top 5, null model: fast", run: photographs::fast },
    Row { name: "v0-photos", title: "Protocol v0, JPEGs of 1280 x 960 by reference, both models", run: photographs::v0 },
    Row { name: "v0-tensors", title: "Protocol v0, tensors as JSON, null model", run: basics::v0_tensors },
    Row { name: "v0-sleep", title: "Protocol v0, 4 KiB tensors, a model that sleeps 10 ms, 4 instances", run: basics::v0_sleep },
    Row { name: "infer", title: "`tritondeploy infer`: 1,000 JPEGs of 640 x 480 from the bucket, null model", run: infer::run },
    Row { name: "start", title: "Cold start, and the binary", run: start::run },
    Row { name: "close", title: "Connect, ask, close, with Python's websockets", run: close::run },
    Row { name: "idle", title: "10,000 idle connections", run: idle::run },
    Row { name: "overload", title: "Ten times what the model can do", run: overload::run },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bar: Bar) -> Verdict {
        Verdict { what: String::new(), found: Estimate { value: 0.98, low: 0.95, high: 1.0 }, unit: "", bar }
    }

    #[test]
    fn a_bar_is_held_against_the_end_that_it_names() {
        assert_eq!(verdict(Bar::AtLeast(0.97)).met(), Some(true));
        assert_eq!(verdict(Bar::LowAtLeast(0.97)).met(), Some(false));
        assert_eq!(verdict(Bar::LowAtLeast(0.95)).met(), Some(true));
        assert_eq!(verdict(Bar::AtMost(0.97)).met(), Some(false));
        assert_eq!(verdict(Bar::AtMost(0.98)).met(), Some(true));
        assert_eq!(verdict(Bar::None).met(), None);
    }

    #[test]
    fn rows_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }
}
