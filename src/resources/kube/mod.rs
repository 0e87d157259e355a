//! What runs in the cluster: one Kubernetes object, one file; the one way to apply it in `applied.rs`.

mod applied;
mod balancer;
mod balancer_tags;
mod cause;
mod config_map;
mod deployment;
mod device_plugin;
mod endpoint;
mod gateway_config;
mod gpus;
pub mod logs;
mod manifest;
#[cfg(test)]
mod manifests_test;
mod namespace;
mod orphan;
mod placement;
mod pod_role;
mod pods;
mod readiness;
mod rollout;
mod served;
mod service;
mod service_account;
mod size;

pub use applied::{Applied, Object};
pub use balancer::Balancer;
pub use balancer_tags::BalancerTags;
pub use config_map::ConfigMap;
pub use deployment::{Deployment, DeploymentOutput};
pub use device_plugin::DevicePlugin;
pub use endpoint::{Endpoint, Exposed};
pub use gateway_config::GatewayConfig;
pub use gpus::Gpus;
pub use namespace::{Namespace, NamespaceOutput};
pub use orphan::Orphan;
pub use placement::Placement;
pub use pod_role::PodRole;
pub use pods::{named, once_admitted, running, serving, telling};
pub use rollout::Rollout;
pub use served::Served;
pub use service::{Service, ServiceOutput};
pub use service_account::ServiceAccount;
