//! The caller's way into the cluster.
//!
//! Each operator has an entry of their own; none replaces another's. The caller's own entry serves
//! whoever made it, and `down` takes it away: it would end with the cluster anyway.

use serde::Serialize;

use super::ABSENT;
use super::cluster::{Cluster, ClusterOutput};
use crate::cloud::aws::{Aws, OrFault};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Fault, Found, Given, Node, Resource, Seen};

pub struct AccessEntry;

#[derive(Serialize)]
pub struct State {}

/// The IAM principal behind the caller. STS drops a role's path (roles of SSO have one), so that
/// IAM is asked for the role; who may not ask has no path, most likely.
async fn principal(aws: &Aws) -> Result<String, Fault> {
    let Some((account, rest)) = aws.caller.split_once(":sts::").and_then(|(_, rest)| rest.split_once(":assumed-role/")) else {
        return Ok(aws.caller.clone());
    };
    let role = rest.split('/').next().unwrap_or(rest);
    let answer = aws.iam.get_role().role_name(role).send().await.fault_or_absent(&["AccessDenied", "NoSuchEntity"])?;
    let asked = answer.and_then(|answer| answer.role).map(|role| role.arn);
    let partition = aws.caller.split(':').nth(1).unwrap_or("aws");
    Ok(asked.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:role/{role}")))
}

impl Resource for AccessEntry {
    type World = Cloud;
    const KIND: &'static str = "access-entry";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Cluster>;
    type Uses = ();
    type State = State;
    /// The principal's ARN.
    type Output = String;

    fn want(&self, _: &Given<ClusterOutput>, (): &()) -> State {
        State {}
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Seen<Self>, Fault> {
        let principal = principal(&cx.world.aws).await?;
        let call = cx.world.aws.eks.describe_access_entry().cluster_name(&cluster.name).principal_arn(&principal);
        let answer = call.send().await.fault_or_absent(&ABSENT)?;
        Ok(answer.map_or(Seen::Absent, |_| Seen::Present(Found::one(principal, State {}))))
    }

    async fn create(&self, cx: &Cx, cluster: &ClusterOutput, (): &()) -> Result<(), Fault> {
        let principal = principal(&cx.world.aws).await?;
        let call = cx.world.aws.eks.create_access_entry().cluster_name(&cluster.name).principal_arn(principal);
        let call = call.set_tags(Some(cx.world.tags(&cx.node).map())).client_request_token(cx.token());
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, principal: &String) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_access_entry().cluster_name(&cluster.name).principal_arn(principal);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }
}
