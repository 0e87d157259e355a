//! The clients of the outside world, and the only place where an SDK error becomes a `Fault`.

pub mod aws;
pub mod docker;
pub mod kube;

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

/// The tags by which we know our own (names as AWS tag keys).
pub mod tag {
    /// The deployment's name.
    pub const DEPLOYMENT: &str = "tritondeploy:deployment";
    /// The node's name in the graph.
    pub const RESOURCE: &str = "tritondeploy:resource";
    /// The deployment's region (IAM is account-wide).
    pub const REGION: &str = "tritondeploy:region";
}

impl Cloud {
    /// The ownership tags of a node, plus `Name` for the consoles.
    #[must_use]
    pub fn tags(&self, node: &str) -> Vec<(String, String)> {
        vec![
            (tag::DEPLOYMENT.to_owned(), self.config.name.clone()),
            (tag::REGION.to_owned(), self.aws.region.clone()),
            (tag::RESOURCE.to_owned(), node.to_owned()),
            ("Name".to_owned(), format!("{}/{node}", self.config.name)),
        ]
    }
}
