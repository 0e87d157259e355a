//! Buckets and repositories by a list of all that the account has in the region: S3 and ECR cannot be asked for tags, so
//! that each is looked at.

use std::future::Future;

use futures::future::join;
use futures::{StreamExt, TryStreamExt, stream};

use super::Orphans;
use crate::cloud::Cloud;
use crate::cloud::aws::{OrFault, in_another_region};
use crate::cloud::tags::Tags;
use crate::engine::{Fault, FaultKind};

/// Calls at a time: S3 and ECR throttle who asks for hundreds of tags at once.
const AT_ONCE: usize = 8;

/// What S3 answers about a bucket that is not ours: without tags, or just gone.
const NOT_OURS: [&str; 3] = ["NoSuchTagSet", "NoSuchBucket", "NotFound"];

/// All of ours, the configured ones too.
pub(super) async fn find(cloud: &Cloud) -> Result<Orphans, Fault> {
    let mut orphans = Orphans::default();
    let (buckets, repositories) = join(buckets(cloud), repositories(cloud)).await;
    orphans.buckets = sorted(&mut orphans.unknown, "buckets", buckets)?;
    orphans.repositories = sorted(&mut orphans.unknown, "repositories", repositories)?;
    Ok(orphans)
}

/// Those that are ours; notes those whose tags could not be read.
fn sorted(unknown: &mut Vec<String>, what: &str, found: Result<Vec<Told>, Fault>) -> Result<Vec<String>, Fault> {
    let found = match found {
        Err(fault) if fault.kind == FaultKind::Denied => {
            unknown.push(format!("other {what} ({})", fault.message));
            return Ok(Vec::new());
        }
        found => found?,
    };
    let (mut ours, mut hidden) = (Vec::new(), Vec::new());
    for told in found {
        match told {
            Told::Ours(name) => ours.push(name),
            Told::Hidden(name) => hidden.push(name),
            Told::NotOurs => {}
        }
    }
    if let [first, ..] = &*hidden {
        unknown.push(format!("{} {what} whose tags we may not read, such as {first}", hidden.len()));
    }
    Ok(ours)
}

/// Whose something is.
enum Told {
    Ours(String),
    NotOurs,
    Hidden(String),
}

impl Told {
    /// One that may not be looked at is no reason to fail.
    fn of(name: String, tags: Result<Option<Tags>, Fault>, ours: &Tags) -> Result<Self, Fault> {
        match tags {
            Ok(Some(tags)) if tags.same_owner(ours) => Ok(Self::Ours(name)),
            Ok(_) => Ok(Self::NotOurs),
            Err(fault) if fault.kind == FaultKind::Denied => Ok(Self::Hidden(name)),
            Err(fault) => Err(fault),
        }
    }
}

async fn buckets(cloud: &Cloud) -> Result<Vec<Told>, Fault> {
    let s3 = &cloud.aws.s3;
    let (ours, configured) = (cloud.tags("bucket"), cloud.bucket());
    let pages = s3.list_buckets().bucket_region(&cloud.aws.region).into_paginator().send();
    let pages = pages.try_collect().await.fault()?;
    let names = pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()).filter_map(|bucket| bucket.name);
    let look = |name: String| {
        let (call, ours) = (s3.get_bucket_tagging().bucket(&name).expected_bucket_owner(&cloud.aws.account), &ours);
        async move {
            let answer = match call.send().await {
                Err(error) if in_another_region(&error) => Ok(None),
                answer => answer.fault_or_absent(&NOT_OURS),
            };
            Told::of(name, answer.map(|answer| answer.map(|answer| Tags::from(answer.tag_set()))), ours)
        }
    };
    all(names.filter(|name| *name != configured).map(look)).await
}

async fn repositories(cloud: &Cloud) -> Result<Vec<Told>, Fault> {
    let ecr = &cloud.aws.ecr;
    let (ours, configured) = (cloud.tags("repository"), cloud.config.repository());
    let found = ecr.describe_repositories().into_paginator().items().send().try_collect().await.fault()?;
    let found = found.into_iter().filter_map(|repository| Some((repository.repository_name?, repository.repository_arn?)));
    let look = |(name, arn): (String, String)| {
        let (call, ours) = (ecr.list_tags_for_resource().resource_arn(arn), &ours);
        async move {
            let answer = call.send().await.fault_or_absent(&["RepositoryNotFoundException"]);
            Told::of(name, answer.map(|answer| answer.map(|answer| Tags::from(answer.tags()))), ours)
        }
    };
    all(found.filter(|(name, _)| *name != configured).map(look)).await
}

/// What each look found, some at a time.
async fn all<F>(looks: impl Iterator<Item = F>) -> Result<Vec<Told>, Fault>
where
    F: Future<Output = Result<Told, Fault>>,
{
    stream::iter(looks).buffered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_looked_at_is_told_and_never_taken_for_nothing() {
        let mut unknown = Vec::new();
        let found = vec![Told::Ours("a".to_owned()), Told::NotOurs, Told::Hidden("b".to_owned()), Told::Hidden("c".to_owned())];
        assert_eq!(sorted(&mut unknown, "buckets", Ok(found)).unwrap(), ["a"]);
        assert!(sorted(&mut unknown, "repositories", Err(Fault::denied("no".to_owned()))).unwrap().is_empty());
        assert_eq!(unknown, ["2 buckets whose tags we may not read, such as b", "other repositories (no)"]);
        assert!(sorted(&mut unknown, "buckets", Err(Fault::try_again("slow down".to_owned()))).is_err());
    }
}
