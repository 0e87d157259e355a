//! What a client sends.

use serde::{Deserialize, Serialize};

use super::frame::Malformed;
use super::lenient;

/// A message from the client. It is written by serde, and read by [`ClientMessage::parse`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Asks for an inference; answered by exactly one of result, error and cancelled.
    Infer(Infer),
    /// Gives an open request up; what is answered already stays answered.
    Cancel(Cancel),
    /// Asks for another window; the gateway answers with the one that holds from then on.
    Window(WindowRequest),
    /// Opens an ordered stream of frames.
    Stream(Stream),
    /// Ends a stream; its open requests are still answered.
    EndStream(EndStream),
}

impl ClientMessage {
    /// Reads a message, in the time and memory that its known fields take: fields that are not known are passed over, and
    /// nothing is made of them. (serde's own reading of tagged enums keeps every field until it knows the tag, at 32 bytes
    /// for a value of two.)
    ///
    /// # Errors
    /// When it is longer than [`LONGEST_HEADER`](super::LONGEST_HEADER), or no message of a client.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        super::frame::check_object(json)?;
        let Tag { r#type } = read(json)?;
        Ok(match r#type {
            Type::Infer => Self::Infer(read(json)?),
            Type::Cancel => Self::Cancel(read(json)?),
            Type::Window => Self::Window(read(json)?),
            Type::Stream => Self::Stream(read(json)?),
            Type::EndStream => Self::EndStream(read(json)?),
        })
    }
}

fn read<'j, T: Deserialize<'j>>(json: &'j [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(json).map_err(|e| Malformed::message(&e))
}

#[derive(Deserialize)]
struct Tag {
    r#type: Type,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Type {
    Infer,
    Cancel,
    Window,
    Stream,
    EndStream,
}

/// Gives a request up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The request.
    pub id: u64,
}

/// Another window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRequest {
    /// Requests open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Bytes of the messages of the requests open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An ordered stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Chosen by the client, unique while open.
    pub stream: u64,
    /// What becomes of frames that come faster than they are answered.
    #[serde(default)]
    pub drop: DropPolicy,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndStream {
    /// The stream.
    pub stream: u64,
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
    /// Models by name or alias, in place of a pipeline. Of more than [`MODELS`](super::MODELS), only one more is read: enough
    /// to refuse the request by its id.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::models")]
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
    /// W3C Trace Context, put into the gateway's log. One that is not valid is read as none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::traceparent")]
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
    /// Tensors, one part each. Of too many, only one more is read.
    #[serde(deserialize_with = "lenient::tensors")]
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
    /// All lengths. Of more than [`RANK`](super::RANK), only one more is read: enough to refuse the request by its id.
    #[serde(deserialize_with = "lenient::shape")]
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
