//! Buckets and repositories by their tags, asked of the Resource Groups Tagging API: one call for the region, of every
//! service but IAM. It lags behind the services by seconds to minutes.

use super::Orphans;
use crate::cloud::Cloud;
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{self, Tags};
use crate::engine::Fault;

/// What it names, the configured ones too.
pub(super) async fn find(cloud: &Cloud) -> Result<Orphans, Fault> {
    let ours = [(tags::DEPLOYMENT, &cloud.config.name), (tags::REGION, &cloud.aws.region)];
    let mut call = cloud.aws.tagging.get_resources().resources_per_page(100);
    for (key, value) in ours {
        call = call.tag_filters(aws_sdk_resourcegroupstagging::types::TagFilter::builder().key(key).values(value).build());
    }
    let found = call.into_paginator().items().send().try_collect().await.fault()?;
    let mut orphans = Orphans::default();
    for resource in found {
        let node = Tags::from(resource.tags()).get(tags::RESOURCE).map(str::to_owned);
        let Some((kind, name)) = resource.resource_arn().and_then(data) else { continue };
        match (kind, node.as_deref()) {
            (Kind::Bucket, Some("bucket")) => orphans.buckets.push(name.to_owned()),
            (Kind::Repository, Some("repository")) => orphans.repositories.push(name.to_owned()),
            _ => {}
        }
    }
    Ok(orphans)
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Bucket,
    Repository,
}

/// Which bucket or repository an ARN names.
fn data(arn: &str) -> Option<(Kind, &str)> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next()?, parts.nth(2)?);
    match service {
        "s3" => Some((Kind::Bucket, resource)),
        "ecr" => resource.strip_prefix("repository/").map(|name| (Kind::Repository, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_repositories_are_known_by_their_arns() {
        assert_eq!(data("arn:aws:s3:::models"), Some((Kind::Bucket, "models")));
        let repository = "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/team/gateway";
        assert_eq!(data(repository), Some((Kind::Repository, "team/gateway")));
        assert_eq!(data("arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1"), None);
        assert_eq!(data("nonsense"), None);
    }
}
