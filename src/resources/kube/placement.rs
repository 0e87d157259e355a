//! Whether the new pods have a place beside those of an earlier configuration, watched. The old ones go on answering until
//! the new ones are ready, or until the scheduler says that there is no room for both: then they must go first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment as Api1;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde::Serialize;
use tokio::time::Instant;

use super::applied::Applied;
use super::deployment::{Deployment, DeploymentOutput};
use super::rollout::{client, newest, unfinished};
use crate::cloud::kube::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fault, Found, Given, Node, Observation, Observe};

/// For so long the scheduler must have found no room, before the old pods go: a device plugin that restarts, or a node that
/// is being cordoned, looks the same for a moment.
const CERTAIN: Duration = Duration::from_secs(30);

/// Looks further apart than this say nothing of what was between them.
const APART: Duration = Duration::from_secs(15);

/// The place of the new pods.
#[derive(Default)]
pub struct Placement {
    no_room: Mutex<Option<NoRoom>>,
}

/// Every look has found no room for these pods.
struct NoRoom {
    /// Of these, by the hash of their template.
    template: String,
    since: Instant,
    looked: Instant,
}

impl Placement {
    /// Notes for which pods a look found no room, by the hash of their template. True: for long enough to act on it.
    fn is_certain(&self, no_room: Option<&str>) -> bool {
        let mut known = self.no_room.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let goes_on = |known: &NoRoom, template| known.template == template && now - known.looked <= APART;
        let since = known.as_ref().filter(|known| no_room.is_some_and(|template| goes_on(known, template)));
        let since = since.map_or(now, |known| known.since);
        *known = no_room.map(|template| NoRoom { template: template.to_owned(), since, looked: now });
        known.is_some() && now - since >= CERTAIN
    }
}

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

/// Whether the scheduler has found no node with enough left for it: others hold what it needs.
fn has_no_room(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.reason.as_deref() == Some("Unschedulable")
            && condition.message.as_deref().is_some_and(|message| message.contains("Insufficient"))
    })
}

/// The hash of the template that a pod is made from.
fn template(pod: &Pod) -> &str {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash")).map_or("", String::as_str)
}

impl Observe for Placement {
    type World = Cloud;
    const KIND: &'static str = "placement";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Deployment>>;
    /// Without values: the nodes, and what offers their GPUs.
    type Uses = After;
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &Given<DeploymentOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, place: &DeploymentOutput) -> Result<Observation<Self>, Fault> {
        let client = client(cx, place).await?;
        let api: Api<Api1> = Api::namespaced(client.clone(), &place.namespace.name);
        let Some(deployment) = api.get(&place.name).await.fault_or_absent()? else { return Ok(Observation::Absent) };
        let Some(stage) = unfinished(&deployment) else { return Ok(Observation::Present(Found::one((), State))) };
        let pods = newest(&client, &deployment, place).await?;
        let no_room = pods.iter().find(|pod| has_no_room(pod)).map(template);
        Ok(match self.is_certain(no_room) {
            true => Observation::Present(Found::one((), State)),
            false if no_room.is_some() => {
                Observation::Changing { why: format!("{stage}; no room for them beside the old pods so far"), found: None }
            }
            false => Observation::Changing { why: stage, found: None },
        })
    }

    /// As long as a rollout.
    fn patience(&self, _: Action) -> Duration {
        super::Rollout.patience(Action::Watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test(start_paused = true)]
    async fn the_old_pods_stay_until_there_has_been_no_room_for_half_a_minute() {
        let (placement, pause) = (Placement::default(), Duration::from_secs(5));
        let looks = async |count: u32, template: Option<&str>| {
            let mut certain = false;
            for _ in 0..count {
                tokio::time::advance(pause).await;
                certain = placement.is_certain(template);
            }
            certain
        };
        let enough = 1 + u32::try_from(CERTAIN.as_secs() / pause.as_secs()).unwrap();
        assert!(!looks(enough - 1, Some("a")).await);
        assert!(!looks(1, None).await, "it was for a moment only");
        assert!(!looks(enough - 1, Some("a")).await && looks(1, Some("a")).await);
        assert!(!looks(enough - 1, Some("b")).await && looks(1, Some("b")).await, "other pods, another question");
        // Another walk's look, long ago.
        tokio::time::advance(CERTAIN).await;
        assert!(!looks(enough - 1, Some("b")).await && looks(1, Some("b")).await);
    }

    fn pod(reason: &str, message: &str) -> Pod {
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message});
        serde_json::from_value(json!({"metadata": {}, "status": {"conditions": [condition]}})).unwrap()
    }

    #[test]
    fn only_a_pod_that_others_leave_no_room_has_none() {
        assert!(has_no_room(&pod("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")));
        assert!(!has_no_room(&pod("Unschedulable", "0/1 nodes are available: 1 node(s) had untolerated taint(s).")));
        assert!(!has_no_room(&pod("SchedulingGated", "Insufficient")));
        assert!(!has_no_room(&serde_json::from_value(json!({"metadata": {}})).unwrap()));
    }
}
