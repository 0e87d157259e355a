//! The clients of the outside world, and the only place where an SDK error becomes a `Fault`.

pub mod admins;
pub mod aws;
mod calls;
pub mod cluster;
pub mod deleted;
pub mod disk_key;
pub mod docker;
mod fault;
pub mod inventory;
pub mod kept;
pub mod keys;
pub mod kube;
pub mod lease;
pub mod machine;
pub mod orphans;
mod proxy;
pub mod quota;
mod regions;
pub mod stored;
pub mod support;
pub mod tags;
pub mod token;
pub mod vpc_endpoint;

use std::sync::{Arc, OnceLock};

use crate::config::Config;

/// What every resource gets: clients, names, and the configuration.
pub struct Cloud {
    /// AWS clients, one a service, each with its time-outs.
    pub aws: aws::Aws,
    /// Kubernetes clients, one a cluster, made when the cluster is known.
    pub kube: kube::Clusters,
    /// The configuration as loaded, defaults filled in.
    pub config: Config,
    /// The lease that this run took, once it has: `down` gives it back just before the bucket goes.
    pub lease: OnceLock<Arc<lease::Held>>,
}

/// What a resource's call gets.
pub type Cx = crate::engine::Cx<Cloud>;

impl Cloud {
    /// These clients and this configuration, without a lease.
    #[must_use]
    pub fn new(aws: aws::Aws, config: Config) -> Self {
        Self { aws, kube: kube::Clusters::default(), config, lease: OnceLock::new() }
    }

    /// The lease of this bucket, while we hold it.
    #[must_use]
    pub fn holds(&self, bucket: &str) -> Option<&lease::Held> {
        self.lease.get().map(|held| &**held).filter(|held| held.bucket() == bucket && !held.is_released())
    }

    /// All tags that a node is made with: the ownership tags, `Name` for the consoles, and the user's own.
    #[must_use]
    pub fn tags(&self, node: &str) -> tags::Tags {
        tags::Tags::new(&self.config.name, &self.aws.region, node).and(self.user_tags())
    }

    /// The user's own tags, and what lists them.
    #[must_use]
    pub fn user_tags(&self) -> tags::Tags {
        tags::user(&self.config.tags)
    }

    /// What is wanted of an object's tags.
    #[must_use]
    pub fn wanted_tags(&self) -> tags::Tagged {
        tags::Tagged::wanted(self.user_tags())
    }

    /// The tags that an object has, to be compared with that.
    #[must_use]
    pub fn tagged(&self, tags: impl Into<tags::Tags>) -> tags::Tagged {
        tags::Tagged::of(tags.into(), &self.user_tags())
    }

    /// The bucket's name, as configured or of deployment, account and region.
    #[must_use]
    pub fn bucket(&self) -> String {
        self.config.storage.bucket.clone().unwrap_or_else(|| self.default_bucket())
    }

    /// What the bucket is called where the configuration does not say.
    #[must_use]
    pub fn default_bucket(&self) -> String {
        format!("{}-{}-{}", self.config.name, self.aws.account, self.aws.region)
    }
}
