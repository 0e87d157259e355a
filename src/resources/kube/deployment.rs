//! Triton and the gateway: one pod a GPU, or a node where there are none. It counts as there once it is applied; whether its pods
//! answer is the rollout's matter, so that a Deployment that cannot start can still be changed.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Applied, Object, Place};
use super::config_map::ConfigMap;
use super::endpoint::Exposed;
use super::gateway_config::GatewayConfig;
use super::manifest::{Error, render, sha256};
use super::namespace::{Namespace, NamespaceOutput};
use super::service_account::ServiceAccount;
use super::size::Size;
use crate::cloud::machine::Machine;
use crate::config::Config;
use crate::engine::{After, Given, Node};
use crate::resources::registry::{GatewayImage, ImageOutput};
use crate::resources::storage::Bucket;

/// How long a pod that is going still takes new connections: until the balancer has noticed.
const GATEWAY_PRE_STOP_SECONDS: u32 = 60;
/// What is left for Triton and the kubelet once the gateway has drained.
const SPARE_SECONDS: u32 = 10;

/// The Deployment.
pub struct Deployment {
    name: String,
    replicas: i32,
    triton_image: String,
    region: String,
    endpoint_url: Option<String>,
    open: Vec<Exposed>,
    gateway: GatewayConfig,
    size: Size,
}

/// A Deployment that was applied.
#[derive(Clone)]
pub struct DeploymentOutput {
    /// Where it lies.
    pub namespace: NamespaceOutput,
    /// Its name; also the value of its pods' label `app.kubernetes.io/name`.
    pub name: String,
}

impl Deployment {
    /// As configured, for nodes with a GPU.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            name: config.workload.service.clone(),
            replicas: config.workload.replicas,
            triton_image: config.workload.triton_image.clone(),
            region: super::gateway_config::region(config),
            endpoint_url: config.endpoint_url.clone(),
            open: Exposed::of(config).collect(),
            gateway: GatewayConfig::new(config),
            size: Size::gpu(),
        }
    }

    /// For nodes of this type.
    #[must_use]
    pub fn on(self, machine: &Machine) -> Self {
        Self { size: Size::on(machine), ..self }
    }

    fn render(
        &self,
        namespace: &NamespaceOutput,
        service_account: &str,
        config_map: &str,
        bucket: &str,
        image: &ImageOutput,
    ) -> Result<Value, Error> {
        const TEMPLATE: &str = include_str!("../../../templates/deployment.yaml");
        let gateway = GATEWAY_PRE_STOP_SECONDS;
        let drained = gateway + self.gateway.drain_seconds;
        let port = |open: &Exposed| json!({"name": open.name(), "port": open.pod_port()});
        let ports: Vec<_> = self.open.iter().map(port).collect();
        let values = json!({
            "name": self.name,
            "ports": ports,
            "namespace": namespace.name,
            "replicas": self.replicas,
            "service_account": service_account,
            "config_map": config_map,
            "config_sha256": sha256(self.gateway.content(bucket).as_bytes()),
            "gateway_image": image.reference,
            "triton_image": self.triton_image,
            "gpu": self.size.gpu,
            "triton_cpu": self.size.cpu,
            "triton_memory": self.size.memory,
            "triton_memory_limit": self.size.memory_limit,
            "region": self.region,
            "endpoint_url": self.endpoint_url,
            "gateway_pre_stop_seconds": gateway,
            "triton_pre_stop_seconds": drained,
            "grace_seconds": drained + SPARE_SECONDS,
        });
        render("deployment.yaml", TEMPLATE, values)
    }
}

impl Object for Deployment {
    const KIND: &'static str = "deployment";
    type Within = Node<Applied<Namespace>>;
    /// And, without their values: models in the bucket.
    type Uses = (Node<Applied<ServiceAccount>>, Node<Applied<ConfigMap>>, Node<Bucket>, Node<GatewayImage>, After);
    type Output = DeploymentOutput;

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(within: &NamespaceOutput) -> Place<'_> {
        within.place()
    }

    fn manifest(
        &self,
        within: &Given<NamespaceOutput>,
        (account, config_map, bucket, image, ()): &(Given<String>, Given<String>, Given<String>, Given<ImageOutput>, ()),
    ) -> Given<Result<Value, Error>> {
        let names = within.zip(account).zip(config_map);
        names.zip(bucket).zip(image).map(|((((namespace, account), config_map), bucket), image)| {
            self.render(namespace, account, config_map, bucket, image)
        })
    }

    fn output(&self, within: &NamespaceOutput, _: &DynamicObject) -> DeploymentOutput {
        DeploymentOutput { namespace: within.clone(), name: self.name.clone() }
    }

    fn pods(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn warning(&self) -> Option<String> {
        let one = "its one pod is replaced: the WebSocket does not answer until the new one is ready";
        let several = "its pods are replaced one after another";
        Some(if self.replicas == 1 { one } else { several }.to_owned())
    }

    /// As long as its pods may take to go, and a little more.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(300)
    }
}
