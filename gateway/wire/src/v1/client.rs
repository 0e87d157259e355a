//! What a client sends.

use serde::{Deserialize, Serialize};

/// A message from the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Asks for an inference; answered by exactly one of result, error and cancelled.
    Infer(Infer),
    /// Gives an open request up; what is answered already stays answered.
    Cancel {
        /// The request.
        id: u64,
    },
    /// Asks for another window; the gateway answers with the one that holds from then on.
    Window {
        /// Requests open at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requests: Option<u32>,
        /// Bytes of the messages of the requests open at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// Opens an ordered stream of frames.
    Stream {
        /// Chosen by the client, unique while open.
        stream: u64,
        /// What becomes of frames that come faster than they are answered.
        #[serde(default)]
        drop: DropPolicy,
    },
    /// Ends a stream; its open requests are still answered.
    EndStream {
        /// The stream.
        stream: u64,
    },
}

/// One inference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Infer {
    /// Chosen by the client: at most 2^53-1, unique while open.
    pub id: u64,
    /// What to look at.
    pub source: Source,
    /// The pipeline to run; neither this nor `models`: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Models by name or alias, in place of a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// The best classes of each model in place of its tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// How pixels become the model's input, in place of the pipeline's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// How exactly a JPEG is decoded, in place of the pipeline's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// A JPEG of the image, its longer side at most this many pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<u32>,
    /// Milliseconds from the receipt of this message after which no answer is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// W3C Trace Context, put into the gateway's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The stream whose next frame this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u64>,
}

/// Where the input comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An image in the bucket.
    S3 {
        /// The deployment's bucket; it need not be named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bucket: Option<String>,
        /// The object.
        key: String,
    },
    /// An encoded image: the one part of the frame.
    Image {},
    /// Rows of red, green and blue bytes, no gaps: the one part of the frame.
    Rgb8 {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Tensors, one part each.
    Tensors(Vec<TensorHeader>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Image {}
    }
}

/// What a part of a frame is, when it is a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorHeader {
    /// The input's name in the model.
    pub name: String,
    /// Triton's word.
    pub datatype: String,
    /// All lengths.
    pub shape: Vec<i64>,
}

/// How exactly images are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Bit for bit what protocol v0 gives.
    #[default]
    Exact,
    /// JPEGs are decoded at a fraction of their size.
    Fast,
}

/// What becomes of frames that come faster than they are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPolicy {
    /// All wait and are answered.
    #[default]
    All,
    /// One that still waits is cancelled when the next comes.
    Newest,
}
