//! What differs between the wanted and the actual state.

use serde::Serialize;
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Path of the field, e.g. `tags.Name` or `subnets`.
    pub field: String,
    /// As it is; null when it is not there.
    pub from: Value,
    /// As it is wanted. A value not known yet is `{"known after": NODE}`.
    pub to: Value,
}

impl Change {
    /// The whole thing is there, and is not wanted any more.
    #[must_use]
    pub fn removal() -> Self {
        Self { field: "exists".to_owned(), from: true.into(), to: false.into() }
    }

    /// Whether this is [`Change::removal`].
    #[must_use]
    pub fn removes(&self) -> bool {
        *self == Self::removal()
    }

    /// The node after which the wanted value, or a part of it, will be known.
    #[must_use]
    pub fn known_after(&self) -> Option<&str> {
        known_after(&self.to)
    }
}

fn known_after(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => match fields.get(super::inputs::KNOWN_AFTER) {
            Some(node) => node.as_str(),
            None => fields.values().find_map(known_after),
        },
        Value::Array(elements) => elements.iter().find_map(known_after),
        _ => None,
    }
}

/// Every field of `wanted` that `actual` does not have just so. Objects are walked into;
/// null in `wanted` is not compared; fields only in `actual` do not count.
#[must_use]
pub fn differences(wanted: &Value, actual: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", wanted, actual, &mut changes);
    changes
}

fn compare(path: &str, wanted: &Value, actual: &Value, changes: &mut Vec<Change>) {
    match (wanted, actual) {
        (Value::Null, _) => {}
        (Value::Object(w), Value::Object(a)) if !w.contains_key(super::inputs::KNOWN_AFTER) => {
            for (key, value) in w {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, value, a.get(key).unwrap_or(&Value::Null), changes);
            }
        }
        (w, a) if w == a => {}
        (w, a) => changes.push(Change { field: path.to_owned(), from: a.clone(), to: w.clone() }),
    }
}
