//! Who may do what: roles, their policies, and the provider through which the pod gets its role.

mod inline_policy;
mod oidc_provider;
mod policy_attachment;
mod role;

pub use inline_policy::ModelAccess;
pub use oidc_provider::{OidcProvider, Provider};
pub use policy_attachment::PolicyAttachment;
pub use role::{Role, RoleOutput};

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The statements of a policy as IAM returns it: URL-encoded JSON (IAM API, `GetRole`).
fn returned(encoded: &str) -> Value {
    let json = percent_decode_str(encoded).decode_utf8_lossy();
    statements(&serde_json::from_str(&json).unwrap_or_default())
}

/// What a policy says, so that two that say the same are equal. Always a list: lists are compared
/// as a whole, so that a principal or a statement that somebody has added is a difference too.
fn statements(policy: &Value) -> Value {
    match canonical(policy.get("Statement").cloned().unwrap_or_default()) {
        Value::Array(statements) => Value::Array(statements),
        Value::Null => Value::Array(Vec::new()),
        statement => Value::Array(vec![statement]),
    }
}

/// Keys and lists in order; a list of one is the one, as IAM may return it.
fn canonical(value: Value) -> Value {
    match value {
        Value::Array(mut items) if items.len() == 1 => canonical(items.remove(0)),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            fields.into_iter().collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::differences;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde_json::json;

    #[test]
    fn policies_that_say_the_same_are_equal() {
        let ours = json!({"Statement": [
            {"Action": ["b", "a"], "Effect": "Allow"},
            {"Effect": "Deny", "Action": "c", "Resource": ["*"]},
        ]});
        let theirs = json!({"Version": "2012-10-17", "Statement": [
            {"Resource": "*", "Action": ["c"], "Effect": "Deny"},
            {"Effect": "Allow", "Action": ["a", "b"]},
        ]});
        let encoded = utf8_percent_encode(&theirs.to_string(), NON_ALPHANUMERIC).to_string();
        assert_eq!(returned(&encoded), statements(&ours));
        assert_eq!(returned("nonsense"), json!([]));
    }

    #[test]
    fn whatever_was_added_to_a_policy_is_a_difference() {
        let ours = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]});
        let more = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": "*"}}]});
        let two = json!({"Statement": [ours["Statement"][0], {"Effect": "Allow", "Principal": "*"}]});
        for theirs in [more, two, json!({})] {
            assert_eq!(differences(&json!({"trust": statements(&ours)}), &json!({"trust": statements(&theirs)})).len(), 1);
        }
    }
}
