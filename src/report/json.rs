//! One JSON object a line.

use serde_json::json;

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
    value.to_string()
}

/// How a command ended badly.
pub(super) fn error(error: &Error) -> String {
    json!({
        "error": error.to_string(),
        "exit_code": error.exit_code(),
        "exists": error.exists(),
        "next": error.next(),
    })
    .to_string()
}
