//! The tags by which we know our own, and the user's, in the shape of each service.

pub mod read;
pub mod set;
mod user;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ec2::types::{Filter, ResourceType, TagSpecification};
use serde::Serialize;

pub use user::{AllTagged, Step, Tagged, is_of_tags, steps, steps_between, user};

/// The deployment's name.
pub const DEPLOYMENT: &str = "tritondeploy:deployment";
/// The node's name in the graph.
pub const RESOURCE: &str = "tritondeploy:resource";
/// The deployment's region (IAM is account-wide).
pub const REGION: &str = "tritondeploy:region";

/// Tags of one object, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// The ownership tags of a node, plus `Name` for the consoles.
    #[must_use]
    pub fn new(deployment: &str, region: &str, node: &str) -> Self {
        Self::default()
            .with(DEPLOYMENT, deployment)
            .with(REGION, region)
            .with(RESOURCE, node)
            .with("Name", &format!("{deployment}/{node}"))
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.0.insert(key.to_owned(), value.to_owned());
        self
    }

    /// These and others, which go before.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Without these keys.
    #[must_use]
    pub fn without(mut self, keys: &[String]) -> Self {
        self.0.retain(|key, _| !keys.contains(key));
        self
    }

    /// These with the keys of the wanted ones where they differ in case only: IAM takes such keys for one.
    #[must_use]
    pub fn cased_as(self, wanted: &Self) -> Self {
        let cased = |key: String| {
            let alike = wanted.0.keys().find(|wanted| wanted.to_lowercase() == key.to_lowercase());
            alike.cloned().unwrap_or(key)
        };
        Self(self.0.into_iter().map(|(key, value)| (cased(key), value)).collect())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether these are of the same deployment, region and node as `ours`.
    #[must_use]
    pub fn same_owner(&self, ours: &Self) -> bool {
        [DEPLOYMENT, REGION, RESOURCE].iter().all(|key| self.get(key) == ours.get(key))
    }

    /// Whose it is, for a message about something foreign.
    #[must_use]
    pub fn owner(&self) -> String {
        match (self.get(DEPLOYMENT), self.get(RESOURCE)) {
            (Some(deployment), Some(node)) => format!("it belongs to {node} of the deployment {deployment}"),
            (Some(deployment), None) => format!("it belongs to the deployment {deployment}"),
            (None, _) => "it does not carry our tags".to_owned(),
        }
    }

    /// For `tag_specifications` of an EC2 create call.
    #[must_use]
    pub fn specification(&self, of: ResourceType) -> TagSpecification {
        TagSpecification::builder().resource_type(of).set_tags(Some(self.ec2())).build()
    }

    /// For EC2 `CreateTags`.
    #[must_use]
    pub fn ec2(&self) -> Vec<aws_sdk_ec2::types::Tag> {
        let tag = |(key, value)| aws_sdk_ec2::types::Tag::builder().key(key).value(value).build();
        self.iter().map(tag).collect()
    }

    /// For EC2 describe calls: what carries the ownership tags.
    #[must_use]
    pub fn filters(&self) -> Vec<Filter> {
        let owner = [DEPLOYMENT, REGION, RESOURCE].into_iter().filter_map(|key| Some((key, self.get(key)?)));
        owner.map(|(key, value)| filter(&format!("tag:{key}"), value)).collect()
    }

    /// For EKS and everything else that takes a map.
    #[must_use]
    pub fn map(&self) -> HashMap<String, String> {
        self.0.clone().into_iter().collect()
    }

    /// For IAM.
    #[must_use]
    pub fn iam(&self) -> Vec<aws_sdk_iam::types::Tag> {
        let tag = |(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().ok();
        self.iter().filter_map(tag).collect()
    }

    /// For ECR.
    #[must_use]
    pub fn ecr(&self) -> Vec<aws_sdk_ecr::types::Tag> {
        let tag = |(key, value)| aws_sdk_ecr::types::Tag::builder().key(key).value(value).build().ok();
        self.iter().filter_map(tag).collect()
    }

    /// For ELB.
    #[must_use]
    pub fn elb(&self) -> Vec<aws_sdk_elasticloadbalancingv2::types::Tag> {
        let tag = |(key, value)| aws_sdk_elasticloadbalancingv2::types::Tag::builder().key(key).value(value).build();
        self.iter().map(tag).collect()
    }

    /// For S3.
    #[must_use]
    pub fn s3(&self) -> Vec<aws_sdk_s3::types::Tag> {
        let tag = |(key, value)| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().ok();
        self.iter().filter_map(tag).collect()
    }
}

/// One filter of an EC2 describe call.
#[must_use]
pub fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        Self(tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

macro_rules! from_tags {
    ($($tag:ty => |$t:ident| $pair:expr),* $(,)?) => {
        $(impl From<&[$tag]> for Tags {
            fn from(tags: &[$tag]) -> Self {
                tags.iter().map(|$t| $pair).collect()
            }
        })*
    };
}
from_tags! {
    aws_sdk_ec2::types::Tag => |t| (t.key().unwrap_or_default(), t.value().unwrap_or_default()),
    aws_sdk_elasticloadbalancingv2::types::Tag => |t| (t.key().unwrap_or_default(), t.value().unwrap_or_default()),
    aws_sdk_iam::types::Tag => |t| (t.key(), t.value()),
    aws_sdk_ecr::types::Tag => |t| (t.key(), t.value()),
    aws_sdk_s3::types::Tag => |t| (t.key(), t.value()),
    aws_sdk_resourcegroupstagging::types::Tag => |t| (t.key(), t.value()),
}

impl From<&HashMap<String, String>> for Tags {
    fn from(tags: &HashMap<String, String>) -> Self {
        tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}
