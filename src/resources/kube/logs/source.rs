//! Which containers have a log, and why the others have none.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerState, Pod};

/// The containers of a pod of ours, in the order in which they begin.
pub const CONTAINERS: [&str; 3] = ["sync", "triton", "gateway"];

/// One log: of a container as it runs now, or of the one before it that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The pod's name.
    pub pod: String,
    /// The pod's UID: a name may come again.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// It is the log of the container that ended, not of the one that was started in its place.
    pub previous: bool,
}

impl Source {
    /// What tells its pod from the Deployment's others.
    #[must_use]
    pub fn short_pod(&self) -> &str {
        self.pod.rsplit('-').next().unwrap_or(&self.pod)
    }
}

/// Which pods and containers are wanted; None: all.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A pod's name, or how it ends.
    pub pod: Option<String>,
    /// A container's name.
    pub container: Option<String>,
}

impl Choice {
    fn pod(&self, name: &str) -> bool {
        self.pod.as_deref().is_none_or(|wanted| wanted == name || name.ends_with(&format!("-{wanted}")))
    }

    fn container(&self, name: &str) -> bool {
        self.container.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// What there is to read.
#[derive(Debug, Default)]
pub struct Sources {
    /// The pods that were chosen.
    pub pods: Vec<String>,
    /// Their logs, of those that ended before those that run.
    pub logs: Vec<Arc<Source>>,
    /// Why containers have none, a line each.
    pub without: Vec<String>,
}

impl Sources {
    /// What there is of these pods.
    #[must_use]
    pub fn of(pods: &[Pod], choice: &Choice) -> Self {
        let mut sources = Self::default();
        for pod in pods {
            let name = pod.metadata.name.clone().unwrap_or_default();
            if choice.pod(&name) {
                sources.add(pod, &name, choice);
                sources.pods.push(name);
            }
        }
        sources
    }

    fn add(&mut self, pod: &Pod, name: &str, choice: &Choice) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let mut any = false;
        for status in super::super::cause::containers(pod).filter(|status| choice.container(&status.name)) {
            any = true;
            let source = |previous| {
                let (pod, uid, container) = (name.to_owned(), uid.clone(), status.name.clone());
                Arc::new(Source { pod, uid, container, previous })
            };
            let ended = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
            if ended {
                self.logs.push(source(true));
            }
            match &status.state {
                Some(ContainerState { waiting: Some(waiting), .. }) if !ended => {
                    let reason = waiting.reason.as_deref().unwrap_or("waiting");
                    let message = waiting.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
                    self.without.push(format!("{name}/{} has no log yet: {reason}{message}", status.name));
                }
                // Kubernetes would hand out the log of the one that ended, again.
                Some(ContainerState { waiting: Some(_), .. }) | None => {}
                Some(_) => self.logs.push(source(false)),
            }
        }
        if !any {
            let why = super::super::cause::why_not_ready(pod).unwrap_or_else(|| format!("{name} has no such container"));
            self.without.push(format!("no log yet: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, containers: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name, "uid": "u"}, "status": {"containerStatuses": containers}}))
            .unwrap()
    }

    fn container(name: &str, state: serde_json::Value, last: serde_json::Value) -> serde_json::Value {
        json!({"name": name, "ready": false, "restartCount": 1, "image": "i", "imageID": "", "state": state, "lastState": last})
    }

    fn told(sources: &Sources) -> Vec<(String, bool)> {
        sources.logs.iter().map(|source| (source.container.clone(), source.previous)).collect()
    }

    #[test]
    fn of_a_container_that_was_restarted_both_logs_are_read() {
        let ended = json!({"terminated": {"exitCode": 1}});
        let pods = [pod("a-b-c", json!([container("gateway", json!({"running": {}}), ended)]))];
        let sources = Sources::of(&pods, &Choice::default());
        assert_eq!(told(&sources), [("gateway".to_owned(), true), ("gateway".to_owned(), false)]);
        assert_eq!(sources.logs[0].short_pod(), "c");
    }

    #[test]
    fn of_a_container_that_waits_after_a_crash_the_log_is_read_once() {
        let waits = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let ended = json!({"terminated": {"exitCode": 1}});
        let sources = Sources::of(&[pod("p", json!([container("gateway", waits, ended)]))], &Choice::default());
        assert_eq!((told(&sources), sources.without.len()), (vec![("gateway".to_owned(), true)], 0));
    }

    #[test]
    fn a_container_that_never_ran_is_told_with_the_reason() {
        let waits = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
        let sources = Sources::of(&[pod("p", json!([container("triton", waits, json!({}))]))], &Choice::default());
        assert_eq!(sources.without, ["p/triton has no log yet: ImagePullBackOff: no such image"]);
        assert!(sources.logs.is_empty());
    }

    #[test]
    fn a_pod_is_chosen_by_its_name_or_how_it_ends() {
        let of = |name| pod(name, json!([container("gateway", json!({"running": {}}), json!({}))]));
        let pods = [of("server-1-abc"), of("server-1-xyz")];
        let chosen = |wanted: &str| Sources::of(&pods, &Choice { pod: Some(wanted.to_owned()), container: None }).pods;
        assert_eq!(chosen("xyz"), ["server-1-xyz"]);
        assert_eq!(chosen("server-1-abc"), ["server-1-abc"]);
        assert!(chosen("bc").is_empty());
    }
}
