//! A policy of AWS's own on one of our roles.

use serde::Serialize;

use super::role::{Role, RoleOutput};
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Fault, Found, Given, Node, Observation, Observe, Resource};

pub struct PolicyAttachment {
    name: String,
}

impl PolicyAttachment {
    /// By the policy's name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    fn arn(&self, role: &RoleOutput) -> String {
        format!("arn:{}:iam::aws:policy/{}", role.partition(), self.name)
    }
}

#[derive(Serialize)]
pub struct State {}

impl Observe for PolicyAttachment {
    type World = Cloud;
    const KIND: &'static str = "policy-attachment";
    type Within = Node<Role>;
    type Uses = ();
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &Given<RoleOutput>, (): &()) -> State {
        State {}
    }

    async fn observe(&self, cx: &Cx, role: &RoleOutput) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.iam.list_attached_role_policies().role_name(&role.name);
        let ours = self.arn(role);
        let mut pages = call.into_paginator().items().send();
        while let Some(policy) = pages.next().await {
            // Nothing is attached to a role that has just gone.
            let Some(policy) = policy.fault_or_absent(&["NoSuchEntity"])? else { return Ok(Observation::Absent) };
            if policy.policy_arn() == Some(&ours) {
                return Ok(Observation::Present(Found::one((), State {})));
            }
        }
        Ok(Observation::Absent)
    }
}

impl Resource for PolicyAttachment {
    async fn create(&self, cx: &Cx, role: &RoleOutput, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.iam.attach_role_policy().role_name(&role.name).policy_arn(self.arn(role));
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, role: &RoleOutput, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.iam.detach_role_policy().role_name(&role.name).policy_arn(self.arn(role));
        call.send().await.fault_or_absent(&["NoSuchEntity"]).map(drop)
    }
}
