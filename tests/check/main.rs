//! `tritondeploy test` against a real gateway with a real Triton, against older servers, and against what is no gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod gateway;
mod host;
mod older;
mod other;
mod user;
