//! Every operation that is recorded and that we call, by the SDK client that our code has.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use aws_sdk_s3::types::{Delete, ObjectIdentifier, Tagging};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tritondeploy::cloud::aws::{Aws, OrFault, code, in_another_region};
use tritondeploy::engine::Fault;

/// What was understood of an answer.
pub(crate) struct Understood {
    /// All members, as Rust writes them; or what an error means to a walk.
    pub(crate) told: Result<String, Fault>,
    /// The error code.
    pub(crate) code: String,
    pub(crate) in_another_region: bool,
}

fn understood<T: Debug, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> Understood
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = answer.as_ref().err();
    let (code, in_another_region) = (error.and_then(code).unwrap_or_default().to_owned(), error.is_some_and(in_another_region));
    Understood { told: answer.map(|answer| format!("{answer:?}")).fault(), code, in_another_region }
}

type Call<'a> = Pin<Box<dyn Future<Output = Understood> + Send + 'a>>;

macro_rules! calls {
    ($($service:literal $operation:literal $client:ident $call:ident $(.$with:ident($($value:expr),*))*;)*) => {
        /// Services and operations, as botocore names them.
        pub(crate) const CALLED: &[(&str, &str)] = &[$(($service, $operation)),*];

        /// Makes the call; None: we never call that.
        pub(crate) fn call<'a>(aws: &'a Aws, of: (&str, &str)) -> Option<Call<'a>> {
            match of {
                $(($service, $operation) => Some(Box::pin(async move {
                    understood(aws.$client.$call()$(.$with($($value),*))*.send().await)
                })),)*
                _ => None,
            }
        }
    };
}

