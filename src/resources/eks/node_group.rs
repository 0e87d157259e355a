//! The GPU nodes: a managed node group, billed by the hour of each instance.
//!
//! Takes about two minutes to come, three to four to go. It fails with a capacity or quota error
//! where EC2 has no such instance for us; the issues of its health say which.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_eks::types::{
    AmiTypes, LaunchTemplateSpecification, NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig,
    NodegroupUpdateStrategies, Taint, TaintEffect, UpdateLabelsPayload, UpdateTaintsPayload,
};
use serde::Serialize;

use super::cluster::{Cluster, ClusterOutput};
use super::launch_template::{LaunchTemplate, Template};
use super::{ABSENT, issues, sorted};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::Tags;
use crate::cloud::{Cloud, Cx};
use crate::config::Nodes;
use crate::engine::{After, Change, Cure, Doing, Fault, Found, Given, How, Node, Resource, Seen};
use crate::resources::iam::{Role, RoleOutput};
use crate::resources::network::Subnet;

pub struct NodeGroup {
    nodes: Nodes,
}

/// Its name in the cluster.
const NAME: &str = "gpu";

impl NodeGroup {
    /// What AWS's managed policies let a node do: join, pull images, give pods addresses, be reached through SSM.
    pub const POLICIES: [&'static str; 4] = [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKS_CNI_Policy",
        "AmazonSSMManagedInstanceCore",
    ];

    /// As configured.
    #[must_use]
    pub fn new(nodes: &Nodes) -> Self {
        Self { nodes: nodes.clone() }
    }

    fn scaling(&self) -> NodegroupScalingConfig {
        let Nodes { min, max, desired, .. } = self.nodes;
        NodegroupScalingConfig::builder().min_size(min).max_size(max).desired_size(desired).build()
    }
}

#[derive(Serialize)]
pub struct State {
    instance_types: Vec<String>,
    ami_type: String,
    scaling: [i32; 3],
    role: Given<String>,
    subnets: Vec<Given<String>>,
    launch_template: Given<String>,
    labels: BTreeMap<String, String>,
    taints: Vec<String>,
    update: String,
}

/// The label and the taint of GPU nodes.
fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("nvidia-gpu".to_owned(), "true".to_owned())])
}

fn taint() -> Taint {
    Taint::builder().key("nvidia.com/gpu").value("true").effect(TaintEffect::NoSchedule).build()
}

/// As Kubernetes writes it, `KEY=VALUE:EFFECT`.
fn described(taint: &Taint) -> String {
    let effect = taint.effect().map_or("", TaintEffect::as_str);
    format!("{}={}:{effect}", taint.key().unwrap_or_default(), taint.value().unwrap_or_default())
}

fn read(described: &str) -> Option<Taint> {
    let (key, rest) = described.split_once('=')?;
    let (value, effect) = rest.rsplit_once(':')?;
    Some(Taint::builder().key(key).value(value).effect(effect.into()).build())
}

/// The default brings up extra GPU instances during an update, which an exact quota refuses.
fn updates() -> NodegroupUpdateConfig {
    NodegroupUpdateConfig::builder().max_unavailable(1).update_strategy(NodegroupUpdateStrategies::Minimal).build()
}

fn told(updates: &NodegroupUpdateConfig) -> String {
    let strategy = updates.update_strategy().map_or("DEFAULT", NodegroupUpdateStrategies::as_str);
    format!("{strategy}, {} at a time", updates.max_unavailable().unwrap_or_default())
}

type Uses = (Given<RoleOutput>, Vec<Given<String>>, Given<Template>, ());

impl Resource for NodeGroup {
    type World = Cloud;
    const KIND: &'static str = "node-group";
    type Within = Node<Cluster>;
    /// After the way out, the node's policies, vpc-cni and kube-proxy: without them no node joins.
    type Uses = (Node<Role>, Vec<Node<Subnet>>, Node<LaunchTemplate>, After);
    type State = State;
    type Output = ();

