//! Videos: frames that ffmpeg decodes are asked for inline, a few at a time, and nothing is put into the bucket for them.

mod able;
mod download;
mod frames;
mod numbers;
mod one;
mod probe;
mod process;
mod queue;
mod sampling;
mod scratch;
mod size;
mod tool;

use super::results::record::Failure;
pub(crate) use able::Able;
pub(crate) use queue::Videos;
pub(crate) use sampling::Sampling;

/// A video, or the rest of it, that cannot be read. `why` is ffmpeg's where it gave any.
fn unreadable(why: impl Into<String>) -> Failure {
    Failure::new("unreadable", why, false)
}

/// A video that made no progress for so long that it was given up.
fn timed_out(why: impl Into<String>) -> Failure {
    Failure::new("timed_out", why, true)
}
