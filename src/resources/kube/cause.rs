//! Why a pod does not answer, and whether waiting will help it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition};

/// Containers that hold up a pod: those of its init steps first.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    init.iter().chain(main)
}

/// Words of Kubernetes's, in lower case, and what they mean for the image of a container. The first that fits is taken: a host
/// that is not found is no image that is not found.
const OF_IMAGES: [(&[&str], Meaning); 5] = [
    (
        &["no such host", "dial tcp", "i/o timeout", "connection refused", "tls handshake"],
        Meaning::passes("the registry of its image IMAGE is not reached from the node"),
    ),
    (&["toomanyrequests", "too many requests"], Meaning::passes("the registry of its image IMAGE allows no more pulls for now")),
    (&["no match for platform", "no matching manifest"], FOR_ANOTHER),
    (
        &["unauthorized", "forbidden", "denied", "authorization failed"],
        Meaning::stays("the registry does not let the node pull its image IMAGE"),
    ),
    (&["not found", "manifest unknown", "does not exist"], Meaning::stays("its image IMAGE does not exist")),
];

const FOR_ANOTHER: Meaning = Meaning::stays("its image IMAGE is not made for the node's processor");

/// What the runtime says, in lower case, of a container that it cannot start: the kernel's words, and those of NVIDIA's hook.
const OF_STARTS: [(&str, Meaning); 2] = [
    ("exec format error", FOR_ANOTHER),
    (
        "insufficient privileges to read device list",
        Meaning::stays("this release of the AMI gives GPUs to privileged containers only; nodes of another release are needed"),
    ),
];

/// The same of a pod that has no node.
const OF_PLACES: [(&[&str], &str); 4] = [
    (&["insufficient nvidia.com/gpu"], "no node has as many free GPUs as it asks for"),
    (&["insufficient memory"], "no node has as much memory as it asks for"),
    (&["insufficient cpu"], "no node has as much CPU as it asks for"),
    (&["not-ready", "uninitialized"], "its node is not ready yet"),
];

/// A pod that has found no place for so long will find none: by then, an old one that held it has gone.
const HOMELESS: Duration = Duration::from_secs(5 * 60);

#[derive(Clone, Copy)]
struct Meaning {
    cause: &'static str,
    /// Waiting will not help.
    stays: bool,
}

impl Meaning {
    const fn stays(cause: &'static str) -> Self {
        Self { cause, stays: true }
    }

    const fn passes(cause: &'static str) -> Self {
        Self { cause, stays: false }
    }
}

/// What an image that is not pulled, or whose program is not started, suffers from.
fn of_image(container: &ContainerStatus) -> Option<Meaning> {
    let waiting = container.state.as_ref()?.waiting.as_ref();
    let (reason, message) = match waiting {
        Some(waiting) => (waiting.reason.as_deref()?, waiting.message.as_deref()),
        None => ("", None),
    };
    if ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"].contains(&reason) {
        let message = message?.to_lowercase();
        let fits = |(words, _): &(&[&str], Meaning)| words.iter().any(|word| message.contains(word));
        return OF_IMAGES.into_iter().find(fits).map(|(_, meaning)| meaning);
    }
    // The runtime has words like those of a registry ("executable file not found", "permission denied"), of other things.
    let ended = terminated(container).filter_map(|over| over.message.as_deref());
    let told: Vec<String> = message.into_iter().chain(ended).map(str::to_lowercase).collect();
    let fits = |(word, _): &(&str, Meaning)| told.iter().any(|told| told.contains(word));
    OF_STARTS.into_iter().find(fits).map(|(_, meaning)| meaning)
}

/// How its last runs ended, as far as they are known.
fn terminated(container: &ContainerStatus) -> impl Iterator<Item = &ContainerStateTerminated> {
    [container.state.as_ref(), container.last_state.as_ref()].into_iter().filter_map(|state| state?.terminated.as_ref())
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn unscheduled(pod: &Pod) -> Option<&PodCondition> {
    condition(pod, "PodScheduled").filter(|scheduled| scheduled.status != "True")
}

fn of_place(told: &str) -> Option<&'static str> {
    let told = told.to_lowercase();
    OF_PLACES.into_iter().find(|(words, _)| words.iter().any(|word| told.contains(word))).map(|(_, cause)| cause)
}

/// It was killed since it took more memory than it may.
fn is_out_of_memory(container: &ContainerStatus) -> bool {
    terminated(container).any(|over| over.reason.as_deref() == Some("OOMKilled"))
}

