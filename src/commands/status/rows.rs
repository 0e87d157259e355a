//! What Kubernetes says of each thing, as a row of a table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Node, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::ports;
use crate::engine::{NodeReport, Status};
use crate::report::show;

/// Warnings of Kubernetes that are shown.
const WARNINGS: usize = 30;

/// Which containers run which image.
pub(super) fn images(pods: &[Pod]) -> BTreeMap<String, String> {
    let mut images: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for container in pods.iter().filter_map(|pod| pod.spec.as_ref()).flat_map(|spec| &spec.containers) {
        let names = images.entry(container.image.clone().unwrap_or_default()).or_default();
        if !names.contains(&container.name.as_str()) {
            names.push(&container.name);
        }
    }
    images.into_iter().map(|(image, names)| (image, format!("image of {}", names.join(", ")))).collect()
}

/// What the Service opens to its source ranges.
pub(super) fn service(service: Option<&Service>) -> String {
    let Some(service) = service else { return "There is no Service: nothing is open to the outside.".to_owned() };
    let spec = service.spec.clone().unwrap_or_default();
    let target = |port: &ServicePort| match &port.target_port {
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(name)) => name.clone(),
        None => port.port.to_string(),
    };
    let ports: Vec<String> =
        spec.ports.iter().flatten().map(|port| format!("{} (the pods' port {})", port.port, target(port))).collect();
    let ranges = spec.load_balancer_source_ranges.unwrap_or_default();
    let ranges = if ranges.is_empty() { "anybody".to_owned() } else { ranges.join(", ") };
    format!("Open to {ranges}: port {}. All else is reached by a port-forward only.", ports.join(", "))
}

