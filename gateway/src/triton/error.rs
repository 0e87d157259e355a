//! What can go wrong when asking Triton, told apart by what the asker can do about it.

use std::error::Error as _;

use tonic::{Code, Status};

/// Why Triton did not answer with what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The endpoint in the configuration is none.
    #[error("{0:?} is no address of Triton's gRPC endpoint; write http://HOST:PORT")]
    Endpoint(String),
    /// Triton cannot be reached: it starts, restarts, or is gone. Worth another try.
    #[error("Triton does not answer: {0}")]
    Unreachable(String),
    /// Triton knows no such model, or none of its versions is ready.
    #[error("{0}")]
    NoModel(String),
    /// The request does not fit the model.
    #[error("{0}")]
    Invalid(String),
    /// Triton or the model is busy or not ready. Worth another try.
    #[error("{0}")]
    Busy(String),
    /// No answer in time.
    #[error("Triton did not answer within {0} s")]
    Timeout(u64),
    /// The deadline of the request passed.
    #[error("the deadline passed before Triton answered")]
    Deadline,
    /// The model or the load failed, in Triton's words.
    #[error("{0}")]
    Failed(String),
    /// Triton's answer makes no sense to us.
    #[error("Triton's answer cannot be read: {0}")]
    Garbled(String),
}

impl Error {
    /// Whether the same request may succeed when it is sent again a little later: it is Triton's state that failed it,
    /// not what it asks for.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy(_) | Self::Timeout(_))
    }

    /// Whether a failed inference is over at Triton. A status that was made on the way (a broken connection, a clock that
    /// ran out, a cancel) says nothing of the request, which may be running.
    pub(super) fn is_final(status: &Status) -> bool {
        status.source().is_none() && !matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded | Code::Unknown)
    }

    /// Whether our own side gave the connection up, with all that was on it.
    pub(super) fn is_given_up(status: &Status) -> bool {
        let why = status.source().and_then(|why| why.downcast_ref::<h2::Error>());
        why.is_some_and(|why| why.is_go_away() && why.is_library())
    }

    /// Sorts a gRPC status. One with a source was made on the way: Triton is unreachable.
    pub(super) fn of(status: &Status) -> Self {
        let message = status.message().to_owned();
        if status.source().is_some() {
            return Self::Unreachable(root_cause(status));
        }
        match status.code() {
            Code::NotFound => Self::NoModel(message),
            // Triton answers so for a model that exists but has no version ready.
            Code::Unavailable if message.contains("has no available versions") => Self::NoModel(message),
            Code::Unavailable | Code::ResourceExhausted => Self::Busy(message),
            Code::DeadlineExceeded => Self::Deadline,
            Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => Self::Invalid(message),
            _ => Self::Failed(message),
        }
    }
}

/// The innermost error, which names the refused address or the broken pipe.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
