//! A manifest from its template, our marks on it, and the form in which manifests are compared.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cloud::kube::LABEL as DEPLOYMENT;

/// Annotation: a hash of the manifest as we applied it.
const MANIFEST: &str = "tritondeploy/manifest";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// A template and its values do not fit: our own fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template {template} cannot be rendered: {why}; this is a bug in tritondeploy")]
pub struct Error {
    template: &'static str,
    why: String,
}

/// Renders a template. Every value is written as JSON, which is YAML too, so that none can break out of its place.
///
/// # Errors
/// When a value is missing or the result is no YAML.
pub(super) fn render(template: &'static str, text: &str, values: impl Serialize) -> Result<Value, Error> {
    let wrong = |why: String| Error { template, why };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let yaml =
        environment.render_named_str(template, text, minijinja::value::Serde(values)).map_err(|why| wrong(format!("{why:#}")))?;
    serde_yaml_ng::from_str(&yaml).map_err(|why| wrong(why.to_string()))
}

/// The manifest with the marks by which we know it again.
pub(super) fn marked(manifest: &Value, deployment: &str) -> Value {
    let mut marked = manifest.clone();
    let hash = sha256(manifest.to_string().as_bytes());
    set(&mut marked, "labels", MANAGED_BY, "tritondeploy");
    set(&mut marked, "labels", DEPLOYMENT, deployment);
    set(&mut marked, "annotations", MANIFEST, &hash);
    marked
}

fn set(manifest: &mut Value, map: &str, key: &str, value: &str) {
    if let Some(map) = manifest
        .as_object_mut()
        .and_then(|manifest| manifest.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
        .and_then(|metadata| metadata.entry(map).or_insert_with(|| json!({})).as_object_mut())
    {
        map.insert(key.to_owned(), value.into());
    }
}

/// Lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    tritondeploy_wire::manifest::hex(&Sha256::digest(bytes))
}

/// Whose it is, where it is not this deployment's.
pub(super) fn foreign(metadata: &ObjectMeta, deployment: &str) -> Option<String> {
    match metadata.labels.as_ref().and_then(|labels| labels.get(DEPLOYMENT)) {
        Some(owner) if owner == deployment => None,
        Some(owner) => Some(format!("belongs to the deployment {owner}")),
        None => Some(format!("does not carry our label {DEPLOYMENT}")),
    }
}

/// Why something that was asked to go is still there.
pub(super) fn going(found: &DynamicObject) -> String {
    let conditions = found.data.pointer("/status/conditions").and_then(Value::as_array);
    let holding = conditions.into_iter().flatten().find(|condition| {
        condition["status"] == "True"
            && matches!(condition["type"].as_str(), Some("NamespaceContentRemaining" | "NamespaceFinalizersRemaining"))
    });
    if let Some(message) = holding.and_then(|condition| condition["message"].as_str()) {
        return format!("going: {message}");
    }
    match found.metadata.finalizers.as_deref() {
        None | Some([]) => "going".to_owned(),
        Some(finalizers) => format!("being deleted, waits for {}", finalizers.join(", ")),
    }
}

/// Lists of named things become maps, so that a field of one element can be compared and named by
/// itself, whatever the API server has added to the others. Lists of plain values stay lists.
pub(super) fn keyed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                // Not ours to want: what the server and controllers say of it.
                .filter(|(key, _)| !matches!(key.as_str(), "status" | "managedFields"))
                .map(|(key, value)| (key.clone(), keyed(value)))
                .collect(),
        ),
        Value::Array(elements) if !elements.is_empty() && elements.iter().all(Value::is_object) => {
            let mut map = Map::new();
            for (index, element) in elements.iter().enumerate() {
                map.insert(key(element).unwrap_or_else(|| index.to_string()), keyed(element));
            }
            Value::Object(map)
        }
        other => other.clone(),
    }
}

/// What names an element of a list, as in the API's merge keys.
fn key(element: &Value) -> Option<String> {
    ["mountPath", "name"].iter().find_map(|key| element[*key].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::differences;

    #[test]
    fn a_value_cannot_break_out_of_its_place() {
        let hostile = "a\nkind: Secret # \"quoted\" {{ x }}";
        let manifest = render("t.yaml", "kind: Pod\nname: {{ name }}\n", json!({"name": hostile})).unwrap();
        assert_eq!(manifest, json!({"kind": "Pod", "name": hostile}));
    }

    #[test]
    fn a_missing_value_is_told() {
        let why = render("t.yaml", "name: {{ nmae }}\n", json!({"name": "a"})).unwrap_err();
        assert!(why.to_string().contains("t.yaml"), "{why}");
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let wanted = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "x", "image": "i"}], "args": ["1"]}});
        let actual = json!({"metadata": {"name": "a", "uid": "u"}, "status": {"phase": "x"}, "spec": {"args": ["1"],
            "containers": [{"name": "injected"}, {"name": "x", "image": "i", "imagePullPolicy": "Always"}]}});
        assert_eq!(differences(&keyed(&wanted), &keyed(&actual)), []);
    }

    #[test]
    fn a_changed_element_is_named() {
        let wanted = json!({"spec": {"containers": [{"name": "x", "image": "new"}]}});
        let actual = json!({"spec": {"containers": [{"name": "x", "image": "old"}]}});
        let changes = differences(&keyed(&wanted), &keyed(&actual));
        assert_eq!(changes[0].field, "spec.containers.x.image");
    }

    #[test]
    fn a_field_that_is_no_longer_wanted_shows_as_another_hash() {
        let one = marked(&json!({"metadata": {"name": "a"}, "spec": {"x": 1, "y": 2}}), "d");
        let two = marked(&json!({"metadata": {"name": "a"}, "spec": {"x": 1}}), "d");
        let changes = differences(&keyed(&two), &keyed(&one));
        assert_eq!(changes[0].field, "metadata.annotations.tritondeploy/manifest");
    }

    #[test]
    fn an_object_without_our_label_is_foreign() {
        let labels = |label: &str| ObjectMeta {
            labels: Some([(DEPLOYMENT.to_owned(), label.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(foreign(&labels("d"), "d"), None);
        assert!(foreign(&labels("other"), "d").unwrap().contains("other"));
        assert!(foreign(&ObjectMeta::default(), "d").is_some());
    }
}
