//! An object of ours under a name that the configuration does not have any more: only looked at and deleted.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Preconditions};
use serde::Serialize;

use super::endpoint::Endpoint;
use super::{manifest, pods, service};
use crate::cloud::kube::{OrFault, contents, is_ours};
use crate::cloud::orphans::objects::{Kind, Object};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fact, Fault, Found, Given, Node, Observation, Observe, Sweep};
use crate::resources::eks::{Cluster, ClusterOutput};

/// The object.
pub struct Orphan {
    object: Object,
    /// Whose label it must carry.
    deployment: String,
}

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

/// An object that is there.
#[derive(Clone)]
pub struct OrphanOutput {
    /// The server's id of just this one.
    uid: Option<String>,
    /// Where a Service still answers.
    endpoint: Option<Endpoint>,
}

impl Orphan {
    /// This object, where it is the deployment's.
    #[must_use]
    pub fn new(object: &Object, deployment: &str) -> Self {
        Self { object: object.clone(), deployment: deployment.to_owned() }
    }

    async fn reach(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Api<DynamicObject>, Fault> {
        let client = cx.world.kube.client(&cx.world.aws, cluster).await?;
        let api = self.object.kind.api();
        Ok(match &self.object.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &api),
            None => Api::all_with(client, &api),
        })
    }

    /// What others have in it, where it is a namespace: with them it is not ours to delete.
    async fn of_others(&self, api: &Api<DynamicObject>) -> Result<Option<String>, Fault> {
        if self.object.kind != Kind::Namespace {
            return Ok(None);
        }
        let client = api.clone().into_client();
        Ok(contents::described(&contents::of_others(&client, &self.object.name, &self.deployment).await?))
    }
}

/// The balancer of a Service, where its controller has written it there.
fn endpoint(found: &DynamicObject) -> Option<Endpoint> {
    let ingress = found.data.pointer("/status/loadBalancer/ingress/0")?;
    let host = ingress["hostname"].as_str().or_else(|| ingress["ip"].as_str())?;
    Some(Endpoint { host: host.to_owned(), open: service::open(found) })
}

impl Observe for Orphan {
    type World = Cloud;
    const KIND: &'static str = "kubernetes-object";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Cluster>;
    /// Without values: what is deleted after it, or must be there before.
    type Uses = After;
    type State = State;
    type Output = OrphanOutput;

    fn want(&self, _: &Cloud, _: &Given<ClusterOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, cluster: &ClusterOutput) -> Result<Observation<Self>, Fault> {
        let api = self.reach(cx, cluster).await?;
        let Some(found) = api.get(&self.object.name).await.fault_or_absent()? else { return Ok(Observation::Absent) };
        if !is_ours(&found.metadata, &self.deployment) {
            return Ok(Observation::Foreign("it is not ours any more".to_owned()));
        }
        let is_going = found.metadata.deletion_timestamp.is_some();
        let why = manifest::going(&found);
        let endpoint = if self.object.kind == Kind::Service { endpoint(&found) } else { None };
        let output = Found::one(OrphanOutput { uid: found.metadata.uid, endpoint }, State);
        if is_going {
            return Ok(Observation::Changing { why, found: Some(output) });
        }
        Ok(match self.of_others(&api).await? {
            Some(others) => Observation::Foreign(format!("it holds what is not ours: {others}")),
            None => Observation::Present(output),
        })
    }

    /// A balancer and what is in a namespace take minutes to go; pods drain first.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(match self.object.kind {
            Kind::Service | Kind::Namespace => 600,
            Kind::Deployment => 300,
            Kind::DaemonSet | Kind::ConfigMap | Kind::ServiceAccount => 120,
        })
    }

    async fn evidence(&self, cx: &Cx, cluster: &ClusterOutput) -> Vec<String> {
        let Ok(client) = cx.world.kube.client(&cx.world.aws, cluster).await else { return Vec::new() };
        let Object { kind, namespace, name } = &self.object;
        pods::events(&client, namespace.as_deref().unwrap_or("default"), &kind.api().kind, name).await
    }

    fn facts(&self, found: &OrphanOutput) -> Vec<Fact> {
        found.endpoint.as_ref().map(Endpoint::facts).unwrap_or_default()
    }
}

impl Sweep for Orphan {
    /// Just the one that was looked at. Its pods take their usual time: clients may still be at them.
    async fn delete(&self, cx: &Cx, cluster: &ClusterOutput, found: &OrphanOutput) -> Result<(), Fault> {
        let preconditions = Preconditions { uid: found.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::foreground() };
        let api = self.reach(cx, cluster).await?;
        api.delete(&self.object.name, &params).await.fault_or_absent().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service(status: Value) -> DynamicObject {
        let ports = json!([{"port": 8080}, {"port": 8000}]);
        let object = json!({"metadata": {"name": "old"}, "spec": {"ports": ports}, "status": status});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_old_service_says_where_it_still_answers() {
        let balanced = service(json!({"loadBalancer": {"ingress": [{"hostname": "old.elb.amazonaws.com"}]}}));
        let facts = endpoint(&balanced).unwrap().facts();
        let told: Vec<&str> = facts.iter().map(|fact| fact.value.as_str()).collect();
        assert_eq!(told, ["ws://old.elb.amazonaws.com:8080/", "http://old.elb.amazonaws.com:8000"]);
        assert_eq!(endpoint(&service(json!({"loadBalancer": {}}))), None);
    }
}
