//! The pods' side of a release: what each of them serves, and how it is asked for another release.

use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tritondeploy_wire::manifest;

use super::bucket::Bucket;
use crate::cloud::kube::Serving;
use crate::engine::{Fault, format_duration};

/// A pod syncs gigabytes and loads them before it answers.
const LOADS: Duration = Duration::from_secs(30 * 60);
/// What a pod serves it tells at once.
const TELLS: Duration = Duration::from_secs(8);
/// As long as a pod may go on with a release whose answer was lost.
const SETTLES: Duration = Duration::from_secs(10 * 60);
/// A pod that cannot be asked for so long will not be.
const UNREACHED: Duration = Duration::from_secs(30);
/// A pod that refuses the published release so many times will not take it.
const REFUSALS: usize = 3;
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);

/// One pod's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Pod {
    /// Its name.
    pub pod: String,
    /// It serves the release now.
    pub ok: bool,
    /// By model, as Triton has it.
    pub models: Vec<Rolled>,
    /// Why there is no answer by model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It is loading another release.
    #[serde(skip)]
    pub busy: bool,
}

/// What became of one model: the gateway's answer on its admin port.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rolled {
    /// Triton's name of it.
    pub name: String,
    /// loaded, unchanged, removed or failed.
    pub action: String,
    /// The version that answers.
    #[serde(default)]
    pub version: Option<String>,
    /// Triton's state, e.g. READY.
    #[serde(default)]
    pub state: Option<String>,
    /// Triton's own reason.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub load_ms: Option<f64>,
    /// One inference after the load.
    #[serde(default)]
    pub infer_ms: Option<f64>,
}

/// What a gateway says that it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Served {
    /// SHA-256 of the manifest that is on its disk; None: none is.
    pub digest: Option<String>,
    /// It is about to change: a release is in progress. (Gateways before this field do not tell.)
    #[serde(default)]
    pub releasing: bool,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    models: Vec<Rolled>,
}

impl Pod {
    pub(super) fn why(&self) -> String {
        let failed = self.models.iter().filter(|model| model.action == "failed");
        let mut whys: Vec<String> = failed
            .map(|model| {
                let reason = model.reason.as_deref().unwrap_or("no reason given");
                format!("{} is {}: {reason}", model.name, model.state.as_deref().unwrap_or("not loaded"))
            })
            .collect();
        whys.extend(self.error.clone());
        format!("{} refused it ({})", self.pod, whys.join(", "))
    }
}

impl Served {
    /// Why a pod that says this does not serve the release with this digest; None: it does.
    #[must_use]
    pub fn differs(&self, published: &str) -> Option<String> {
        let short = |digest: &str| digest.chars().take(12).collect::<String>();
        match &self.digest {
            _ if self.releasing => Some("is loading a release".to_owned()),
            Some(digest) if digest == published => None,
            Some(digest) => Some(format!("serves the release {}, published is {}", short(digest), short(published))),
            None => Some(format!("serves no release, published is {}", short(published))),
        }
    }
}

/// What a pod serves.
///
/// # Errors
/// When it cannot be reached, or its Triton does not answer: then nobody knows.
pub async fn served(pod: &Serving) -> Result<Served, Fault> {
    let late = |_| Err(Fault::try_again(format!("{} did not answer within {}", pod.name(), format_duration(TELLS))));
    let (status, body) = timeout(TELLS, pod.get("/v1/release")).await.unwrap_or_else(late)?;
    match status {
        200 => serde_json::from_slice(&body).map_err(|why| Fault::fatal(format!("{}: no answer of ours: {why}", pod.name()))),
        _ => Err(Fault::try_again(format!("{}: HTTP {status}: {}", pod.name(), String::from_utf8_lossy(&body)))),
    }
}

/// Syncs and loads one manifest in one pod, once that is done with the release that it is loading: one that the run which was
/// killed before this one has asked for.
pub(super) async fn ask_when_free(pod: &Serving, manifest: &str, cancel: &CancellationToken) -> Pod {
    let begun = Instant::now();
    loop {
        let answer = ask(pod, manifest).await;
        if !answer.busy || begun.elapsed() >= SETTLES || cancel.run_until_cancelled(sleep(PAUSE)).await.is_none() {
            return answer;
        }
    }
}

