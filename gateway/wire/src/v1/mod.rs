//! Protocol v1, the subprotocol `triton-ws.v1`: multiplexed requests, binary tensors. docs/protocol.md is its specification.
//!
//! A text frame is one JSON message. A binary frame is a JSON message with parts: see [`Frame`].

mod client;
mod code;
mod frame;
mod lenient;
mod server;

pub use client::{Cancel, ClientMessage, DropPolicy, EndStream, Infer, Quality, Source, Stream, TensorHeader, WindowRequest};
pub use code::Code;
pub use frame::{Frame, Malformed, encode};
pub use server::{
    Answer, Cancelled, Class, Failure, Greeting, ImageSize, Limits, ModelInput, ModelResult, ModelSight, Outcome, OutputHeader,
    Pipeline, PipelineModel, Reason, ServerMessage, Thumbnail, Timings, Window,
};

/// What a client offers in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "triton-ws.v1";

/// The largest id: what every JSON reader holds exactly.
pub const LARGEST_ID: u64 = (1 << 53) - 1;

/// Bytes of a client's text message, or of the header of its frame, at most: a request's words, without its parts.
pub const LONGEST_HEADER: usize = 64 << 10;

/// Models that one request may ask for, and that a pipeline may have.
pub const MODELS: usize = 16;

/// Dimensions of a tensor at most.
pub const RANK: usize = 16;

/// What this version of the gateway can do, as the greeting lists it.
pub const FEATURES: [&str; 11] =
    ["s3", "image", "rgb8", "tensors", "top_k", "preset", "quality", "thumbnail", "deadline", "window", "stream"];
