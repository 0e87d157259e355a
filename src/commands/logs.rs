//! `logs`: what the pods' containers log, merged by time.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{Session, fault};
use crate::cli::Logs;
use crate::cloud::Cloud;
use crate::error::Error;
use crate::report;
use crate::resources::eks::ClusterOutput;
use crate::resources::kube::logs::{Asked, CONTAINERS, Choice, Merge, News, Reading, Sources, follow, watch};
use crate::resources::kube::named;

/// Lines of each container, where nothing is said of how many.
const TAIL: u32 = 100;

/// Lines that wait to be shown.
const WAITING: usize = 256;

pub(super) async fn run(session: &Session, logs: Logs) -> Result<(), Error> {
    let asked = asked(&logs)?;
    if let Some(container) = logs.container.as_deref().filter(|container| !CONTAINERS.contains(container)) {
        let next = format!("name one of {}", CONTAINERS.join(", "));
        return Err(Error::usage(format!("there is no container {container:?} in the pods"), next));
    }
    let choice = Choice { pod: logs.pod.clone(), container: logs.container.clone() };
    let cloud = session.cloud("logs").await?;
    let stopped = || Error::interrupted("stopped", "");
    tokio::select! {
        biased;
        () = session.cancel.cancelled() => Err(stopped()),
        ended = show(session, &cloud, &logs, asked, choice) => ended,
    }
}

async fn show(session: &Session, cloud: &Arc<Cloud>, logs: &Logs, asked: Asked, choice: Choice) -> Result<(), Error> {
    let cluster = ClusterOutput::find(&cloud.aws, &cloud.config.name).await.map_err(|why| fault(&why, "look at the cluster"))?;
    let none = || Error::failed(format!("there is no cluster {} that answers", cloud.config.name), session.again("status"));
    let cluster = cluster.ok_or_else(none)?;
    let sources = sources(cloud, &cluster, &choice).await?;
    let out = report::Logs::new(session.json());
    if sources.pods.is_empty() {
        let why = no_pods(cloud, &choice);
        if !logs.follow {
            return Err(Error::failed(why, session.again("status")));
        }
        out.show(&News::Note(format!("{why}; waiting for one")));
    }
    for without in sources.without {
        if !out.show(&News::Note(without)) {
            return Ok(());
        }
    }
    let readings = sources.logs.into_iter().map(|source| Reading::new(cloud, &cluster, source, asked));
    let mut merge = Merge::of(readings.collect());
    while let Some(news) = merge.next().await {
        // Of none of the lines that are there already the last is read all the same: it says where to go on.
        let hidden = logs.tail == Some(0) && matches!(news, News::Entry(_));
        if !hidden && !out.show(&news) {
            return Ok(());
        }
    }
    if !logs.follow {
        return Ok(());
    }
    let known = merge.into_logs().into_iter().filter(|reading| !reading.source.previous).collect();
    let (to, from) = tokio::sync::mpsc::channel(WAITING);
    let cancel = session.cancel.child_token();
    tokio::spawn(watch(cloud.clone(), cluster, choice, known, to, cancel.clone()));
    follow(from, &cancel, |news| out.show(news)).await;
    cancel.cancel();
    Ok(())
}

async fn sources(cloud: &Cloud, cluster: &ClusterOutput, choice: &Choice) -> Result<Sources, Error> {
    let workload = &cloud.config.workload;
    let pods = async {
        let client = cloud.kube.client(&cloud.aws, cluster).await?;
        named(&client, &workload.namespace, &workload.service).await
    };
    let pods = pods.await.map_err(|why| fault(&why, "list the pods"))?;
    Ok(Sources::of(&pods, choice))
}

fn no_pods(cloud: &Cloud, choice: &Choice) -> String {
    let workload = &cloud.config.workload;
    let of = format!("{} in the namespace {}", workload.service, workload.namespace);
    match &choice.pod {
        Some(pod) => format!("there is no pod {pod} of {of}"),
        None => format!("there is no pod of {of}"),
    }
}

/// How much of each log the command line asks for.
fn asked(logs: &Logs) -> Result<Asked, Error> {
    let since = logs.since.as_deref().map(seconds).transpose()?;
    let usual = since.is_none().then_some(TAIL);
    Ok(Asked { tail: logs.tail.or(usual).map(|tail| tail.max(1)), since })
}

/// Seconds, rounded up: that is what Kubernetes takes.
fn seconds(text: &str) -> Result<i64, Error> {
    let duration = text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    let wrong = || Error::usage(format!("--since {text:?} is no time"), "write a number with its unit, such as 90s, 10m or 2h");
    duration.map(|duration| duration.as_secs() + i64::from(duration.subsec_nanos() > 0)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tail: Option<u32>, since: Option<&str>) -> (Option<u32>, Option<i64>) {
        let logs = Logs { follow: false, since: since.map(str::to_owned), tail, pod: None, container: None };
        let Asked { tail, since } = asked(&logs).unwrap();
        (tail, since)
    }

    #[test]
    fn the_last_lines_are_shown_and_all_of_a_time_that_is_named() {
        assert_eq!(of(None, None), (Some(100), None));
        assert_eq!(of(None, Some("10m")), (None, Some(600)));
        assert_eq!(of(Some(5), Some("1h 30m")), (Some(5), Some(5400)));
        assert_eq!(of(Some(0), None), (Some(1), None));
    }

    #[test]
    fn a_time_without_a_unit_is_refused() {
        assert_eq!((seconds("90s").unwrap(), seconds("1500ms").unwrap()), (90, 2));
        for wrong in ["90", "-5m", "0s", "soon", ""] {
            assert_eq!(seconds(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }
}
