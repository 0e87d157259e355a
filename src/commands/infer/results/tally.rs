//! How a run stands, counted from its records.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Images of a run, and of the runs that it went on with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// In the CSV.
    pub(crate) total: u64,
    /// Every model answered.
    pub(crate) successful: u64,
    /// Some model did not.
    pub(crate) failed: u64,
    /// Of the failed ones, those that `--resume` asks for again.
    pub(crate) retryable: u64,
    /// Objects without a suffix that tells, of which the gateway said that they are no images: not in the CSV.
    pub(crate) not_images: u64,
    /// Seconds, the sum over all images: several are asked at once.
    pub(crate) seconds: f64,
    /// The failed ones by code.
    pub(crate) codes: BTreeMap<String, u64>,
    /// The CSV.
    pub(crate) csv: PathBuf,
}
