//! What a call is called in policies.

/// Service and operation from the name of the operation's error type, `aws_sdk_ec2::operation::create_vpc::CreateVpcError`.
pub(super) fn call_of(error: &str) -> Option<String> {
    let (service, path) = error.strip_prefix("aws_sdk_")?.split_once("::")?;
    let (_, operation) = path.rsplit_once("::")?;
    let operation = operation.strip_suffix("Error")?;
    // As policies call it.
    let service = if service == "resourcegroupstagging" { "tag" } else { service.trim_end_matches("v2") };
    Some(format!("{service}:{operation}"))
}

/// What a policy must allow for a call: S3 has other words for these (service authorization reference, "Amazon S3").
pub(super) fn permission(call: &str) -> &str {
    match call {
        "s3:CopyObject" => "s3:GetObject and s3:PutObject",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "s3:HeadObject" => "s3:GetObject",
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "s3:ListObjectVersions" => "s3:ListBucketVersions",
        "s3:ListObjectsV2" => "s3:ListBucket",
        "s3:PutPublicAccessBlock" => "s3:PutBucketPublicAccessBlock",
        call => call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_as_policies_name_it() {
        let of = call_of(std::any::type_name::<aws_sdk_ec2::operation::create_vpc::CreateVpcError>());
        assert_eq!(of.as_deref(), Some("ec2:CreateVpc"));
        let of = call_of(std::any::type_name::<aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesError>());
        assert_eq!(of.as_deref(), Some("tag:GetResources"));
    }
}
