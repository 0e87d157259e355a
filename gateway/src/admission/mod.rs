//! Who may have how much of what is scarce: memory, places, processors, turns at Triton.

pub(crate) mod demand;
mod fair_queue;
pub(crate) mod handshakes;
pub mod memory;
pub(crate) mod model;
pub mod run_permits;
pub(crate) mod threads;
