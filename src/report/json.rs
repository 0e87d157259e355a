//! One JSON object a line: its keys are documented in docs/json.md.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::words::harmless_json;
use crate::engine::Event;
use crate::error::Error;

/// The version of all keys and their meaning: another one where a key goes or changes, the same where one is added.
const SCHEMA: u32 = 1;

/// An object with its version, on one line.
pub(super) fn versioned(value: &impl Serialize) -> String {
    let mut object = json!({"schema": SCHEMA});
    if let (Some(object), Ok(Value::Object(fields))) = (object.as_object_mut(), serde_json::to_value(value)) {
        object.extend(fields);
    }
    harmless_json(&object.to_string())
}

/// An event.
pub(super) fn line(event: &Event) -> String {
    versioned(event)
}

/// How a command ended badly: one object, with what was found all the same.
pub(super) fn error(error: &Error, log: Option<&Path>) -> String {
    let mut value = json!({
        "error": error.to_string(),
        "exit_code": error.exit_code(),
        "exists_now": error.exists(),
        "may_exist": error.may_exist(),
        "next": error.next(),
        "log": log,
    });
    if let (Some(value), Some(found)) = (value.as_object_mut(), error.found().as_object()) {
        value.extend(found.clone());
    }
    versioned(&value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Action;

    #[test]
    fn an_error_and_what_was_found_are_one_object() {
        let failed = Error::failed("not healthy", "up").with(json!({"healthy": false}));
        let value: Value = serde_json::from_str(&error(&failed, None)).unwrap();
        assert_eq!((&value["healthy"], &value["exit_code"], &value["error"]), (&json!(false), &json!(1), &json!("not healthy")));
        assert_eq!(value["schema"], 1);
    }

    #[test]
    fn an_event_tells_durations_in_seconds() {
        let (node, kind, took) = ("vpc".into(), "vpc", Duration::from_micros(1_234_567));
        let finished = Event::Finished { node, kind, did: Some(Action::Create), took, facts: Vec::new() };
        let wanted = r#"{"schema":1,"event":"finished","node":"vpc","kind":"vpc","action":"create","seconds":1.235,"facts":[]}"#;
        assert_eq!(line(&finished), wanted);
    }
}
