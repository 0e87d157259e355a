//! Our objects in the cluster, by label and field manager, in every namespace.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use tokio::time::timeout;

use crate::cloud::Cloud;
use crate::cloud::cluster::ClusterOutput;
use crate::cloud::kube::{LABEL, OrFault, contents, is_ours};
use crate::engine::{Fault, format_duration};

/// What does not answer in this time is told as such: a look must not wait for a cluster that is ill.
const PATIENCE: Duration = Duration::from_secs(10);

/// What we make in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Namespace,
    Deployment,
    DaemonSet,
    Service,
    ConfigMap,
    ServiceAccount,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Namespace, Self::Deployment, Self::DaemonSet, Self::Service, Self::ConfigMap, Self::ServiceAccount];

    /// The API that serves it.
    #[must_use]
    pub fn api(self) -> ApiResource {
        match self {
            Self::Namespace => ApiResource::erase::<Namespace>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
        }
    }

    /// As in a node's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Deployment => "deployment",
            Self::DaemonSet => "daemon-set",
            Self::Service => "service",
            Self::ConfigMap => "config-map",
            Self::ServiceAccount => "service-account",
        }
    }
}

/// An object of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: Kind,
    /// None: it has none.
    pub namespace: Option<String>,
    pub name: String,
}

/// What carries our label, but for namespaces in which others have put something; and these, each with a word of that.
/// Nothing without a cluster of ours that answers. The error says what could not be read.
pub(super) async fn find(cloud: &Cloud) -> Result<(Vec<Object>, Vec<String>), String> {
    let unknown = |why: &dyn std::fmt::Display| format!("Kubernetes objects of other names ({why})");
    match timeout(PATIENCE, read(cloud)).await {
        Ok(found) => found.map_err(|fault| unknown(&fault)),
        Err(_) => Err(unknown(&format_args!("no answer within {}", format_duration(PATIENCE)))),
    }
}

async fn read(cloud: &Cloud) -> Result<(Vec<Object>, Vec<String>), Fault> {
    let Some(cluster) = ClusterOutput::of_ours(cloud).await? else { return Ok(Default::default()) };
    let client = cloud.kube.client(&cloud.aws, &cluster).await?;
    let deployment = &cloud.config.name;
    let found = try_join_all(Kind::ALL.map(|kind| list(&client, kind, deployment))).await?;
    let (mut objects, mut held) = (Vec::new(), Vec::new());
    for object in found.into_iter().flatten() {
        let is_other = object.kind == Kind::Namespace && object.name != cloud.config.workload.namespace;
        let others = if is_other { contents::of_others(&client, &object.name, deployment).await? } else { Vec::new() };
        match contents::described(&others) {
            Some(others) => held.push(format!("namespace {}, which holds what is not ours: {others}", object.name)),
            None => objects.push(object),
        }
    }
    Ok((objects, held))
}

async fn list(client: &Client, kind: Kind, deployment: &str) -> Result<Vec<Object>, Fault> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.api());
    let found = api.list(&ListParams::default().labels(&format!("{LABEL}={deployment}"))).await.fault()?;
    let object = |found: DynamicObject| Some(Object { kind, namespace: found.metadata.namespace, name: found.metadata.name? });
    Ok(found.items.into_iter().filter(|found| is_ours(&found.metadata, deployment)).filter_map(object).collect())
}
