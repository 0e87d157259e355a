//! The EKS cluster: $0.10 an hour; takes eight to eleven minutes to come, one to four to go.
//!
//! The API endpoint is private as well as public, so that losing the NAT gateway does not lose the
//! nodes. Nobody is an administrator by having made it (`bootstrapClusterCreatorAdminPermissions`
//! is write-once and never told): an access entry says so. Add-ons are our own nodes.

use std::time::Duration;

use aws_sdk_eks::types::{
    AuthenticationMode, ClusterStatus, CreateAccessConfigRequest, SupportType, UpgradePolicyRequest, VpcConfigRequest,
};
use serde::Serialize;
use serde_json::Value;

use super::{ABSENT, is_within, issues, sorted, updates};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::cluster::ClusterOutput;
use crate::cloud::orphans;
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Change, Fact, Fault, Found, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};
use crate::resources::iam::{Role, RoleOutput};
use crate::resources::network::Subnet;

pub struct Cluster {
    /// Only for its creation, e.g. "1.34"; None: EKS's default.
    version: Option<String>,
    /// Who may reach the public API endpoint.
    cidrs: Vec<String>,
    /// Subnets that the configuration has no more.
    dropped: Vec<orphans::Subnet>,
}

impl Cluster {
    /// As configured.
    #[must_use]
    pub fn new(config: &crate::config::Cluster) -> Self {
        let mut cidrs = config.public_access_cidrs.clone();
        cidrs.sort_unstable();
        Self { version: config.version.clone(), cidrs, dropped: Vec::new() }
    }

    /// Where the configuration has dropped these subnets.
    #[must_use]
    pub fn without(self, dropped: &[orphans::Subnet]) -> Self {
        Self { dropped: dropped.to_vec(), ..self }
    }

    fn access(&self) -> VpcConfigRequest {
        VpcConfigRequest::builder()
            .endpoint_private_access(true)
            .endpoint_public_access(true)
            .set_public_access_cidrs(Some(self.cidrs.clone()))
            .build()
    }
}

#[derive(Serialize)]
pub struct State {
    role: Given<String>,
    subnets: Vec<Given<String>>,
    endpoint_private: bool,
    endpoint_public: bool,
    public_access_cidrs: Vec<String>,
    authentication_mode: String,
    #[serde(flatten)]
    tags: Tagged,
}

impl Observe for Cluster {
    type World = Cloud;
    const KIND: &'static str = "cluster";
    type Within = ();
    /// The role has its policies before, or EKS refuses it.
    type Uses = (Node<Role>, Vec<Node<Subnet>>, After);
    type State = State;
    type Output = ClusterOutput;

    fn want(&self, cloud: &Cloud, (): &(), (role, subnets, ()): &(Given<RoleOutput>, Vec<Given<String>>, ())) -> State {
        State {
            role: role.map(|role| role.arn.clone()),
            subnets: sorted(subnets.clone()),
            endpoint_private: true,
            endpoint_public: true,
            public_access_cidrs: self.cidrs.clone(),
            authentication_mode: AuthenticationMode::Api.as_str().to_owned(),
            tags: cloud.wanted_tags(),
        }
    }

    /// EKS keeps the zones of a cluster for ever, so that subnets of further zones serve nodes and balancers alone.
    fn tolerates(&self, difference: &Change) -> bool {
        difference.field == "subnets" && is_within(&difference.from, &difference.to)
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let name = &cx.world.config.name;
        let answer = cx.world.aws.eks.describe_cluster().name(name).send().await.fault_or_absent(&ABSENT)?;
        let Some(answer) = answer else { return Ok(Observation::Absent) };
        let cluster = shown(answer.cluster, Self::KIND)?;
        let tags = cluster.tags().map(Tags::from).unwrap_or_default();
        if !tags.same_owner(&cx.world.tags(&cx.node)) {
            return Ok(Observation::Foreign(format!("there is a cluster {name}; {}", tags.owner())));
        }
        let vpc = cluster.resources_vpc_config();
        let mut cidrs = vpc.map(|vpc| vpc.public_access_cidrs().to_vec()).unwrap_or_default();
        cidrs.sort_unstable();
        let subnets = vpc.map(|vpc| vpc.subnet_ids().to_vec()).unwrap_or_default();
        let mode = cluster.access_config().and_then(|access| access.authentication_mode());
        let actual = State {
            role: Given::Known(cluster.role_arn().unwrap_or_default().to_owned()),
            subnets: sorted(subnets.into_iter().map(Given::Known).collect()),
            endpoint_private: vpc.is_some_and(|vpc| vpc.endpoint_private_access()),
            endpoint_public: vpc.is_some_and(|vpc| vpc.endpoint_public_access()),
            public_access_cidrs: cidrs,
            authentication_mode: mode.map_or("", AuthenticationMode::as_str).to_owned(),
            tags: cx.world.tagged(tags),
        };
        let issues = issues!(cluster.health());
        let status = cluster.status().cloned();
        let output = ClusterOutput::of(cluster);
        Ok(match status {
            Some(ClusterStatus::Active) => Observation::Present(Found::one(output, actual).ailing(issues)),
            Some(ClusterStatus::Failed) => {
                let why = issues.join("; ");
                let why = if why.is_empty() { "FAILED, and EKS does not say why".to_owned() } else { why };
                Observation::Broken { output, why, remedy: Remedy::Recreate }
            }
            // While it is updated it answers, and what is in it can be looked at.
            Some(status @ ClusterStatus::Updating) => {
                Observation::Changing { why: status.to_string(), found: Some(Found::one(output, actual)) }
            }
            status => {
                let status = status.map_or_else(|| "in no known state".to_owned(), |status| status.to_string());
                Observation::Changing { why: status, found: None }
            }
        })
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(30 * 60)
    }

