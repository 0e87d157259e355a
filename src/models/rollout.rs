//! A change of the models of running servers: upload, load, try, publish; or take everything back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use tokio::select;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tritondeploy_wire::manifest::Manifest;

use super::bucket::{Bucket, Publication};
use super::cleanup::Strangers;
use super::pods::{Pod, Settled, ask_when_free, settle};
use super::release::{Draft, Published};
use super::repository::{Local, Repository};
use crate::cloud::kube::Serving;
use crate::engine::Fault;

/// At most so long a draft waits after it has met another one.
const AGAIN: Duration = Duration::from_secs(1);
/// Somebody else was first at the places of so many drafts: it is not chance any more.
const DRAFTS: usize = 5;

/// How a release went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The local models are what is published now.
    pub published: bool,
    /// Models that differ from the former release.
    pub changed: Vec<String>,
    /// Models that are no longer served.
    pub removed: Vec<String>,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// What each running pod said that was asked to change; none where nothing runs yet.
    pub pods: Vec<Pod>,
    /// Why a pod does not serve the published release, or why nobody knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_served: Vec<String>,
    /// Another release was published meanwhile, so that this one is not: the models of which it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Vec<String>>,
    /// What others put under `models/`: it is left there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers: Option<Strangers>,
    /// Why something that no release needs any more is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_cleaned_up: Option<String>,
}

impl Report {
    /// The report, when every pod serves the release.
    ///
    /// # Errors
    /// The models that failed, with Triton's reasons; the pods of which it is not known; the release that was published
    /// instead.
    pub fn accepted(&self) -> Result<&Self, Fault> {
        let refused: Vec<String> = self.pods.iter().filter(|pod| !pod.ok).map(Pod::why).collect();
        let (refused, not_served) = (refused.join("; "), self.not_served.join("; "));
        let mut whys = Vec::new();
        if let Some(models) = &self.superseded {
            let models = if models.is_empty() { String::new() } else { format!(" (it differs in {})", models.join(", ")) };
            whys.push(format!("another release was published meanwhile{models}; nothing of this one is served"));
        }
        match (refused.is_empty(), not_served.is_empty()) {
            (true, true) => {}
            (false, true) => whys.push(format!("{refused}; the former models still answer")),
            (true, false) if self.published => whys.push(format!(
                "the release is published, and not every pod serves it: {not_served}; a pod that is deleted comes back with it"
            )),
            (true, false) => whys.push(format!("THE PUBLISHED MODELS COULD NOT BE PUT BACK: {not_served}")),
            (false, false) => whys.push(format!("{refused}; AND THE FORMER MODELS COULD NOT BE PUT BACK: {not_served}")),
        }
        if whys.is_empty() { Ok(self) } else { Err(Fault::fatal(whys.join("; "))) }
    }

    /// What became of the pods that did not serve the published release.
    fn note(&mut self, settled: Result<Vec<(String, Settled)>, Fault>, released: bool) {
        match settled {
            Err(why) => self.not_served.push(format!("it is not known what the pods serve: {why}")),
            Ok(settled) => settled.into_iter().for_each(|(name, settled)| match settled {
                Settled::Released(pod) if released => {
                    self.pods.retain(|asked| asked.pod != name);
                    self.pods.push(pod);
                }
                Settled::Serves | Settled::Released(_) => {}
                Settled::Not(why) => self.not_served.push(format!("{name}: {why}")),
            }),
        }
    }
}

