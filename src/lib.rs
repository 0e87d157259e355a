//! tritondeploy: one binary that serves vision models on NVIDIA Triton behind a WebSocket on EKS.
//!
//! The architecture is in `ARCHITECTURE.md`; what gets deployed is in [`deployment`].

pub mod engine;
