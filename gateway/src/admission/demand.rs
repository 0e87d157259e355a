//! Whether protocol v1 wants what it shares with v0. Its clients are told at once when there is none, and so never stand in a
//! queue by which it could be told.

use std::time::Duration;

use tokio::time::Instant;

/// For so long after it last asked, it still wants some: its clients ask again as soon as they are answered.
pub(super) const RECENT: Duration = Duration::from_secs(1);

/// When it last asked.
#[derive(Debug, Default)]
pub(super) struct Demand(Option<Instant>);

impl Demand {
    pub(super) fn asked(&mut self) {
        self.0 = Some(Instant::now());
    }

    pub(super) fn is_recent(&self) -> bool {
        self.0.is_some_and(|asked| asked.elapsed() < RECENT)
    }
}
