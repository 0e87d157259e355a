//! The namespace of everything that is ours in the cluster. It goes with the cluster.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Object, Place};
use super::manifest::{Error, render};
use crate::engine::{After, Given, Node};
use crate::resources::eks::{Cluster, ClusterOutput};

/// A namespace.
pub struct Namespace {
    /// Its name.
    pub name: String,
}

/// Where the objects of the deployment lie.
#[derive(Clone)]
pub struct NamespaceOutput {
    /// The cluster.
    pub cluster: ClusterOutput,
    /// The namespace's name.
    pub name: String,
}

impl NamespaceOutput {
    /// As the place of an object.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place { cluster: &self.cluster, namespace: Some(&self.name) }
    }
}

impl Object for Namespace {
    const KIND: &'static str = "namespace";
    type Within = Node<Cluster>;
    /// Without values: the access policy. Whoever has none may not look, which is not the same as nothing there.
    type Uses = After;
    type Output = NamespaceOutput;

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::core::v1::Namespace>(&())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(cluster: &ClusterOutput) -> Place<'_> {
        Place { cluster, namespace: None }
    }

    fn manifest(&self, _: &Given<ClusterOutput>, (): &()) -> Given<Result<Value, Error>> {
        const TEMPLATE: &str = include_str!("../../../templates/namespace.yaml");
        Given::Known(render("namespace.yaml", TEMPLATE, json!({"name": self.name})))
    }

    fn output(&self, cluster: &ClusterOutput, _: &DynamicObject) -> NamespaceOutput {
        NamespaceOutput { cluster: cluster.clone(), name: self.name.clone() }
    }

    /// It goes after the pods in it, which drain first.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(600)
    }
}
