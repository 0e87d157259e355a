//! What `up` will not do: known before the first change, and shown by `plan`.

use std::sync::Arc;

use serde_json::Value;

use super::Walk;
use super::snapshot::{Lookup, Snapshot, changes};
use crate::erased::{AnyNode, AnyObservation};
use crate::id::NodeId;
use crate::inputs::KNOWN_AFTER;
use crate::{Change, FaultKind, UpdateMode};

/// Why `up` would not begin.
pub(super) struct Refusal {
    pub(super) why: String,
    /// What a user can do about it, where that is known.
    pub(super) next: Option<Arc<str>>,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, next: None }
    }
}

/// Which nodes `up` will not touch, and why.
pub(super) fn refusals<W: Send + Sync + 'static>(walk: &Walk<W>, seen: &Snapshot) -> Vec<(usize, Refusal)> {
    let mut refusals = Vec::new();
    // A node stands when it and all that it needs are there and as wanted.
    let mut stands: Vec<bool> = Vec::new();
    for (id, looked) in seen.looked.iter().enumerate() {
        let node = walk.graph.nodes[id].as_ref();
        let needs_stand = node.within().into_iter().chain(node.uses()).all(|NodeId(need)| stands[need]);
        let mut as_wanted = matches!(looked, Lookup::Saw(AnyObservation::Present(_))) || node.swept();
        match looked {
            // What is not wanted any more keeps nothing from being made.
            _ if node.unwanted().is_some() => {}
            Lookup::Saw(AnyObservation::Foreign(why)) => refusals.push((id, format!("not ours: {why}").into())),
            Lookup::Saw(sight) => {
                let changes = changes(node, &walk.world, &seen.known, sight);
                as_wanted &= changes.is_empty();
                let certain = changes.into_iter().filter(|(change, _)| differs_anyway(&change.from, &change.to));
                if let Some(why) = unchangeable(node, certain) {
                    refusals.push((id, why.into()));
                }
            }
            // Where something below is still missing, it may be what would allow this look.
            Lookup::Fault(fault) if needs_stand => {
                let fatal = fault.kind == FaultKind::Fatal && !node.watched();
                if fatal || fault.kind == FaultKind::Denied {
                    refusals.push((id, Refusal { why: fault.to_string(), next: fault.next.clone() }));
                }
            }
            _ => {}
        }
        stands.push(needs_stand && as_wanted);
    }
    refusals
}

/// Whether the values differ whatever this walk has yet to learn of the wanted one: a list by its length and by the
/// elements that are known.
fn differs_anyway(from: &Value, wanted: &Value) -> bool {
    match (from, wanted) {
        (_, Value::Object(fields)) if fields.contains_key(KNOWN_AFTER) => false,
        (Value::Object(from), Value::Object(wanted)) => {
            wanted.iter().any(|(key, wanted)| differs_anyway(from.get(key).unwrap_or(&Value::Null), wanted))
        }
        (Value::Array(from), Value::Array(wanted)) => {
            let is_in = |wanted: &Value| from.iter().any(|from| !differs_anyway(from, wanted));
            from.len() != wanted.len() || !wanted.iter().all(is_in)
        }
        (from, wanted) => from != wanted,
    }
}

/// Why these changes cannot be made, if one of them cannot.
pub(super) fn unchangeable<W>(node: &dyn AnyNode<W>, changes: impl Iterator<Item = (Change, UpdateMode)>) -> Option<String> {
    let one = |(change, how): (Change, UpdateMode)| {
        let why = match (node.why_not(&change), how) {
            (_, UpdateMode::InPlace) => return None,
            (Some(why), _) => why,
            (None, UpdateMode::Refuse) => "that cannot be changed".to_owned(),
            (None, UpdateMode::Replace) => "that takes a new one in its place, which `up` does not make".to_owned(),
        };
        let Change { field, from, to } = change;
        Some(format!("{field} is {from}, wanted is {}, and {why}", shown(&to)))
    };
    let whys: Vec<String> = changes.filter_map(one).collect();
    (!whys.is_empty()).then(|| whys.join("; "))
}

/// A wanted value on a line, with what it is known after in words.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(fields) => match fields.get(KNOWN_AFTER).and_then(Value::as_str) {
            Some(node) => format!("(known after {node})"),
            None => value.to_string(),
        },
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(",")),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_known_of_a_value_is_enough_where_it_differs() {
        let later = json!({"known after": "subnet/private-2"});
        assert!(!differs_anyway(&json!("a"), &later));
        assert!(!differs_anyway(&json!(["a", "b"]), &json!(["a", later])));
        assert!(differs_anyway(&json!(["a", "b"]), &json!(["a", "b", later])), "its length");
        assert!(differs_anyway(&json!(["a", "b"]), &json!(["c", later])), "an element");
        assert!(differs_anyway(&json!({"x": 1, "y": 2}), &json!({"x": later, "y": 3})));
        assert!(!differs_anyway(&json!({"x": 1, "y": 2}), &json!({"x": later, "y": 2})));
        assert!(differs_anyway(&json!(1), &json!(2)));
    }
}
