//! The clients of the outside world, and the only place where an SDK error becomes a `Fault`.

pub mod admins;
pub mod aws;
mod calls;
pub mod cluster;
pub mod docker;
mod fault;
pub mod inventory;
pub mod kube;
pub mod machine;
pub mod orphans;
mod regions;
pub mod stored;
pub mod tags;
pub mod token;

use crate::config::Config;

/// What every resource gets: clients, names, and the configuration.
pub struct Cloud {
    /// AWS clients, one a service, each with its rate limiter and time-outs.
    pub aws: aws::Aws,
    /// Kubernetes clients, one a cluster, made when the cluster is known.
    pub kube: kube::Clusters,
    /// The configuration as loaded, defaults filled in.
    pub config: Config,
}

/// What a resource's call gets.
pub type Cx = crate::engine::Cx<Cloud>;

impl Cloud {
    /// The ownership tags of a node, plus `Name` for the consoles.
    #[must_use]
    pub fn tags(&self, node: &str) -> tags::Tags {
        tags::Tags::new(&self.config.name, &self.aws.region, node)
    }

    /// The bucket's name, as configured or of deployment, account and region.
    #[must_use]
    pub fn bucket(&self) -> String {
        let (config, aws) = (&self.config, &self.aws);
        config.storage.bucket.clone().unwrap_or_else(|| format!("{}-{}-{}", config.name, aws.account, aws.region))
    }
}
