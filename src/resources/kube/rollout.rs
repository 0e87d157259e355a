//! The Deployment's pods, watched: there once as many as wanted run the newest template and are
//! ready, which the gateway says only when every model of the pipeline is.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment as Api1, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;

use super::applied::Applied;
use super::deployment::{Deployment, DeploymentOutput};
use super::readiness::Readiness;
use super::{cause, pods};
use crate::cloud::kube::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fault, Found, Given, Node, Observation, Observe, Remedy};

/// The rollout of the Deployment.
pub struct Rollout;

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) async fn client(cx: &Cx, deployment: &DeploymentOutput) -> Result<Client, Fault> {
    cx.world.kube.client(&cx.world.aws, &deployment.namespace.cluster).await
}

/// How far the rollout is; None: it is done.
pub(super) fn unfinished(deployment: &Api1) -> Option<String> {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return Some("Kubernetes has not seen the change yet".to_owned());
    }
    let (updated, available) = (status.updated_replicas.unwrap_or(0), status.available_replicas.unwrap_or(0));
    let old = status.replicas.unwrap_or(0) - updated;
    match () {
        () if updated < wanted => Some(format!("{updated} of {wanted} pods are made from the newest template")),
        () if old > 0 => Some(format!("{old} old pods are still being stopped")),
        () if available < wanted => Some(format!("{available} of {wanted} pods are ready")),
        () => None,
    }
}

/// The pods of the newest template: what older ones suffer from is no matter any more.
pub(super) async fn newest(client: &Client, deployment: &Api1, place: &DeploymentOutput) -> Result<Vec<Pod>, Fault> {
    let namespace = &place.namespace.name;
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("app.kubernetes.io/name={}", place.name));
    let revision = deployment.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REVISION));
    let sets = sets.list(&params).await.fault()?.items;
    let hash = sets.iter().find_map(|set| {
        let is = set.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REVISION)) == revision;
        set.metadata.labels.as_ref().filter(|_| is).and_then(|labels| labels.get("pod-template-hash"))
    });
    let of_it = |pod: &Pod| {
        let labels = pod.metadata.labels.as_ref();
        pod.metadata.deletion_timestamp.is_none() && labels.and_then(|labels| labels.get("pod-template-hash")) == hash
    };
    Ok(pods::named(client, namespace, &place.name).await?.into_iter().filter(of_it).collect())
}

impl Observe for Rollout {
    type World = Cloud;
    const KIND: &'static str = "rollout";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Deployment>>;
    /// Without values: what offers the GPUs.
    type Uses = After;
    type State = State;
    type Output = DeploymentOutput;

    fn want(&self, _: &Cloud, _: &Given<DeploymentOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, place: &DeploymentOutput) -> Result<Observation<Self>, Fault> {
        let client = client(cx, place).await?;
        let api: Api<Api1> = Api::namespaced(client.clone(), &place.namespace.name);
        let Some(deployment) = api.get(&place.name).await.fault_or_absent()? else { return Ok(Observation::Absent) };
        let Some(stage) = unfinished(&deployment) else {
            return Ok(Observation::Present(Found::one(place.clone(), State)));
        };
        let pods = newest(&client, &deployment, place).await?;
        let mut why = pods.iter().find_map(cause::why_not_ready).unwrap_or(stage);
        let mut hopeless = pods.iter().find_map(cause::hopeless);
        // Containers that run and are not ready wait for models: the gateway knows for which.
        if let Some(pod) = pods.iter().find(|pod| pods::waits_for_models(pod))
            && let Some(readiness) = Readiness::of(&client, &place.namespace.name, pod).await
        {
            hopeless = hopeless.or_else(|| readiness.hopeless());
            why = readiness.why().unwrap_or(why);
        }
        // What a container that crashes said last is the cause, more often than not.
        if let Some(pod) = pods.iter().find(|pod| cause::containers(pod).any(cause::crashes))
            && let Some(word) = pods::last_word(&client, &place.namespace.name, pod).await
        {
            why = format!("{why}: {word}");
            hopeless = hopeless.map(|why| format!("{why}: {word}"));
        }
        Ok(match hopeless {
            Some(why) => Observation::Broken { output: place.clone(), why, remedy: Remedy::User },
            None => Observation::Changing { why, found: None },
        })
    }

    /// Triton's image is 15 to 20 GB: 4 to 6 minutes to pull, on a node that may have just come.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(20 * 60)
    }

    async fn evidence(&self, cx: &Cx, place: &DeploymentOutput) -> Vec<String> {
        let Ok(client) = client(cx, place).await else { return Vec::new() };
        let namespace = &place.namespace.name;
        let mut lines = pods::events(&client, namespace, "Deployment", &place.name).await;
        for pod in pods::named(&client, namespace, &place.name).await.unwrap_or_default() {
            lines.extend(cause::why_not_ready(&pod));
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            lines.extend(pods::events(&client, namespace, "Pod", name).await);
            lines.extend(pods::last_words(&client, namespace, &pod).await);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: serde_json::Value) -> Api1 {
        let selector = json!({"matchLabels": {}});
        let spec = json!({"replicas": 1, "selector": selector, "template": {}});
        serde_json::from_value(json!({"metadata": {"generation": 2}, "spec": spec, "status": status})).unwrap()
    }

    #[test]
    fn a_rollout_is_done_when_the_newest_pod_is_ready() {
        let done = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert_eq!(unfinished(&deployment(done)), None);
    }

    #[test]
    fn an_old_pod_that_still_answers_does_not_count() {
        let unseen = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert!(unfinished(&deployment(unseen)).unwrap().contains("not seen"));
        let old = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 0, "availableReplicas": 1});
        assert!(unfinished(&deployment(old)).unwrap().contains("0 of 1"));
    }
}
