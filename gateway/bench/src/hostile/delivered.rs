//! What an attack did, and what became of it: so that a gateway which was never attacked does not pass for one that holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tritondeploy_wire::v1::ServerMessage;

use super::attack::Protocol;
use crate::path::v1::read;

/// Kinds of answers that are told apart: texts of v0's errors are the gateway's own, and may be many.
const KINDS: usize = 20;

/// What an attack did, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivered {
    pub(crate) row: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    /// Made: TCP connections that say nothing, or WebSockets.
    pub(crate) connections: u64,
    /// Not made: refused, or ended before the upgrade or the greeting.
    pub(crate) refused: u64,
    /// Sent whole.
    pub(crate) messages: u64,
    /// Begun, and ended by the gateway.
    pub(crate) cut: u64,
    /// Of messages, masks and frames included.
    pub(crate) bytes: u64,
    /// By their kind: "result", "error CODE", "success", "error: TEXT".
    pub(crate) answers: BTreeMap<String, u64>,
    /// How the gateway ended connections: by the code of its Close, or "lost".
    pub(crate) closes: BTreeMap<String, u64>,
}

impl Delivered {
    /// Counts an answer.
    pub(super) fn answer(&mut self, message: &[u8], protocol: Protocol) {
        let kind = match protocol {
            Protocol::V0 => kind_of_v0(message),
            Protocol::V1 => kind_of_v1(message),
        };
        let kind = if self.answers.len() < KINDS || self.answers.contains_key(&kind) { kind } else { "others".to_owned() };
        *self.answers.entry(kind).or_default() += 1;
    }
}

fn kind_of_v0(message: &[u8]) -> String {
    if message.starts_with(b"{\"status\":\"success\"") {
        return "success".to_owned();
    }
    let text = String::from_utf8_lossy(&message[..message.len().min(400)]).into_owned();
    let why = text.strip_prefix("{\"status\":\"error\",\"message\":\"").unwrap_or(&text);
    format!("error: {}", why.chars().take(80).collect::<String>())
}

fn kind_of_v1(message: &[u8]) -> String {
    match read(message) {
        Ok((ServerMessage::Result(_), _)) => "result".to_owned(),
        Ok((ServerMessage::Error { failure, .. }, _)) => format!("error {}", failure.code),
        Ok((ServerMessage::Cancelled(_), _)) => "cancelled".to_owned(),
        Ok(_) => "other".to_owned(),
        Err(_) => "malformed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_v0_are_told_apart_by_their_words() {
        assert_eq!(kind_of_v0(b"{\"status\":\"success\",\"outputs\":{}}"), "success");
        let error = b"{\"status\":\"error\",\"message\":\"s3://b/k does not exist or may not be read\"}";
        assert_eq!(kind_of_v0(error), "error: s3://b/k does not exist or may not be read\"}");
    }

    #[test]
    fn answers_of_v1_are_told_apart_by_their_codes() {
        let error = b"{\"type\":\"error\",\"id\":1,\"code\":\"overloaded\",\"message\":\"m\",\"retryable\":true}";
        assert_eq!(kind_of_v1(error), "error overloaded");
        assert_eq!(kind_of_v1(b"{}"), "malformed");
    }
}
