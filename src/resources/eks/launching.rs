//! Why EC2 gives a node group no instances, by what EKS says of it: an issue's code, and in its message EC2's own.

use aws_sdk_eks::types::Nodegroup;

use super::issues;

/// Issues of EKS that mean that there are no instances: there would be none a minute later.
const CODES: [&str; 4] =
    ["AsgInstanceLaunchFailures", "InstanceLimitExceeded", "Ec2InstanceTypeDoesNotExist", "InsufficientFreeAddresses"];

/// What EC2 says, and what it means. TYPE is the instance type.
const MEANT: [(&str, &str); 7] = [
    ("InsufficientInstanceCapacity", "EC2 has no TYPE left in the zones of the nodes for now"),
    ("VcpuLimitExceeded", "the account's quota of vCPUs has no room for the nodes (TYPE)"),
    ("InstanceLimitExceeded", "the account's quota of instances has no room for the nodes (TYPE)"),
    ("maximum Fleet Requests", "the account's quota of fleet requests has no room for the nodes"),
    ("not supported in your requested Availability Zone", "EC2 does not offer TYPE in a zone of the nodes"),
    ("Ec2InstanceTypeDoesNotExist", "EC2 does not offer TYPE in a zone of the nodes"),
    ("InsufficientFreeAddresses", "the subnets of the nodes have no free addresses left"),
];

/// Whether instances are missing for want of quota, of capacity, of addresses, or of the type itself.
pub(super) fn is_refused(group: &Nodegroup) -> bool {
    let issues = group.health().map(|health| health.issues()).unwrap_or_default();
    issues.iter().filter_map(|issue| issue.code()).any(|code| CODES.contains(&code.as_str()))
}

/// The same in a user's words; None: it is not known what EC2 says.
pub(super) fn lack(group: &Nodegroup) -> Option<String> {
    if !is_refused(group) {
        return None;
    }
    let told = issues!(group.health()).join("; ");
    let (_, meant) = MEANT.into_iter().find(|(words, _)| told.contains(words))?;
    Some(meant.replace("TYPE", &group.instance_types().join(", ")))
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{Issue, NodegroupHealth, NodegroupIssueCode};

    use super::*;

    fn with(issues: &[(&str, &str)]) -> Nodegroup {
        let issue =
            |(code, message): &(&str, &str)| Issue::builder().code(NodegroupIssueCode::from(*code)).message(*message).build();
        let health = NodegroupHealth::builder().set_issues(Some(issues.iter().map(issue).collect())).build();
        Nodegroup::builder().instance_types("g4dn.xlarge").health(health).build()
    }

    #[test]
    fn what_ec2_says_is_told_as_what_is_missing() {
        let refused =
            |message| with(&[("AsgInstanceLaunchFailures", message), ("NodeCreationFailure", "Instances failed to join")]);
        for (message, meant) in [
            (
                "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We",
                "EC2 has no g4dn.xlarge left in the zones",
            ),
            ("Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested", "quota of vCPUs has no room"),
            ("You've reached your quota for maximum Fleet Requests for this account.", "quota of fleet requests has no room"),
            (
                "Unsupported - Your requested instance type (g4dn.xlarge) is not supported in your requested Availability Zone (x).",
                "EC2 does not offer g4dn.xlarge in a zone",
            ),
        ] {
            let told = lack(&refused(message)).unwrap();
            assert!(told.contains(meant), "{message}: {told}");
        }
        // Words of EC2's that are not known say no more than that, and instances that run lack nothing.
        let odd = refused("Unsupported - The requested configuration is currently not supported.");
        assert!(is_refused(&odd) && lack(&odd).is_none());
        let never_joined = with(&[("NodeCreationFailure", "Instances failed to join")]);
        assert!(!is_refused(&never_joined) && lack(&never_joined).is_none());
    }
}
