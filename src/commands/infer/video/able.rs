//! Whether videos can be asked for at all: known before anything is asked.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::super::sources::{Found, Seen};
use super::tool::{self, Programs};
use crate::cli::Protocol;
use crate::error::Error;

/// How often it is looked whether all sources are known.
const LOOK: Duration = Duration::from_millis(20);

/// What takes videos apart, or why nothing does.
pub(crate) enum Able {
    Yes(Programs),
    /// A program is missing: why.
    NoTool(String),
    /// Protocol v0 has no way for pixels.
    V0,
}

impl Able {
    /// Looks for ffmpeg.
    pub(crate) fn check(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V0 => Self::V0,
            Protocol::V1 => Programs::find(std::env::var_os("PATH").as_deref()).map_or_else(Self::NoTool, Self::Yes),
        }
    }

    /// Where videos cannot be asked for: waits until the sources are known, as far as they are looked through ahead, so
    /// that nothing is asked when a video is among them.
    ///
    /// # Errors
    /// There is one: what is missing, and which videos wait for it; or the run was stopped.
    pub(crate) async fn ready(
        &self,
        found: &mpsc::Receiver<Found>,
        seen: &Seen,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if let Self::Yes(_) = self {
            return Ok(());
        }
        while !seen.counts().ended && found.len() < found.max_capacity() {
            tokio::select! {
                () = cancel.cancelled() => return Err(Error::unchanged()),
                () = sleep(LOOK) => {}
            }
        }
        let counts = seen.counts();
        if counts.videos > 0 { Err(self.missing(&counts.first_videos, counts.videos)) } else { Ok(()) }
    }

    /// What `count` videos wait for, the `first` by name.
    pub(super) fn missing(&self, first: &[String], count: u64) -> Error {
        match self {
            Self::NoTool(why) => tool::missing(why, first, count),
            Self::Yes(_) | Self::V0 => {
                let first = first.first().map_or("", String::as_str);
                let why =
                    format!("protocol v0 cannot carry the pixels of frames, and {count} of the sources are videos ({first})");
                Error::usage(why, "ask without --protocol v0, or name images only")
            }
        }
    }
}
