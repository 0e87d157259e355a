//! Pods: which of them answer, and why the others do not.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::GatewayConfig;
use super::cause::{beginning, containers, crashes, holdup, why_not_ready};
use crate::cloud::Cloud;
use crate::cloud::cluster::ClusterOutput;
use crate::cloud::kube::{OrFault, Serving};
use crate::engine::{Fault, FaultKind};

/// The pods with the label `app.kubernetes.io/name`.
///
/// # Errors
/// When they cannot be listed.
pub async fn named(client: &Client, namespace: &str, app: &str) -> Result<Vec<Pod>, Fault> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("app.kubernetes.io/name={app}"));
    Ok(api.list(&params).await.fault()?.items)
}

/// Names of the pods whose gateway runs, ready or not, and that are not on their way out: those
/// whose admin port can be asked.
///
/// # Errors
/// When they cannot be listed.
pub async fn running(client: &Client, namespace: &str, app: &str) -> Result<Vec<String>, Fault> {
    let pods = named(client, namespace, app).await?;
    Ok(pods.into_iter().filter(gateway_runs).filter_map(|pod| pod.metadata.name).collect())
}

/// An access entry, and its policy after it, take effect some minutes after they are made, at most.
const ADMITTED: Duration = Duration::from_secs(5 * 60);
const PAUSE: Duration = Duration::from_secs(2);
/// The codes with which Kubernetes refuses whom it does not know, and what they may not do.
const IN_KUBERNETES: [&str; 2] = ["Unauthorized", "Forbidden"];

/// What `ask` answers, asked again while Kubernetes does not know us yet (401), or not what we may (403), since this run has just
/// made our access entry or is about to.
///
/// # Errors
/// Those of `ask`; that we are refused, once no entry would take so long, or the run was cancelled.
pub async fn once_admitted<T, F>(cancel: &CancellationToken, ask: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        let refused = matches!(&answer, Err(why) if why.kind == FaultKind::Denied && IN_KUBERNETES.contains(&why.code()));
        if !refused || begun.elapsed() >= ADMITTED || cancel.run_until_cancelled(sleep(PAUSE)).await.is_none() {
            return answer;
        }
    }
}

/// The admin ports of the deployment's running gateways, to release to them; none where no cluster answers or no pod runs yet.
///
/// # Errors
/// When EKS or Kubernetes does not tell.
pub async fn serving(cloud: &Cloud) -> Result<Vec<Serving>, Fault> {
    let Some(cluster) = ClusterOutput::find(&cloud.aws, &cloud.config.name).await? else { return Ok(Vec::new()) };
    // A model may load for minutes before a byte of the answer comes: how long to wait is the caller's matter.
    admin_ports(cloud, cloud.kube.patient(&cloud.aws, &cluster).await?).await
}

/// The same, to ask them for what they tell at once.
///
/// # Errors
/// As [`serving`].
pub async fn telling(cloud: &Cloud) -> Result<Vec<Serving>, Fault> {
    let Some(cluster) = ClusterOutput::find(&cloud.aws, &cloud.config.name).await? else { return Ok(Vec::new()) };
    admin_ports(cloud, cloud.kube.client(&cloud.aws, &cluster).await?).await
}

async fn admin_ports(cloud: &Cloud, client: Client) -> Result<Vec<Serving>, Fault> {
    let workload = &cloud.config.workload;
    let pods = running(&client, &workload.namespace, &workload.service).await?;
    let port = |pod: String| Serving::new(client.clone(), &workload.namespace, &pod, GatewayConfig::ADMIN_PORT);
    Ok(pods.into_iter().map(port).collect())
}

/// Everything in it runs, and it is not ready.
pub(super) fn waits_for_models(pod: &Pod) -> bool {
    let runs = |container: &ContainerStatus| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.running.is_some() || state.terminated.as_ref().is_some_and(|end| end.exit_code == 0))
    };
    gateway_runs(pod) && containers(pod).all(runs) && why_not_ready(pod).is_some()
}

/// Its gateway can be asked.
pub(super) fn gateway_runs(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && containers(pod).any(|c| c.name == "gateway" && c.state.as_ref().is_some_and(|s| s.running.is_some()))
}

/// Seconds that pods have left which nobody can reach any more.
const HURRY_SECONDS: u32 = 5;