/// A container of it ends each time that it is started: its log says why.
pub(super) fn crashes(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    let waits = state.and_then(|state| state.waiting.as_ref()).and_then(|waiting| waiting.reason.as_deref());
    let ended = state.and_then(|state| state.terminated.as_ref()).is_some_and(|over| over.exit_code != 0);
    ended || waits == Some("CrashLoopBackOff")
}

/// Why a pod does not answer yet: the cause where it is known, and Kubernetes's own words; None: it does.
pub(super) fn why_not_ready(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or("?");
    if condition(pod, "Ready").is_some_and(|ready| ready.status == "True") {
        return None;
    }
    if let Some(scheduled) = unscheduled(pod) {
        let why = scheduled.message.as_deref().or(scheduled.reason.as_deref()).unwrap_or("no reason given");
        return Some(match of_place(why) {
            Some(cause) => format!("{name}: {cause} ({why})"),
            None => format!("{name} is Pending: {why}"),
        });
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

/// So many characters of a log, or of a runtime's message, are part of a cause.
const WIDEST: usize = 300;

/// What is told of a log or a message.
pub(super) fn beginning(text: &str) -> String {
    text.trim().chars().take(WIDEST).collect()
}

/// The runtime's message is the only trace of a program that it could not start, which writes no log.
fn ended(over: &ContainerStateTerminated) -> String {
    let reason = over.reason.as_deref().unwrap_or("no reason given");
    let message = over.message.as_deref().map(|message| format!(": {}", beginning(message)));
    format!("exit code {} ({reason}{})", over.exit_code, message.unwrap_or_default())
}

/// Why a container is not ready; None: it is, or it is an init step that has done its work.
pub(super) fn holdup(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let of_its_image =
        |told: &str| of_image(container).map(|of| format!("{name}: {} ({told})", of.cause.replace("IMAGE", &container.image)));
    let out_of_memory =
        |told: &str| is_out_of_memory(container).then(|| format!("{name} takes more memory than its limit ({told})"));
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        // Main containers behind an init step say nothing but this.
        if reason == "PodInitializing" {
            return None;
        }
        let last = last.map(|last| format!(", last {}", ended(last)));
        let message = waiting.message.as_deref().map(|message| format!(": {message}"));
        let told = format!("{reason}{}{}", last.unwrap_or_default(), message.unwrap_or_default());
        return Some(of_its_image(&told).or_else(|| out_of_memory(&told)).unwrap_or_else(|| format!("{name} is {told}")));
    }
    if let Some(over) = state.terminated.as_ref() {
        let told = ended(over);
        let known = || of_its_image(&told).or_else(|| out_of_memory(&told));
        return (over.exit_code != 0).then(|| known().unwrap_or_else(|| format!("{name} ended with {told}")));
    }
    (!container.ready).then(|| format!("{name} runs and is not ready yet"))
}

/// Why waiting will not help a pod: a container ends each time it is started, its image cannot be had, or no node has room.
pub(super) fn hopeless(pod: &Pod) -> Option<String> {
    let since = unscheduled(pod).filter(|told| told.message.as_deref().and_then(of_place).is_some());
    let since = since.and_then(|told| told.last_transition_time.as_ref()).map(|time| time.0);
    if since.is_some_and(|since| Timestamp::now() >= since + HOMELESS) {
        return why_not_ready(pod);
    }
    let hopeless = |container: &&ContainerStatus| {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        match waiting.and_then(|waiting| waiting.reason.as_deref()) {
            Some("CrashLoopBackOff") => container.restart_count >= 5,
            Some("InvalidImageName" | "CreateContainerConfigError") => true,
            _ => of_image(container).is_some_and(|meaning| meaning.stays),
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
        let told = "p: no node has as many free GPUs as it asks for (0/1 nodes are available: 1 Insufficient nvidia.com/gpu.)";
        assert_eq!(why_not_ready(&pending).unwrap(), told);
        assert_eq!(hopeless(&pending), None);
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
        let told = "p: triton: its image i does not exist (ErrImagePull: nvcr.io/x:1: not found)";
        assert_eq!(hopeless(&missing).unwrap(), told);
    }

    #[test]
    fn what_a_registry_and_a_runtime_say_is_told_as_the_cause_that_it_is() {
        let of = |reason: &str, message: &str| {
            let waiting = json!({"waiting": {"reason": reason, "message": message}});
            pod(json!({"phase": "Pending", "containerStatuses": [{"name": "triton", "ready": false, "restartCount": 1,
                "image": "r.example/triton:1", "imageID": "", "state": waiting}]}))
        };
        let pull = "failed to pull and unpack image \"r.example/triton:1\": failed to resolve reference: ";
        for (reason, message, cause, stays) in [
            ("ErrImagePull", "lookup r.example on 169.254.169.253:53: no such host", "is not reached from the node", false),
            ("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout", "is not reached from the node", false),
            ("ImagePullBackOff", "unexpected status from GET request: 403 Forbidden", "does not let the node pull", true),
            ("ErrImagePull", "pull access denied, repository does not exist or may require authorization", "does not let", true),
            ("ErrImagePull", "no match for platform in manifest: not found", "is not made for the node's processor", true),
            ("RunContainerError", "exec /bin/tritonserver: exec format error", "is not made for the node's processor", true),
            ("ImagePullBackOff", "r.example/triton:1: not found", "does not exist", true),
            ("ErrImagePull", "toomanyrequests: You have reached your pull rate limit", "allows no more pulls for now", false),
        ] {
            let pod = of(reason, &format!("{pull}{message}"));
            let told = why_not_ready(&pod).unwrap();
            assert!(told.contains(cause) && told.contains("r.example/triton:1") && told.contains(message), "{told}");
            assert_eq!(hopeless(&pod).is_some(), stays, "{told}");
        }
        // A runtime has the same words for other things.
        for (message, stays) in [
            ("exec: \"tritonserver\": executable file not found in $PATH: unknown", false),
            ("error mounting \"/models\": permission denied: unknown", false),
            ("nvidia-container-runtime: insufficient privileges to read device list from NVIDIA_VISIBLE_DEVICES", true),
        ] {
            let told = why_not_ready(&of("RunContainerError", message)).unwrap();
            assert!(!told.contains("its image") && told.contains(message), "{told}");
            assert_eq!(hopeless(&of("RunContainerError", message)).is_some(), stays, "{told}");
        }
        // What is not known is told in Kubernetes's own words, without a cause.
        let odd = of("ErrImagePull", "something new");
        assert_eq!(why_not_ready(&odd).unwrap(), "p: triton is ErrImagePull: something new");
        assert_eq!(hopeless(&odd), None);
    }

    #[test]
    fn want_of_memory_is_told_where_a_container_was_killed_and_where_no_node_has_room() {
        let killed = pod(json!({"phase": "Running", "containerStatuses": [{"name": "triton", "ready": false,
            "restartCount": 2, "image": "i", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}));
        let told = "p: triton takes more memory than its limit (CrashLoopBackOff, last exit code 137 (OOMKilled))";
        assert_eq!(why_not_ready(&killed).unwrap(), told);
        let since = |since: Timestamp| {
            pod(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "lastTransitionTime": since.to_string(),
                "message": "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available"}]}))
        };
        assert_eq!(hopeless(&since(Timestamp::now())), None);
        let told = hopeless(&since(Timestamp::now() - HOMELESS)).unwrap();
        assert!(told.starts_with("p: no node has as much memory as it asks for (0/1 nodes"), "{told}");
    }

    #[test]
    fn a_crash_is_told_with_its_exit_code() {
        let crashing = pod(json!({"phase": "Running", "containerStatuses": [{"name": "gateway", "ready": false,
            "restartCount": 5, "image": "i", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}));
        assert_eq!(hopeless(&crashing).unwrap(), "p: gateway is CrashLoopBackOff, last exit code 1 (Error)");
    }

    #[test]
    fn what_the_runtime_said_of_a_container_that_it_could_not_start_is_told() {
        let of = |message: &str| {
            let over = json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": message}});
            pod(
                json!({"phase": "Running", "containerStatuses": [{"name": "triton", "ready": false, "restartCount": 3, "image": "i",
                "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": over}]}),
            )
        };
        let told = why_not_ready(&of("failed to create containerd task: nvidia-container-cli: driver error")).unwrap();
        assert!(told.ends_with("(StartError: failed to create containerd task: nvidia-container-cli: driver error)"), "{told}");
        let told = why_not_ready(&of("exec /opt/tritonserver: exec format error")).unwrap();
        assert!(
            told.contains("its image i is not made for the node's processor (CrashLoopBackOff, last exit code 128"),
            "{told}"
        );
    }

    #[test]
    fn a_ready_pod_needs_no_reason() {
        let ready = pod(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
        assert_eq!(why_not_ready(&ready), None);
    }
}
