//! What is asked of the data path, and what comes of it; the same for every protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tritondeploy_wire::v1::{Quality, Timings};

use super::Error;
use crate::config::Scores;
use crate::image::{Preset, Thumbnail};
use crate::peer::Client;
use crate::triton::{Inference, Input};

/// One request.
#[derive(Debug)]
pub struct InferenceJob {
    /// What to look at.
    pub source: Source,
    /// The models to ask, at once.
    pub targets: Vec<Target>,
    /// A small picture of the image, its longer side at most this many pixels.
    pub thumbnail: Option<u32>,
    /// When nobody wants the answer any more.
    pub deadline: Deadline,
    /// Whose it is. A model that has too much to do refuses what is of protocol v1; what is of v0 waits for it.
    pub client: Client,
}

/// Where the input comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// An image in the bucket.
    Object {
        /// As asked for.
        bucket: String,
        /// As asked for.
        key: String,
    },
    /// An encoded image.
    Encoded(Bytes),
    /// Rows of red, green and blue bytes.
    Rgb8 {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// `3 * width * height` bytes.
        pixels: Bytes,
    },
    /// Tensors, as the model takes them.
    Tensors(Vec<Input>),
}

/// A model to ask.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Its name in the answer.
    pub alias: String,
    /// Its name in Triton.
    pub model: String,
    /// How pixels become its input.
    pub preset: Arc<Preset>,
    /// How exactly images are decoded.
    pub quality: Quality,
    /// What its output is.
    pub scores: Scores,
}

/// The end of a request's time.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// When its last byte was received.
    pub since: Instant,
    /// When its answer is too late.
    pub at: Instant,
}

impl Deadline {
    /// From the receipt.
    #[must_use]
    pub fn after(since: Instant, time: Duration) -> Self {
        Self { since, at: since + time }
    }

    /// How long it is, in milliseconds.
    pub(crate) fn millis(&self) -> u128 {
        (self.at - self.since).as_millis()
    }
}

/// What came of a request.
#[derive(Debug)]
pub struct InferenceResult {
    /// One for each target, in their order.
    pub models: Vec<Result<Inference, Error>>,
    /// Where one was asked for.
    pub thumbnail: Option<Thumbnail>,
    /// Where the time went; `encode` and `total` are the protocol's to fill.
    pub timings: Timings,
}
