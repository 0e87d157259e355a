//! Protocol v0: JSON in text messages, as the first clients speak it.
//!
//! Python wrote and read it first, so this is Python's JSON: the last of duplicate keys wins, `NaN`, `Infinity`
//! and `-Infinity` are numbers, lone surrogates are let through (as U+FFFD). Tensors are read straight into
//! their bytes; no tree of values is built.

mod answer;
mod data;
mod json;
mod nested;
mod request;
mod write;

pub use answer::{Answer, Output, Values};
pub use request::{Object, Request, Tensor};
pub use write::{Malformed, View, aliased, error, flat};

/// Why a message is no request or no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not JSON.
    #[error("the message is not valid JSON: {what} at byte {at}")]
    Json {
        /// What was met or missed.
        what: &'static str,
        /// Where, counted from 0.
        at: usize,
    },
    /// It is JSON, but not of a form we know.
    #[error("{0}")]
    Form(String),
}

impl Invalid {
    fn form(what: impl Into<String>) -> Self {
        Self::Form(what.into())
    }
}
