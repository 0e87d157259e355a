//! Who has an entry is an administrator of the cluster.

use aws_sdk_eks::types::{AccessScope, AccessScopeType};
use serde::Serialize;

use super::ABSENT;
use super::ClusterOutput;
use super::access_entry::{AccessEntry, Entry};
use super::cluster::Cluster;
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Fault, Found, Given, Node, Observation, Observe, Resource};

pub struct AccessPolicy;

/// All of the cluster; EKS's own policy, whose ARN begins as all of them in this account do.
fn admin(principal: &str) -> String {
    let partition = principal.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")
}

#[derive(Serialize)]
pub struct State {}

impl Observe for AccessPolicy {
    type World = Cloud;
    const KIND: &'static str = "access-policy";
    const ENDS_WITH_PARENT: bool = true;
    type Within = (Node<Cluster>, Node<AccessEntry>);
    type Uses = ();
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &(Given<ClusterOutput>, Given<Entry>), (): &()) -> State {
        State {}
    }

    async fn observe(
        &self,
        cx: &Cx,
        (cluster, Entry { principal, .. }): &(ClusterOutput, Entry),
    ) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.eks.list_associated_access_policies();
        let mut pages = call.cluster_name(&cluster.name).principal_arn(principal).into_paginator().send();
        let admin = admin(principal);
        while let Some(page) = pages.next().await {
            let Some(page) = page.fault_or_absent(&ABSENT)? else { return Ok(Observation::Absent) };
            let ours = |policy: &aws_sdk_eks::types::AssociatedAccessPolicy| {
                let scope = policy.access_scope().and_then(|scope| scope.r#type());
                policy.policy_arn() == Some(&admin) && scope == Some(&AccessScopeType::Cluster)
            };
            if page.associated_access_policies().iter().any(ours) {
                return Ok(Observation::Present(Found::one((), State {})));
            }
        }
        Ok(Observation::Absent)
    }
}

impl Resource for AccessPolicy {
    async fn create(&self, cx: &Cx, (cluster, Entry { principal, .. }): &(ClusterOutput, Entry), (): &()) -> Result<(), Fault> {
        let scope = AccessScope::builder().r#type(AccessScopeType::Cluster).build();
        let call = cx.world.aws.eks.associate_access_policy().cluster_name(&cluster.name).principal_arn(principal);
        call.policy_arn(admin(principal)).access_scope(scope).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, (cluster, Entry { principal, .. }): &(ClusterOutput, Entry), (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.eks.disassociate_access_policy().cluster_name(&cluster.name).principal_arn(principal);
        call.policy_arn(admin(principal)).send().await.fault_or_absent(&ABSENT).map(drop)
    }
}
