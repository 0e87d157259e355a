//! What must hold for any bytes at all. `gateway/tests/corpus.rs` has these run by every `cargo test`, over what fuzzing
//! has found worth keeping.

mod config;
mod image;
mod v0;
mod v1;

pub use config::config;
pub use image::image;
pub use v0::v0;
pub use v1::v1;
