//! The client of Triton's gRPC interface: inference, metadata, and the model repository.
//!
//! Source: <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/README.html>.

mod channel;
mod client;
mod config;
mod error;
mod grpc;
mod infer;
mod known;
pub mod models;
mod payload;
mod pieces;
mod shm;
mod tensor;

pub use client::Triton;
pub use config::{Config, Transport, authority};
pub use error::Error;
pub use infer::{Options, WORTH};
pub use payload::{Buffer, Input, Payload};
pub use shm::Slots;
pub use tensor::{Datatype, Tensor};

/// A model's tensors, as Triton describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
