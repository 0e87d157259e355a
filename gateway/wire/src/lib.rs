//! The messages of the wire protocols, and the release manifest: what several programs must agree on.

pub mod datatype;
pub mod echo;
pub mod manifest;
pub mod v0;
pub mod v1;

pub use datatype::{Datatype, elements};