    fn want(&self, _: &Given<ClusterOutput>, (role, subnets, template, ()): &Uses) -> State {
        State {
            instance_types: vec![self.nodes.instance_type.clone()],
            ami_type: self.nodes.ami_type.clone(),
            scaling: [self.nodes.min, self.nodes.desired, self.nodes.max],
            role: role.map(|role| role.arn.clone()),
            subnets: sorted(subnets.clone()),
            launch_template: template.map(|template| template.id.clone()),
            labels: labels(),
            taints: vec![described(&taint())],
            update: told(&updates()),
        }
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Seen<Self>, Fault> {
        let call = cx.world.aws.eks.describe_nodegroup().cluster_name(&cluster.name).nodegroup_name(NAME);
        let answer = call.send().await.fault_or_absent(&ABSENT)?;
        let Some(group) = answer.and_then(|answer| answer.nodegroup) else { return Ok(Seen::Absent) };
        let tags = group.tags().map(Tags::from).unwrap_or_default();
        if !tags.same_owner(&cx.world.tags(&cx.node)) {
            return Ok(Seen::Foreign(format!("there is a node group {NAME} in {}; {}", cluster.name, tags.owner())));
        }
        let size = |of: fn(&NodegroupScalingConfig) -> Option<i32>| group.scaling_config().and_then(of).unwrap_or(-1);
        let template = group.launch_template().and_then(|template| template.id());
        let actual = State {
            instance_types: group.instance_types().to_vec(),
            ami_type: group.ami_type().map_or("", AmiTypes::as_str).to_owned(),
            scaling: [
                size(NodegroupScalingConfig::min_size),
                size(NodegroupScalingConfig::desired_size),
                size(NodegroupScalingConfig::max_size),
            ],
            role: Given::Known(group.node_role().unwrap_or_default().to_owned()),
            subnets: sorted(group.subnets().iter().cloned().map(Given::Known).collect()),
            launch_template: Given::Known(template.unwrap_or_default().to_owned()),
            labels: group.labels().cloned().unwrap_or_default().into_iter().collect(),
            taints: group.taints().iter().map(described).collect(),
            update: group.update_config().map(told).unwrap_or_default(),
        };
        let told = issues!(group.health()).join("; ");
        let why = |status: &NodegroupStatus| if told.is_empty() { status.to_string() } else { format!("{status}: {told}") };
        Ok(match group.status() {
            Some(NodegroupStatus::Active) => Seen::Present(Found::one((), actual)),
            Some(status @ (NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed)) => {
                Seen::Broken { output: (), why: why(status), cure: Cure::Recreate }
            }
            Some(status @ NodegroupStatus::Degraded) => Seen::Broken { output: (), why: why(status), cure: Cure::Wait },
            Some(status) => Seen::Changing { why: why(status), found: Some(Found::one((), actual)) },
            None => Seen::Changing { why: "in no known state".to_owned(), found: None },
        })
    }

    async fn create(
        &self,
        cx: &Cx,
        cluster: &ClusterOutput,
        (role, subnets, template, ()): &(RoleOutput, Vec<String>, Template, ()),
    ) -> Result<(), Fault> {
        let template = LaunchTemplateSpecification::builder().id(&template.id).version(template.version.to_string());
        let call = cx.world.aws.eks.create_nodegroup().cluster_name(&cluster.name).nodegroup_name(NAME);
        call.scaling_config(self.scaling())
            .set_subnets(Some(subnets.clone()))
            .instance_types(&self.nodes.instance_type)
            .ami_type(AmiTypes::from(self.nodes.ami_type.as_str()))
            .node_role(&role.arn)
            .set_labels(Some(labels().into_iter().collect()))
            .taints(taint())
            .launch_template(template.build())
            .update_config(updates())
            .set_tags(Some(cx.world.tags(&cx.node).map()))
            .client_request_token(cx.token())
            .send()
            .await
            .fault()
            .map(drop)
    }

    async fn update(
        &self,
        cx: &Cx,
        cluster: &ClusterOutput,
        _: &(RoleOutput, Vec<String>, Template, ()),
        (): &(),
        changes: &[Change],
    ) -> Result<(), Fault> {
        let mut call = cx.world.aws.eks.update_nodegroup_config().cluster_name(&cluster.name).nodegroup_name(NAME);
        for change in changes {
            call = match change.field.as_str() {
                "scaling" => call.scaling_config(self.scaling()),
                "update" => call.update_config(updates()),
                "taints" => {
                    let there = change.from.as_array().into_iter().flatten().filter_map(|taint| read(taint.as_str()?));
                    let odd = there.filter(|there| *there != taint()).collect();
                    let taints = UpdateTaintsPayload::builder().add_or_update_taints(taint()).set_remove_taints(Some(odd));
                    call.taints(taints.build())
                }
                _ => {
                    let labels = labels().into_iter().collect();
                    call.labels(UpdateLabelsPayload::builder().set_add_or_update_labels(Some(labels)).build())
                }
            };
        }
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_nodegroup().cluster_name(&cluster.name).nodegroup_name(NAME);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, change: &Change) -> How {
        match change.field.as_str() {
            "scaling" | "update" | "taints" => How::InPlace,
            field if field.starts_with("labels") => How::InPlace,
            _ => How::Replace,
        }
    }

    fn patience(&self, _: Doing) -> Duration {
        Duration::from_secs(20 * 60)
    }

    async fn evidence(&self, cx: &Cx, cluster: &ClusterOutput) -> Vec<String> {
        let call = cx.world.aws.eks.describe_nodegroup().cluster_name(&cluster.name).nodegroup_name(NAME);
        let group = call.send().await.ok().and_then(|answer| answer.nodegroup);
        group.map(|group| issues!(group.health())).unwrap_or_default()
    }
}
