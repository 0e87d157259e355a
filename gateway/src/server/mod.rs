//! Listeners: for WebSockets, and for health. The first is the one that clients reach.

mod accept;
pub mod handshake;
pub mod health;
pub mod open_files;
pub(crate) mod own_thread;
pub(crate) mod warning;

pub use accept::Server;
