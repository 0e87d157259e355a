//! tritondeploy: one binary that serves vision models on NVIDIA Triton behind a WebSocket on EKS.
//!
//! The architecture is in `ARCHITECTURE.md`; what gets deployed is in [`deployment`].

pub mod cli;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod cost;
pub mod deployment;
pub mod error;
pub mod models;
pub mod program;
mod replace;
pub mod report;
pub mod resources;

pub use tritondeploy_engine as engine;
