//! The gateway's own memory (RssAnon in `/proc/PID/status`) through an attack.

use serde::Serialize;

use crate::failure::Failure;
use crate::processor::Resident;

const MIB: f64 = 1_048_576.0;

/// In MiB.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Memory {
    pub(super) before: f64,
    pub(super) peak: f64,
    /// As last seen.
    pub(super) after: f64,
    /// Seconds of rest until it was back, if it was.
    pub(super) back_after_seconds: Option<f64>,
    #[serde(skip)]
    pid: u32,
}

impl Memory {
    /// As it is before.
    pub(super) fn of(pid: u32) -> Result<Self, Failure> {
        let before = Resident::of(pid)?.own as f64 / MIB;
        Ok(Self { before, peak: before, after: before, back_after_seconds: None, pid })
    }

    /// Looks again. An error when the process has ended.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        self.after = Resident::of(self.pid)?.own as f64 / MIB;
        self.peak = self.peak.max(self.after);
        Ok(())
    }

    /// At its highest, over what it was before.
    pub(super) fn added(&self) -> f64 {
        self.peak - self.before
    }

    /// As last seen, over what it was before.
    pub(super) fn kept(&self) -> f64 {
        self.after - self.before
    }
}
