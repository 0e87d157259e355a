//! What is spoken on a WebSocket.

pub mod v0;
pub mod v1;