/// Syncs and loads one manifest in one pod.
pub(super) async fn ask(pod: &Serving, manifest: &str) -> Pod {
    let body = json!({"manifest": manifest});
    let answer = timeout(LOADS, pod.post("/v1/release", &body)).await;
    let answer = answer.unwrap_or_else(|_| Err(Fault::unsure(format!("within {}", format_duration(LOADS)))));
    // 409: another release is in progress.
    let busy = matches!(answer, Ok((409, _)));
    let parsed = answer.and_then(|(status, body)| match status {
        200 => serde_json::from_slice::<Answer>(&body).map_err(|why| Fault::fatal(format!("no answer of ours: {why}"))),
        _ => Err(Fault::fatal(format!("HTTP {status}: {}", String::from_utf8_lossy(&body)))),
    });
    match parsed {
        Ok(answer) => Pod { pod: pod.name().to_owned(), ok: answer.ok, models: answer.models, error: None, busy },
        Err(why) => Pod { pod: pod.name().to_owned(), ok: false, models: Vec::new(), error: Some(why.to_string()), busy },
    }
}

/// How a pod was brought to the published release.
pub(super) enum Settled {
    /// It serves it already.
    Serves,
    /// It was asked for it, and serves it now.
    Released(Pod),
    /// It does not, or nobody knows: why.
    Not(String),
}

/// Brings every running pod to the release that is published, whatever it serves now: a draft that nobody published (its
/// asker was killed, or refused by another pod), or a former release (it started just before). Pods that go meanwhile
/// do not count.
///
/// # Errors
/// When the pods cannot be listed.
pub(super) async fn settle<F>(bucket: Bucket<'_>, serving: impl Fn() -> F) -> Result<Vec<(String, Settled)>, Fault>
where
    F: Future<Output = Result<Vec<Serving>, Fault>>,
{
    let pods = serving().await?;
    let mut settled = join_all(pods.iter().map(|pod| async { (pod.name().to_owned(), settle_one(bucket, pod).await) })).await;
    if settled.iter().any(|(_, settled)| matches!(settled, Settled::Not(_))) {
        let there = serving().await?;
        settled.retain(|(name, settled)| !matches!(settled, Settled::Not(_)) || there.iter().any(|pod| pod.name() == name));
    }
    Ok(settled)
}

/// After each answer the published release is read again, so that of two who release at once the last one to ask a pod
/// has asked it for what is published.
async fn settle_one(bucket: Bucket<'_>, pod: &Serving) -> Settled {
    let (begun, mut heard) = (Instant::now(), Instant::now());
    let (mut refusals, mut last) = (0, None);
    loop {
        let seen = served(pod).await;
        let published = match bucket.released().await {
            Ok(Some(published)) => published,
            Ok(None) => return Settled::Not("no release is published".to_owned()),
            Err(why) => return Settled::Not(format!("the published release cannot be read: {why}")),
        };
        let why = match seen {
            Err(why) if heard.elapsed() >= UNREACHED => return Settled::Not(format!("it is not known what it serves: {why}")),
            Err(why) => why.to_string(),
            Ok(seen) => {
                heard = Instant::now();
                match seen.differs(&published.digest) {
                    None => return last.map_or(Settled::Serves, Settled::Released),
                    Some(why) if seen.releasing => why,
                    Some(_) => {
                        let answer = ask(pod, manifest::KEY).await;
                        heard = Instant::now();
                        let (ok, why) = (answer.ok, answer.why());
                        // Triton's own no: it has put back what it served before.
                        refusals += usize::from(!answer.models.is_empty() && !ok);
                        last = Some(answer);
                        if refusals >= REFUSALS {
                            return Settled::Not(why);
                        }
                        if ok {
                            continue;
                        }
                        why
                    }
                }
            }
        };
        if begun.elapsed() >= SETTLES {
            return Settled::Not(why);
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_serves_the_published_release_only_when_its_digest_says_so_and_nothing_is_going_on() {
        let of = |json: serde_json::Value| serde_json::from_value::<Served>(json).unwrap().differs("abcdef");
        assert_eq!(of(json!({"digest": "abcdef", "models": {}, "ready": true})), None);
        assert_eq!(of(json!({"digest": "abcdef", "releasing": true})).unwrap(), "is loading a release");
        assert_eq!(of(json!({"digest": "123456"})).unwrap(), "serves the release 123456, published is abcdef");
        assert_eq!(of(json!({"digest": null})).unwrap(), "serves no release, published is abcdef");
    }
}
