//! What is in a namespace that we did not put there: such a namespace is not ours to delete.

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client};

use super::{OrFault, is_ours};
use crate::engine::Fault;

/// Lists at a time.
const AT_ONCE: usize = 8;

/// What Kubernetes itself puts into every namespace or derives from other objects: kind and name; no name means all of them.
const MADE_BY_KUBERNETES: [(&str, Option<&str>); 5] = [
    ("ConfigMap", Some("kube-root-ca.crt")),
    ("ServiceAccount", Some("default")),
    ("Endpoints", None),
    ("Event", None),
    ("Lease", None),
];

/// Kinds and names of what is in the namespace, was not applied by us, and belongs to no other object.
///
/// # Errors
/// When the cluster does not tell.
pub async fn of_others(client: &Client, namespace: &str, deployment: &str) -> Result<Vec<String>, Fault> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await.fault()?;
    // Derived from pods, and not there where nobody measures.
    let groups = discovery.groups().filter(|group| group.name() != "metrics.k8s.io");
    let resources = groups.flat_map(|group| group.recommended_resources());
    let listable: Vec<ApiResource> = resources
        .filter(|(_, can)| can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST))
        .map(|(resource, _)| resource)
        .collect();
    let lists = listable.into_iter().map(|resource| list(client, namespace, deployment, resource));
    let mut found: Vec<String> = stream::iter(lists).buffered(AT_ONCE).try_concat().await?;
    found.sort_unstable();
    Ok(found)
}

async fn list(client: &Client, namespace: &str, deployment: &str, resource: ApiResource) -> Result<Vec<String>, Fault> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let found = api.list(&ListParams::default()).await.fault_or_absent()?;
    let others = found.into_iter().flat_map(|list| list.items).filter(|object| is_of_others(object, &resource.kind, deployment));
    Ok(others.map(|object| format!("{} {}", resource.kind, object.metadata.name.unwrap_or_default())).collect())
}

fn is_of_others(object: &DynamicObject, kind: &str, deployment: &str) -> bool {
    let meta = &object.metadata;
    let is_owned = meta.owner_references.as_ref().is_some_and(|owners| !owners.is_empty());
    let is_usual = MADE_BY_KUBERNETES
        .iter()
        .any(|(usual, name)| *usual == kind && name.is_none_or(|name| meta.name.as_deref() == Some(name)));
    !is_owned && !is_ours(meta, deployment) && !is_usual
}

/// The first of them, and how many there are; None: there are none.
#[must_use]
pub fn described(others: &[String]) -> Option<String> {
    match others {
        [] => None,
        [first] => Some(first.clone()),
        [first, rest @ ..] => Some(format!("{first} and {} more", rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::kube::{FIELD_MANAGER, LABEL};
    use serde_json::json;

    fn of_others(kind: &str, metadata: serde_json::Value) -> bool {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        is_of_others(&serde_json::from_value(object).unwrap(), kind, "mine")
    }

    #[test]
    fn what_somebody_put_there_counts_and_what_is_ours_or_follows_from_it_does_not() {
        assert!(of_others("Secret", json!({"name": "theirs"})));
        assert!(of_others("ConfigMap", json!({"name": "notes", "labels": {LABEL: "yours"}})));
        let (mine, us) = (json!({LABEL: "mine"}), json!([{"manager": FIELD_MANAGER, "operation": "Apply"}]));
        assert!(!of_others("ConfigMap", json!({"name": "gateway", "labels": mine, "managedFields": us})));
        let them = json!([{"manager": "kubectl-client-side-apply", "operation": "Update"}]);
        assert!(of_others("ConfigMap", json!({"name": "copy", "labels": mine, "managedFields": them})), "a copy is theirs");
        assert!(!of_others("ConfigMap", json!({"name": "kube-root-ca.crt"})));
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "1"}]);
        assert!(!of_others("Pod", json!({"name": "p", "ownerReferences": owner})));
        assert!(of_others("Pod", json!({"name": "p"})));
    }

    #[test]
    fn several_are_counted() {
        let told = |names: &[&str]| described(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&[]), None);
        assert_eq!(told(&["Secret a"]).as_deref(), Some("Secret a"));
        assert_eq!(told(&["Secret a", "Secret b", "Pod c"]).as_deref(), Some("Secret a and 2 more"));
    }
}
