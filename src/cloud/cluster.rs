//! The deployment's cluster, as EKS tells of it: what a Kubernetes client needs.

use aws_sdk_eks::types::ClusterStatus;

use super::Cloud;
use super::aws::{Aws, OrFault, shown};
use super::tags::Tags;
use crate::engine::Fault;

/// A cluster that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOutput {
    pub name: String,
    pub arn: String,
    /// `https://...` of the API server.
    pub endpoint: String,
    /// PEM, in base64 as EKS gives it.
    pub certificate_authority: String,
    /// The URL of the issuer of its service account tokens.
    pub issuer: String,
    /// Kubernetes version, e.g. "1.34".
    pub version: String,
    /// The security group that EKS made for it and its nodes.
    pub security_group: String,
}

impl ClusterOutput {
    pub(crate) fn of(cluster: aws_sdk_eks::types::Cluster) -> Self {
        let vpc = cluster.resources_vpc_config;
        let issuer = cluster.identity.and_then(|identity| identity.oidc).and_then(|oidc| oidc.issuer);
        Self {
            name: cluster.name.unwrap_or_default(),
            arn: cluster.arn.unwrap_or_default(),
            endpoint: cluster.endpoint.unwrap_or_default(),
            certificate_authority: cluster.certificate_authority.and_then(|ca| ca.data).unwrap_or_default(),
            issuer: issuer.unwrap_or_default(),
            version: cluster.version.unwrap_or_default(),
            security_group: vpc.and_then(|vpc| vpc.cluster_security_group_id).unwrap_or_default(),
        }
    }

    /// The deployment's cluster, where there is one that answers.
    ///
    /// # Errors
    /// When EKS does not tell.
    pub async fn find(aws: &Aws, name: &str) -> Result<Option<Self>, Fault> {
        Ok(answering(aws, name).await?.map(Self::of))
    }

    /// The same, where it carries our tags.
    ///
    /// # Errors
    /// When EKS does not tell.
    pub(super) async fn of_ours(cloud: &Cloud) -> Result<Option<Self>, Fault> {
        let found = answering(&cloud.aws, &cloud.config.name).await?;
        let ours = cloud.tags("cluster");
        let is_ours =
            |cluster: &aws_sdk_eks::types::Cluster| cluster.tags().is_some_and(|tags| Tags::from(tags).same_owner(&ours));
        Ok(found.filter(is_ours).map(Self::of))
    }
}

async fn answering(aws: &Aws, name: &str) -> Result<Option<aws_sdk_eks::types::Cluster>, Fault> {
    let answer = aws.eks.describe_cluster().name(name).send().await.fault_or_absent(&["ResourceNotFoundException"])?;
    let cluster = answer.map(|answer| shown(answer.cluster, "cluster")).transpose()?;
    let answers = |cluster: &aws_sdk_eks::types::Cluster| {
        matches!(cluster.status(), Some(ClusterStatus::Active | ClusterStatus::Updating)) && cluster.endpoint().is_some()
    };
    Ok(cluster.filter(answers))
}
