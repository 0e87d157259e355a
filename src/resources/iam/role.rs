//! A role, and who may take it.
//!
//! IAM is account-wide, so that the name carries the region; it is spread eventually, so that EKS
//! may not know a role yet that was made a moment ago.

use serde::Serialize;
use serde_json::{Value, json};

use super::oidc_provider::{OidcProvider, Provider};
use super::{returned, statements};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};

pub struct Role {
    /// Last part of the name.
    part: &'static str,
    trusts: Trust,
}

enum Trust {
    /// An AWS service, e.g. `eks.amazonaws.com`.
    Service(&'static str),
    /// One Kubernetes service account, by `NAMESPACE:NAME`, through the OIDC provider.
    ServiceAccount(String),
}

impl Role {
    /// The control plane's.
    #[must_use]
    pub fn cluster() -> Self {
        Self { part: "cluster", trusts: Trust::Service("eks.amazonaws.com") }
    }

    /// The nodes'.
    #[must_use]
    pub fn node() -> Self {
        Self { part: "node", trusts: Trust::Service("ec2.amazonaws.com") }
    }

    /// The pod's.
    #[must_use]
    pub fn workload(namespace: &str, service_account: &str) -> Self {
        Self { part: "workload", trusts: Trust::ServiceAccount(format!("{namespace}:{service_account}")) }
    }

    /// At most 64 characters, IAM's limit: 40 of the deployment's name, 14 of the region's.
    fn name(&self, cx: &Cx) -> String {
        format!("{}-{}-{}", cx.world.config.name, cx.world.aws.region, self.part)
    }

    fn trust(&self, provider: Option<&Provider>) -> Value {
        let statement = match (&self.trusts, provider) {
            (Trust::Service(service), _) => {
                json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})
            }
            (Trust::ServiceAccount(account), provider) => {
                let (arn, issuer) = provider.map_or(("", ""), |provider| (&provider.arn, &provider.issuer));
                json!({
                    "Effect": "Allow",
                    "Principal": {"Federated": arn},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {
                        format!("{issuer}:aud"): "sts.amazonaws.com",
                        format!("{issuer}:sub"): format!("system:serviceaccount:{account}"),
                    }},
                })
            }
        };
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }
}

#[derive(Serialize)]
pub struct State {
    /// The statements of its trust policy.
    trust: Given<Value>,
    #[serde(flatten)]
    tags: Tagged,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleOutput {
    pub name: String,
    pub arn: String,
}

impl RoleOutput {
    /// "aws", "aws-cn" or "aws-us-gov": every ARN in an account begins with it.
    pub(super) fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

impl Observe for Role {
    type World = Cloud;
    const KIND: &'static str = "role";
    type Within = ();
    /// Only a role for a service account has a provider.
    type Uses = Option<Node<OidcProvider>>;
    type State = State;
    type Output = RoleOutput;

    fn want(&self, cloud: &Cloud, (): &(), provider: &Option<Given<Provider>>) -> State {
        let trust = match provider {
            Some(provider) => provider.map(|provider| statements(&self.trust(Some(provider)))),
            None => Given::Known(statements(&self.trust(None))),
        };
        State { trust, tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let name = self.name(cx);
        let answer = cx.world.aws.iam.get_role().role_name(&name).send().await.fault_or_absent(&["NoSuchEntity"])?;
        let Some(answer) = answer else { return Ok(Observation::Absent) };
        let role = shown(answer.role, Self::KIND)?;
        let tags = Tags::from(role.tags());
        if !tags.same_owner(&cx.world.tags(&cx.node)) {
            return Ok(Observation::Foreign(format!("there is a role {name}; {}", tags.owner())));
        }
        let trust = Given::Known(returned(role.assume_role_policy_document().unwrap_or_default()));
        Ok(Observation::Present(Found::one(
            RoleOutput { name, arn: role.arn },
            State { trust, tags: cx.world.tagged(tags.cased_as(&cx.world.user_tags())) },
        )))
    }

    /// What keeps a role from being deleted.
    async fn evidence(&self, cx: &Cx, (): &()) -> Vec<String> {
        let iam = &cx.world.aws.iam;
        let name = self.name(cx);
        let attached = iam.list_attached_role_policies().role_name(&name).send().await;
        let attached = attached.map(|answer| answer.attached_policies.unwrap_or_default()).unwrap_or_default();
        let mut told: Vec<String> =
            attached.into_iter().filter_map(|policy| Some(format!("attached: {}", policy.policy_arn?))).collect();
        let profiles = iam.list_instance_profiles_for_role().role_name(&name).send().await;
        let profiles = profiles.map(|answer| answer.instance_profiles).unwrap_or_default();
        let inline = iam.list_role_policies().role_name(&name).send().await;
        told.extend(
            inline.map(|answer| answer.policy_names).unwrap_or_default().into_iter().map(|name| format!("in it: {name}")),
        );
        told.extend(profiles.into_iter().map(|profile| format!("in the instance profile {}", profile.arn)));
        told
    }
}

impl Resource for Role {
    async fn create(&self, cx: &Cx, (): &(), provider: &Option<Provider>) -> Result<(), Fault> {
        let call = cx.world.aws.iam.create_role().role_name(self.name(cx));
        let call = call.assume_role_policy_document(self.trust(provider.as_ref()).to_string());
        call.set_tags(Some(cx.world.tags(&cx.node).iam())).send().await.fault().map(drop)
    }

    async fn update(
        &self,
        cx: &Cx,
        (): &(),
        provider: &Option<Provider>,
        role: &RoleOutput,
        changes: &[Change],
    ) -> Result<(), Fault> {
        set::role(&cx.world.aws, &role.name, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let call = cx.world.aws.iam.update_assume_role_policy().role_name(&role.name);
        call.policy_document(self.trust(provider.as_ref()).to_string()).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, (): &(), role: &RoleOutput) -> Result<(), Fault> {
        let call = cx.world.aws.iam.delete_role().role_name(&role.name);
        call.send().await.fault_or_absent(&["NoSuchEntity"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
