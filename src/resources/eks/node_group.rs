//! The nodes, with GPUs or without: a managed node group, billed by the hour of each instance.
//!
//! Takes about two minutes to come, three to four to go. It fails with a capacity or quota error
//! where EC2 has no such instance for us; the issues of its health say which.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_eks::types::{
    AmiTypes, LaunchTemplateSpecification, Nodegroup, NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig,
    NodegroupUpdateStrategies, Taint, TaintEffect, UpdateLabelsPayload, UpdateTaintsPayload,
};
use serde::Serialize;

use super::ClusterOutput;
use super::cluster::Cluster;
use super::launch_template::{LaunchTemplate, Template};
use super::{ABSENT, is_within, issues, joining, launching, sorted, updates};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::disk_key;
use crate::cloud::machine::Machine;
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::config::Nodes;
use crate::engine::{Action, After, Change, Fact, Fault, Found, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};
use crate::resources::iam::{Role, RoleOutput};
use crate::resources::network::Subnet;

pub struct NodeGroup {
    nodes: Nodes,
    ami_type: String,
    gpu: bool,
}

/// The names of a group with GPUs and of one without.
const NAMES: [&str; 2] = ["gpu", "cpu"];

impl NodeGroup {
    /// What AWS's managed policies let a node do: join, pull images, give pods addresses, be reached through SSM.
    pub const POLICIES: [&'static str; 4] = [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKS_CNI_Policy",
        "AmazonSSMManagedInstanceCore",
    ];

