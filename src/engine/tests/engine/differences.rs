//! What counts as a difference.

use serde_json::{Value, json};
use tritondeploy_engine::{Change, Given, differences};

fn fields(wanted: &Value, actual: &Value) -> Vec<String> {
    differences(wanted, actual).into_iter().map(|c| format!("{} {} -> {}", c.field, c.from, c.to)).collect()
}

#[test]
fn only_what_is_wanted_is_compared() {
    let actual = json!({"size": 3, "zone": "a", "tags": {"ours": "yes", "theirs": "x"}});
    assert!(fields(&json!({"size": 3, "zone": null, "tags": {"ours": "yes"}}), &actual).is_empty());
    assert!(fields(&Value::Null, &actual).is_empty());
    assert_eq!(
        fields(&json!({"size": 4, "tags": {"ours": "no", "new": 1}, "gone": [1]}), &actual),
        ["size 3 -> 4", "tags.ours \"yes\" -> \"no\"", "tags.new null -> 1", "gone null -> [1]"]
    );
}

#[test]
fn lists_are_compared_as_a_whole_and_in_order() {
    assert!(fields(&json!({"zones": ["a", "b"]}), &json!({"zones": ["a", "b"]})).is_empty());
    assert_eq!(fields(&json!({"zones": ["a"]}), &json!({"zones": ["b", "a"]})), [r#"zones ["b","a"] -> ["a"]"#]);
}

#[test]
fn a_value_not_known_yet_differs_as_a_whole() {
    let later = Given::<u64>::Unknown { until: "vpc".into() };
    let wanted = json!({ "vpc": later });
    assert_eq!(fields(&wanted, &json!({"vpc": 3})), [r#"vpc 3 -> {"known after":"vpc"}"#]);
    assert_eq!(fields(&wanted, &json!({"vpc": {"id": 3}})), [r#"vpc {"id":3} -> {"known after":"vpc"}"#]);
    assert!(fields(&json!({ "vpc": Given::Known(3) }), &json!({"vpc": 3})).is_empty());
}

#[test]
fn a_change_tells_after_which_node_its_value_is_known_however_deep() {
    let of = |to: Value| Change { field: "vpc".to_owned(), from: Value::Null, to };
    let later = json!({ "known after": "vpc" });
    for to in [later.clone(), json!({"a": 1, "b": {"c": later}}), json!([1, "two", later])] {
        assert_eq!(of(to).known_after(), Some("vpc"));
    }
    for to in [json!(3), json!({"after": "vpc"}), json!(["vpc"]), Value::Null] {
        assert_eq!(of(to).known_after(), None);
    }
}

#[test]
fn a_removal_is_known_from_a_change_of_a_field() {
    assert!(Change::removal().removes());
    assert!(!Change { field: "exists".to_owned(), from: Value::Null, to: true.into() }.removes());
}
