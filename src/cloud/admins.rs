//! Who may administer the cluster: the caller, whoever is listed in `[access] admins`, and whoever was.
//!
//! The entries of those who are listed carry a tag of their own, by which they are known once they are listed no more. The
//! entry that `up` makes for its caller carries another one: it is its owner's, whatever the list says.

use futures::{StreamExt, TryStreamExt, stream};

use super::aws::{Aws, OrFault, shown};
use super::tags::Tags;
use crate::config::Config;
use crate::engine::{Fault, FaultKind};

/// The tag `tritondeploy:resource` of the entries of those who are listed.
pub const ADMIN: &str = "access-entry/admin";

/// Calls at a time.
const AT_ONCE: usize = 8;

/// What EKS answers where there is no cluster, no such entry, or one of somebody else's that has no entries at all.
const NONE: [&str; 2] = ["ResourceNotFoundException", "InvalidRequestException"];

/// IAM users and roles, by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admins {
    /// Who runs this.
    pub caller: String,
    /// Listed, the caller aside, who has an entry in any case.
    pub listed: Vec<String>,
    /// No longer listed, and with an entry still; the caller aside.
    pub former: Vec<String>,
}

impl Admins {
    /// The caller and those who are listed.
    ///
    /// # Errors
    /// When IAM does not tell.
    pub(super) async fn wanted(aws: &Aws, config: &Config) -> Result<Self, Fault> {
        let caller = caller(aws).await?;
        let listed = config.access.admins.iter().filter(|admin| **admin != caller).cloned().collect();
        Ok(Self { caller, listed, former: Vec::new() })
    }

    /// And those who were.
    ///
    /// # Errors
    /// When IAM or EKS does not tell.
    pub(super) async fn read(aws: &Aws, config: &Config) -> Result<Self, Fault> {
        let mut admins = Self::wanted(aws, config).await?;
        let (eks, cluster) = (&aws.eks, config.name.as_str());
        let entries = eks.list_access_entries().cluster_name(cluster).into_paginator().items().send();
        let entries = entries.try_collect().await.fault_or_absent(&NONE)?.unwrap_or_default();
        let wanted = |principal: &String| *principal == admins.caller || admins.listed.contains(principal);
        let ours = Tags::new(&config.name, &aws.region, ADMIN);
        let look = |principal: String| {
            let (call, ours) = (eks.describe_access_entry().cluster_name(cluster).principal_arn(&principal), &ours);
            async move {
                let answer = call.send().await.fault_or_absent(&NONE)?;
                let entry = answer.map(|answer| shown(answer.access_entry, "access entry")).transpose()?;
                let entry = entry.filter(|entry| is_persons(entry.r#type()));
                let tags = entry.and_then(|entry| entry.tags).unwrap_or_default();
                Ok::<_, Fault>(Tags::from(&tags).same_owner(ours).then_some(principal))
            }
        };
        let others: Vec<String> = entries.into_iter().filter(|principal| !wanted(principal)).collect();
        let former: Vec<Option<String>> = stream::iter(others.into_iter().map(look)).buffered(AT_ONCE).try_collect().await?;
        admins.former = former.into_iter().flatten().collect();
        Ok(admins)
    }

    /// How a principal is called in a node's name: `user/alice`, with the account where it is not the caller's.
    #[must_use]
    pub fn short<'a>(&self, principal: &'a str) -> std::borrow::Cow<'a, str> {
        let account = |arn: &'a str| arn.split(':').nth(4).unwrap_or_default();
        let name = principal.rsplit(':').next().unwrap_or(principal);
        match account(principal) {
            own if self.caller.split(':').nth(4) == Some(own) => name.into(),
            other => format!("{other}/{name}").into(),
        }
    }

    /// What is wrong with those who are listed, as far as IAM tells us: it knows only those of our own account.
    ///
    /// # Errors
    /// When IAM does not answer.
    pub async fn problems(&self, aws: &Aws) -> Result<Vec<String>, Fault> {
        let own = self.listed.iter().filter(|admin| admin.split(':').nth(4) == Some(aws.account.as_str()));
        let looked: Vec<Option<String>> =
            stream::iter(own.map(|admin| unknown(aws, admin))).buffered(AT_ONCE).try_collect().await?;
        Ok(looked.into_iter().flatten().collect())
    }
}

