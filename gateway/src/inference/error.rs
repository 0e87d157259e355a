//! Why a request has no result, in words for people and in protocol v1's codes for programs.

use std::time::Duration;

use tritondeploy_wire::echo::{Echo, cut};
use tritondeploy_wire::v0;
use tritondeploy_wire::v1::{Code, Failure};

use crate::{image, storage, triton};

/// Bytes of what a client is told, and the log: whatever a model or Triton says, no client waits for more.
const LONGEST: usize = 2000;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message is none of its protocol.
    #[error("{0}")]
    Message(String),
    /// No request of v0.
    #[error(transparent)]
    Request(#[from] v0::Invalid),
    /// What is asked for by name is not there.
    #[error("{0}")]
    Unknown(String),
    /// The object could not be read.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The bytes are no image that we read.
    #[error("{}: {source}", Echo(of))]
    Image {
        /// The object's key, or what the client calls it.
        of: String,
        /// Why.
        source: image::ImageError,
    },
    /// The model takes something else than an image.
    #[error("model {} cannot take an image: {why}", Echo(model))]
    Shape {
        /// The model.
        model: String,
        /// What it takes.
        why: String,
    },
    /// Triton or the model failed.
    #[error("model {}: {source}", Echo(model))]
    Model {
        /// The model.
        model: String,
        /// What Triton says.
        source: triton::Error,
    },
    /// The model answered with something that cannot be used.
    #[error("model {} answered something that cannot be used: {why}", Echo(model))]
    Malformed {
        /// The model.
        model: String,
        /// What does not fit.
        why: String,
    },
    /// Everybody together, or one client, asks for more than can be done.
    #[error("{0}; try again in a moment")]
    Overloaded(&'static str),
    /// The answer is longer than any may be.
    #[error("the answer has {length} bytes; at most {most} are sent")]
    LongAnswer {
        /// In bytes.
        length: usize,
        /// In bytes.
        most: usize,
    },
    /// The model has as much to do as it can; what a request to it takes just now.
    #[error("the model has as many requests as it can answer; try again in a moment")]
    Busy(Duration),
    /// It waited for the client to read until its time was over.
    #[error("the request waited longer than {0} ms for its connection's client to read earlier answers")]
    Unread(u128),
    /// It took too long.
    #[error("the request took longer than {0} ms")]
    Deadline(u128),
    /// A bug or a broken machine; the log has more.
    #[error("internal error; the gateway's log tells more")]
    Internal,
}

impl Error {
    /// The code of protocol v1.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Message(_) | Self::Request(_) | Self::Shape { .. } => Code::BadRequest,
            Self::Unknown(_) => Code::UnknownModel,
            Self::Storage(storage::Error::NotFoundOrForbidden { .. }) => Code::NotFoundOrForbidden,
            Self::Storage(storage::Error::TooLarge { .. }) => Code::TooLarge,
            // The same request may well succeed in a moment, as with a model that is not there.
            Self::Storage(storage::Error::Unavailable(_)) => Code::Overloaded,
            Self::Storage(storage::Error::Config(_)) => Code::Internal,
            Self::Image { source: image::ImageError::TooLarge { .. }, .. } => Code::TooLarge,
            Self::Image { source: image::ImageError::Rgb8 { .. } | image::ImageError::Thumbnail { .. }, .. } => Code::BadRequest,
            Self::Image { .. } => Code::UnsupportedImage,
            Self::Model { source, .. } => match source {
                triton::Error::NoModel(_) => Code::UnknownModel,
                triton::Error::Invalid(_) => Code::BadRequest,
                triton::Error::Unreachable(_) | triton::Error::Busy(_) | triton::Error::Timeout(_) => Code::ModelUnavailable,
                triton::Error::Failed(_) | triton::Error::Garbled(_) => Code::ModelError,
                triton::Error::Deadline => Code::Deadline,
                triton::Error::Endpoint(_) => Code::Internal,
            },
            Self::Malformed { .. } => Code::ModelError,
            Self::LongAnswer { .. } => Code::TooLarge,
            Self::Overloaded(_) | Self::Busy(_) => Code::Overloaded,
            Self::Deadline(_) | Self::Unread(_) => Code::Deadline,
            Self::Internal => Code::Internal,
        }
    }

    /// What a client is told, and the log.
    #[must_use]
    pub fn text(&self) -> String {
        cut(self, LONGEST)
    }

    /// What a client of protocol v1 is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let code = self.code();
        let retry_after_ms = match code {
            Code::Overloaded => Some(match self {
                Self::Busy(usual) => u64::try_from(usual.as_millis()).unwrap_or(u64::MAX).clamp(1, 1000),
                _ => 50,
            }),
            // A model that loads takes seconds.
            Code::ModelUnavailable => Some(500),
            _ => None,
        };
        Failure { retry_after_ms, ..Failure::new(code, self.text()) }
    }

    /// Whether the gateway or what is behind it failed, rather than the request.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self.code() {
            Code::ModelUnavailable | Code::ModelError | Code::Internal | Code::Deadline => true,
            _ => matches!(self, Self::Storage(storage::Error::Unavailable(_))),
        }
    }
}
