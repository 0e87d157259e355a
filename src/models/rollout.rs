//! A change of the models of running servers: upload, load, try, publish; or take everything back.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bucket::Bucket;
use super::release::Draft;
use super::repository::Repository;
use crate::cloud::Cloud;
use crate::engine::Fault;
use tritondeploy_wire::manifest;

/// How a release went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Models that differ from the former release.
    pub changed: Vec<String>,
    /// Models that are no longer served.
    pub removed: Vec<String>,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// What each running pod said; none where nothing runs yet.
    pub pods: Vec<Pod>,
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
        if failed.is_empty() { Ok(self) } else { Err(Fault::Fatal(failed.join("; "))) }
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
        format!("{} refused it ({}); the former models still answer", self.pod, whys.join(", "))
    }
}

/// Releases the local models. Everything new is written beside what is served, and published only
/// once every running pod serves it.
///
/// # Errors
/// When it could not be tried to its end. A refusal by Triton is in the report, not an error.
pub async fn release(
    cloud: &Cloud,
    bucket: Bucket<'_>,
    local: &Repository,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Report, Fault> {
    let former = bucket.released().await?;
    let draft = Draft::new(local, former.as_ref(), &bucket.versions().await?);
    let mut report = Report {
        changed: draft.changed.iter().map(|(name, _)| name.clone()).collect(),
        removed: draft.removed.clone(),
        uploaded: draft.uploads.iter().map(|upload| upload.size).sum(),
        pods: Vec::new(),
    };
    if draft.is_empty() && former.is_some() {
        return Ok(report);
    }
    bucket.upload(&draft.uploads, progress).await?;
    let key = bucket.put_draft(&draft.manifest).await?;
    let pods = cloud.kube.serving(cloud).await?;
    for pod in &pods {
        let answer = ask(pod, &key).await;
        let ok = answer.ok;
        report.pods.push(answer);
        if !ok {
            break;
        }
    }
    if report.accepted().is_ok() {
        bucket.publish(&draft.manifest).await?;
        return Ok(report);
    }
    if let Some(former) = &former {
        // The one that refused has put itself back; those before it are put back here.
        for pod in &pods[..report.pods.len() - 1] {
            ask(pod, manifest::KEY).await;
        }
        bucket.retire(former).await?;
    }
    Ok(report)
}

/// Syncs and loads one manifest in one pod.
async fn ask(pod: &crate::cloud::kube::Serving, manifest: &str) -> Pod {
    let answer = pod.post("/v1/release", &json!({"manifest": manifest})).await;
    let parsed = answer.and_then(|(status, body)| match status {
        200 => serde_json::from_slice::<Answer>(&body).map_err(|why| Fault::Fatal(format!("no answer of ours: {why}"))),
        _ => Err(Fault::Fatal(format!("HTTP {status}: {}", String::from_utf8_lossy(&body)))),
    });
    match parsed {
        Ok(answer) => Pod { pod: pod.name().to_owned(), ok: answer.ok, models: answer.models, error: None },
        Err(why) => Pod { pod: pod.name().to_owned(), ok: false, models: Vec::new(), error: Some(why.to_string()) },
    }
}