pub(super) fn listeners(open: &BTreeMap<u16, Vec<IpAddr>>) -> Vec<Vec<String>> {
    let meant: BTreeMap<u16, &str> = ports::MEANT.into_iter().collect();
    let mut all: Vec<u16> = open.keys().chain(meant.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    let row = |port: u16| {
        let on = match open.get(&port) {
            None => "closed".to_owned(),
            Some(addresses) if addresses.is_empty() => "open".to_owned(),
            Some(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        vec![port.to_string(), on, meant.get(&port).copied().unwrap_or("not ours").to_owned()]
    };
    all.into_iter().map(row).collect()
}

pub(super) fn containers(pod: &Pod) -> Vec<Vec<String>> {
    let status = pod.status.clone().unwrap_or_default();
    let name = pod.metadata.name.clone().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_else(|| "none yet".to_owned());
    let all = status.init_container_statuses.into_iter().flatten().chain(status.container_statuses.into_iter().flatten());
    let rows: Vec<Vec<String>> = all
        .map(|container: ContainerStatus| {
            let now = container.state.as_ref().map_or_else(|| "unknown".to_owned(), state);
            let last = container.last_state.as_ref().filter(|last| last.terminated.is_some());
            let last = last.map_or_else(|| "-".to_owned(), state);
            let (ready, restarts) = (container.ready.to_string(), container.restart_count.to_string());
            vec![name.clone(), node.clone(), container.name, now, ready, restarts, last]
        })
        .collect();
    if !rows.is_empty() {
        return rows;
    }
    let conditions = status.conditions.unwrap_or_default();
    let why = conditions.iter().filter(|condition| condition.status != "True").filter_map(|condition| condition.message.clone());
    let phase = status.phase.unwrap_or_else(|| "unknown".to_owned());
    let told = std::iter::once(phase).chain(why).collect::<Vec<_>>().join(": ");
    vec![vec![name, node, "-".to_owned(), told, "false".to_owned(), "0".to_owned(), "-".to_owned()]]
}

fn state(state: &ContainerState) -> String {
    let with = |word: String, reason: Option<&String>, message: Option<&String>| {
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let message = message.map(|message| format!(": {}", message.trim())).unwrap_or_default();
        format!("{word}{reason}{message}")
    };
    if let Some(waiting) = &state.waiting {
        return with("waiting".to_owned(), waiting.reason.as_ref(), waiting.message.as_ref());
    }
    if let Some(over) = &state.terminated {
        let at = over.finished_at.as_ref().map(|at| format!(" at {:.0}", at.0)).unwrap_or_default();
        let signal = over.signal.map(|signal| format!(", signal {signal}")).unwrap_or_default();
        let word = format!("exit code {}{signal}{at}", over.exit_code);
        return with(word, over.reason.as_ref(), over.message.as_ref());
    }
    match &state.running {
        Some(running) => {
            running.started_at.as_ref().map_or_else(|| "running".to_owned(), |at| format!("running since {:.0}", at.0))
        }
        None => "unknown".to_owned(),
    }
}

pub(super) fn node(node: &Node) -> Vec<String> {
    let label = |key: &str| node.metadata.labels.as_ref().and_then(|labels| labels.get(key)).cloned().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let ready = ready.map_or_else(|| "unknown".to_owned(), |condition| condition.status.clone());
    let gpus =
        status.allocatable.as_ref().and_then(|all| all.get("nvidia.com/gpu")).map_or_else(|| "none".to_owned(), |n| n.0.clone());
    let info = status.node_info.unwrap_or_default();
    let name = node.metadata.name.clone().unwrap_or_default();
    let kind = label("node.kubernetes.io/instance-type");
    vec![name, kind, ready, gpus, info.os_image, info.kernel_version, info.kubelet_version, info.container_runtime_version]
}

/// The newest last.
pub(super) fn warnings(events: &[Event]) -> Vec<Vec<String>> {
    let time = |event: &Event| {
        let last = event.last_timestamp.as_ref().map(|at| at.0).or(event.event_time.as_ref().map(|at| at.0));
        last.or(event.metadata.creation_timestamp.as_ref().map(|at| at.0))
    };
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| time(event));
    let row = |event: &&Event| {
        let about = &event.involved_object;
        let about = format!("{} {}", about.kind.as_deref().unwrap_or("?"), about.name.as_deref().unwrap_or("?"));
        let at = time(event).map_or_else(|| "?".to_owned(), |at| format!("{at:.0}"));
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        vec![at, event.count.unwrap_or(1).to_string(), about, word(&event.reason), word(&event.message)]
    };
    events[events.len().saturating_sub(WARNINGS)..].iter().map(row).collect()
}

pub(super) fn part(seen: &NodeReport) -> Vec<String> {
    let differs: Vec<String> = seen.changes.iter().map(|(change, _)| change.field.clone()).collect();
    let stands = match &seen.status {
        Status::Present if seen.changes.is_empty() && seen.unwanted.is_none() => "ready".to_owned(),
        Status::Present => match &seen.unwanted {
            Some(unwanted) => format!("not in the configuration any more: {}", unwanted.why),
            None => "ready, not as configured".to_owned(),
        },
        status => show::words(status),
    };
    vec![seen.node.to_string(), stands, differs.join(", "), seen.evidence.join("; ")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_that_crashed_is_told_with_its_last_end() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"containers": [], "nodeName": "n"},
            "status": {"containerStatuses": [{"name": "triton", "ready": false, "restartCount": 3, "image": "i", "imageID": "",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {"terminated": {"exitCode": 139, "signal": 11, "reason": "Error", "message": "Signal (11)\n",
                    "finishedAt": "2026-11-30T04:29:10Z"}}}]}}))
        .unwrap();
        let wanted = [
            "p",
            "n",
            "triton",
            "waiting (CrashLoopBackOff): back-off 40s",
            "false",
            "3",
            "exit code 139, signal 11 at 2026-11-30T04:29:10Z (Error): Signal (11)",
        ];
        assert_eq!(containers(&pod), [wanted.map(str::to_owned).to_vec()]);
    }

    #[test]
    fn a_port_that_is_meant_and_closed_is_told_and_one_that_nobody_meant_too() {
        let open = BTreeMap::from([(8080, vec!["0.0.0.0".parse().unwrap()]), (9999, vec!["127.0.0.1".parse().unwrap()])]);
        let told = listeners(&open);
        let row = |port: &str| told.iter().find(|row| row[0] == port).unwrap()[1..].to_vec();
        assert_eq!(row("8080"), ["0.0.0.0", "gateway: WebSocket, /healthz, /readyz"]);
        assert_eq!((row("8000")[0].as_str(), row("9999")), ("closed", vec!["127.0.0.1".to_owned(), "not ours".to_owned()]));
    }
}
