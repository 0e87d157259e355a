//! The WebSocket gateway in front of NVIDIA Triton.

pub mod admin;
pub mod admission;
pub mod allocator;
pub mod config;
pub mod image;
pub mod inference;
pub mod log;
pub mod metrics;
pub mod peer;
pub mod protocol;
pub mod relay;
pub mod server;
pub mod storage;
pub mod sync;
pub mod triton;
pub mod websocket;
