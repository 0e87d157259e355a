//! Kubernetes clients and the EKS token.

/// Kubernetes clients, one a cluster.
#[derive(Default)]
pub struct Clusters {}
