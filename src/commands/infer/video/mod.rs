//! Videos.

use super::run::Context;
use super::sources::Found;
use crate::error::Error;

/// What becomes of videos.
pub(crate) struct Videos;

impl Videos {
    pub(crate) fn start(_: Context) -> Self {
        Self
    }

    /// A video that is to be asked for.
    pub(crate) async fn take(&self, _: Found, _: u64) {}

    /// Waits until all of them are through.
    ///
    /// # Errors
    /// When the results cannot be kept.
    pub(crate) async fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
