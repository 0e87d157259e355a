//! The bucket: models, images and videos.
//!
//! Names are world-wide, so that ours holds account and region, and every call says whose account
//! it must be (S3 guide, "Verifying bucket ownership"). Tags are in the creating call: a crash
//! between two calls would leave a bucket that nobody owns. S3 encrypts whatever is put (SSE-S3,
//! the default of every bucket since 2023); versioning stays off, since released objects are never
//! overwritten (`models/release.rs`).
//!
//! The lease in it (`cloud/lease.rs`) says who changes the deployment: it is the last object to go, and what another run
//! holds is not emptied.

use std::time::Duration;

use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Delete, EncodingType, ObjectIdentifier, PublicAccessBlockConfiguration,
};
use serde::Serialize;

use crate::cloud::aws::{OrFault, code, in_another_region};
use crate::cloud::deleted::all_deleted;
use crate::cloud::keys::{decoded, is_xml};
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx, lease};
use crate::engine::{Action, Change, Fact, Fault, Found, Observation, Observe, Resource, UpdateMode};

pub struct Bucket {
    /// None: the configured one.
    name: Option<String>,
}

impl Bucket {
    /// The configured one.
    #[must_use]
    pub fn configured() -> Self {
        Self { name: None }
    }

    /// One of another name, which an earlier configuration had.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self { name: Some(name.to_owned()) }
    }
}

/// The tag of every bucket of ours, whatever its node is called.
const NODE: &str = "bucket";

#[derive(Serialize)]
pub struct State {
    public_access_blocked: bool,
    #[serde(flatten)]
    tags: Tagged,
}

/// Objects that are deleted one by one before the lease is looked at again.
const ODD_AT_ONCE: usize = 20;
/// What S3 answers about a bucket that is not there.
const ABSENT: [&str; 2] = ["NoSuchBucket", "NotFound"];
/// What it answers about one that we may not look at.
const REFUSED: [&str; 2] = ["AccessDenied", "Forbidden"];

impl Observe for Bucket {
    type World = Cloud;
    const KIND: &'static str = "bucket";
    type Within = ();
    type Uses = ();
    type State = State;
    /// Its name.
    type Output = String;

    fn want(&self, cloud: &Cloud, (): &(), (): &()) -> State {
        State { public_access_blocked: true, tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let configured = || cx.world.bucket();
        look(cx, &self.name.clone().unwrap_or_else(configured)).await
    }

    fn patience(&self, action: Action) -> Duration {
        Duration::from_secs(if action == Action::Delete { 1800 } else { 300 })
    }

    fn facts(&self, name: &String) -> Vec<Fact> {
        vec![Fact { key: "bucket", value: name.clone() }]
    }
}

impl Resource for Bucket {
    async fn create(&self, cx: &Cx, (): &(), (): &()) -> Result<(), Fault> {
        let region = cx.world.aws.region.as_str();
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(cx.world.tags(NODE).s3()));
        // us-east-1 is where a bucket is without a word of it; S3 refuses the word.
        if region != "us-east-1" {
            configuration = configuration.location_constraint(BucketLocationConstraint::from(region));
        }
        let call = cx.world.aws.s3.create_bucket().bucket(cx.world.bucket());
        let answer = call.create_bucket_configuration(configuration.build()).send().await;
        // Another run was first: whose bucket it is, the next look tells.
        answer.fault_or_absent(&["BucketAlreadyOwnedByYou"]).map(drop)
    }

    async fn update(&self, cx: &Cx, (): &(), (): &(), name: &String, changes: &[Change]) -> Result<(), Fault> {
        set::bucket(&cx.world.aws, name, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let call = cx.world.aws.s3.put_public_access_block().bucket(name).public_access_block_configuration(block);
        call.expected_bucket_owner(&cx.world.aws.account).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, (): &(), name: &String) -> Result<(), Fault> {
        lease::check(&cx.world, name).await?;
        abort_uploads(cx, name).await?;
        empty(cx, name).await?;
        lease::end(&cx.world, name).await?;
        // Where the bucket keeps versions, those of the lease are left. All else that is there now is of a run that began
        // since, and keeps the bucket from being deleted.
        empty_of_leases(cx, name).await?;
        let call = cx.world.aws.s3.delete_bucket().bucket(name).expected_bucket_owner(&cx.world.aws.account);
        call.send().await.fault_or_absent(&ABSENT).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}

/// One bucket, by its name.
async fn look(cx: &Cx, name: &str) -> Result<Observation<Bucket>, Fault> {
    let (s3, account) = (&cx.world.aws.s3, &cx.world.aws.account);
    let tags = match s3.get_bucket_tagging().bucket(name).expected_bucket_owner(account).send().await {
        Ok(answer) => Tags::from(answer.tag_set()),
        Err(error) => match code(&error) {
            Some(code) if ABSENT.contains(&code) => return Ok(Observation::Absent),
            Some("NoSuchTagSet") => Tags::default(),
            Some(code) if REFUSED.contains(&code) => return taken(cx, name).await,
            _ if in_another_region(&error) => {
                return Ok(Observation::Foreign(format!("there is a bucket {name} in another region")));
            }
            _ => return Err(error).fault(),
        },
    };
    if !tags.same_owner(&cx.world.tags(NODE)) {
        return Ok(Observation::Foreign(format!("there is a bucket {name}; {}", tags.owner())));
    }
    let block = s3.get_public_access_block().bucket(name).expected_bucket_owner(account).send().await;
    let block = block.fault_or_absent(&["NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"])?;
    let blocked = |block: PublicAccessBlockConfiguration| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|on| *on == Some(true))
    };
    let public_access_blocked = block.and_then(|answer| answer.public_access_block_configuration).is_some_and(blocked);
    Ok(Observation::Present(Found::one(name.to_owned(), State { public_access_blocked, tags: cx.world.tagged(tags) })))
}

