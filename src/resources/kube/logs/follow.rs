//! What is logged from now on: one task a container, which goes on where it was when a connection is lost or the
//! container is started again; pods that come are found by looking.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Asked, Choice, Entry, News, Reading, Source, Sources};
use crate::cloud::Cloud;
use crate::engine::{Fault, FaultKind};
use crate::resources::eks::ClusterOutput;

/// How often pods are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How long until a log that has ended, or could not be read, is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// Lines that come within this time are put in order among each other.
const WINDOW: Duration = Duration::from_millis(250);
/// So many bytes of lines wait at most to be put in order.
const BATCH: usize = 4 << 20;

/// Looks for pods until it is cancelled, and follows each container of each; `known`: what was read already.
pub async fn watch(
    cloud: Arc<Cloud>,
    cluster: ClusterOutput,
    choice: Choice,
    known: Vec<Reading>,
    to: Sender<News>,
    cancel: CancellationToken,
) {
    let mut tails: HashMap<(String, String), CancellationToken> = HashMap::new();
    let begin = |mut reading: Reading, tails: &mut HashMap<_, _>| {
        let gone = CancellationToken::new();
        let source = &reading.source;
        tails.insert((source.uid.clone(), source.container.clone()), gone.clone());
        reading.unlimited();
        tokio::spawn(tail(reading, to.clone(), gone, cancel.clone()));
    };
    known.into_iter().for_each(|reading| begin(reading, &mut tails));
    let mut told = String::new();
    while !cancel.is_cancelled() {
        match pods(&cloud, &cluster).await {
            Ok(pods) => {
                told.clear();
                for source in Sources::of(&pods, &choice).logs {
                    if !source.previous && !tails.contains_key(&(source.uid.clone(), source.container.clone())) {
                        begin(Reading::new(&cloud, &cluster, source, Asked::default()), &mut tails);
                    }
                }
                let there: HashSet<&str> = pods.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
                tails.retain(|(uid, _), gone| {
                    let stays = there.contains(uid.as_str());
                    if !stays {
                        gone.cancel();
                    }
                    stays
                });
            }
            Err(why) => note(&to, &mut told, format!("cannot list the pods: {why}; trying on")).await,
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = sleep(LOOK) => {}
        }
    }
}

async fn pods(cloud: &Cloud, cluster: &ClusterOutput) -> Result<Vec<Pod>, Fault> {
    let client = cloud.kube.client(&cloud.aws, cluster).await?;
    let workload = &cloud.config.workload;
    super::super::pods::named(&client, &workload.namespace, &workload.service).await
}

/// Says each thing once, until there is another one to say.
async fn note(to: &Sender<News>, told: &mut String, what: String) {
    if *told != what {
        let _ = to.send(News::Note(what.clone())).await;
        *told = what;
    }
}

async fn tail(mut reading: Reading, to: Sender<News>, gone: CancellationToken, cancel: CancellationToken) {
    let mut told = String::new();
    loop {
        let next = tokio::select! {
            () = cancel.cancelled() => return,
            next = reading.next(true) => next,
        };
        match next {
            Ok(Some(line)) => {
                told.clear();
                let entry = Entry { source: reading.source.clone(), line };
                if to.send(News::Entry(entry)).await.is_err() {
                    return;
                }
                continue;
            }
            // Its pod is gone, and what it said is read to its end.
            Ok(None) | Err(_) if gone.is_cancelled() => return,
            Ok(None) => {}
            // Nothing was logged for a while, or the connection was lost: it goes on by itself.
            Err(fault) if fault.kind == FaultKind::TryAgain => {}
            Err(why) => note(&to, &mut told, format!("{}: {why}; trying on", reading.name())).await,
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(AGAIN) => {}
        }
    }
}

/// Hands out what comes, in the order of its time within [`WINDOW`], until it is cancelled or nobody takes it.
pub async fn follow(mut from: Receiver<News>, cancel: &CancellationToken, mut show: impl FnMut(&News) -> bool) {
    let (mut batch, mut bytes, mut due) = (Vec::new(), 0, None);
    loop {
        let tick = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => true,
            () = tick => false,
            news = from.recv(), if bytes < BATCH => match news {
                Some(news) => {
                    bytes += size(&news);
                    batch.push(news);
                    due.get_or_insert(Instant::now() + WINDOW);
                    if bytes < BATCH {
                        continue;
                    }
                    false
                }
                None => true,
            },
        };
        in_order(&mut batch);
        if !batch.drain(..).all(|news| show(&news)) || ended {
            return;
        }
        (bytes, due) = (0, None);
    }
}

fn size(news: &News) -> usize {
    match news {
        News::Entry(entry) => entry.line.text.len() + 128,
        News::Note(note) => note.len() + 128,
    }
}

/// By time; what has none stays behind the line of its own log that came before it.
fn in_order(batch: &mut [News]) {
    let mut last: HashMap<Arc<Source>, Timestamp> = HashMap::new();
    let mut latest = Timestamp::MIN;
    let times: Vec<Timestamp> = batch
        .iter()
        .map(|news| match news {
            News::Entry(entry) => {
                let before = last.entry(entry.source.clone()).or_insert(Timestamp::MIN);
                *before = entry.line.at.unwrap_or(*before).max(*before);
                latest = latest.max(*before);
                *before
            }
            News::Note(_) => latest,
        })
        .collect();
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&at| times[at]);
    let sorted: Vec<News> = order.into_iter().map(|at| batch[at].clone()).collect();
    batch.clone_from_slice(&sorted);
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::*;

    fn entry(container: &str, second: &str, text: &str) -> News {
        let (pod, uid, container) = ("p".to_owned(), String::new(), container.to_owned());
        let at = (!second.is_empty()).then(|| format!("2026-11-30T04:29:{second}Z").parse().unwrap());
        let line = Line { at, text: text.to_owned(), cut: 0 };
        News::Entry(Entry { source: Arc::new(Source { pod, uid, container, previous: false }), line })
    }

    fn told(news: &News) -> String {
        match news {
            News::Entry(entry) => entry.line.text.clone(),
            News::Note(note) => note.clone(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_within_a_moment_is_put_in_order() {
        let (to, from) = tokio::sync::mpsc::channel(16);
        for news in [
            entry("gateway", "12", "c"),
            entry("triton", "11", "a"),
            entry("triton", "", "a, still"),
            News::Note("note".to_owned()),
            entry("sync", "11.5", "b"),
        ] {
            to.send(news).await.unwrap();
        }
        drop(to);
        let mut shown = Vec::new();
        follow(from, &CancellationToken::new(), |news| {
            shown.push(told(news));
            true
        })
        .await;
        assert_eq!(shown, ["a", "a, still", "b", "c", "note"]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_nobody_takes_what_is_shown() {
        let (to, from) = tokio::sync::mpsc::channel(16);
        to.send(entry("gateway", "01", "a")).await.unwrap();
        to.send(entry("gateway", "02", "b")).await.unwrap();
        let mut shown = 0;
        follow(from, &CancellationToken::new(), |_| {
            shown += 1;
            false
        })
        .await;
        assert_eq!(shown, 1);
        assert!(to.send(entry("gateway", "03", "c")).await.is_err());
    }
}
