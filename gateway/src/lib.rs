//! The WebSocket gateway in front of NVIDIA Triton.

pub mod admin;
pub mod config;
pub mod connection;
pub mod health;
pub mod http;
pub mod image;
pub mod loader;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod models;
pub mod open_files;
mod own_thread;
pub mod protocol;
pub mod relay;
pub mod request;
pub mod server;
pub mod space;
pub mod storage;
pub mod sync;
pub mod triton;
pub mod v0;
pub mod v1;
