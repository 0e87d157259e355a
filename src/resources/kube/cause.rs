//! Why a pod does not answer, and whether waiting will help it.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// Containers that hold up a pod: those of its init steps first.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    init.iter().chain(main)
}

/// Why a pod does not answer yet, in Kubernetes's own words; None: it does.
pub(super) fn why_not_ready(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or("?");
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    if condition("Ready").is_some_and(|ready| ready.status == "True") {
        return None;
    }
    if let Some(scheduled) = condition("PodScheduled").filter(|condition| condition.status != "True") {
        let why = scheduled.message.as_deref().or(scheduled.reason.as_deref()).unwrap_or("no reason given");
        return Some(format!("{name} is Pending: {why}"));
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    // A container that cannot run says more than one that waits for it.
    let runs = |container: &&ContainerStatus| container.state.as_ref().is_some_and(|state| state.running.is_some());
    let stuck = containers(pod).filter(|container| !runs(container)).find_map(holdup);
    Some(match stuck.or_else(|| containers(pod).find_map(holdup)) {
        Some(why) => format!("{name}: {why}"),
        None => format!("{name} is {phase}"),
    })
}

/// Why a container is not ready; None: it is, or it is an init step that has done its work.
pub(super) fn holdup(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let ended = |code: i32, reason: Option<&str>| format!("exit code {code} ({})", reason.unwrap_or("no reason given"));
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        // Main containers behind an init step say nothing but this.
        if reason == "PodInitializing" {
            return None;
        }
        let last = last.map(|last| format!(", last {}", ended(last.exit_code, last.reason.as_deref())));
        let message = waiting.message.as_deref().map(|message| format!(": {message}"));
        return Some(format!("{name} is {reason}{}{}", last.unwrap_or_default(), message.unwrap_or_default()));
    }
    if let Some(over) = &state.terminated {
        return (over.exit_code != 0).then(|| format!("{name} ended with {}", ended(over.exit_code, over.reason.as_deref())));
    }
    (!container.ready).then(|| format!("{name} runs and is not ready yet"))
}

/// Why waiting will not help a pod: a container ends each time it is started, or its image is not there.
pub(super) fn hopeless(pod: &Pod) -> Option<String> {
    let hopeless = |container: &&ContainerStatus| {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        let message = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
        match waiting.and_then(|waiting| waiting.reason.as_deref()) {
            Some("CrashLoopBackOff") => container.restart_count >= 5,
            Some("ErrImagePull" | "ImagePullBackOff") => message.contains("not found"),
            Some("InvalidImageName" | "CreateContainerConfigError") => true,
            _ => false,
        }
    };
    let name = pod.metadata.name.as_deref().unwrap_or("?");
    containers(pod).find(hopeless).and_then(holdup).map(|why| format!("{name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_without_a_gpu_says_what_the_scheduler_says() {
        let pending = pod(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}]}));
        assert_eq!(why_not_ready(&pending).unwrap(), "p is Pending: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.");
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named() {
        let pulling = pod(json!({"phase": "Pending", "containerStatuses": [{"name": "triton", "ready": false,
            "restartCount": 0, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"i\""}}}]}));
        assert_eq!(why_not_ready(&pulling).unwrap(), "p: triton is ImagePullBackOff: Back-off pulling image \"i\"");
        assert_eq!(hopeless(&pulling), None);
    }

    #[test]
    fn the_container_that_cannot_run_is_named_before_the_one_that_waits_for_it() {
        let waits = json!({"name": "gateway", "ready": false, "restartCount": 0, "image": "i", "imageID": "",
            "state": {"running": {}}});
        let stuck = json!({"name": "triton", "ready": false, "restartCount": 0, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff"}}});
        let pod = pod(json!({"phase": "Running", "containerStatuses": [waits, stuck]}));
        assert_eq!(why_not_ready(&pod).unwrap(), "p: triton is ImagePullBackOff");
    }

    #[test]
    fn an_image_that_is_not_there_is_not_waited_for() {
        let missing = pod(json!({"phase": "Pending", "containerStatuses": [{"name": "triton", "ready": false,
            "restartCount": 0, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "ErrImagePull", "message": "nvcr.io/x:1: not found"}}}]}));
        assert_eq!(hopeless(&missing).unwrap(), "p: triton is ErrImagePull: nvcr.io/x:1: not found");
    }

    #[test]
    fn a_crash_is_told_with_its_exit_code() {
        let crashing = pod(json!({"phase": "Running", "containerStatuses": [{"name": "gateway", "ready": false,
            "restartCount": 5, "image": "i", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}));
        assert_eq!(hopeless(&crashing).unwrap(), "p: gateway is CrashLoopBackOff, last exit code 1 (Error)");
    }

    #[test]
    fn a_ready_pod_needs_no_reason() {
        let ready = pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
        assert_eq!(why_not_ready(&ready), None);
    }
}
