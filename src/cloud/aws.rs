//! AWS clients: one a service.

/// One client a service, and who we are.
pub struct Aws {
    /// Region of everything.
    pub region: String,
    /// Twelve-digit account id.
    pub account: String,
    /// The caller's ARN as STS tells it.
    pub caller: String,
    pub ec2: aws_sdk_ec2::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub eks: aws_sdk_eks::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub iam: aws_sdk_iam::Client,
    pub s3: aws_sdk_s3::Client,
    pub sts: aws_sdk_sts::Client,
    /// Credentials, for the cluster token.
    pub sdk: aws_types::SdkConfig,
}
