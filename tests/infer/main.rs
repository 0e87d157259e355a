//! `tritondeploy infer` beside a real gateway, a real Triton and a bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod broken;
mod crashes;
#[path = "../../gateway/bench/src/world/ending.rs"]
mod ending;
mod folders;
#[path = "../network/local_aws.rs"]
mod local_aws;
#[allow(dead_code, reason = "made for another program's tests, too")]
#[path = "../gateway/metrics.rs"]
mod metrics;
mod million;
mod odd;
mod pictures;
#[path = "../../gateway/tests/triton/process.rs"]
mod process;
mod proxy;
mod report;
mod stand_in;
mod studio;
mod user;
mod videos;
#[allow(dead_code, reason = "made for another program's tests, too")]
#[path = "../gateway/world.rs"]
mod world;