    /// Those of them without which it does not join.
    pub(super) const TO_JOIN: &'static [&'static str] = Self::POLICIES.split_at(3).0;

    /// As configured, of this type.
    #[must_use]
    pub fn new(nodes: &Nodes, machine: &Machine) -> Self {
        Self { nodes: nodes.clone(), ami_type: machine.ami_type(nodes).to_owned(), gpu: machine.has_gpu() }
    }

    /// Its name in the cluster.
    fn name(&self) -> &'static str {
        NAMES[usize::from(!self.gpu)]
    }

    /// The label of GPU nodes.
    fn labels(&self) -> BTreeMap<String, String> {
        self.gpu.then(|| ("nvidia-gpu".to_owned(), "true".to_owned())).into_iter().collect()
    }

    /// Keeps GPU nodes for pods that want a GPU.
    fn taint(&self) -> Option<Taint> {
        self.gpu.then(|| Taint::builder().key("nvidia.com/gpu").value("true").effect(TaintEffect::NoSchedule).build())
    }

    /// The group, whichever name it has: one that was made for another type is there too, and the type tells them apart.
    async fn find(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Option<Nodegroup>, Fault> {
        let mut names = NAMES;
        names.sort_by_key(|name| *name != self.name());
        for name in names {
            let call = cx.world.aws.eks.describe_nodegroup().cluster_name(&cluster.name).nodegroup_name(name);
            let Some(answer) = call.send().await.fault_or_absent(&ABSENT)? else { continue };
            let group = shown(answer.nodegroup, Self::KIND)?;
            // What is not ours is in the way only where it has our name.
            if name == self.name() || ours(&group, cx) {
                return Ok(Some(group));
            }
        }
        Ok(None)
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
    #[serde(flatten)]
    tags: Tagged,
}

fn ours(group: &Nodegroup, cx: &Cx) -> bool {
    group.tags().map(Tags::from).unwrap_or_default().same_owner(&cx.world.tags(&cx.node))
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

/// A node group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name in the cluster.
    pub name: String,
    arn: String,
    /// The release of the AMI that its nodes were started from.
    release: Option<String>,
}

type Uses = (Given<RoleOutput>, Vec<Given<String>>, Given<Template>, ());

impl Observe for NodeGroup {
    type World = Cloud;
    const KIND: &'static str = "node-group";
    type Within = Node<Cluster>;
    /// After the way out, the node's policies, vpc-cni and kube-proxy: without them no node joins.
    type Uses = (Node<Role>, Vec<Node<Subnet>>, Node<LaunchTemplate>, After);
    type State = State;
    type Output = Group;

    fn want(&self, cloud: &Cloud, _: &Given<ClusterOutput>, (role, subnets, template, ()): &Uses) -> State {
        State {
            instance_types: vec![self.nodes.instance_type.clone()],
            ami_type: self.ami_type.clone(),
            scaling: [self.nodes.min, self.nodes.desired, self.nodes.max],
            role: role.map(|role| role.arn.clone()),
            subnets: sorted(subnets.clone()),
            launch_template: template.map(|template| template.id.clone()),
            labels: self.labels(),
            taints: self.taint().iter().map(described).collect(),
            update: told(&updates()),
            tags: cloud.wanted_tags(),
        }
    }

    /// EKS cannot change the subnets of a group. One that was made before there were more of them is as good as before.
    fn tolerates(&self, difference: &Change) -> bool {
        difference.field == "subnets" && is_within(&difference.from, &difference.to)
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Observation<Self>, Fault> {
        let Some(group) = self.find(cx, cluster).await? else { return Ok(Observation::Absent) };
        let name = group.nodegroup_name().unwrap_or(self.name()).to_owned();
        if !ours(&group, cx) {
            let owner = group.tags().map(Tags::from).unwrap_or_default().owner();
            return Ok(Observation::Foreign(format!("there is a node group {name} in {}; {owner}", cluster.name)));
        }
        let release = group.release_version().map(str::to_owned);
        let output = Group { name, arn: group.nodegroup_arn().unwrap_or_default().to_owned(), release };
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
            tags: cx.world.tagged(group.tags().map(Tags::from).unwrap_or_default()),
        };
        let issues = issues!(group.health());
        let told = issues.join("; ");
        let obstacle = joining::obstacle(cx, &cluster.name, &group).await;
        let cause = obstacle.map(|obstacle| format!("{obstacle}, and so no node joins")).or_else(|| launching::lack(&group));
        let why = |status: &NodegroupStatus| {
            let told = if told.is_empty() { status.to_string() } else { format!("{status}: {told}") };
            cause.as_ref().map_or(told.clone(), |cause| format!("{cause} ({told})"))
        };
        Ok(match group.status() {
            Some(NodegroupStatus::Active) => Observation::Present(Found::one(output, actual).ailing(issues)),
            // A group without nodes stays DEGRADED until it is scaled out again, and is as it should be.
            Some(NodegroupStatus::Degraded) if actual.scaling[1] == 0 => Observation::Present(Found::one(output, actual)),
            Some(status @ (NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed)) => {
                let remedy = if launching::is_refused(&group) { Remedy::RecreateLater } else { Remedy::Recreate };
                Observation::Broken { output, why: why(status), remedy }
            }
            Some(status @ NodegroupStatus::Degraded) => Observation::Broken { output, why: why(status), remedy: Remedy::Wait },
            Some(status) => Observation::Changing { why: why(status), found: Some(Found::one(output, actual)) },
            None => Observation::Changing { why: "in no known state".to_owned(), found: None },
        })
    }

    fn patience(&self, _: Action) -> Duration {
        // EKS itself tells NodeCreationFailure after 21 to 23 min.
        Duration::from_secs(40 * 60)
    }

    async fn evidence(&self, cx: &Cx, cluster: &ClusterOutput) -> Vec<String> {
        let group = self.find(cx, cluster).await.ok().flatten();
        let mut lines = group.map(|group| issues!(group.health())).unwrap_or_default();
        if lines.iter().any(|line| is_for_a_key(line))
            && let Ok(Some(key)) = disk_key::of_customer(&cx.world.aws).await
        {
            lines.push(disk_key::warning(&key, &cx.world.aws.account));
        }
        lines.extend(updates::failure(&cx.world.aws, &cluster.name, updates::Of::NodeGroup(self.name())).await);
        lines
    }

    fn facts(&self, group: &Group) -> Vec<Fact> {
        group.release.iter().map(|release| Fact { key: "ami_release", value: release.clone() }).collect()
    }
}

impl Resource for NodeGroup {
    async fn create(
        &self,
        cx: &Cx,
        cluster: &ClusterOutput,
        (role, subnets, template, ()): &(RoleOutput, Vec<String>, Template, ()),
    ) -> Result<(), Fault> {
        let template = LaunchTemplateSpecification::builder().id(&template.id).version(template.version.to_string());
        let call = cx.world.aws.eks.create_nodegroup().cluster_name(&cluster.name).nodegroup_name(self.name());
        call.scaling_config(self.scaling())
            .set_subnets(Some(subnets.clone()))
            .instance_types(&self.nodes.instance_type)
            .ami_type(AmiTypes::from(self.ami_type.as_str()))
            .node_role(&role.arn)
            .set_labels(Some(self.labels().into_iter().collect()))
            .set_taints(Some(self.taint().into_iter().collect()))
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
        group: &Group,
        changes: &[Change],
    ) -> Result<(), Fault> {
        set::eks(&cx.world.aws, &group.arn, &steps(changes)).await?;
        let changes: Vec<&Change> = changes.iter().filter(|change| !is_of_tags(change)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let mut call = cx.world.aws.eks.update_nodegroup_config().cluster_name(&cluster.name).nodegroup_name(&group.name);
        for change in changes {
            call = match change.field.as_str() {
                "scaling" => call.scaling_config(self.scaling()),
                "update" => call.update_config(updates()),
                "taints" => {
                    let there = change.from.as_array().into_iter().flatten().filter_map(|taint| read(taint.as_str()?));
                    let wanted: Vec<Taint> = self.taint().into_iter().collect();
                    let odd = there.filter(|there| !wanted.contains(there)).collect();
                    let taints = UpdateTaintsPayload::builder().set_add_or_update_taints(Some(wanted));
                    call.taints(taints.set_remove_taints(Some(odd)).build())
                }
                _ => {
                    let labels = self.labels().into_iter().collect();
                    call.labels(UpdateLabelsPayload::builder().set_add_or_update_labels(Some(labels)).build())
                }
            };
        }
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, group: &Group) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_nodegroup().cluster_name(&cluster.name).nodegroup_name(&group.name);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, change: &Change) -> UpdateMode {
        match change.field.as_str() {
            "scaling" | "update" | "taints" => UpdateMode::InPlace,
            _ if is_of_tags(change) => UpdateMode::InPlace,
            field if field.starts_with("labels") => UpdateMode::InPlace,
            _ => UpdateMode::Replace,
        }
    }
}

/// An instance ended as it started, which is all that EC2 tells where it may not use the key of its disk.
fn is_for_a_key(issue: &str) -> bool {
    issue.contains("Client.InternalError") || issue.contains("KMS")
}
