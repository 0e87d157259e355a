//! The GPUs that nodes offer to pods: none before the device plugin runs on them, and without one no pod of ours starts.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node as KubeNode, Pod};
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;

use super::device_plugin::DevicePlugin;
use super::{cause, pods};
use crate::cloud::kube::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fact, Fault, Found, Given, Node, Observation, Observe, Remedy};
use crate::resources::eks::{Cluster, ClusterOutput};

/// The GPUs of all nodes.
pub struct Gpus {
    /// So many nodes are to come; none offers nothing.
    pub nodes: i32,
}

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

/// How many each node offers, by its name.
pub(super) type Offered = BTreeMap<String, i64>;

/// The name of the resource.
const GPU: &str = "nvidia.com/gpu";
/// The label of our nodes that have some.
const LABELLED: &str = "nvidia-gpu=true";
const NAMESPACE: &str = "kube-system";

fn offered(node: &KubeNode) -> i64 {
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    allocatable.and_then(|allocatable| allocatable.get(GPU)).and_then(|gpus| gpus.0.parse().ok()).unwrap_or(0)
}

fn name(node: &KubeNode) -> &str {
    node.metadata.name.as_deref().unwrap_or("?")
}

/// The kubelet answers: of one that does not, the plugin tells nothing.
fn is_ready(node: &KubeNode) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn plugins(client: &Client) -> Result<Vec<Pod>, Fault> {
    pods::named(client, NAMESPACE, DevicePlugin::NAME).await
}

/// Why a node offers none: what holds up its plugin; and whether it will by itself.
fn holdup(node: &KubeNode, plugins: &[Pod]) -> (String, bool) {
    let of_it = |pod: &&Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == node.metadata.name.as_deref();
    let mut of_it = plugins.iter().filter(of_it).peekable();
    let no_gpu = format!("the node {} offers no GPU", name(node));
    if of_it.peek().is_none() {
        return (format!("{no_gpu}: no device plugin runs there yet"), false);
    }
    let (mut why, mut hopeless) = (None, false);
    for pod in of_it {
        hopeless |= cause::hopeless(pod).is_some();
        why = why.or_else(|| cause::why_not_ready(pod));
    }
    let why = why.unwrap_or_else(|| "its device plugin runs and has registered none yet".to_owned());
    (format!("{no_gpu}: {why}"), hopeless)
}

impl Observe for Gpus {
    type World = Cloud;
    const KIND: &'static str = "gpus";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Cluster>;
    /// Without values: the nodes, what offers their GPUs, the access policy.
    type Uses = After;
    type State = State;
    type Output = Offered;

    fn want(&self, _: &Cloud, _: &Given<ClusterOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Observation<Self>, Fault> {
        let client = cx.world.kube.client(&cx.world.aws, cluster).await?;
        let nodes = Api::<KubeNode>::all(client.clone()).list(&ListParams::default().labels(LABELLED)).await.fault()?.items;
        let ready: Vec<&KubeNode> = nodes.iter().filter(|node| is_ready(node)).collect();
        if ready.is_empty() && self.nodes > 0 {
            return Ok(Observation::Changing { why: "no node with a GPU is ready yet".to_owned(), found: None });
        }
        let gpus: Offered = ready.iter().map(|node| (name(node).to_owned(), offered(node))).collect();
        let Some(without) = ready.iter().find(|node| offered(node) == 0) else {
            return Ok(Observation::Present(Found::one(gpus, State)));
        };
        let (why, hopeless) = holdup(without, &plugins(&client).await?);
        Ok(match hopeless {
            true => Observation::Broken { output: gpus, why, remedy: Remedy::User },
            false => Observation::Changing { why, found: None },
        })
    }

    /// The plugin's image is pulled, and the kubelet told, within a minute or two.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(10 * 60)
    }

    /// The plugin's own words.
    async fn evidence(&self, cx: &Cx, cluster: &ClusterOutput) -> Vec<String> {
        let Ok(client) = cx.world.kube.client(&cx.world.aws, cluster).await else { return Vec::new() };
        let mut lines = pods::events(&client, NAMESPACE, "DaemonSet", DevicePlugin::NAME).await;
        for pod in plugins(&client).await.unwrap_or_default() {
            lines.extend(pods::events(&client, NAMESPACE, "Pod", pod.metadata.name.as_deref().unwrap_or_default()).await);
            lines.extend(pods::said(&client, NAMESPACE, &pod).await);
        }
        lines
    }

    fn facts(&self, gpus: &Offered) -> Vec<Fact> {
        let one = |(node, gpus): (&String, &i64)| format!("{gpus} of {node}");
        vec![Fact { key: "gpus", value: gpus.iter().map(one).collect::<Vec<_>>().join(", ") }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(allocatable: serde_json::Value) -> KubeNode {
        let conditions = json!([{"type": "Ready", "status": "True"}]);
        let status = json!({"allocatable": allocatable, "conditions": conditions});
        serde_json::from_value(json!({"metadata": {"name": "n"}, "status": status})).unwrap()
    }

    fn plugin(status: serde_json::Value) -> Pod {
        let spec = json!({"nodeName": "n", "containers": []});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec, "status": status})).unwrap()
    }

    #[test]
    fn what_a_node_offers_is_what_pods_can_be_given() {
        assert_eq!(offered(&node(json!({"cpu": "4"}))), 0);
        assert_eq!(offered(&node(json!({"nvidia.com/gpu": "4"}))), 4);
    }

    #[test]
    fn a_plugin_that_crashes_again_and_again_is_the_cause_and_not_waited_for() {
        let crashing = plugin(json!({"phase": "Running", "containerStatuses": [{"name": "device-plugin", "ready": false,
            "restartCount": 5, "image": "i", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}));
        let (why, hopeless) = holdup(&node(json!({})), &[crashing]);
        let crash = "p: device-plugin is CrashLoopBackOff, last exit code 1 (Error)";
        assert_eq!((why, hopeless), (format!("the node n offers no GPU: {crash}"), true));
    }

    #[test]
    fn a_plugin_that_comes_or_runs_is_waited_for() {
        let (why, hopeless) = holdup(&node(json!({})), &[]);
        assert!(!hopeless && why.ends_with("no device plugin runs there yet"), "{why}");
        let runs = plugin(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
        let (why, hopeless) = holdup(&node(json!({})), &[runs]);
        assert!(!hopeless && why.ends_with("has registered none yet"), "{why}");
    }
}
