//! The gateway's configuration as its pod reads it: `gateway.toml`, and `ca.pem` where there is a CA bundle.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Applied, Object, Place};
use super::gateway_config::GatewayConfig;
use super::manifest::{Error, render};
use super::namespace::{Namespace, NamespaceOutput};
use crate::engine::{Given, Node};
use crate::resources::storage::Bucket;

/// A config map.
pub struct ConfigMap {
    /// Its name.
    pub name: String,
    /// What is in it, but for the bucket.
    pub gateway: GatewayConfig,
}

impl Object for ConfigMap {
    const KIND: &'static str = "config-map";
    type Within = Node<Applied<Namespace>>;
    type Uses = Node<Bucket>;
    type Output = String;

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(&())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(within: &NamespaceOutput) -> Place<'_> {
        within.place()
    }

    fn manifest(&self, within: &Given<NamespaceOutput>, bucket: &Given<String>) -> Given<Result<Value, Error>> {
        const TEMPLATE: &str = include_str!("../../../templates/config_map.yaml");
        within.zip(bucket).map(|(namespace, bucket)| {
            let gateway_toml = self.gateway.toml(bucket);
            let values = json!({"name": self.name, "namespace": namespace.name, "gateway_toml": gateway_toml, "ca_pem": self.gateway.roots});
            render("config_map.yaml", TEMPLATE, values)
        })
    }

    fn output(&self, _: &NamespaceOutput, _: &DynamicObject) -> String {
        self.name.clone()
    }
}
