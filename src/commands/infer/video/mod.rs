//! Videos: frames that ffmpeg decodes are asked for inline, a few at a time, and nothing is put into the bucket for them.

mod frames;
mod numbers;
mod probe;
mod process;
mod sampling;
mod size;
mod tool;

use super::results::record::Failure;

/// A video, or the rest of it, that cannot be read. `why` is ffmpeg's where it gave any.
fn unreadable(why: impl Into<String>) -> Failure {
    Failure { code: "unreadable".to_owned(), message: why.into(), retryable: false }
}

/// A video that made no progress for so long that it was given up.
fn timed_out(why: impl Into<String>) -> Failure {
    Failure { code: "timed_out".to_owned(), message: why.into(), retryable: true }
}
