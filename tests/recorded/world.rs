//! What is around the recorded answer while a resource looks: one of each thing of ours, and nothing else.

use serde_json::{Map, Value, json};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::tags::Tags;

use crate::corpus::sent;

/// The name of the node that looks.
pub(crate) const NODE: &str = "node";

/// Our tags, as every service but EKS writes them.
fn listed(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The answers of all that a look at this thing may ask besides.
pub(crate) fn around(cloud: &Cloud, thing: &Value) -> Vec<Value> {
    let (ours, of_elb) = (listed(&cloud.tags(NODE)), ["LoadBalancerArn", "TargetGroupArn"].map(|name| &thing[name]));
    let tagged = of_elb.iter().filter(|arn| arn.is_string()).map(|arn| json!({"ResourceArn": arn, "Tags": thing["Tags"]}));
    let ok = |service: &str, operation: &str, answer: Value| sent(service, operation, 200, answer);
    let absent = |service: &str, operation: &str, status: u16, code: &str| {
        sent(service, operation, status, json!({"Error": {"Code": code, "Message": "It is not there."}}))
    };
    let on = json!({"Value": true});
    let blocked =
        json!({"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true});
    let arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0";
    let repository = json!({"repositoryName": "r", "repositoryArn": "arn:aws:ecr:us-east-1:123456789012:repository/r"});
    vec![
        ok("ec2", "DescribeVpcs", json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Tags": ours}]})),
        ok("ec2", "DescribeVpcAttribute", json!({"EnableDnsSupport": on, "EnableDnsHostnames": on})),
        ok(
            "ec2",
            "DescribeInternetGateways",
            json!({"InternetGateways": [{"InternetGatewayId": "igw-1", "Tags": ours,
            "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}]}),
        ),
        ok("ec2", "DescribeLaunchTemplates", json!({"LaunchTemplates": [{"LaunchTemplateId": "lt-1", "Tags": ours}]})),
        ok("ec2", "DescribeLaunchTemplateVersions", json!({"LaunchTemplateVersions": [{"LaunchTemplateData": {}}]})),
        ok("ecr", "DescribeRepositories", json!({"repositories": [repository]})),
        ok("ecr", "ListTagsForResource", json!({"tags": listed(&cloud.tags("repository"))})),
        ok("elbv2", "DescribeTags", json!({"TagDescriptions": tagged.collect::<Vec<_>>()})),
        absent("eks", "DescribeCluster", 404, "ResourceNotFoundException"),
        ok(
            "eks",
            "DescribeNodegroup",
            json!({"nodegroup": {"nodegroupName": "gpu", "status": "ACTIVE",
            "tags": cloud.tags(NODE).map()}}),
        ),
        ok("eks", "DescribeAccessEntry", json!({"accessEntry": {"type": "STANDARD"}})),
        ok("iam", "ListOpenIDConnectProviders", json!({"OpenIDConnectProviderList": [{"Arn": arn}]})),
        ok("iam", "GetOpenIDConnectProvider", json!({"Url": "oidc.eks.us-east-1.amazonaws.com/id/0", "Tags": ours})),
        ok("s3", "GetBucketTagging", json!({"TagSet": listed(&cloud.tags("bucket"))})),
        ok("s3", "GetPublicAccessBlock", json!({"PublicAccessBlockConfiguration": blocked})),
        absent("service-quotas", "GetServiceQuota", 400, "NoSuchResourceException"),
    ]
}

/// Where the tags are in an answer of this operation, for one thing of it.
fn tags_in<'a>(thing: &'a mut Value, operation: &str) -> Option<&'a mut Value> {
    let place = match operation {
        "DescribeNetworkInterfaces" => "/TagSet",
        "DescribeCluster" => "/cluster/tags",
        "DescribeNodegroup" => "/nodegroup/tags",
        "DescribeAddon" => "/addon/tags",
        "DescribeAccessEntry" => "/accessEntry/tags",
        "GetRole" => "/Role/Tags",
        "GetBucketTagging" => "/TagSet",
        "ListTagsForResource" => "/tags",
        "GetOpenIDConnectProvider" => "/Tags",
        _ if operation.starts_with("Describe") => "/Tags",
        _ => return None,
    };
    let (above, name) = place.rsplit_once('/')?;
    let above = thing.pointer_mut(above)?.as_object_mut()?;
    Some(above.entry(name).or_insert(Value::Null))
}

/// The thing, with our tags among its own: all that is recorded is somebody else's.
pub(crate) fn made_ours(cloud: &Cloud, service: &str, operation: &str, mut thing: Value) -> Value {
    let node = match operation {
        "GetBucketTagging" => "bucket",
        "ListTagsForResource" => "repository",
        _ => NODE,
    };
    let ours = cloud.tags(node).with(&format!("kubernetes.io/cluster/{}", cloud.config.name), "owned");
    let Some(tags) = tags_in(&mut thing, operation) else { return thing };
    if service == "eks" {
        let mut all = tags.as_object().cloned().unwrap_or_else(Map::new);
        all.extend(ours.iter().map(|(key, value)| (key.to_owned(), json!(value))));
        *tags = Value::Object(all);
    } else {
        let own = tags.as_array().cloned().unwrap_or_default();
        *tags = own.into_iter().chain(listed(&ours).as_array().cloned().unwrap_or_default()).collect();
    }
    thing
}

/// The member that has the things of a list.
pub(crate) fn list_of(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "DescribeAddresses" => "Addresses",
        "DescribeInternetGateways" => "InternetGateways",
        "DescribeLaunchTemplateVersions" => "LaunchTemplateVersions",
        "DescribeLaunchTemplates" => "LaunchTemplates",
        "DescribeLoadBalancers" => "LoadBalancers",
        "DescribeNatGateways" => "NatGateways",
        "DescribeNetworkInterfaces" => "NetworkInterfaces",
        "DescribeRepositories" => "repositories",
        "DescribeRouteTables" => "RouteTables",
        "DescribeSecurityGroups" => "SecurityGroups",
        "DescribeSubnets" => "Subnets",
        "DescribeTargetGroups" => "TargetGroups",
        "DescribeVpcEndpoints" => "VpcEndpoints",
        "DescribeVpcs" => "Vpcs",
        _ => return None,
    })
}
