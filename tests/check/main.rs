//! `tritondeploy test` against a real gateway with a real Triton, against older servers, and against what is no gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../../gateway/bench/src/world/ending.rs"]
mod ending;
mod gateway;
mod host;
#[path = "../network/local_aws.rs"]
mod local_aws;
#[allow(dead_code, reason = "made for another program's tests, too")]
#[path = "../gateway/metrics.rs"]
mod metrics;
mod older;
mod other;
#[path = "../../gateway/tests/triton/process.rs"]
mod process;
mod user;
#[allow(dead_code, reason = "made for another program's tests, too")]
#[path = "../gateway/world.rs"]
mod world;
