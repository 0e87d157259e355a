//! Sessions of protocol v1 against models that finish when they are told to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod conversations;
mod hands;
mod model;
mod random;
