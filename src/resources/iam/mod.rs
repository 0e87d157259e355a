//! Who may do what: roles, their policies, and the provider through which the pod gets its role.

mod inline_policy;
mod oidc_provider;
mod policy_attachment;
mod role;

pub use inline_policy::ModelAccess;
pub use oidc_provider::{OidcProvider, Provider};
pub use policy_attachment::PolicyAttachment;
pub use role::{Role, RoleOutput};

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A policy as IAM returns it: URL-encoded JSON (IAM API, `GetRole`). Null where it is none.
fn policy(encoded: &str) -> Value {
    let json = percent_decode_str(encoded).decode_utf8_lossy();
    serde_json::from_str(&json).map(canonical).unwrap_or_default()
}

/// Two policies that say the same compare as equal: IAM may return a list of one as the one.
fn canonical(policy: Value) -> Value {
    match policy {
        Value::Array(mut items) if items.len() == 1 => canonical(items.remove(0)),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, canonical(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_that_say_the_same_are_equal() {
        let ours = canonical(json!({"Statement": [{"Action": ["b", "a"], "Effect": "Allow"}]}));
        assert_eq!(policy("%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%5B%22a%22%2C%22b%22%5D%7D%7D"), ours);
        assert_ne!(policy("%7B%7D"), ours);
        assert_eq!(policy("nonsense"), Value::Null);
    }
}