    async fn evidence(&self, cx: &Cx, (): &()) -> Vec<String> {
        let answer = cx.world.aws.eks.describe_cluster().name(&cx.world.config.name).send().await;
        let cluster = answer.ok().and_then(|answer| answer.cluster);
        let mut lines = cluster.map(|cluster| issues!(cluster.health())).unwrap_or_default();
        lines.extend(updates::failure(&cx.world.aws, &cx.world.config.name, updates::Of::Cluster).await);
        lines
    }

    fn facts(&self, cluster: &ClusterOutput) -> Vec<Fact> {
        let fact = |key, value: &str| Fact { key, value: value.to_owned() };
        vec![
            fact("cluster_name", &cluster.name),
            fact("cluster_endpoint", &cluster.endpoint),
            fact("cluster_version", &cluster.version),
            fact("oidc_issuer", &cluster.issuer),
        ]
    }
}

impl Resource for Cluster {
    async fn create(&self, cx: &Cx, (): &(), (role, subnets, ()): &(RoleOutput, Vec<String>, ())) -> Result<(), Fault> {
        let mut vpc = self.access();
        vpc.subnet_ids = Some(subnets.clone());
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::Api)
            .bootstrap_cluster_creator_admin_permissions(false)
            .build();
        let call = cx.world.aws.eks.create_cluster().name(&cx.world.config.name).role_arn(&role.arn);
        call.set_version(self.version.clone())
            .resources_vpc_config(vpc)
            .access_config(access)
            .bootstrap_self_managed_addons(false)
            // EXTENDED, the default, costs $0.60 an hour instead of $0.10 once a version's standard support has ended
            // (14 months); STANDARD has EKS upgrade the cluster then.
            .upgrade_policy(UpgradePolicyRequest::builder().support_type(SupportType::Standard).build())
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
        (): &(),
        _: &(RoleOutput, Vec<String>, ()),
        cluster: &ClusterOutput,
        changes: &[Change],
    ) -> Result<(), Fault> {
        set::eks(&cx.world.aws, &cluster.arn, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let call = cx.world.aws.eks.update_cluster_config().name(&cluster.name);
        call.resources_vpc_config(self.access()).client_request_token(cx.token()).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, (): &(), cluster: &ClusterOutput) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_cluster().name(&cluster.name);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, change: &Change) -> UpdateMode {
        match change.field.as_str() {
            "endpoint_private" | "endpoint_public" | "public_access_cidrs" => UpdateMode::InPlace,
            _ if is_of_tags(change) => UpdateMode::InPlace,
            _ => UpdateMode::Replace,
        }
    }

    fn why_not(&self, change: &Change) -> Option<String> {
        let ids: Vec<&str> = change.from.as_array()?.iter().filter_map(Value::as_str).collect();
        let is_its = |subnet: &&orphans::Subnet| change.field == "subnets" && ids.contains(&subnet.id.as_str());
        let lost: Vec<String> = self
            .dropped
            .iter()
            .filter(is_its)
            .map(|subnet| format!("{} ({} in {})", subnet.id, subnet.cidr, subnet.zone))
            .collect();
        let why = "EKS keeps the zones of a cluster's control plane for ever; put back into [network], private and public";
        (!lost.is_empty()).then(|| format!("{why}: {}", lost.join(", ")))
    }
}
