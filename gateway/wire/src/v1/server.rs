//! What the gateway sends.

use serde::{Deserialize, Serialize};

use super::{Code, Quality};

/// A message from the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first message on every connection.
    Hello(Greeting),
    /// The window that holds from now on.
    Window(Window),
    /// What was asked for.
    Result(Answer),
    /// The request has no result; without an id, the message was no request, or it had the id of an open one.
    Error {
        /// The request.
        id: Option<u64>,
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// The request was given up.
    Cancelled(Cancelled),
    /// Ask no more here: what was received is still answered, then the connection closes with 1001.
    Goaway {
        /// Why.
        reason: String,
    },
}

/// What the gateway is and allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    /// `triton-ws.v1`.
    pub protocol: String,
    /// Name and version.
    pub server: String,
    /// What it can do; unknown ones are to be ignored.
    pub features: Vec<String>,
    /// Open at once.
    pub window: Window,
    /// The largest of each.
    pub limits: Limits,
    /// Models that the pipelines use.
    pub models: Vec<ModelSight>,
    /// What can be asked for by name.
    pub pipelines: Vec<Pipeline>,
}

/// How much may be open at once on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Requests without their terminal message.
    pub requests: u32,
    /// The bytes of their messages.
    pub bytes: u64,
}

/// What is refused beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// One message; a larger one closes the connection with 1009.
    pub message_bytes: u64,
    /// One object of the bucket.
    pub object_bytes: u64,
    /// Width times height of an image.
    pub pixels: u64,
    /// The longest deadline, and that of requests without one.
    pub deadline_ms: u64,
    /// A text message, or the header of a frame; a longer text closes the connection with 1009. Newer gateways say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<u64>,
    /// Models that one request asks for. Newer gateways say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<u32>,
}

/// A model, as Triton tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSight {
    /// Its name.
    pub name: String,
    /// Whether it answers just now.
    pub ready: bool,
    /// What it takes; empty while unknown.
    pub inputs: Vec<ModelInput>,
    /// The size that images are brought to, where it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSize>,
}

/// One input of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInput {
    /// Its name.
    pub name: String,
    /// Triton's word.
    pub datatype: String,
    /// -1 where any length is taken.
    pub shape: Vec<i64>,
}

/// In pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSize {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Models that are asked together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// What a request names.
    pub name: String,
    /// In the order of the results.
    pub models: Vec<PipelineModel>,
}

/// A model in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineModel {
    /// Its name in results.
    pub alias: String,
    /// Its name in Triton.
    pub model: String,
    /// How exactly images are decoded.
    pub quality: Quality,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request.
    pub id: u64,
    /// One for each model, in the order of the request.
    pub results: Vec<ModelResult>,
    /// Where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Thumbnail>,
    /// Where the time went.
    pub timings: Timings,
}

/// What one model gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelResult {
    /// As asked for.
    pub alias: String,
    /// Its name in Triton.
    pub model: String,
    /// Classes, tensors, or why there are none.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl ModelResult {
    /// The best classes; none where tensors were asked for.
    ///
    /// # Errors
    /// Why this model has no result.
    pub fn classes(&self) -> Result<&[Class], Failure> {
        match &self.outcome {
            Outcome::Top { top, .. } => Ok(top),
            Outcome::Outputs { .. } => Ok(&[]),
            Outcome::Error { error } => Err(error.clone()),
        }
    }

    /// The version that answered, where one did.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Top { version, .. } | Outcome::Outputs { version, .. } => Some(version),
            Outcome::Error { .. } => None,
        }
    }
}

/// Classes, tensors, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The best classes, best first; equal scores by index.
    Top {
        /// The version that answered.
        version: String,
        /// As many as asked for, or as the model has.
        top: Vec<Class>,
    },
    /// Each output in full.
    Outputs {
        /// The version that answered.
        version: String,
        /// In Triton's order.
        outputs: Vec<OutputHeader>,
    },
    /// This model failed; others may not have.
    Error {
        /// Why.
        error: Failure,
    },
}

/// One class of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Its place in the model's output.
    pub index: u32,
    /// Its probability.
    pub score: f64,
    /// Its name, where the model has labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// One output tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputHeader {
    /// Triton's name.
    pub name: String,
    /// Triton's word.
    pub datatype: String,
    /// All lengths.
    pub shape: Vec<i64>,
    /// Which part of the frame holds it.
    pub part: u32,
}

/// A small picture of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Which part of the frame holds the JPEG.
    pub part: u32,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Microseconds. What did not happen is 0; models run side by side, so `queue` and `infer` are the slowest one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// The object from the bucket.
    pub fetch: u64,
    /// The image to pixels of the model's size.
    pub decode: u64,
    /// Pixels to tensors.
    pub prepare: u64,
    /// Waiting for a turn in the gateway.
    pub queue: u64,
    /// From the request to Triton to its answer.
    pub infer: u64,
    /// Classes, and the message.
    pub encode: u64,
    /// From the receipt of the request's last byte to its answer's first.
    pub total: u64,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
    /// Whether the same may succeed when sent again; fixed for each code.
    pub retryable: bool,
    /// When to try again at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// With what the code says about trying again.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: code.is_retryable(), retry_after_ms: None }
    }
}

/// A request that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The request.
    pub id: u64,
    /// By whom.
    pub reason: Reason,
}

/// Why a request was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The client asked for it.
    Asked,
    /// A newer frame of its stream came.
    Superseded,
}
