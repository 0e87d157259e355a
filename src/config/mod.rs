//! `tritondeploy.toml` -> [`Config`]. Every key has a default: the reference deployment.
//! Unknown keys are errors that suggest the nearest.

mod access;
mod check;
mod load;
mod roots;
pub(crate) mod tags;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use access::Access;
pub use check::warnings;
pub(crate) use check::{is_bucket, is_repository};
pub use load::{checked, load};

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Deployment and cluster name; the ownership tag's value. `[a-z][a-z0-9-]{0,39}`.
    pub name: String,
    /// AWS region; `AWS_REGION` or the profile's where absent, else us-east-1.
    pub region: Option<String>,
    /// Endpoint for every AWS service instead of the public ones; also reaches the pod.
    pub endpoint_url: Option<String>,
    /// PEM file with extra roots for AWS endpoints (the SDK ignores `AWS_CA_BUNDLE`; we do not).
    pub ca_bundle: Option<std::path::PathBuf>,
    /// The certificates of `ca_bundle`, PEM: what the pod gets of it.
    #[serde(skip)]
    pub roots: Option<String>,
    /// The user's own tags, on all that takes tags.
    pub tags: BTreeMap<String, String>,
    pub network: Network,
    pub cluster: Cluster,
    pub access: Access,
    pub nodes: Nodes,
    pub registry: Registry,
    pub storage: Storage,
    pub workload: Workload,
    pub models: Models,
    /// The pair of request form 1, in the order of its answers.
    pub pipeline: Vec<PipelineModel>,
    pub proof: Proof,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    pub cidr: String,
    pub private: Vec<String>,
    pub public: Vec<String>,
    /// Availability zones by name; empty: chosen at creation, two that EKS accepts and that offer the instance type.
    pub zones: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Kubernetes version at creation, e.g. "1.34"; absent: EKS's default version. Never compared afterwards.
    pub version: Option<String>,
    /// CIDRs that may reach the public API endpoint.
    pub public_access_cidrs: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nodes {
    pub instance_type: String,
    /// EKS's name of the node image; absent: the one that goes with the instance type.
    pub ami_type: Option<String>,
    pub min: i32,
    pub max: i32,
    pub desired: i32,
    /// Root volume (gp3) in GiB.
    pub disk_gib: i32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// ECR repository name; absent: see [`Config::repository`].
    pub repository: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Bucket name; absent: NAME-ACCOUNT-REGION (bucket names are world-wide).
    pub bucket: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    pub namespace: String,
    pub service_account: String,
    pub service: String,
    pub replicas: i32,
    pub triton_image: String,
    pub device_plugin_image: String,
    /// What the Service opens: "ws" always, "http" (Triton's, read-only) and "metrics" where they are named.
    pub expose: Vec<String>,
    /// CIDRs that may reach what is exposed. Empty: `up` refuses, unless `public_without_auth`.
    pub source_ranges: Vec<String>,
    /// Open to the world without authentication: said out loud or not at all.
    pub public_without_auth: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// The local model repository, relative to the configuration file.
    pub directory: std::path::PathBuf,
    /// Which models of it are served; empty: all.
    pub serve: Vec<String>,
}

/// One model of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineModel {
    pub alias: String,
    pub model: String,
    #[serde(default)]
    pub scores: Scores,
    #[serde(default)]
    pub preset: Preset,
    #[serde(default)]
    pub quality: Quality,
}

impl PipelineModel {
    /// A model with the defaults of all else.
    fn new(alias: &str, model: &str) -> Self {
        let (scores, preset, quality) = (Scores::default(), Preset::default(), Quality::default());
        Self { alias: alias.to_owned(), model: model.to_owned(), scores, preset, quality }
    }
}

/// How pixels become a model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Stretched to the model's size, from 0 to 1.
    #[default]
    Unit,
    /// The shorter side 256, the centre cut out, less ImageNet's mean, by its deviation.
    Imagenet,
}

/// How exactly images are decoded for clients of protocol v1; v0 is always exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// As Pillow decodes them.
    #[default]
    Exact,
    /// Large JPEGs at a fraction of their size.
    Fast,
}

/// What a model's output means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    #[default]
    Logits,
    Probabilities,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proof {
    /// A model with real labels that is asked for the bundled photo (a cat); absent: shapes and finite values only.
    pub model: Option<String>,
    pub scores: Scores,
    pub preset: Preset,
    /// Any of these labels is right; a label matches when it contains one of these, ignoring case.
    pub expect: Vec<String>,
}

/// The reference deployment's name.
const REFERENCE: &str = "triton-streaming-cluster";
/// The ECR repository of the reference deployment.
const REPOSITORY: &str = "websocket-pipeline";

impl Config {
    /// The ECR repository, as configured or of the deployment's name, so that two deployments in one account and
    /// region do not meet.
    #[must_use]
    pub fn repository(&self) -> String {
        let of_name = || if self.name == REFERENCE { REPOSITORY.to_owned() } else { format!("{}-{REPOSITORY}", self.name) };
        self.registry.repository.clone().unwrap_or_else(of_name)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: REFERENCE.to_owned(),
            region: None,
            endpoint_url: None,
            ca_bundle: None,
            roots: None,
            tags: BTreeMap::new(),
            network: Network::default(),
            cluster: Cluster::default(),
            access: Access::default(),
            nodes: Nodes::default(),
            registry: Registry::default(),
            storage: Storage::default(),
            workload: Workload::default(),
            models: Models::default(),
            pipeline: vec![PipelineModel::new("densenet", "densenet_onnx"), PipelineModel::new("resnet", "resnet50_onnx")],
            proof: Proof::default(),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let list = |cidrs: [&str; 2]| cidrs.map(str::to_owned).to_vec();
        Self {
            cidr: "192.168.0.0/20".to_owned(),
            private: list(["192.168.0.0/24", "192.168.2.0/24"]),
            public: list(["192.168.4.0/24", "192.168.6.0/24"]),
            zones: Vec::new(),
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self { version: None, public_access_cidrs: vec!["0.0.0.0/0".to_owned()] }
    }
}

impl Default for Nodes {
    fn default() -> Self {
        Self { instance_type: "g4dn.xlarge".to_owned(), ami_type: None, min: 1, max: 1, desired: 1, disk_gib: 100 }
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            namespace: "triton".to_owned(),
            service_account: "triton-service-account".to_owned(),
            service: "triton-server".to_owned(),
            replicas: 1,
            triton_image: "nvcr.io/nvidia/tritonserver:25.08-py3".to_owned(),
            device_plugin_image: "nvcr.io/nvidia/k8s-device-plugin:v0.17.4".to_owned(),
            expose: vec!["ws".to_owned()],
            source_ranges: Vec::new(),
            public_without_auth: false,
        }
    }
}

impl Default for Models {
    fn default() -> Self {
        Self { directory: "models".into(), serve: Vec::new() }
    }
}
