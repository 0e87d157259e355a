//! The messages of the wire protocols, and the release manifest: what several programs must agree on.

pub mod manifest;
