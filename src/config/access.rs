//! `[access]`: who may administer the cluster besides those who run `up`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// IAM principals with an entry of their own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// ARNs of IAM users and roles, each with its path.
    pub admins: Vec<String>,
}

/// Every problem found, each naming its key.
pub(super) fn problems(access: &Access) -> Vec<String> {
    let mut known = HashSet::new();
    let mut problems = Vec::new();
    for admin in &access.admins {
        if let Some(why) = wrong(admin) {
            problems.push(format!("access.admins: {admin:?} {why}"));
        } else if !known.insert(admin) {
            problems.push(format!("access.admins: {admin:?} is there twice"));
        }
    }
    problems
}

const SUCH_AS: &str = "such as arn:aws:iam::123456789012:user/alice or arn:aws:iam::123456789012:role/operators";

/// Why this is not the ARN of an IAM user or role.
fn wrong(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, service, "", account, resource] = &parts[..] else {
        return Some(format!("is no ARN of an IAM user or role, {SUCH_AS}"));
    };
    let partition_is_known = ["aws", "aws-cn", "aws-us-gov"].contains(&partition);
    if !partition_is_known || account.len() != 12 || !account.bytes().all(|c| c.is_ascii_digit()) {
        return Some(format!("is no ARN of an IAM user or role, {SUCH_AS}"));
    }
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    if let ("sts", "assumed-role") = (service, kind) {
        let role = name.split('/').next().unwrap_or_default();
        let role = format!("arn:{partition}:iam::{account}:role/{role}");
        return Some(format!("is a session of a role, which ends; write the role: {role} (with its path, if it has one)"));
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&c);
    let named = name.bytes().all(plain) && name.split('/').all(|part| !part.is_empty()) && name.len() <= 576;
    match (service, kind) {
        ("iam", "user" | "role") if named => None,
        ("iam", "root") => {
            Some("is the account's root user, which nobody should use for daily work; write a user or a role".to_owned())
        }
        ("iam", "group") => Some("is a group, and EKS lets in users and roles only; write its members, or a role".to_owned()),
        _ => Some(format!("is no ARN of an IAM user or role, {SUCH_AS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(admins: &[&str]) -> String {
        problems(&Access { admins: admins.iter().map(|admin| (*admin).to_owned()).collect() }).join("\n")
    }

    #[test]
    fn users_and_roles_are_taken_with_their_paths() {
        let good = [
            "arn:aws:iam::123456789012:user/alice",
            "arn:aws:iam::123456789012:user/teams/vision/alice@example.com",
            "arn:aws-cn:iam::123456789012:role/operators",
            "arn:aws:iam::210987654321:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef",
        ];
        assert_eq!(told(&good), "");
    }

    #[test]
    fn what_is_no_user_or_role_is_refused_with_what_to_write() {
        for (admin, words) in [
            ("alice", "such as arn:aws:iam::123456789012:user/alice"),
            ("arn:aws:iam::1234:user/alice", "such as"),
            ("arn:aws:iam::123456789012:user/", "such as"),
            ("arn:aws:iam::123456789012:user/*", "such as"),
            ("arn:aws:iam::123456789012:role/a//b", "such as"),
            ("arn:aws:s3:::bucket", "such as"),
            ("arn:aws:iam::123456789012:root", "root user"),
            ("arn:aws:iam::123456789012:group/admins", "is a group"),
            (
                "arn:aws:sts::123456789012:assumed-role/operators/me",
                "write the role: arn:aws:iam::123456789012:role/operators (with",
            ),
            ("arn:aws:sts::123456789012:federated-user/me", "such as"),
        ] {
            let told = told(&[admin]);
            assert!(told.starts_with("access.admins: ") && told.contains(words), "no {words:?} in {told:?}");
        }
        let alice = "arn:aws:iam::123456789012:user/alice";
        assert!(told(&[alice, alice]).contains("is there twice"));
    }
}
