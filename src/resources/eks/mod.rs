//! The cluster, who may enter it, its add-ons and its nodes.

mod access_entry;
mod access_policy;
mod addon;
mod cluster;
mod joining;
mod launch_template;
mod launching;
mod node_entry;
mod node_group;
mod node_tags;
mod updates;

pub use crate::cloud::cluster::ClusterOutput;
pub use access_entry::AccessEntry;
pub use access_policy::AccessPolicy;
pub use addon::Addon;
pub use cluster::Cluster;
pub use launch_template::{LaunchTemplate, Template};
pub use node_entry::NodeEntry;
pub use node_group::{Group, NodeGroup};
pub use node_tags::NodeTags;

use serde_json::Value;

use crate::engine::Given;

/// What EKS answers about something that is not there.
const ABSENT: [&str; 1] = ["ResourceNotFoundException"];

/// Issues that EKS names of a thing's health, as lines.
macro_rules! issues {
    ($health:expr) => {
        $health
            .map(|health| health.issues())
            .unwrap_or_default()
            .iter()
            .map(|issue| {
                let code = issue.code().map_or("", |code| code.as_str());
                format!("{code}: {}", issue.message().unwrap_or_default())
            })
            .collect::<Vec<String>>()
    };
}
use issues;

/// Ids in one order, since EKS tells them in any.
fn sorted(mut ids: Vec<Given<String>>) -> Vec<Given<String>> {
    ids.sort_by(|a, b| a.known().cmp(&b.known()));
    ids
}

/// Whether there are ids, and all of them are among the wanted ones; these may not all be known yet.
fn is_within(ids: &Value, wanted: &Value) -> bool {
    let (ids, wanted) = (ids.as_array().map_or(&[][..], Vec::as_slice), wanted.as_array().map_or(&[][..], Vec::as_slice));
    !ids.is_empty() && ids.iter().all(|id| wanted.contains(id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_within_the_wanted_ones_whatever_is_not_known_of_these() {
        let later = json!({"known after": "subnet/private-2"});
        assert!(is_within(&json!(["a", "b"]), &json!(["a", "b", later])));
        assert!(!is_within(&json!(["a", "b"]), &json!(["a", later])));
        assert!(!is_within(&json!(["a", "b", "c"]), &json!(["a", "b"])));
        assert!(!is_within(&json!([]), &json!(["a"])));
    }
}
