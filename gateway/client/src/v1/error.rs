//! Why there is no answer.

use std::time::Duration;

use tritondeploy_wire::v1::Failure;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error("{url} does not answer: {why}")]
    Connect {
        /// Where it was tried.
        url: String,
        /// The cause.
        why: String,
    },
    /// Something answers there that knows no protocol v1: an older gateway, or something else.
    #[error("{url} does not speak protocol v1: {why}")]
    UnsupportedSubprotocol {
        /// Where it was tried.
        url: String,
        /// What it said.
        why: String,
    },
    /// The connection was lost again and again.
    #[error("the connection was lost {times} times; the last time: {why}")]
    Lost {
        /// Times that it was lost under this request.
        times: u32,
        /// The cause.
        why: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The gateway's own reason.
    #[error("{0}")]
    Refused(Failure),
    /// What was asked cannot be written, or what came is no protocol v1.
    #[error("not protocol v1: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether the same request may succeed when asked again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Lost { .. } => true,
            Self::UnsupportedSubprotocol { .. } | Self::TimedOut(_) | Self::Protocol(_) => false,
            Self::Refused(failure) => failure.retryable,
        }
    }
}
