//! The client of Triton's gRPC interface: inference, metadata, and the model repository.
//!
//! Source: <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/README.html>.

mod client;
mod error;
mod infer;
mod memory;
mod payload;
mod tensor;

use std::time::Duration;

use serde::Deserialize;

pub use client::Triton;
pub use error::Error;
pub use infer::Options;
pub use memory::Slots;
pub use payload::{Buffer, Input, Payload};
pub use tensor::{Datatype, Tensor};

/// Where Triton listens and how patient we are with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Triton's gRPC endpoint, as a URL.
    pub grpc: String,
    /// The largest message either way, in bytes.
    pub message_bytes: usize,
    /// Longest wait for the TCP connection.
    pub connect_seconds: u64,
    /// Longest wait for one inference.
    pub infer_seconds: u64,
    /// Longest wait for a model to load: building a TensorRT plan inside ONNX Runtime takes minutes.
    pub load_seconds: u64,
    /// How input tensors get to Triton.
    pub transport: Transport,
    /// The longest tensor that goes through shared memory, in bytes; a longer one goes inline.
    pub slot_bytes: usize,
    /// Tensors in shared memory at once, each of `slot_bytes` taken from `/dev/shm` when first needed; with none left, tensors
    /// go inline.
    pub slots: usize,
}

/// How input tensors get to Triton.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// In memory that both map, where Triton takes it: it sees the same `/dev/shm`, and (from 2.69 on) was started with
    /// `--allow-client-shm=true`. Inline otherwise.
    #[default]
    SharedMemory,
    /// In the gRPC messages.
    Inline,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grpc: "http://127.0.0.1:8001".to_owned(),
            message_bytes: 128 << 20,
            connect_seconds: 2,
            infer_seconds: 60,
            load_seconds: 600,
            transport: Transport::default(),
            // An image of 512 x 512 as FP16, or 295 x 295 as FP32; 256 MiB in all, of the pod's 1 GiB of /dev/shm.
            slot_bytes: 1 << 20,
            slots: 256,
        }
    }
}

impl Config {
    fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_seconds)
    }
}

/// A model's tensors, as Triton describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The model's name.
    pub name: String,
    /// Versions that answer.
    pub versions: Vec<String>,
    /// `onnxruntime_onnx`, `tensorrt_plan`, ...
    pub platform: String,
    /// In Triton's order.
    pub inputs: Vec<TensorMetadata>,
    /// In Triton's order.
    pub outputs: Vec<TensorMetadata>,
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMetadata {
    /// The tensor's name.
    pub name: String,
    /// Its element type.
    pub datatype: Datatype,
    /// Its shape, batch dimension included; -1 where any length is taken.
    pub shape: Vec<i64>,
}

/// The answer to one inference.
#[derive(Clone, Debug)]
pub struct Inference {
    /// The version that answered.
    pub version: String,
    /// In Triton's order.
    pub outputs: Vec<Tensor>,
}

/// One line of Triton's repository index: a version of a model, or a model without versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The model's name.
    pub name: String,
    /// The version; empty when the model was never loaded.
    pub version: String,
    /// What Triton does with it.
    pub state: State,
    /// Why it is in that state, in Triton's words; empty when there is nothing to say.
    pub reason: String,
}

/// Triton's model states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never asked for since Triton started (Triton sends an empty state).
    Unknown,
    /// Answers.
    Ready,
    /// Does not answer: unloaded, or failed to load.
    Unavailable,
    /// On its way in.
    Loading,
    /// On its way out.
    Unloading,
}

impl State {
    /// Triton's own word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Ready => "READY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Loading => "LOADING",
            Self::Unloading => "UNLOADING",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "READY" => Self::Ready,
            "UNAVAILABLE" => Self::Unavailable,
            "LOADING" => Self::Loading,
            "UNLOADING" => Self::Unloading,
            _ => Self::Unknown,
        }
    }
}

/// The generated messages and client.
#[allow(unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
mod proto {
    tonic::include_proto!("inference");
}