/// A bucket that we may not look at is somebody else's only where it is not among our own: S3
/// answers a forbidden one of ours alike, and that must not be taken for gone.
async fn taken(cx: &Cx, name: &str) -> Result<Observation<Bucket>, Fault> {
    let mut ours = cx.world.aws.s3.list_buckets().prefix(name).into_paginator().send();
    while let Some(page) = ours.next().await {
        if page.fault()?.buckets().iter().any(|bucket| bucket.name() == Some(name)) {
            return Err(Fault::denied(format!("we may not look at our bucket {name} (s3:GetBucketTagging)")));
        }
    }
    Ok(Observation::Foreign(format!("the bucket {name} is another account's; name another in storage.bucket")))
}

/// Deletes every version and every delete marker of every object but the lease that holds now.
async fn empty(cx: &Cx, name: &str) -> Result<(), Fault> {
    empty_of(cx, name, |key, latest| key != lease::KEY || !latest, "").await
}

/// Deletes the versions and delete markers of former leases.
async fn empty_of_leases(cx: &Cx, name: &str) -> Result<(), Fault> {
    empty_of(cx, name, |_, latest| !latest, lease::KEY).await
}

/// Deletes those versions, and every delete marker, of the objects under a prefix.
async fn empty_of(cx: &Cx, name: &str, goes: impl Fn(&str, bool) -> bool + Send + Sync, prefix: &str) -> Result<(), Fault> {
    let (s3, account) = (&cx.world.aws.s3, &cx.world.aws.account);
    let mut deleted = 0;
    while !cx.cancel.is_cancelled() {
        // From the start each time: what was listed is gone.
        let call = s3.list_object_versions().bucket(name).prefix(prefix).expected_bucket_owner(account);
        let call = call.encoding_type(EncodingType::Url);
        let Some(page) = call.send().await.fault_or_absent(&ABSENT)? else { return Ok(()) };
        let key = |key: Option<&str>| decoded(key.unwrap_or_default(), page.encoding_type());
        let versions = page.versions().iter().map(|version| (key(version.key()), version.version_id(), version.is_latest()));
        let versions = versions.filter(|(key, _, latest)| goes(key, *latest == Some(true)));
        let versions = versions.map(|(key, version, _)| (key, version));
        let markers = page.delete_markers().iter().map(|marker| (key(marker.key()), marker.version_id()));
        let all = versions.chain(markers).map(|(key, version)| (key, version.map(str::to_owned)));
        let (all, mut odd): (Vec<_>, Vec<_>) = all.partition(|(key, _)| is_xml(key));
        // Between two looks at the lease, and at the user, there are no more calls than these.
        odd.truncate(ODD_AT_ONCE);
        if all.is_empty() && odd.is_empty() {
            return Ok(());
        }
        // What was listed may be another run's by now: it holds the lease then.
        lease::check(&cx.world, name).await?;
        deleted += (all.len() + odd.len()) as u64;
        for (key, version) in odd {
            let call = s3.delete_object().bucket(name).expected_bucket_owner(account).key(key);
            call.set_version_id(version).send().await.fault()?;
        }
        if all.is_empty() {
            continue;
        }
        let one = |(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build();
        let ids: Result<Vec<_>, _> = all.into_iter().map(one).collect();
        let ids = ids.map_err(|why| Fault::fatal(why.to_string()))?;
        let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build();
        let delete = delete.map_err(|why| Fault::fatal(why.to_string()))?;
        let call = s3.delete_objects().bucket(name).expected_bucket_owner(account).delete(delete);
        let answer = call.send().await.fault()?;
        all_deleted(name, &answer)?;
        cx.progress("objects deleted", deleted, 0);
    }
    Err(Fault::try_again(format!("{deleted} objects are deleted, and there are more")))
}

/// What was begun and never finished is billed and not listed.
async fn abort_uploads(cx: &Cx, name: &str) -> Result<(), Fault> {
    let (s3, account) = (&cx.world.aws.s3, &cx.world.aws.account);
    while !cx.cancel.is_cancelled() {
        let call = s3.list_multipart_uploads().bucket(name).expected_bucket_owner(account);
        let call = call.encoding_type(EncodingType::Url);
        let Some(page) = call.send().await.fault_or_absent(&ABSENT)? else { return Ok(()) };
        if page.uploads().is_empty() {
            return Ok(());
        }
        lease::check(&cx.world, name).await?;
        for upload in page.uploads() {
            let call = s3.abort_multipart_upload().bucket(name).expected_bucket_owner(account);
            let call = call
                .key(decoded(upload.key().unwrap_or_default(), page.encoding_type()))
                .set_upload_id(upload.upload_id().map(str::to_owned));
            call.send().await.fault_or_absent(&["NoSuchUpload"])?;
        }
    }
    Err(Fault::try_again("there are unfinished uploads".to_owned()))
}
