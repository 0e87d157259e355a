//! The pods' role: EKS's webhook puts AWS_ROLE_ARN into each pod that is made, as the service account says.
//!
//! It reads service accounts from a cache. A pod that was made before that knew of the role has none for ever, whatever
//! restarts in it (amazon-eks-pod-identity-webhook#174): such a pod is deleted, and the next one has it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment as Api1;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::Api;
use kube::api::DeleteParams;
use serde::Serialize;

use super::applied::Applied;
use super::deployment::{Deployment, DeploymentOutput};
use super::pods;
use super::rollout::{client, newest};
use crate::cloud::kube::{FIELD_MANAGER, OrFault};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Adjust, After, Change, Fault, Found, Given, Node, Observation, Observe, Remedy};

/// The role of the Deployment's newest pods.
pub struct PodRole;

/// What is compared.
#[derive(Serialize)]
pub struct State {
    pods_without_role: Vec<String>,
}

/// The variable without which the AWS SDK in a pod finds no credentials.
const ROLE: &str = "AWS_ROLE_ARN";

/// So long the webhook may know nothing of a change; it follows them within seconds.
const KNOWS: Duration = Duration::from_secs(60);

/// A container of it has the role.
fn has_role(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    containers.flat_map(|container| container.env.iter().flatten()).any(|variable| variable.name == ROLE)
}

/// When we last changed it.
fn applied(account: &ServiceAccount) -> Option<Timestamp> {
    let entries = account.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    ours.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
}

/// The webhook must have known when this pod was made.
fn is_late(pod: &Pod, applied: Option<Timestamp>) -> bool {
    let made = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    made.zip(applied).is_some_and(|(made, applied)| made >= applied + KNOWS)
}

fn names<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Vec<String> {
    let mut names: Vec<String> = pods.into_iter().filter_map(|pod| pod.metadata.name.clone()).collect();
    names.sort();
    names
}

impl Observe for PodRole {
    type World = Cloud;
    const KIND: &'static str = "pod-role";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Deployment>>;
    /// Without values: the nodes.
    type Uses = After;
    type State = State;
    /// The pods without it.
    type Output = Vec<String>;

    fn want(&self, _: &Cloud, _: &Given<DeploymentOutput>, (): &()) -> State {
        State { pods_without_role: Vec::new() }
    }

    async fn observe(&self, cx: &Cx, place: &DeploymentOutput) -> Result<Observation<Self>, Fault> {
        let client = client(cx, place).await?;
        let namespace = &place.namespace.name;
        let deployment = Api::<Api1>::namespaced(client.clone(), namespace).get(&place.name).await.fault_or_absent()?;
        let Some(deployment) = deployment else { return Ok(Observation::Absent) };
        let pods = newest(&client, &deployment, place).await?;
        if pods.is_empty() && deployment.spec.as_ref().and_then(|spec| spec.replicas) != Some(0) {
            return Ok(Observation::Changing { why: "no pod is made yet".to_owned(), found: None });
        }
        let without: Vec<&Pod> = pods.iter().filter(|pod| !has_role(pod)).collect();
        if without.is_empty() {
            return Ok(Observation::Present(Found::one(Vec::new(), State { pods_without_role: Vec::new() })));
        }
        let account = &cx.world.config.workload.service_account;
        let found = Api::<ServiceAccount>::namespaced(client, namespace).get(account).await.fault_or_absent()?;
        let applied = found.as_ref().and_then(applied);
        if let Some(late) = without.iter().find(|pod| is_late(pod, applied)) {
            let name = late.metadata.name.as_deref().unwrap_or("?");
            let why = format!(
                "the pod {name} has no role ({ROLE} is in none of its containers), though the service account {account} had it \
                 before: EKS's webhook pod-identity-webhook did not act"
            );
            return Ok(Observation::Broken { output: names(without), why, remedy: Remedy::User });
        }
        let without = names(without);
        Ok(Observation::Present(Found::one(without.clone(), State { pods_without_role: without })))
    }

    /// A controller makes pods at once, and tells in its events why it cannot.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(3 * 60)
    }

    async fn evidence(&self, cx: &Cx, place: &DeploymentOutput) -> Vec<String> {
        let Ok(client) = client(cx, place).await else { return Vec::new() };
        pods::events(&client, &place.namespace.name, "Deployment", &place.name).await
    }
}

impl Adjust for PodRole {
    async fn update(&self, cx: &Cx, place: &DeploymentOutput, (): &(), without: &Vec<String>, _: &[Change]) -> Result<(), Fault> {
        let api: Api<Pod> = Api::namespaced(client(cx, place).await?, &place.namespace.name);
        for pod in without {
            cx.say(format!("the pod {pod} was made before EKS knew its role, and is made anew"));
            api.delete(pod, &DeleteParams::default()).await.fault_or_absent()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(made: &str, env: &serde_json::Value) -> Pod {
        let spec = json!({"initContainers": [{"name": "sync", "env": env}], "containers": [{"name": "gateway"}]});
        serde_json::from_value(json!({"metadata": {"name": "p", "creationTimestamp": made}, "spec": spec})).unwrap()
    }

    fn account(at: &str) -> ServiceAccount {
        let by = |manager: &str, time: &str| json!({"manager": manager, "operation": "Apply", "time": time});
        let fields = [by(FIELD_MANAGER, at), by("somebody", "2026-12-31T00:00:00Z")];
        serde_json::from_value(json!({"metadata": {"managedFields": fields}})).unwrap()
    }

    #[test]
    fn a_role_in_any_container_is_one() {
        let env = json!([{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/r"}]);
        assert!(has_role(&pod("2026-11-30T12:00:00Z", &env)));
        assert!(!has_role(&pod("2026-11-30T12:00:00Z", &json!([{"name": "AWS_REGION", "value": "us-east-1"}]))));
    }

    #[test]
    fn a_pod_that_was_made_soon_after_the_account_is_made_anew_and_a_later_one_tells_of_a_webhook_that_does_not_act() {
        let at = applied(&account("2026-11-30T12:00:00Z"));
        for (made, late) in [("11:59:00", false), ("12:00:05", false), ("12:01:00", true)] {
            assert_eq!(is_late(&pod(&format!("2026-11-30T{made}Z"), &json!([])), at), late, "{made}");
        }
        assert!(!is_late(&pod("2026-11-30T12:00:00Z", &json!([])), None));
    }
}
