//! The nodes' way into the cluster: EKS makes an access entry for their role with the first node group that has it, and leaves
//! it when the last one goes (containers-roadmap#2631).
//!
//! An entry is bound to the role's inner id, and does not serve another role of the same ARN (EKS API reference,
//! `AccessEntry`). So it goes before the role does: a `down` that ends between role and cluster would leave a cluster that no
//! nodes of the next `up` can join (terraform-aws-eks#3329).

use serde::Serialize;

use super::cluster::Cluster;
use super::{ABSENT, ClusterOutput};
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Fault, Found, Given, Node, Observation, Observe, Sweep};
use crate::resources::iam::{Role, RoleOutput};

/// The access entry of the nodes' role.
pub struct NodeEntry;

#[derive(Serialize)]
pub struct State {}

impl Observe for NodeEntry {
    type World = Cloud;
    const KIND: &'static str = "node-entry";
    const ENDS_WITH_PARENT: bool = true;
    type Within = (Node<Cluster>, Node<Role>);
    type Uses = ();
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &(Given<ClusterOutput>, Given<RoleOutput>), (): &()) -> State {
        State {}
    }

    async fn observe(&self, cx: &Cx, (cluster, role): &(ClusterOutput, RoleOutput)) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.eks.describe_access_entry().cluster_name(&cluster.name).principal_arn(&role.arn);
        Ok(match call.send().await.fault_or_absent(&ABSENT)? {
            Some(_) => Observation::Present(Found::one((), State {})),
            None => Observation::Absent,
        })
    }
}

impl Sweep for NodeEntry {
    async fn delete(&self, cx: &Cx, (cluster, role): &(ClusterOutput, RoleOutput), (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_access_entry().cluster_name(&cluster.name).principal_arn(&role.arn);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }
}
