//! What a client of v0 is told. Each text names what failed; v0 has no codes.

use tritondeploy_wire::v0 as wire;

use crate::{image, storage, triton};

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A binary message that is no text.
    #[error("the message is not UTF-8")]
    NotUtf8,
    /// No request of v0.
    #[error(transparent)]
    Request(#[from] wire::Invalid),
    /// The object could not be read.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The object is no image that we read.
    #[error("{key}: {source}")]
    Image {
        /// The object's key.
        key: String,
        /// Why.
        source: image::ImageError,
    },
    /// The model takes something else than an image.
    #[error("model {model} cannot take an image: {why}")]
    Shape {
        /// The model.
        model: String,
        /// What it takes.
        why: String,
    },
    /// Triton or the model failed.
    #[error("model {model}: {source}")]
    Model {
        /// The model.
        model: String,
        /// What Triton says.
        source: triton::Error,
    },
    /// The model answered with bytes that do not fit their own description.
    #[error("model {model} answered something unreadable: {source}")]
    Malformed {
        /// The model.
        model: String,
        /// What does not fit.
        source: wire::Malformed,
    },
    /// It took too long.
    #[error("the request took longer than {0} s")]
    Timeout(u64),
    /// A bug or a broken machine; the log has more.
    #[error("internal error; the gateway's log tells more")]
    Internal,
}

impl Error {
    /// Whether the gateway or what is behind it failed, rather than the request.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::NotUtf8 | Self::Request(_) | Self::Image { .. } | Self::Shape { .. } => false,
            Self::Storage(e) => matches!(e, storage::Error::Unavailable(_) | storage::Error::Config(_)),
            Self::Model { source, .. } => !matches!(source, triton::Error::Invalid(_) | triton::Error::NoModel(_)),
            Self::Malformed { .. } | Self::Timeout(_) | Self::Internal => true,
        }
    }
}
