//! Somebody's way into the cluster: the caller's, and that of each listed admin.
//!
//! Each operator has an entry of their own; none replaces another's. The caller's own entry serves
//! whoever made it, and `down` takes it away: it would end with the cluster anyway. An admin's entry
//! that somebody else made is taken over by our tags, so that it ends when the admin leaves the list.

use serde::Serialize;

use super::ABSENT;
use super::ClusterOutput;
use super::cluster::Cluster;
use crate::cloud::admins::{ADMIN, caller, is_persons};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::tags::{DEPLOYMENT, Step, Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};

/// Whose it is: the caller's, or an admin's of a deployment.
pub struct AccessEntry(Option<Admin>);

struct Admin {
    principal: String,
    deployment: String,
}

impl AccessEntry {
    /// The caller's.
    #[must_use]
    pub fn of_caller() -> Self {
        Self(None)
    }

    /// An admin's, by ARN.
    #[must_use]
    pub fn of_admin(principal: &str, deployment: &str) -> Self {
        Self(Some(Admin { principal: principal.to_owned(), deployment: deployment.to_owned() }))
    }

    async fn principal(&self, cx: &Cx) -> Result<String, Fault> {
        match &self.0 {
            Some(admin) => Ok(admin.principal.clone()),
            None => caller(&cx.world.aws).await,
        }
    }

    /// Those of admins are known by a tag of their own.
    fn tags(&self, cx: &Cx) -> Tags {
        cx.world.tags(if self.0.is_some() { ADMIN } else { &cx.node })
    }
}

#[derive(Serialize)]
pub struct State {
    /// Whose tag it carries; the caller's own entry is taken as it is.
    deployment: Option<String>,
    #[serde(flatten)]
    tags: Tagged,
}

/// An entry that is there.
#[derive(Clone)]
pub struct Entry {
    /// ARN of the user or role.
    pub principal: String,
    /// ARN of the entry itself.
    arn: String,
}

impl Observe for AccessEntry {
    type World = Cloud;
    const KIND: &'static str = "access-entry";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Cluster>;
    type Uses = ();
    type State = State;
    type Output = Entry;

    fn want(&self, cloud: &Cloud, _: &Given<ClusterOutput>, (): &()) -> State {
        State { deployment: self.0.as_ref().map(|admin| admin.deployment.clone()), tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Observation<Self>, Fault> {
        let principal = self.principal(cx).await?;
        let call = cx.world.aws.eks.describe_access_entry().cluster_name(&cluster.name).principal_arn(&principal);
        let answer = call.send().await.fault_or_absent(&ABSENT)?;
        let Some(answer) = answer else { return Ok(Observation::Absent) };
        let entry = shown(answer.access_entry, Self::KIND)?;
        if let (Some(_), false) = (&self.0, is_persons(entry.r#type())) {
            let kind = entry.r#type().unwrap_or_default();
            let why =
                format!("access.admins: {principal} is the role of nodes (its access entry is {kind}); take it off the list");
            return Err(Fault::fatal(why));
        }
        let tags = entry.tags().map(Tags::from).unwrap_or_default();
        let deployment = tags.get(DEPLOYMENT).map(str::to_owned);
        Ok(Observation::Present(Found::one(
            Entry { principal, arn: entry.access_entry_arn.unwrap_or_default() },
            State { deployment, tags: cx.world.tagged(tags) },
        )))
    }
}

impl Resource for AccessEntry {
    async fn create(&self, cx: &Cx, cluster: &ClusterOutput, (): &()) -> Result<(), Fault> {
        let principal = self.principal(cx).await?;
        let call = cx.world.aws.eks.create_access_entry().cluster_name(&cluster.name).principal_arn(principal);
        let call = call.set_tags(Some(self.tags(cx).map())).client_request_token(cx.token());
        call.send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &ClusterOutput, (): &(), entry: &Entry, changes: &[Change]) -> Result<(), Fault> {
        set::eks(&cx.world.aws, &entry.arn, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        set::eks(&cx.world.aws, &entry.arn, &[Step::Tag(self.tags(cx))]).await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }

    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, Entry { principal, .. }: &Entry) -> Result<(), Fault> {
        let call = cx.world.aws.eks.delete_access_entry().cluster_name(&cluster.name).principal_arn(principal);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }
}
