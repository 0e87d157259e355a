//! An EKS add-on: network and proxy of the nodes, and the cluster's DNS.

use std::time::Duration;

use aws_sdk_eks::types::{AddonStatus, ResolveConflicts};
use serde::Serialize;
use serde_json::{Value, json};

use super::ClusterOutput;
use super::cluster::Cluster;
use super::{ABSENT, issues, updates};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Change, Fault, Found, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};

pub struct Addon {
    name: &'static str,
    configuration: Option<Value>,
}

impl Addon {
    /// With its defaults; EKS chooses the version that goes with the cluster's.
    #[must_use]
    pub fn plain(name: &'static str) -> Self {
        Self { name, configuration: None }
    }

    /// CoreDNS tolerates only control-plane nodes by itself, and so would never run where every
    /// node has the taint of GPU nodes. Its own tolerations are kept.
    #[must_use]
    pub fn coredns() -> Self {
        let tolerations = json!([
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        ]);
        Self { name: "coredns", configuration: Some(json!({"tolerations": tolerations})) }
    }
}

#[derive(Serialize)]
pub struct State {
    configuration: Option<Value>,
    #[serde(flatten)]
    tags: Tagged,
}

impl Observe for Addon {
    type World = Cloud;
    const KIND: &'static str = "addon";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Cluster>;
    type Uses = After;
    type State = State;
    /// Its ARN.
    type Output = String;

    fn want(&self, cloud: &Cloud, _: &Given<ClusterOutput>, (): &()) -> State {
        State { configuration: self.configuration.clone(), tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.eks.describe_addon().cluster_name(&cluster.name).addon_name(self.name);
        let answer = call.send().await.fault_or_absent(&ABSENT)?;
        let Some(answer) = answer else { return Ok(Observation::Absent) };
        let addon = shown(answer.addon, Self::KIND)?;
        let tags = addon.tags().map(Tags::from).unwrap_or_default();
        if !tags.same_owner(&cx.world.tags(&cx.node)) {
            return Ok(Observation::Foreign(format!("there is an add-on {}; {}", self.name, tags.owner())));
        }
        // YAML, of which JSON is a part: EKS may give back either.
        let configuration = addon.configuration_values().and_then(|values| serde_yaml_ng::from_str(values).ok());
        let found =
            Found::one(addon.addon_arn().unwrap_or_default().to_owned(), State { configuration, tags: cx.world.tagged(tags) });
        let issues = issues!(addon.health());
        let told = issues.join("; ");
        let why = |status: &AddonStatus| if told.is_empty() { status.to_string() } else { format!("{status}: {told}") };
        Ok(match addon.status() {
            Some(AddonStatus::Active) => Observation::Present(found.ailing(issues)),
            // None of these heals by itself; pods that run go on while an add-on is made anew.
            Some(status @ (AddonStatus::CreateFailed | AddonStatus::DeleteFailed | AddonStatus::UpdateFailed)) => {
                Observation::Broken { output: found.output, why: why(status), remedy: Remedy::Recreate }
            }
            // DEGRADED for want of nodes heals when they come.
            Some(status) => Observation::Changing { why: why(status), found: Some(found) },
            None => Observation::Changing { why: "in no known state".to_owned(), found: None },
        })
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(600)
    }

    async fn evidence(&self, cx: &Cx, cluster: &ClusterOutput) -> Vec<String> {
        let call = cx.world.aws.eks.describe_addon().cluster_name(&cluster.name).addon_name(self.name);
        let addon = call.send().await.ok().and_then(|answer| answer.addon);
        let mut lines = addon.map(|addon| issues!(addon.health())).unwrap_or_default();
        lines.extend(updates::failure(&cx.world.aws, &cluster.name, updates::Of::Addon(self.name)).await);
        lines
    }
}

impl Resource for Addon {
    async fn create(&self, cx: &Cx, cluster: &ClusterOutput, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.eks.create_addon().cluster_name(&cluster.name).addon_name(self.name);
        call.resolve_conflicts(ResolveConflicts::Overwrite)
            .set_configuration_values(self.configuration.as_ref().map(Value::to_string))
            .set_tags(Some(cx.world.tags(&cx.node).map()))
            .client_request_token(cx.token())
            .send()
            .await
            .fault()
            .map(drop)
    }

    async fn update(&self, cx: &Cx, cluster: &ClusterOutput, (): &(), arn: &String, changes: &[Change]) -> Result<(), Fault> {
        set::eks(&cx.world.aws, arn, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let call = cx.world.aws.eks.update_addon().cluster_name(&cluster.name).addon_name(self.name);
        call.resolve_conflicts(ResolveConflicts::Overwrite)
            .set_configuration_values(self.configuration.as_ref().map(Value::to_string))
            .client_request_token(cx.token())
            .send()
            .await
            .fault()
            .map(drop)
    }

    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, _: &String) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_addon().cluster_name(&cluster.name).addon_name(self.name);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
