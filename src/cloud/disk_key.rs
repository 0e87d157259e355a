//! The key that encrypts new disks of the account: one of the customer's own refuses nodes until it lets EC2 Auto Scaling use it.

use super::aws::{Aws, OrFault};
use crate::engine::Fault;

/// AWS's own key, which anybody in the account may use through EC2.
const OF_AWS: &str = "alias/aws/ebs";

/// Who starts the nodes of a managed node group.
const STARTER: &str = "AWSServiceRoleForAutoScaling";

/// The customer's own key, where the account's new disks are encrypted with one.
///
/// # Errors
/// When EC2 does not tell.
pub async fn of_customer(aws: &Aws) -> Result<Option<String>, Fault> {
    let answer = aws.ec2.get_ebs_default_kms_key_id().send().await.fault()?;
    Ok(answer.kms_key_id.filter(|key| !is_of_aws(key)))
}

fn is_of_aws(key: &str) -> bool {
    key.rsplit(':').next() == Some(OF_AWS)
}

/// What it must allow (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>).
#[must_use]
pub fn warning(key: &str, account: &str) -> String {
    format!(
        "disks are encrypted with the account's own key {key}: its key policy must let the role {STARTER} of account {account} \
         use it (kms:CreateGrant among other actions), or no node starts (Client.InternalError)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_own_key_is_known_by_its_alias_in_every_form() {
        assert!(is_of_aws("alias/aws/ebs") && is_of_aws("arn:aws-cn:kms:cn-north-1:123456789012:alias/aws/ebs"));
        assert!(!is_of_aws("arn:aws:kms:us-east-1:123456789012:key/1a2b") && !is_of_aws("alias/my-aws/ebs"));
    }
}
