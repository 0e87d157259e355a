//! A change of the models of running servers: upload, load, try, publish; or take everything back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::bucket::Bucket;
use super::release::Draft;
use super::repository::Repository;
use crate::cloud::kube::Serving;
use crate::engine::Fault;
use tritondeploy_wire::manifest;

/// A pod syncs gigabytes and loads them before it answers.
const ANSWER: Duration = Duration::from_secs(30 * 60);
/// As long, and then some: a pod whose answer was lost goes on with it first.
const PUT_BACK: Duration = Duration::from_secs(10 * 60);

/// How a release went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Models that differ from the former release.
    pub changed: Vec<String>,
    /// Models that are no longer served.
    pub removed: Vec<String>,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// What each running pod said; none where nothing runs yet.
    pub pods: Vec<Pod>,
    /// After a refusal: why a pod does not serve the former release again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_put_back: Vec<String>,
}

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

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    models: Vec<Rolled>,
}

impl Report {
    /// The report, when every pod serves the release.
    ///
    /// # Errors
    /// The models that failed, with Triton's reasons.
    pub fn accepted(&self) -> Result<&Self, Fault> {
        let failed: Vec<String> = self.pods.iter().filter(|pod| !pod.ok).map(Pod::why).collect();
        let after = match self.not_put_back.as_slice() {
            [] => "; the former models still answer".to_owned(),
            whys => format!("; AND THE FORMER MODELS COULD NOT BE PUT BACK: {}", whys.join("; ")),
        };
        if failed.is_empty() && self.not_put_back.is_empty() { Ok(self) } else { Err(Fault::fatal(failed.join("; ") + &after)) }
    }
}

impl Pod {
    fn why(&self) -> String {
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

/// Releases the local models. Everything new is written beside what is served, and published only
/// once every running pod serves it; `serving` finds these pods when they are asked. Once a pod was asked, a cancel puts all of them back first.
///
/// # Errors
/// When it could not be tried to its end. A refusal by Triton is in the report, not an error.
pub async fn release(
    bucket: Bucket<'_>,
    local: &Repository,
    serving: impl Future<Output = Result<Vec<Serving>, Fault>>,
    cancel: &CancellationToken,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Report, Fault> {
    let former = bucket.released().await?;
    let draft = Draft::new(local, former.as_ref(), &bucket.versions().await?);
    let mut report = Report {
        changed: draft.changed.iter().map(|(name, _)| name.clone()).collect(),
        removed: draft.removed.clone(),
        uploaded: draft.uploads.iter().map(|upload| upload.size).sum(),
        pods: Vec::new(),
        not_put_back: Vec::new(),
    };
    if draft.is_empty() && former.is_some() {
        return Ok(report);
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(stopped()),
        uploaded = bucket.upload(&draft.uploads, progress) => uploaded?,
    }
    let key = bucket.put_draft(&draft.manifest).await?;
    let pods = serving.await?;
    for pod in &pods {
        if cancel.is_cancelled() {
            break;
        }
        let answer = ask(pod, &key).await;
        let ok = answer.ok;
        report.pods.push(answer);
        if !ok {
            break;
        }
    }
    // Who was stopped may have lost the leave to publish: another release may be under way.
    if report.pods.len() == pods.len() && report.accepted().is_ok() && !cancel.is_cancelled() {
        bucket.publish(&draft.manifest).await?;
        return Ok(report);
    }
    let asked = &pods[..report.pods.len()];
    if let Some(former) = &former {
        for pod in asked {
            report.not_put_back.extend(put_back(pod).await);
        }
        // What a pod may still be serving stays, and after a stop what was uploaded, as it is told.
        if report.not_put_back.is_empty() && !cancel.is_cancelled() {
            bucket.retire(former).await?;
        }
    }
    if report.accepted().is_ok() { Err(stopped()) } else { Ok(report) }
}

fn stopped() -> Fault {
    Fault::try_again("stopped; the former models still answer, and what was uploaded is kept".to_owned())
}

/// Brings the published release back to a pod that was asked for another one: it may have refused
/// and done so by itself, or its answer may have been lost while it goes on. Says why, where it fails.
async fn put_back(pod: &Serving) -> Option<String> {
    let begun = Instant::now();
    loop {
        let answer = ask(pod, manifest::KEY).await;
        if answer.ok {
            return None;
        }
        if begun.elapsed() >= PUT_BACK {
            return Some(answer.why());
        }
        sleep(Duration::from_secs(2)).await;
    }
}

/// Syncs and loads one manifest in one pod.
async fn ask(pod: &Serving, manifest: &str) -> Pod {
    let body = json!({"manifest": manifest});
    let answer = timeout(ANSWER, pod.post("/v1/release", &body)).await;
    let answer = answer.unwrap_or_else(|_| Err(Fault::unsure(format!("within {} min", ANSWER.as_secs() / 60))));
    let parsed = answer.and_then(|(status, body)| match status {
        200 => serde_json::from_slice::<Answer>(&body).map_err(|why| Fault::fatal(format!("no answer of ours: {why}"))),
        _ => Err(Fault::fatal(format!("HTTP {status}: {}", String::from_utf8_lossy(&body)))),
    });
    match parsed {
        Ok(answer) => Pod { pod: pod.name().to_owned(), ok: answer.ok, models: answer.models, error: None },
        Err(why) => Pod { pod: pod.name().to_owned(), ok: false, models: Vec::new(), error: Some(why.to_string()) },
    }
}
