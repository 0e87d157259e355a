//! Why instances do not become nodes. EKS tells no more than that they did not, and that after 21 to 23 minutes: here what a
//! node needs is looked at, one thing after another, as <https://repost.aws/knowledge-center/eks-worker-nodes-cluster> does.

use std::time::Duration;

use aws_sdk_ec2::types::{NatGatewayState, RouteState, RouteTable};
use aws_sdk_eks::types::{Nodegroup, NodegroupIssueCode, NodegroupStatus};
use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{ABSENT, NodeGroup, launching};
use crate::cloud::Cx;
use crate::cloud::aws::{Aws, OrFault};
use crate::cloud::tags::filter;
use crate::engine::Fault;

/// How EKS says that instances run and are no nodes.
const FAILED: NodegroupIssueCode = NodegroupIssueCode::NodeCreationFailure;

/// Nodes pull their images with either.
const PULL: &str = "AmazonEC2ContainerRegistryPullOnly";
const PULL_AND_MORE: &str = "AmazonEC2ContainerRegistryReadOnly";

/// Before that nothing is asked: most nodes have joined in two minutes, and need no questions.
const YOUNG: i64 = 20;

/// How long is looked for what is missing.
const LONGEST: Duration = Duration::from_secs(15);

/// Its nodes have had the time to join.
fn is_late(group: &Nodegroup) -> bool {
    group.created_at().is_none_or(|made| Timestamp::now().as_second() - made.secs() >= YOUNG)
}

/// EKS says that its nodes do not join. Of instances that EC2 has not given it says that as well.
fn has_failed(group: &Nodegroup) -> bool {
    let issues = group.health().map(|health| health.issues()).unwrap_or_default();
    issues.iter().any(|issue| issue.code() == Some(&FAILED)) && !launching::is_refused(group)
}

/// What is missing, in a user's words; None where nothing is, or where it cannot be read.
pub(super) async fn obstacle(cx: &Cx, cluster: &str, group: &Nodegroup) -> Option<String> {
    let failed = has_failed(group);
    match group.status()? {
        NodegroupStatus::CreateFailed if failed => missing(cx, cluster, group).await,
        NodegroupStatus::Creating if is_late(group) => cx.cause(missing(cx, cluster, group)).await,
        NodegroupStatus::Degraded | NodegroupStatus::Updating if failed => cx.cause(missing(cx, cluster, group)).await,
        _ => None,
    }
}

/// The node group itself is seen already: what hangs here must not take that look's time.
async fn missing(cx: &Cx, cluster: &str, group: &Nodegroup) -> Option<String> {
    timeout(LONGEST, first_missing(cx, cluster, group)).await.ok().flatten()
}

async fn first_missing(cx: &Cx, cluster: &str, group: &Nodegroup) -> Option<String> {
    let aws = &cx.world.aws;
    let (routes, role, add_ons) = tokio::join!(
        join_all(group.subnets().iter().map(|subnet| route(aws, subnet))),
        role(aws, cluster, group),
        add_ons(aws, cluster)
    );
    // What cannot be read is no cause.
    routes.into_iter().chain([role, add_ons]).find_map(|answer| answer.ok().flatten())
}

/// A way to EKS's API, ECR and STS.
async fn route(aws: &Aws, subnet: &str) -> Result<Option<String>, Fault> {
    let answer = aws.ec2.describe_route_tables().filters(filter("association.subnet-id", subnet)).send().await.fault()?;
    let tables = answer.route_tables.unwrap_or_default();
    let Some(table) = tables.first() else { return Ok(Some(format!("the subnet {subnet} has no route table of its own"))) };
    let name = table.route_table_id().unwrap_or_default();
    Ok(match way_out(table) {
        Way::None => Some(format!("the subnet {subnet} has no route to the internet (0.0.0.0/0 in {name})")),
        Way::Nowhere => Some(format!("the route to the internet of the subnet {subnet} leads nowhere (blackhole in {name})")),
        Way::Nat(nat) => broken_nat(aws, &nat).await?.map(|state| {
            format!("the route to the internet of the subnet {subnet} leads to the NAT gateway {nat}, which is {state}")
        }),
        Way::Other => None,
    })
}

#[derive(Debug, PartialEq)]
enum Way {
    None,
    Nowhere,
    Nat(String),
    Other,
}

fn way_out(table: &RouteTable) -> Way {
    let Some(route) = table.routes().iter().find(|route| route.destination_cidr_block() == Some("0.0.0.0/0")) else {
        return Way::None;
    };
    match (route.state(), route.nat_gateway_id()) {
        (Some(RouteState::Blackhole), _) => Way::Nowhere,
        (_, Some(nat)) => Way::Nat(nat.to_owned()),
        _ => Way::Other,
    }
}

async fn broken_nat(aws: &Aws, nat: &str) -> Result<Option<String>, Fault> {
    let answer = aws.ec2.describe_nat_gateways().nat_gateway_ids(nat).send().await.fault()?;
    let state = answer.nat_gateways.unwrap_or_default().into_iter().next().and_then(|nat| nat.state);
    Ok(state.filter(|state| *state != NatGatewayState::Available).map(|state| state.as_str().to_owned()))
}

/// What the node may do, and that the cluster lets it in.
async fn role(aws: &Aws, cluster: &str, group: &Nodegroup) -> Result<Option<String>, Fault> {
    let arn = group.node_role().unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default();
    let attached = aws.iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
    let attached = attached.try_collect().await.fault_or_absent(&["NoSuchEntity"])?;
    let Some(attached) = attached else { return Ok(Some(format!("the role of the nodes, {name}, does not exist"))) };
    let is = |name: &str| attached.iter().any(|attached| attached.policy_name() == Some(name));
    let has = |policy: &str| is(policy) || (policy == PULL && is(PULL_AND_MORE));
    if let Some(missing) = NodeGroup::TO_JOIN.iter().find(|policy| !has(policy)) {
        return Ok(Some(format!("the role of the nodes, {name}, lacks the policy {missing}")));
    }
    let entry = aws.eks.describe_access_entry().cluster_name(cluster).principal_arn(arn).send().await;
    let entry = entry.fault_or_absent(&ABSENT)?.and_then(|answer| answer.access_entry);
    Ok(entry.is_none().then(|| format!("the role of the nodes, {name}, has no access entry in the cluster")))
}

/// Without them a node has no network, and is never ready.
async fn add_ons(aws: &Aws, cluster: &str) -> Result<Option<String>, Fault> {
    for name in ["vpc-cni", "kube-proxy"] {
        let answer = aws.eks.describe_addon().cluster_name(cluster).addon_name(name).send().await;
        if answer.fault_or_absent(&ABSENT)?.is_none() {
            return Ok(Some(format!("the cluster has no add-on {name}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Route;

    use super::*;

    #[test]
    fn the_way_out_of_a_subnet_is_its_route_to_everywhere() {
        let to = |cidr: &str| Route::builder().destination_cidr_block(cidr);
        let table =
            |route: Route| RouteTable::builder().routes(to("192.168.0.0/20").gateway_id("local").build()).routes(route).build();
        assert_eq!(way_out(&table(to("10.0.0.0/8").nat_gateway_id("nat-1").build())), Way::None);
        assert_eq!(way_out(&table(to("0.0.0.0/0").nat_gateway_id("nat-1").build())), Way::Nat("nat-1".to_owned()));
        let gone = to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole).build();
        assert_eq!(way_out(&table(gone)), Way::Nowhere);
        assert_eq!(way_out(&table(to("0.0.0.0/0").gateway_id("igw-1").build())), Way::Other);
    }
}
