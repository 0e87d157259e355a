//! The WebSocket gateway in front of NVIDIA Triton.

pub mod image;
pub mod storage;
pub mod triton;