/// Lets pods go without the minute that they give their balancer to notice: it is gone already.
///
/// # Errors
/// When they cannot be asked.
pub(super) async fn hurry(client: Client, namespace: &str, app: &str) -> Result<(), Fault> {
    let api: Api<Pod> = Api::namespaced(client, namespace);
    let params = ListParams::default().labels(&format!("app.kubernetes.io/name={app}"));
    let options = DeleteParams { grace_period_seconds: Some(HURRY_SECONDS), ..DeleteParams::default() };
    api.delete_collection(&options, &params).await.fault().map(drop)
}

/// What Kubernetes has warned of about an object, the newest last. Nothing where they cannot be read.
pub(super) async fn events(client: &Client, namespace: &str, kind: &str, name: &str) -> Vec<String> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params =
        ListParams::default().fields(&format!("involvedObject.kind={kind},involvedObject.name={name},type=Warning")).limit(100);
    let Ok(events) = api.list(&params).await else { return Vec::new() };
    let mut events = events.items;
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
    let line = |event: &Event| {
        let reason = event.reason.as_deref().unwrap_or("Warning");
        let message = event.message.as_deref().unwrap_or_default();
        format!("{kind} {name}: {reason}: {message}")
    };
    let mut lines: Vec<String> = events.iter().map(line).collect();
    lines.dedup();
    lines.split_off(lines.len().saturating_sub(5))
}

/// The last lines of the containers that hold the pod up: of the one that ended, or of the one that runs.
pub(super) async fn last_words(client: &Client, namespace: &str, pod: &Pod) -> Vec<String> {
    logged(client, namespace, pod, |container| holdup(container).is_some()).await
}

/// What the first container that crashes said last.
pub(super) async fn last_word(client: &Client, namespace: &str, pod: &Pod) -> Option<String> {
    let first = &containers(pod).find(|container| crashes(container))?.name;
    let lines = logged(client, namespace, pod, |container| container.name == *first).await;
    let told = lines.last()?.split_once(": ")?.1;
    // A gateway writes JSON.
    let object: Option<Value> = serde_json::from_str(told).ok();
    let message = object.as_ref().and_then(|object| object["message"].as_str());
    Some(beginning(message.unwrap_or(told)))
}

/// The last lines of every container.
pub(super) async fn said(client: &Client, namespace: &str, pod: &Pod) -> Vec<String> {
    logged(client, namespace, pod, |_| true).await
}

/// The last lines of a container's log; None where they cannot be read.
pub(super) async fn log(client: &Client, namespace: &str, pod: &Pod, container: &str, lines: i64) -> Option<String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let container = Some(container.to_owned());
    let params = kube::api::LogParams { container, tail_lines: Some(lines), ..kube::api::LogParams::default() };
    api.logs(pod.metadata.name.as_deref()?, &params).await.ok()
}

async fn logged(client: &Client, namespace: &str, pod: &Pod, wanted: impl Fn(&ContainerStatus) -> bool) -> Vec<String> {
    let Some(name) = pod.metadata.name.as_deref() else { return Vec::new() };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut lines = Vec::new();
    for container in containers(pod).filter(|container| wanted(container)) {
        let ended = container.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
        let params = kube::api::LogParams {
            container: Some(container.name.clone()),
            previous: ended,
            tail_lines: Some(5),
            limit_bytes: Some(4096),
            ..kube::api::LogParams::default()
        };
        let Ok(text) = api.logs(name, &params).await else { continue };
        lines.extend(text.lines().map(|line| format!("{name}/{}: {line}", container.name)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Fault {
        let origin = crate::engine::Origin { code: code.to_owned(), ..Default::default() };
        Fault::denied(format!("Kubernetes: {code}")).from_origin(origin)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_known_yet_or_not_what_they_may_asks_again_and_not_for_ever() {
        let (asked, cancel) = (std::cell::Cell::new(0), CancellationToken::new());
        // The entry takes effect before its policy does.
        let ask = |known_at: u32| {
            asked.set(asked.get() + 1);
            let answer = match asked.get() {
                once if once >= known_at => Ok(once),
                1 => Err(refused("Unauthorized")),
                _ => Err(refused("Forbidden")),
            };
            std::future::ready(answer)
        };
        assert_eq!(once_admitted(&cancel, || ask(4)).await.unwrap(), 4);
        asked.set(0);
        assert_eq!(once_admitted(&cancel, || ask(u32::MAX)).await.unwrap_err().code(), "Forbidden");
        assert!(asked.get() > 100);
        // What AWS refuses is no matter of time, and neither is a run that is over.
        let denied = || std::future::ready(Err::<(), _>(refused("AccessDeniedException")));
        let begun = Instant::now();
        assert!(once_admitted(&cancel, denied).await.is_err());
        cancel.cancel();
        assert!(once_admitted(&cancel, || ask(u32::MAX)).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
