//! The bucket's side of a release: what is read of it, and what is written.
//!
//! Every object that a release writes carries the release's id and a mark of its place in its metadata, so that it is
//! known from what others put there, also from a copy that somebody made of it. Nothing is overwritten: objects are
//! written with If-None-Match, the published manifest with If-Match of the one that it replaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{EncodingType, MetadataDirective, Object};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use tritondeploy_wire::manifest::{self, Manifest, hex};

use super::release::{self, Draft, MODELS, Published, Upload, draft_key};
use super::retry::{self, again, soon};
use crate::cloud::aws::{Aws, OrFault, code};
use crate::cloud::keys::decoded;
use crate::engine::{Fault, FaultKind};

/// Objects at once: enough to fill a line, few enough to share it.
pub(super) const AT_ONCE: usize = 4;
/// S3's limit for one PUT.
const LARGEST: u64 = 5 << 30;
/// What S3 answers where an object is not there.
pub(super) const ABSENT: [&str; 3] = ["NoSuchKey", "NoSuchBucket", "NotFound"];
/// Metadata of our objects: which release wrote it, where to, and which content.
const RELEASE: &str = "release";
const PLACE: &str = "place";
const SHA256: &str = "sha256";

/// A deployment's bucket.
#[derive(Clone, Copy)]
pub struct Bucket<'a> {
    /// Clients, and whose account it must be.
    pub aws: &'a Aws,
    /// Its name.
    pub name: &'a str,
}

/// How it went to publish a release.
pub enum Publication {
    /// It is what a new pod serves from now on.
    Published,
    /// Another release was published since the draft was made: this one is not, and never will be.
    Superseded,
    /// S3 refused, and the former release is still the published one.
    Refused(Fault),
}

