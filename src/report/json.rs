//! One JSON object a line.

use std::path::Path;

use serde_json::json;

use super::words::harmless_json;
use crate::engine::Event;
use crate::error::Error;

/// An event; durations in seconds.
pub(super) fn line(event: &Event) -> String {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    for key in ["took", "wait"] {
        if let Some(duration) = value.get_mut(key) {
            let part = |name| duration.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            let seconds = (part("secs") + part("nanos") / 1e9) * 1000.0;
            *duration = json!(seconds.round() / 1000.0);
        }
    }
    harmless_json(&value.to_string())
}

/// How a command ended badly: one object, with what was found all the same.
pub(super) fn error(error: &Error, log: Option<&Path>) -> String {
    let mut value = json!({
        "error": error.to_string(),
        "exit_code": error.exit_code(),
        "exists": error.exists(),
        "next": error.next(),
        "log": log,
    });
    if let (Some(value), Some(found)) = (value.as_object_mut(), error.found().as_object()) {
        value.extend(found.clone());
    }
    harmless_json(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_what_was_found_are_one_object() {
        let failed = Error::failed("not healthy", "up").with(json!({"healthy": false}));
        let value: serde_json::Value = serde_json::from_str(&error(&failed, None)).unwrap();
        assert_eq!((&value["healthy"], &value["exit_code"], &value["error"]), (&json!(false), &json!(1), &json!("not healthy")));
    }
}