/// Why EKS would refuse the caller (as STS tells it) an access entry, once the cluster is made, and what to do about it. Whoever
/// is listed has an entry by the right name.
#[must_use]
pub fn without_entry(caller: &str, listed: &[String]) -> Option<(String, String)> {
    let resource = caller.splitn(6, ':').nth(5)?;
    if resource.starts_with("federated-user/") {
        let why = format!("{caller} is a federated user, and EKS gives no access to one");
        return Some((why, "run this as an IAM user or role".to_owned()));
    }
    // Their path is not in STS's answer, and EKS wants it.
    let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    let is_listed = listed.iter().any(|admin| admin.ends_with(&format!("/{role}")));
    (role.starts_with("AWSReservedSSO_") && !is_listed).then(|| {
        let why = format!("EKS wants the ARN of the role {role} with its path, which IAM does not tell these credentials");
        (why, format!("allow iam:GetRole on {role}"))
    })
}

/// Whether an access entry of this type is somebody's; nodes have others, without which they lose the cluster.
#[must_use]
pub fn is_persons(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind == "STANDARD")
}

/// Why IAM does not know a principal by this ARN; None: it does, or does not tell us.
async fn unknown(aws: &Aws, arn: &str) -> Result<Option<String>, Fault> {
    let (kind, name) = (arn.rsplit(':').next().unwrap_or_default(), arn.rsplit('/').next().unwrap_or_default());
    let found = if kind.starts_with("user/") {
        let answer = aws.iam.get_user().user_name(name).send().await.fault_or_absent(&["NoSuchEntity"]);
        answer.map(|answer| answer.and_then(|answer| answer.user).map(|user| user.arn))
    } else {
        let answer = aws.iam.get_role().role_name(name).send().await.fault_or_absent(&["NoSuchEntity"]);
        answer.map(|answer| answer.and_then(|answer| answer.role).map(|role| role.arn))
    };
    match found {
        Err(fault) if fault.kind == FaultKind::Denied => Ok(None),
        Err(fault) => Err(fault),
        Ok(None) => Ok(Some(format!("access.admins: IAM knows no {arn}"))),
        Ok(Some(is)) if is != arn => Ok(Some(format!("access.admins: {arn} is called {is} in IAM (a path belongs to it)"))),
        Ok(Some(_)) => Ok(None),
    }
}

/// The IAM principal behind the caller. STS drops a role's path (roles of SSO have one), so that
/// IAM is asked for the role; who may not ask has no path, most likely.
///
/// # Errors
/// When IAM does not answer.
pub async fn caller(aws: &Aws) -> Result<String, Fault> {
    let Some((account, rest)) = aws.caller.split_once(":sts::").and_then(|(_, rest)| rest.split_once(":assumed-role/")) else {
        return Ok(aws.caller.clone());
    };
    let role = rest.split('/').next().unwrap_or(rest);
    let answer = aws.iam.get_role().role_name(role).send().await.fault_or_absent(&["AccessDenied", "NoSuchEntity"])?;
    let asked = answer.and_then(|answer| answer.role).map(|role| role.arn);
    let partition = aws.caller.split(':').nth(1).unwrap_or("aws");
    Ok(asked.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:role/{role}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_whom_eks_would_refuse_is_known_before_the_cluster_is_made() {
        let listed = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Listed_0123456789abcdef";
        let refused = |resource: &str| without_entry(&format!("arn:aws:{resource}"), &[listed.to_owned()]).map(|(why, _)| why);
        assert!(refused("sts::123456789012:federated-user/bob").unwrap().contains("federated user"));
        assert!(refused("sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me").unwrap().contains("its path"));
        for can in [
            "iam::123456789012:user/alice",
            "sts::123456789012:assumed-role/operators/me",
            "sts::123456789012:assumed-role/AWSReservedSSO_Listed_0123456789abcdef/me",
            "iam::123456789012:root",
        ] {
            assert_eq!(refused(can), None);
        }
    }
}
