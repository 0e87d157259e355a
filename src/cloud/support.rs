//! Until when AWS supports the cluster's version of Kubernetes, and what happens to it then.

use std::fmt;

use aws_sdk_eks::types::SupportType;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde::Serialize;

use super::aws::{Aws, OrFault};
use crate::cost;
use crate::engine::Fault;

/// The support of a cluster's version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Support {
    /// Of Kubernetes, e.g. "1.34".
    pub version: String,
    /// What EKS does when standard support ends: `STANDARD`, it upgrades the cluster; `EXTENDED`, it costs more.
    pub policy: String,
    /// The day on which standard support ends.
    pub standard_until: Option<String>,
    /// The day on which extended support ends.
    pub extended_until: Option<String>,
    /// Dollars an hour that the control plane costs today.
    pub usd_per_hour: f64,
}

impl Support {
    /// That of this cluster; None where there is none, or EKS does not list its version.
    ///
    /// # Errors
    /// When EKS does not tell.
    pub async fn of(aws: &Aws, cluster: &str) -> Result<Option<Self>, Fault> {
        let answer = aws.eks.describe_cluster().name(cluster).send().await;
        let found = answer.fault_or_absent(&["ResourceNotFoundException"])?.and_then(|answer| answer.cluster);
        let Some((cluster, version)) = found.and_then(|cluster| cluster.version.clone().map(|version| (cluster, version))) else {
            return Ok(None);
        };
        let answer = aws.eks.describe_cluster_versions().cluster_versions(&version).send().await.fault()?;
        let versions = answer.cluster_versions.unwrap_or_default();
        let told = versions.into_iter().find(|told| told.cluster_version() == Some(&version));
        let policy = cluster.upgrade_policy.and_then(|policy| policy.support_type).unwrap_or(SupportType::Extended);
        Ok(told.map(|told| {
            let ends = [told.end_of_standard_support_date(), told.end_of_extended_support_date()].map(|end| end.copied());
            Self::at(version, &policy, ends, Timestamp::now())
        }))
    }

    fn at(version: String, policy: &SupportType, [standard, extended]: [Option<DateTime>; 2], now: Timestamp) -> Self {
        let is_over = standard.is_some_and(|end| end.secs() <= now.as_second());
        Self {
            version,
            policy: policy.as_str().to_owned(),
            standard_until: standard.as_ref().and_then(day),
            extended_until: extended.as_ref().and_then(day),
            // Where EKS is about to upgrade it, it is billed as any other one until it has.
            usd_per_hour: if is_over { cost::CLUSTER_IN_EXTENDED_SUPPORT } else { cost::CLUSTER },
        }
    }
}

fn day(end: &DateTime) -> Option<String> {
    Timestamp::from_second(end.secs()).ok().map(|end| end.strftime("%Y-%m-%d").to_string())
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(standard) = &self.standard_until else { return f.write_str("AWS does not tell when it ends") };
        let (usual, dear) = (cost::CLUSTER, cost::CLUSTER_IN_EXTENDED_SUPPORT);
        let over = self.usd_per_hour > usual;
        let extended = self.extended_until.as_deref().unwrap_or("its end");
        match (over, self.policy == SupportType::Standard.as_str()) {
            (false, true) => write!(f, "standard until {standard}; EKS upgrades the cluster then"),
            (false, false) => {
                write!(f, "standard until {standard}, then ${dear:.2} an hour instead of ${usual:.2} until {extended}")
            }
            (true, true) => write!(f, "standard ended on {standard}; EKS is about to upgrade the cluster (${dear:.2} an hour)"),
            (true, false) => {
                write!(f, "extended, at ${dear:.2} an hour instead of ${usual:.2}, since {standard} and until {extended}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_and_its_price_are_told_by_the_clusters_policy() {
        let ends = ["2026-12-02T00:00:00Z", "2027-12-02T00:00:00Z"].map(|end| end.parse::<Timestamp>().unwrap());
        let ends = ends.map(|end| Some(DateTime::from_secs(end.as_second())));
        let at = |policy, now: &str| Support::at("1.34".to_owned(), &policy, ends, now.parse().unwrap());
        let (before, after) = ("2026-12-01T00:00:00Z", "2026-12-03T00:00:00Z");
        let told = |policy, now| at(policy, now).to_string();
        assert_eq!(told(SupportType::Standard, before), "standard until 2026-12-02; EKS upgrades the cluster then");
        assert_eq!(
            told(SupportType::Extended, before),
            "standard until 2026-12-02, then $0.60 an hour instead of $0.10 until 2027-12-02"
        );
        let dear = at(SupportType::Extended, after);
        assert_eq!(dear.usd_per_hour, 0.60);
        assert_eq!(dear.to_string(), "extended, at $0.60 an hour instead of $0.10, since 2026-12-02 and until 2027-12-02");
        assert!(told(SupportType::Standard, after).contains("about to upgrade"), "{}", told(SupportType::Standard, after));
    }
}
