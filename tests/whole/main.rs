//! The real binary against the sandbox: a local AWS, a real Kubernetes, a real registry, a real Triton.
//!
//! `make test` runs it; by hand: `cargo build --workspace && cargo test --test whole`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub, reason = "tests")]

mod bad_input;
mod causes;
mod cpu_nodes;
mod crashes;
mod interrupts;
mod looking;
mod main_job;
mod registry;
mod renamed;
mod user;
mod writes;
