//! What a release leaves behind in the bucket, and who may delete it.
//!
//! **The rule.** Only what a manifest names is ever deleted: that of the former release, or that of a dead draft. What
//! nobody named is somebody else's, and stays.
//!
//! - A draft's manifest is written (`release/drafts/ID.json`) before anything that it names, and deleted after all of it.
//!   That of a published release stays there until another one has taken its place.
//! - No place is written twice (`release.rs`), and a draft shares places only with the release that it was made from,
//!   its *base*, which it names by the digest of its text; no two texts are the same.
//! - A draft is published only in place of its base (If-Match). So it is **dead** once anything else is published than
//!   its base or itself: nobody can publish it any more, and no live draft shares its places, but for those of the
//!   published release, which are kept. No clock is needed to tell.
//! - The drafts are read before the published manifest: a draft that is made meanwhile, from a release that is
//!   published meanwhile, is then not read, or its base is the manifest that is read.
//! - An object is deleted only if its metadata say that the release which the manifest names wrote it just there: where
//!   somebody else was first, the draft named the place and never wrote it.
//!
//! **Killed at any point**, the published manifest names only what is there: all of a draft is uploaded before it is
//! published, and nothing is deleted that the published manifest names. What is left behind is named by a draft's
//! manifest, and goes with the next release that is published. One thing is not found again: what a draft still uploads
//! after a rival was published and has cleaned up, if it is killed before it sees that. It is shown as what no release names.

use std::collections::HashSet;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tritondeploy_wire::manifest::{File, Manifest};

use super::bucket::{ABSENT, AT_ONCE, Bucket};
use super::release::{self, DRAFTS, Draft, MODELS, Published, draft_key, names};
use super::retry::again;
use crate::cloud::aws::OrFault;
use crate::cloud::deleted::all_deleted;
use crate::engine::Fault;

/// S3's limit for one DeleteObjects.
const BATCH: usize = 1000;
/// Most objects of others that are named.
const NAMED: usize = 5;

/// What lies under `models/` and was not put there by a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strangers {
    /// How many objects.
    pub count: usize,
    /// The first of them.
    pub first: Vec<String>,
}

impl std::fmt::Display for Strangers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = self.count - self.first.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        write!(f, "{}{more}", self.first.join(", "))
    }
}

/// The manifest of a draft in the bucket.
struct Record {
    key: String,
    manifest: Manifest,
    digest: String,
}

impl Record {
    /// Neither published, nor to be published any more.
    fn is_dead(&self, published: &str) -> bool {
        // Without an origin it is none of ours.
        let base = self.manifest.release.as_ref().map(|release| release.base.as_deref());
        self.digest != published && base.is_some_and(|base| base != Some(published))
    }
}

impl Bucket<'_> {
    /// Deletes what the former release and dead drafts leave behind.
    ///
    /// # Errors
    /// When the bucket cannot be read, or something not be deleted: the next release goes on with it.
    pub async fn clean_up(&self, former: Option<&Published>) -> Result<(), Fault> {
        let records = self.records().await?;
        let Some(published) = self.released().await? else { return Ok(()) };
        let kept: HashSet<String> = names(&published.manifest).map(|(key, _)| key).collect();
        for record in records.iter().filter(|record| record.is_dead(&published.digest)) {
            let stale = names(&record.manifest).filter(|(key, _)| !kept.contains(key));
            self.delete_ours(stale).await?;
            self.delete(std::slice::from_ref(&record.key)).await?;
        }
        // It has a draft in the bucket, unless that was deleted by hand, or its manifest written so.
        let recorded = |former: &&Published| records.iter().any(|record| record.digest == former.digest);
        if let Some(former) = former.filter(|former| former.digest != published.digest && !recorded(former)) {
            self.delete_ours(names(&former.manifest).filter(|(key, _)| !kept.contains(key))).await?;
        }
        Ok(())
    }

    /// Deletes a draft that is not published, and will not be, with what was uploaded for it.
    ///
    /// # Errors
    /// When something cannot be looked at or deleted: the next release that is published goes on with it.
    pub async fn discard(&self, draft: &Draft) -> Result<(), Fault> {
        let its = |file: &File| file.release.as_deref() == Some(draft.id());
        self.delete_ours(names(&draft.manifest).filter(|(_, file)| its(file))).await?;
        self.delete(&[draft_key(draft.id())]).await
    }

    /// What lies under `models/` and is named by no release and no draft.
    ///
    /// # Errors
    /// When the bucket cannot be read.
    pub async fn strangers(&self, published: &Manifest) -> Result<Strangers, Fault> {
        let mut listed = self.keys(MODELS).await?;
        let mut named: HashSet<String> = names(published).map(|(key, _)| key).collect();
        listed.retain(|key| !named.contains(key));
        if listed.is_empty() {
            return Ok(Strangers::default());
        }
        let records = self.records().await?;
        named.extend(records.iter().flat_map(|record| names(&record.manifest)).map(|(key, _)| key));
        listed.retain(|key| !named.contains(key));
        let count = listed.len();
        listed.truncate(NAMED);
        Ok(Strangers { count, first: listed })
    }

    async fn records(&self) -> Result<Vec<Record>, Fault> {
        let one = |key: String| async move {
            let read = || async {
                let call = self.aws.s3.get_object().bucket(self.name).key(&key);
                let answer = call.expected_bucket_owner(&self.aws.account).send().await;
                let Some(object) = answer.fault_or_absent(&ABSENT)? else { return Ok(None) };
                object.body.collect().await.map(Some).map_err(|why| Fault::try_again(why.to_string()))
            };
            let Some(text) = again(read).await? else { return Ok(None) };
            let text = text.into_bytes();
            // What cannot be read as a manifest names nothing.
            Ok(Manifest::parse(&text).ok().map(|manifest| Record { key, manifest, digest: release::digest(&text) }))
        };
        let read: Vec<Option<Record>> =
            stream::iter(self.keys(DRAFTS).await?).map(one).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Deletes those of these objects that were written by the release that the file names.
    async fn delete_ours<'f>(&self, files: impl Iterator<Item = (String, &'f File)>) -> Result<(), Fault> {
        let files: Vec<(String, File)> = files.map(|(key, file)| (key, file.clone())).collect();
        let one = |(key, file): (String, File)| async move {
            let ours = self.wrote(&key, file.release.as_deref(), &file.sha256).await?;
            Ok::<_, Fault>(ours.then_some(key))
        };
        let ours: Vec<Option<String>> = stream::iter(files).map(one).buffer_unordered(AT_ONCE).try_collect().await?;
        self.delete(&ours.into_iter().flatten().collect::<Vec<_>>()).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), Fault> {
        for batch in keys.chunks(BATCH) {
            let ids = batch.iter().map(|key| ObjectIdentifier::builder().key(key).build());
            let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|why| Fault::fatal(why.to_string()))?;
            let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build();
            let delete = delete.map_err(|why| Fault::fatal(why.to_string()))?;
            let call = || async {
                let call = self.aws.s3.delete_objects().bucket(self.name).delete(delete.clone());
                let answer = call.expected_bucket_owner(&self.aws.account).send().await.fault()?;
                all_deleted(self.name, &answer)
            };
            again(call).await?;
        }
        Ok(())
    }
}
