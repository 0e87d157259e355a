//! The bucket's side of a release.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tritondeploy_wire::manifest::{self, Manifest, hex};

use super::release::{self, BY_CONTENT, DRAFTS, MODELS, Upload};
use crate::cloud::aws::{Aws, OrFault, code};
use crate::engine::Fault;

/// Uploads at once: enough to fill a line, few enough to share it.
const AT_ONCE: usize = 4;
/// S3's limit for one PUT.
const LARGEST: u64 = 5 << 30;
/// S3's limit for one DeleteObjects.
const BATCH: usize = 1000;

/// A deployment's bucket.
#[derive(Clone, Copy)]
pub struct Bucket<'a> {
    /// Clients, and whose account it must be.
    pub aws: &'a Aws,
    /// Its name.
    pub name: &'a str,
}

impl Bucket<'_> {
    /// The release that is published; None before the first.
    ///
    /// # Errors
    /// When it cannot be told, or is no manifest.
    pub async fn released(&self) -> Result<Option<Manifest>, Fault> {
        let call = self.aws.s3.get_object().bucket(self.name).key(manifest::KEY);
        let answer = call.expected_bucket_owner(&self.aws.account).send().await;
        let Some(object) = answer.fault_or_absent(&["NoSuchKey", "NoSuchBucket", "NotFound"])? else { return Ok(None) };
        let body = object.body.collect().await.map_err(|why| Fault::try_again(why.to_string()))?;
        let parsed = Manifest::parse(&body.into_bytes());
        parsed.map(Some).map_err(|why| Fault::fatal(format!("s3://{}/{}: {why}", self.name, manifest::KEY)))
    }

    /// The versions of each model that have objects, released or not.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn versions(&self) -> Result<BTreeMap<String, BTreeSet<u64>>, Fault> {
        let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for key in self.keys(MODELS).await? {
            let mut parts = key[MODELS.len()..].split('/');
            if let (Some(name), Some(Ok(version))) = (parts.next(), parts.next().map(str::parse)) {
                versions.entry(name.to_owned()).or_default().insert(version);
            }
        }
        Ok(versions)
    }

    /// Uploads what is not there yet; S3 checks the SHA-256 of each. `progress` gets bytes done and in all.
    ///
    /// # Errors
    /// When one cannot be read or written. What was written stays, and is found again.
    pub async fn upload(&self, uploads: &[Upload], progress: impl Fn(u64, u64) + Sync) -> Result<(), Fault> {
        let total = uploads.iter().map(|upload| upload.size).sum();
        let done = AtomicU64::new(0);
        let one = |upload: Upload| {
            let (done, progress) = (&done, &progress);
            async move {
                self.put_new(&upload).await?;
                progress(done.fetch_add(upload.size, Ordering::Relaxed) + upload.size, total);
                Ok::<(), Fault>(())
            }
        };
        stream::iter(uploads.to_vec()).map(one).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn put_new(&self, upload: &Upload) -> Result<(), Fault> {
        if upload.size > LARGEST {
            let path = upload.path.display();
            return Err(Fault::fatal(format!("{path} is larger than 5 GiB, the most that S3 takes at once")));
        }
        let body = ByteStream::from_path(&upload.path).await;
        let body = body.map_err(|why| Fault::fatal(format!("{}: {why}", upload.path.display())))?;
        let call = self.aws.s3.put_object().bucket(self.name).key(&upload.key).body(body);
        let call = call.expected_bucket_owner(&self.aws.account).checksum_sha256(checksum(&upload.sha256));
        match call.metadata("sha256", &upload.sha256).if_none_match("*").send().await {
            // A place holds one content for ever: what is there was put there by a try before this.
            Err(error) if code(&error) == Some("PreconditionFailed") => self.same(upload).await,
            answer => answer.fault().map(drop),
        }
    }

    async fn same(&self, upload: &Upload) -> Result<(), Fault> {
        let call = self.aws.s3.head_object().bucket(self.name).key(&upload.key);
        let there = call.expected_bucket_owner(&self.aws.account).send().await.fault()?;
        let sha256 = there.metadata().and_then(|metadata| metadata.get("sha256"));
        if sha256.is_some_and(|sha256| *sha256 == upload.sha256) {
            return Ok(());
        }
        Err(Fault::fatal(format!("s3://{}/{} is there with other content, not put there by us", self.name, upload.key)))
    }

    /// Writes a draft's manifest where nothing reads it by itself, and returns its key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_draft(&self, manifest: &Manifest) -> Result<String, Fault> {
        let json = json(manifest)?;
        let key = format!("{DRAFTS}{}.json", &hex(&Sha256::digest(&json))[..16]);
        self.put(&key, json).await?;
        Ok(key)
    }

    /// Publishes: from now on this is what a new pod serves. Then the bucket is made to read as a
    /// Triton model repository, and what no release needs any more is deleted.
    ///
    /// # Errors
    /// When something cannot be written or deleted; the release itself is published first.
    pub async fn publish(&self, manifest: &Manifest) -> Result<(), Fault> {
        self.put(manifest::KEY, json(manifest)?).await?;
        for (name, model) in &manifest.models {
            for (path, file) in &model.files {
                let Some(key) = &file.key else { continue };
                let call = self.aws.s3.copy_object().bucket(self.name).key(format!("{MODELS}{name}/{path}"));
                let call = call.copy_source(format!("{}/{key}", self.name));
                call.expected_bucket_owner(&self.aws.account).send().await.fault()?;
            }
        }
        self.retire(manifest).await
    }

    /// Deletes what neither this release nor its readable copy needs.
    ///
    /// # Errors
    /// When the bucket cannot be listed, or something not be deleted.
    pub async fn retire(&self, manifest: &Manifest) -> Result<(), Fault> {
        let mut needed: HashSet<String> = release::keys(manifest).map(|(key, _)| key).collect();
        for (name, model) in &manifest.models {
            needed.extend(model.files.keys().map(|path| format!("{MODELS}{name}/{path}")));
        }
        let mut stale = Vec::new();
        for prefix in [MODELS, BY_CONTENT, DRAFTS] {
            stale.extend(self.keys(prefix).await?.into_iter().filter(|key| !needed.contains(key)));
        }
        for batch in stale.chunks(BATCH) {
            let ids = batch.iter().map(|key| ObjectIdentifier::builder().key(key).build());
            let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|why| Fault::fatal(why.to_string()))?;
            let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build();
            let delete = delete.map_err(|why| Fault::fatal(why.to_string()))?;
            let call = self.aws.s3.delete_objects().bucket(self.name).delete(delete);
            let answer = call.expected_bucket_owner(&self.aws.account).send().await.fault()?;
            if let Some(error) = answer.errors().first() {
                let (key, why) = (error.key().unwrap_or_default(), error.message().unwrap_or_default());
                return Err(Fault::try_again(format!("s3://{}/{key} could not be deleted: {why}", self.name)));
            }
        }
        Ok(())
    }

    /// Takes the release back: no pod can start from it any more.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn withdraw(&self) -> Result<(), Fault> {
        let call = self.aws.s3.delete_object().bucket(self.name).key(manifest::KEY);
        call.expected_bucket_owner(&self.aws.account).send().await.fault().map(drop)
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), Fault> {
        let sha256 = STANDARD.encode(Sha256::digest(&json));
        let call = self.aws.s3.put_object().bucket(self.name).key(key).body(json.into());
        let call = call.content_type("application/json").checksum_sha256(sha256);
        call.expected_bucket_owner(&self.aws.account).send().await.fault().map(drop)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let call = self.aws.s3.list_objects_v2().bucket(self.name).prefix(prefix);
        let mut pages = call.expected_bucket_owner(&self.aws.account).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.fault()?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }
}

fn json(manifest: &Manifest) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec_pretty(manifest).map_err(|why| Fault::fatal(why.to_string()))
}

/// S3 wants base64 of the bytes where we keep hex.
fn checksum(sha256: &str) -> String {
    let digit = |at: usize| u8::from_str_radix(sha256.get(at..at + 2).unwrap_or("00"), 16).unwrap_or(0);
    STANDARD.encode((0..sha256.len()).step_by(2).map(digit).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_same_bytes_in_base64() {
        assert_eq!(checksum(&hex(&Sha256::digest(b"a"))), STANDARD.encode(Sha256::digest(b"a")));
    }
}
