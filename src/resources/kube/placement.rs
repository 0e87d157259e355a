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

/// The place of the new pods.
#[derive(Default)]
pub struct Placement {
    /// Since when every look has found no room.
    no_room: Mutex<Option<Instant>>,
}

impl Placement {
    /// Notes what a look found. True: there is no room, and that for long enough to act on it.
    fn is_certain(&self, no_room: bool) -> bool {
        let mut since = self.no_room.lock().unwrap_or_else(PoisonError::into_inner);
        if !no_room {
            *since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() >= CERTAIN
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
        let no_room = pods.iter().any(has_no_room);
        Ok(match self.is_certain(no_room) {
            true => Observation::Present(Found::one((), State)),
            false if no_room => {
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
        let placement = Placement::default();
        assert!(!placement.is_certain(true));
        tokio::time::advance(CERTAIN / 2).await;
        assert!(!placement.is_certain(false), "it was for a moment only");
        assert!(!placement.is_certain(true));
        tokio::time::advance(CERTAIN - Duration::from_millis(1)).await;
        assert!(!placement.is_certain(true));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(placement.is_certain(true));
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
