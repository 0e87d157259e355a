//! Two runs at once, runs that were killed, and leases that were lost.

mod commands;
mod down;
pub(crate) mod protocol;