impl Bucket<'_> {
    /// The release that is published; None before the first.
    ///
    /// # Errors
    /// When it cannot be read, or is no manifest.
    pub async fn released(&self) -> Result<Option<Published>, Fault> {
        let read = || async {
            let call = self.aws.s3.get_object().bucket(self.name).key(manifest::KEY);
            let answer = call.expected_bucket_owner(&self.aws.account).send().await;
            let Some(object) = answer.fault_or_absent(&ABSENT)? else { return Ok(None) };
            let etag = object.e_tag().unwrap_or_default().to_owned();
            let body = object.body.collect().await.map_err(|why| Fault::try_again(why.to_string()))?;
            Ok(Some((etag, body.into_bytes())))
        };
        let Some((etag, text)) = again(|| soon(read())).await? else { return Ok(None) };
        let manifest = Manifest::parse(&text);
        let manifest = manifest.map_err(|why| Fault::fatal(format!("s3://{}/{}: {why}", self.name, manifest::KEY)))?;
        Ok(Some(Published { manifest, digest: release::digest(&text), etag }))
    }

    /// The versions of each model that have objects, whoever put them there.
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

    /// Writes a draft's manifest where nothing reads it by itself, before anything that it names, and returns its key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_draft(&self, draft: &Draft) -> Result<String, Fault> {
        let (key, text) = (draft_key(draft.id()), release::text(&draft.manifest)?);
        // Nobody else has this id, so that it may be written twice.
        again(|| soon(async { self.json(&key, &text).send().await.fault() })).await?;
        Ok(key)
    }

    /// Uploads what a draft names and is not there yet; S3 checks the SHA-256 of each. `progress` gets bytes done and
    /// in all. False: somebody else has put something into one of these places.
    ///
    /// # Errors
    /// When one cannot be read or written.
    pub async fn upload(&self, draft: &Draft, progress: impl Fn(u64, u64) + Sync) -> Result<bool, Fault> {
        let total = draft.uploads.iter().map(|upload| upload.size).sum();
        let (done, free) = (AtomicU64::new(0), AtomicBool::new(true));
        let one = |upload: Upload| {
            let (done, free, progress) = (&done, &free, &progress);
            async move {
                if free.load(Ordering::Relaxed) && !self.put_new(&upload, draft.id()).await? {
                    free.store(false, Ordering::Relaxed);
                }
                progress(done.fetch_add(upload.size, Ordering::Relaxed) + upload.size, total);
                Ok::<(), Fault>(())
            }
        };
        stream::iter(draft.uploads.clone()).map(one).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(free.into_inner())
    }

    /// False: the place is taken by somebody else.
    async fn put_new(&self, upload: &Upload, id: &str) -> Result<bool, Fault> {
        if upload.size > LARGEST {
            let path = upload.path.display();
            return Err(Fault::fatal(format!("{path} is larger than 5 GiB, the most that S3 takes at once")));
        }
        let put = || async {
            let body = ByteStream::from_path(&upload.path).await;
            let body = body.map_err(|why| Fault::fatal(format!("{}: {why}", upload.path.display())))?;
            let call = self.aws.s3.put_object().bucket(self.name).key(&upload.key).body(body);
            let call = call.expected_bucket_owner(&self.aws.account).checksum_sha256(checksum(&upload.sha256));
            let call = call.metadata(SHA256, &upload.sha256).metadata(RELEASE, id).metadata(PLACE, place(&upload.key));
            match call.if_none_match("*").send().await {
                // It may be the one that a try before this has put there.
                Err(error) if code(&error) == Some("PreconditionFailed") => Ok(false),
                answer => answer.fault().map(|_| true),
            }
        };
        Ok(again(put).await? || self.wrote(&upload.key, Some(id), &upload.sha256).await?)
    }

    /// Publishes a draft in place of `base`, the release that it was made from: only if that still is the published one.
    /// Whatever the answer was, and also where there was none, what S3 then has decides.
    ///
    /// # Errors
    /// When whether it is published cannot be read.
    pub async fn publish(&self, draft: &Draft, base: Option<&Published>) -> Result<Publication, Fault> {
        let text = release::text(&draft.manifest)?;
        let (ours, mut base) = (release::digest(&text), base.cloned());
        let (mut waits, mut lost) = (retry::waits(), false);
        loop {
            let call = self.json(manifest::KEY, &text);
            let call = match &base {
                Some(base) => call.if_match(&base.etag),
                None => call.if_none_match("*"),
            };
            let mut moved = false;
            let put = async {
                let answer = call.send().await;
                moved = answer.as_ref().is_err_and(|error| matches!(code(error), Some("PreconditionFailed" | "NoSuchKey")));
                answer.fault()
            };
            let Err(fault) = soon(put).await else { return Ok(Publication::Published) };
            lost |= fault.kind == FaultKind::Unsure;
            let unknown = |why| Fault::unsure(format!("it is not known whether the release is published: {why}"));
            let now = self.released().await.map_err(|why| unknown(format!("{fault}; {why}")))?;
            match (now.as_ref().map(|now| &now.digest), base.as_ref().map(|base| &base.digest)) {
                (Some(now), _) if *now == ours => return Ok(Publication::Published),
                (now, was) if now != was => return Ok(Publication::Superseded),
                _ => base = now,
            }
            // The former text under another tag, copied onto itself, is no other release.
            let again = moved || fault.may_pass();
            match waits.next() {
                Some(wait) if again => sleep(wait).await,
                // What was lost on its way may still arrive.
                _ if lost => return Err(unknown(fault.to_string())),
                _ => return Ok(Publication::Refused(fault)),
            }
        }
    }

    /// Makes the bucket read as a Triton model repository: copies what lies elsewhere to `models/NAME/...`, and leaves what
    /// others have put there.
    ///
    /// # Errors
    /// When something cannot be looked at or copied.
    pub async fn copy(&self, manifest: &Manifest) -> Result<(), Fault> {
        for (to, from, file) in release::copies(manifest) {
            let there = self.head(&to).await?;
            let metadata = |there: &HeadObjectOutput, key: &str| there.metadata().and_then(|all| all.get(key)).cloned();
            let ours = |there: &HeadObjectOutput| metadata(there, PLACE).is_some_and(|at| at == place(&to));
            let same = |there: &HeadObjectOutput| {
                metadata(there, SHA256).as_ref() == Some(&file.sha256) && metadata(there, RELEASE) == file.release
            };
            if there.as_ref().is_some_and(|there| !ours(there) || same(there)) {
                continue;
            }
            let copy = || async {
                let call = self.aws.s3.copy_object().bucket(self.name).key(&to).copy_source(encoded(self.name, from));
                let call = call.metadata_directive(MetadataDirective::Replace).metadata(SHA256, &file.sha256);
                let call = call.metadata(PLACE, place(&to)).metadata(RELEASE, file.release.as_deref().unwrap_or_default());
                call.expected_bucket_owner(&self.aws.account).send().await.fault()
            };
            again(|| soon(copy())).await?;
        }
        Ok(())
    }

    /// Whether an object is the one that a release has written there, and no other's.
    pub(super) async fn wrote(&self, key: &str, release: Option<&str>, sha256: &str) -> Result<bool, Fault> {
        let Some(there) = self.head(key).await? else { return Ok(false) };
        let is = |name: &str, value: &str| there.metadata().and_then(|all| all.get(name)).is_some_and(|is| is == value);
        Ok(is(SHA256, sha256) && release.is_none_or(|release| is(RELEASE, release) && is(PLACE, &place(key))))
    }

    async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>, Fault> {
        let head = || async {
            let call = self.aws.s3.head_object().bucket(self.name).key(key);
            call.expected_bucket_owner(&self.aws.account).send().await.fault_or_absent(&ABSENT)
        };
        again(|| soon(head())).await
    }

    /// Takes the release back: no pod can start from it any more.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn withdraw(&self) -> Result<(), Fault> {
        let call = self.aws.s3.delete_object().bucket(self.name).key(manifest::KEY);
        call.expected_bucket_owner(&self.aws.account).send().await.fault().map(drop)
    }

    fn json(&self, key: &str, text: &[u8]) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        let call = self.aws.s3.put_object().bucket(self.name).key(key).body(text.to_vec().into());
        let call = call.content_type("application/json").checksum_sha256(STANDARD.encode(Sha256::digest(text)));
        call.expected_bucket_owner(&self.aws.account)
    }

    pub(super) async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let list = || async {
            let call = self.aws.s3.list_objects_v2().bucket(self.name).prefix(prefix).encoding_type(EncodingType::Url);
            let mut pages = call.expected_bucket_owner(&self.aws.account).into_paginator().send();
            let mut keys = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.fault()?;
                let key = |object: &Object| Some(decoded(object.key()?, page.encoding_type()));
                keys.extend(page.contents().iter().filter_map(key));
            }
            Ok(keys)
        };
        again(list).await
    }
}

/// A mark of where an object was written to, in the ASCII that metadata is: a copy of it elsewhere has the wrong one.
fn place(key: &str) -> String {
    hex(&Sha256::digest(key)[..8])
}

/// A source of CopyObject, which is part of a URL.
fn encoded(bucket: &str, key: &str) -> String {
    let key =
        key.split('/').map(|part| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string());
    format!("{bucket}/{}", key.collect::<Vec<_>>().join("/"))
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

    #[test]
    fn the_source_of_a_copy_is_part_of_a_url() {
        assert_eq!(encoded("b", "release/files/1/m/a+b c.txt"), "b/release/files/1/m/a%2Bb%20c%2Etxt");
    }
}