calls! {
    "ec2" "AllocateAddress" ec2 allocate_address;
    "ec2" "AssociateRouteTable" ec2 associate_route_table;
    "ec2" "AttachInternetGateway" ec2 attach_internet_gateway;
    "ec2" "CreateInternetGateway" ec2 create_internet_gateway;
    "ec2" "CreateLaunchTemplate" ec2 create_launch_template;
    "ec2" "CreateNatGateway" ec2 create_nat_gateway;
    "ec2" "CreateRoute" ec2 create_route;
    "ec2" "CreateRouteTable" ec2 create_route_table;
    "ec2" "CreateSubnet" ec2 create_subnet;
    "ec2" "CreateTags" ec2 create_tags;
    "ec2" "CreateVpc" ec2 create_vpc;
    "ec2" "CreateVpcEndpoint" ec2 create_vpc_endpoint;
    "ec2" "DeleteInternetGateway" ec2 delete_internet_gateway;
    "ec2" "DeleteLaunchTemplate" ec2 delete_launch_template;
    "ec2" "DeleteNatGateway" ec2 delete_nat_gateway;
    "ec2" "DeleteNetworkInterface" ec2 delete_network_interface;
    "ec2" "DeleteRoute" ec2 delete_route;
    "ec2" "DeleteRouteTable" ec2 delete_route_table;
    "ec2" "DeleteSecurityGroup" ec2 delete_security_group;
    "ec2" "DeleteSubnet" ec2 delete_subnet;
    "ec2" "DeleteTags" ec2 delete_tags;
    "ec2" "DeleteVpc" ec2 delete_vpc;
    "ec2" "DeleteVpcEndpoints" ec2 delete_vpc_endpoints;
    "ec2" "DescribeAddresses" ec2 describe_addresses;
    "ec2" "DescribeAvailabilityZones" ec2 describe_availability_zones;
    "ec2" "DescribeInstances" ec2 describe_instances;
    "ec2" "DescribeInstanceTypeOfferings" ec2 describe_instance_type_offerings;
    "ec2" "DescribeInstanceTypes" ec2 describe_instance_types;
    "ec2" "DescribeInternetGateways" ec2 describe_internet_gateways;
    "ec2" "DescribeLaunchTemplateVersions" ec2 describe_launch_template_versions;
    "ec2" "DescribeLaunchTemplates" ec2 describe_launch_templates;
    "ec2" "DescribeNatGateways" ec2 describe_nat_gateways;
    "ec2" "DescribeNetworkInterfaces" ec2 describe_network_interfaces;
    "ec2" "DescribeRouteTables" ec2 describe_route_tables;
    "ec2" "DescribeSecurityGroupRules" ec2 describe_security_group_rules;
    "ec2" "DescribeSecurityGroups" ec2 describe_security_groups;
    "ec2" "DescribeSubnets" ec2 describe_subnets;
    "ec2" "DescribeTags" ec2 describe_tags;
    "ec2" "DescribeVpcAttribute" ec2 describe_vpc_attribute;
    "ec2" "DescribeVpcEndpoints" ec2 describe_vpc_endpoints;
    "ec2" "DescribeVpcs" ec2 describe_vpcs;
    "ec2" "DetachInternetGateway" ec2 detach_internet_gateway;
    "ec2" "DisassociateRouteTable" ec2 disassociate_route_table;
    "ec2" "ModifySubnetAttribute" ec2 modify_subnet_attribute;
    "ec2" "ModifyVpcAttribute" ec2 modify_vpc_attribute;
    "ec2" "ModifyVpcEndpoint" ec2 modify_vpc_endpoint;
    "ec2" "ReleaseAddress" ec2 release_address;
    "ec2" "ReplaceRoute" ec2 replace_route;
    "ec2" "ReplaceRouteTableAssociation" ec2 replace_route_table_association;
    "ec2" "RevokeSecurityGroupEgress" ec2 revoke_security_group_egress;
    "ec2" "RevokeSecurityGroupIngress" ec2 revoke_security_group_ingress;
    "ecr" "BatchDeleteImage" ecr batch_delete_image;
    "ecr" "CreateRepository" ecr create_repository;
    "ecr" "DeleteRepository" ecr delete_repository;
    "ecr" "DescribeImages" ecr describe_images;
    "ecr" "DescribeRepositories" ecr describe_repositories;
    "ecr" "GetAuthorizationToken" ecr get_authorization_token;
    "ecr" "ListTagsForResource" ecr list_tags_for_resource;
    "ecr" "TagResource" ecr tag_resource;
    "ecr" "UntagResource" ecr untag_resource;
    "eks" "AssociateAccessPolicy" eks associate_access_policy.cluster_name("c").principal_arn("p");
    "eks" "CreateAccessEntry" eks create_access_entry.cluster_name("c");
    "eks" "CreateAddon" eks create_addon.cluster_name("c");
    "eks" "CreateCluster" eks create_cluster;
    "eks" "CreateNodegroup" eks create_nodegroup.cluster_name("c");
    "eks" "DeleteAccessEntry" eks delete_access_entry.cluster_name("c").principal_arn("p");
    "eks" "DeleteAddon" eks delete_addon.cluster_name("c").addon_name("a");
    "eks" "DeleteCluster" eks delete_cluster.name("c");
    "eks" "DeleteNodegroup" eks delete_nodegroup.cluster_name("c").nodegroup_name("n");
    "eks" "DescribeAccessEntry" eks describe_access_entry.cluster_name("c").principal_arn("p");
    "eks" "DescribeAddon" eks describe_addon.cluster_name("c").addon_name("a");
    "eks" "DescribeCluster" eks describe_cluster.name("c");
    "eks" "DescribeClusterVersions" eks describe_cluster_versions;
    "eks" "DescribeNodegroup" eks describe_nodegroup.cluster_name("c").nodegroup_name("n");
    "eks" "DescribeUpdate" eks describe_update.name("c").update_id("u");
    "eks" "DisassociateAccessPolicy" eks disassociate_access_policy.cluster_name("c").principal_arn("p").policy_arn("q");
    "eks" "ListAccessEntries" eks list_access_entries.cluster_name("c");
    "eks" "ListAssociatedAccessPolicies" eks list_associated_access_policies.cluster_name("c").principal_arn("p");
    "eks" "TagResource" eks tag_resource.resource_arn("r").tags("k", "v");
    "eks" "UntagResource" eks untag_resource.resource_arn("r").tag_keys("k");
    "eks" "UpdateAddon" eks update_addon.cluster_name("c").addon_name("a");
    "eks" "UpdateClusterConfig" eks update_cluster_config.name("c");
    "eks" "UpdateNodegroupConfig" eks update_nodegroup_config.cluster_name("c").nodegroup_name("n");
    "elbv2" "AddTags" elb add_tags;
    "elbv2" "DeleteLoadBalancer" elb delete_load_balancer;
    "elbv2" "DeleteTargetGroup" elb delete_target_group;
    "elbv2" "DescribeListeners" elb describe_listeners;
    "elbv2" "DescribeLoadBalancers" elb describe_load_balancers;
    "elbv2" "DescribeTags" elb describe_tags;
    "elbv2" "DescribeTargetGroups" elb describe_target_groups;
    "elbv2" "DescribeTargetHealth" elb describe_target_health;
    "elbv2" "RemoveTags" elb remove_tags;
    "iam" "AddClientIDToOpenIDConnectProvider" iam add_client_id_to_open_id_connect_provider;
    "iam" "AttachRolePolicy" iam attach_role_policy;
    "iam" "CreateOpenIDConnectProvider" iam create_open_id_connect_provider;
    "iam" "CreateRole" iam create_role;
    "iam" "DeleteOpenIDConnectProvider" iam delete_open_id_connect_provider;
    "iam" "DeleteRole" iam delete_role;
    "iam" "DeleteRolePolicy" iam delete_role_policy;
    "iam" "DetachRolePolicy" iam detach_role_policy;
    "iam" "GetOpenIDConnectProvider" iam get_open_id_connect_provider;
    "iam" "GetRole" iam get_role;
    "iam" "GetRolePolicy" iam get_role_policy;
    "iam" "GetUser" iam get_user;
    "iam" "ListAttachedRolePolicies" iam list_attached_role_policies;
    "iam" "ListInstanceProfilesForRole" iam list_instance_profiles_for_role;
    "iam" "ListOpenIDConnectProviders" iam list_open_id_connect_providers;
    "iam" "ListRolePolicies" iam list_role_policies;
    "iam" "PutRolePolicy" iam put_role_policy;
    "iam" "TagOpenIDConnectProvider" iam tag_open_id_connect_provider.set_tags(Some(Vec::new()));
    "iam" "TagRole" iam tag_role.set_tags(Some(Vec::new()));
    "iam" "UntagOpenIDConnectProvider" iam untag_open_id_connect_provider.tag_keys("k");
    "iam" "UntagRole" iam untag_role.tag_keys("k");
    "iam" "UpdateAssumeRolePolicy" iam update_assume_role_policy;
    "resourcegroupstaggingapi" "GetResources" tagging get_resources;
    "s3" "AbortMultipartUpload" s3 abort_multipart_upload.bucket("bucket").key("k").upload_id("u");
    "s3" "CopyObject" s3 copy_object.bucket("bucket").key("k").copy_source("bucket/j");
    "s3" "CreateBucket" s3 create_bucket.bucket("bucket");
    "s3" "DeleteBucket" s3 delete_bucket.bucket("bucket");
    "s3" "DeleteObject" s3 delete_object.bucket("bucket").key("k");
    "s3" "DeleteObjects" s3 delete_objects.bucket("bucket").delete(deletion());
    "s3" "GetBucketTagging" s3 get_bucket_tagging.bucket("bucket");
    "s3" "GetObject" s3 get_object.bucket("bucket").key("k");
    "s3" "GetPublicAccessBlock" s3 get_public_access_block.bucket("bucket");
    "s3" "HeadObject" s3 head_object.bucket("bucket").key("k");
    "s3" "ListBuckets" s3 list_buckets;
    "s3" "ListMultipartUploads" s3 list_multipart_uploads.bucket("bucket");
    "s3" "ListObjectVersions" s3 list_object_versions.bucket("bucket");
    "s3" "ListObjectsV2" s3 list_objects_v2.bucket("bucket");
    "s3" "PutBucketTagging" s3 put_bucket_tagging.bucket("bucket").tagging(tagging());
    "s3" "PutObject" s3 put_object.bucket("bucket").key("k");
    "s3" "PutPublicAccessBlock" s3 put_public_access_block.bucket("bucket");
    "service-quotas" "GetAWSDefaultServiceQuota" quotas get_aws_default_service_quota;
    "service-quotas" "GetServiceQuota" quotas get_service_quota;
    "sts" "GetCallerIdentity" sts get_caller_identity;
}

fn deletion() -> Delete {
    Delete::builder().objects(ObjectIdentifier::builder().key("k").build().expect("a key")).build().expect("a key")
}

fn tagging() -> Tagging {
    Tagging::builder().set_tag_set(Some(Vec::new())).build().expect("tags")
}
