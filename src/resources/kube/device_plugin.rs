//! NVIDIA's device plugin, without which no pod gets a GPU on Amazon Linux; Bottlerocket brings its own.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Object, Place};
use super::manifest::{Error, render};
use crate::engine::{After, Given, Node};
use crate::resources::eks::{Cluster, ClusterOutput};

/// The device plugin's DaemonSet.
pub struct DevicePlugin {
    /// Its image.
    pub image: String,
}

impl DevicePlugin {
    /// Its name in the namespace kube-system.
    pub const NAME: &'static str = "nvidia-device-plugin";

    /// Whether nodes of this AMI type need it: those without GPUs have another one.
    #[must_use]
    pub fn is_needed(ami_type: &str) -> bool {
        ami_type.contains("NVIDIA") && !ami_type.starts_with("BOTTLEROCKET")
    }
}

impl Object for DevicePlugin {
    const KIND: &'static str = "device-plugin";
    type Within = Node<Cluster>;
    /// Without values: the access policy.
    type Uses = After;
    type Output = ();

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::apps::v1::DaemonSet>(&())
    }

    fn name(&self) -> &str {
        Self::NAME
    }

    fn place(cluster: &ClusterOutput) -> Place<'_> {
        Place { cluster, namespace: Some("kube-system") }
    }

    fn manifest(&self, _: &Given<ClusterOutput>, (): &()) -> Given<Result<Value, Error>> {
        const TEMPLATE: &str = include_str!("../../../templates/device_plugin.yaml");
        Given::Known(render("device_plugin.yaml", TEMPLATE, json!({"name": self.name(), "image": self.image})))
    }

    fn output(&self, _: &ClusterOutput, _: &DynamicObject) {}
}
