//! What tests and benchmarks start around the code, and how it ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "for tests")]

pub mod ending;
#[cfg(feature = "world")]
pub mod faults;
pub mod leftovers;
#[cfg(feature = "world")]
pub mod local_aws;
#[cfg(feature = "world")]
pub mod lossy;
#[cfg(feature = "world")]
pub mod metrics;
#[cfg(feature = "world")]
pub mod replay;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod triton;
#[cfg(feature = "world")]
pub mod walk;
#[cfg(feature = "world")]
pub mod workplace;
#[cfg(feature = "world")]
pub mod world;