/// Releases the local models. Everything new is written beside what is served, and published only
/// once every running pod serves it; `serving` finds these pods when they are asked. Once a pod was asked, a cancel puts all of them back first.
/// Where nothing differs from what is published, each pod is brought to that.
///
/// # Errors
/// When it could not be tried to its end. A refusal by Triton is in the report, not an error; so is another release that
/// was published meanwhile.
pub async fn release<F>(
    bucket: Bucket<'_>,
    local: &Repository,
    serving: impl Fn() -> F,
    cancel: &CancellationToken,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Report, Fault>
where
    F: Future<Output = Result<Vec<Serving>, Fault>>,
{
    let former = bucket.released().await?;
    let draft = Draft::new(local, former.as_ref(), &bucket.versions().await?);
    let mut report = Report {
        changed: draft.changed.iter().map(|(name, _)| name.clone()).collect(),
        removed: draft.removed.clone(),
        uploaded: draft.uploads.iter().map(|upload| upload.size).sum(),
        ..Report::default()
    };
    if let (true, Some(former)) = (draft.is_empty(), &former) {
        select! {
            biased;
            () = cancel.cancelled() => return Err(stopped()),
            settled = settle(bucket, &serving) => report.note(settled, true),
        }
        report.published = true;
        report.strangers = strangers(bucket, &former.manifest).await;
        return Ok(report);
    }
    let (draft, key) = upload(bucket, local, draft, former.as_ref(), cancel, progress).await?;
    let found = async {
        // The pods need not load what cannot be published any more.
        let superseded = digest(bucket.released().await?.as_ref()) != digest(former.as_ref());
        Ok((superseded, if superseded { Vec::new() } else { serving().await? }))
    };
    let (superseded, pods) = match found.await {
        Ok(found) => found,
        Err(why) => return Err(given_up(bucket, &draft, why).await),
    };
    for pod in &pods {
        if cancel.is_cancelled() {
            break;
        }
        let answer = ask_when_free(pod, &key, cancel).await;
        let ok = answer.ok;
        report.pods.push(answer);
        if !ok {
            break;
        }
    }
    let publication = match () {
        () if superseded => Some(Publication::Superseded),
        // Who was stopped may have lost the lease: another run may be under way.
        () if report.pods.len() == pods.len() && report.accepted().is_ok() && !cancel.is_cancelled() => {
            Some(bucket.publish(&draft, former.as_ref()).await?)
        }
        () => None,
    };
    if let Some(Publication::Published) = publication {
        report.published = true;
        select! {
            biased;
            () = cancel.cancelled() => {}
            settled = settle(bucket, &serving) => report.note(settled, true),
        }
        let cleaned = async {
            bucket.copy(&draft.manifest).await?;
            bucket.clean_up(former.as_ref()).await
        };
        report.not_cleaned_up = cleaned.await.err().map(|why| why.to_string());
        report.strangers = strangers(bucket, &draft.manifest).await;
        return Ok(report);
    }
    if !report.pods.is_empty() {
        report.note(settle(bucket, &serving).await, false);
    }
    // What a pod may still be serving stays.
    if report.not_served.is_empty() {
        report.not_cleaned_up = bucket.discard(&draft).await.err().map(|why| why.to_string());
    }
    match publication {
        Some(Publication::Refused(why)) if report.not_served.is_empty() => Err(why),
        Some(Publication::Superseded) => Ok(superseded_by(bucket.released().await?.as_ref(), local, report)),
        None if report.accepted().is_ok() => Err(stopped()),
        _ => Ok(report),
    }
}

/// Uploads a draft, and gives it with its key: where others have just taken the places of this one, that of another.
async fn upload(
    bucket: Bucket<'_>,
    local: &Repository,
    mut draft: Draft,
    former: Option<&Published>,
    cancel: &CancellationToken,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<(Draft, String), Fault> {
    for _ in 0..DRAFTS {
        let uploaded = async {
            let key = bucket.put_draft(&draft).await?;
            Ok(bucket.upload(&draft, &progress).await?.then_some(key))
        };
        let uploaded = select! {
            biased;
            () = cancel.cancelled() => Err(stopped()),
            uploaded = uploaded => uploaded,
        };
        match uploaded {
            Ok(Some(key)) => return Ok((draft, key)),
            Ok(None) => {
                bucket.discard(&draft).await?;
                // Two that meet would meet again: each waits for a time of its own.
                sleep(AGAIN.mul_f64(fastrand::f64())).await;
            }
            Err(why) => return Err(given_up(bucket, &draft, why).await),
        }
        draft = Draft::new(local, former, &bucket.versions().await?);
    }
    let why = "others put objects into the places of this release under models/, again and again";
    Err(Fault::fatal(why.to_owned()))
}

/// Why a draft was given up, after what there is of it was deleted: where that fails, it goes with the next release.
async fn given_up(bucket: Bucket<'_>, draft: &Draft, why: Fault) -> Fault {
    if let Err(also) = bucket.discard(draft).await {
        tracing::warn!("the draft {} stays in the bucket: {also}", draft.id());
    }
    why
}

/// What others put under `models/`; what cannot be listed is not told.
pub async fn strangers(bucket: Bucket<'_>, published: &Manifest) -> Option<Strangers> {
    bucket.strangers(published).await.ok().filter(|strangers| strangers.count > 0)
}

fn digest(published: Option<&Published>) -> Option<&str> {
    published.map(|published| published.digest.as_str())
}

/// Another release was published first. Where it has the same models, all is as it was meant to be.
fn superseded_by(published: Option<&Published>, local: &Repository, mut report: Report) -> Report {
    let none = BTreeMap::new();
    let theirs = published.map_or(&none, |published| &published.manifest.models);
    let differs = |name: &&String| {
        let ours = local.models.get(*name).map(Local::digest);
        ours.as_ref() != theirs.get(*name).map(|model| &model.digest)
    };
    let names: BTreeSet<&String> = local.models.keys().chain(theirs.keys()).collect();
    let differing: Vec<String> = names.into_iter().filter(differs).cloned().collect();
    report.published = published.is_some() && differing.is_empty();
    // They were put back.
    report.pods.clear();
    report.superseded = (!report.published).then_some(differing);
    report
}

fn stopped() -> Fault {
    Fault::try_again("stopped; the former models still answer")
}
