//! `tritondeploy infer` beside a real gateway, a real Triton and a bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod broken;
mod crashes;
mod folders;
mod million;
mod odd;
mod pictures;
mod proxy;
mod report;
mod stand_in;
mod studio;
mod user;
mod videos;
