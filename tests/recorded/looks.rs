//! The look that asks for each operation.

use serde_json::{Value, json};
use tritondeploy::cloud::machine::Machine;
use tritondeploy::cloud::{Cx, quota};
use tritondeploy::engine::Fault;
use tritondeploy::resources::eks::{AccessEntry, AccessPolicy, Addon, Cluster, ClusterOutput, LaunchTemplate, NodeGroup};
use tritondeploy::resources::iam::{ModelAccess, OidcProvider, PolicyAttachment, Role, RoleOutput};
use tritondeploy::resources::network::{
    ElasticIp, InternetGateway, Leftovers, NatGateway, Network, Route, RouteTable, RouteTableAssociation, S3Endpoint, Subnet, Vpc,
};
use tritondeploy::resources::registry::Repository;
use tritondeploy::resources::storage::Bucket;

use crate::found::{Found, look};

/// What is looked for: most operations serve one look, routes and associations are in the description of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Route,
    Association,
}

/// Which looks ask for this operation.
pub(crate) fn parts(operation: &str) -> &'static [Part] {
    if operation == "DescribeRouteTables" { &[Part::Whole, Part::Route, Part::Association] } else { &[Part::Whole] }
}

pub(crate) fn network(thing: &Value) -> Network {
    let id = thing["VpcId"].as_str().unwrap_or("vpc-1").to_owned();
    Network { id, cidr: "10.0.0.0/16".to_owned(), twins: Vec::new() }
}

pub(crate) fn cluster() -> ClusterOutput {
    let word = || "cluster".to_owned();
    ClusterOutput {
        name: word(),
        arn: word(),
        endpoint: word(),
        certificate_authority: word(),
        issuer: word(),
        version: word(),
        security_group: word(),
    }
}

pub(crate) fn role() -> RoleOutput {
    RoleOutput { name: "role".to_owned(), arn: "arn:aws:iam::123456789012:role/role".to_owned() }
}

/// The subnet of a table's association.
pub(crate) fn subnet_of(table: &Value) -> String {
    let all = table["Associations"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().find_map(|one| one["SubnetId"].as_str()).unwrap_or("subnet-0").to_owned()
}

/// The policy that is looked for: the first that is AWS's own, else one that is not attached.
pub(crate) fn policy_of(answer: &Value) -> String {
    let all = answer["AttachedPolicies"].as_array().map_or(&[][..], Vec::as_slice);
    let name = all.iter().find_map(|one| one["PolicyArn"].as_str()?.strip_prefix("arn:aws:iam::aws:policy/"));
    name.unwrap_or("NoSuchPolicy").to_owned()
}

pub(crate) fn node_group(cx: &Cx) -> NodeGroup {
    NodeGroup::new(&cx.world.config.nodes, &Machine::default())
}

/// Looks at what the answer tells of; None: no look asks for that by itself.
pub(crate) async fn looked(cx: &Cx, operation: &str, part: Part, thing: &Value) -> Option<Result<Found, Fault>> {
    Some(match (operation, part) {
        ("DescribeRouteTables", Part::Route) => look(&Route::<NatGateway>::everywhere(), cx, &"rtb-1".to_owned()).await,
        ("DescribeRouteTables", Part::Association) => look(&RouteTableAssociation, cx, &subnet_of(thing)).await,
        ("DescribeRouteTables", Part::Whole) => look(&RouteTable, cx, &network(thing)).await,
        ("DescribeVpcs" | "DescribeVpcAttribute", _) => look(&Vpc::new("10.0.0.0/16"), cx, &()).await,
        ("DescribeSubnets", _) => look(&Subnet::private("10.0.0.0/24", "us-east-1a"), cx, &network(thing)).await,
        ("DescribeInternetGateways", _) => look(&InternetGateway, cx, &None).await,
        ("DescribeNatGateways", _) => look(&NatGateway, cx, &network(thing)).await,
        ("DescribeAddresses", _) => look(&ElasticIp, cx, &None).await,
        ("DescribeVpcEndpoints", _) => look(&S3Endpoint, cx, &network(thing)).await,
        ("DescribeNetworkInterfaces" | "DescribeSecurityGroups" | "DescribeLoadBalancers" | "DescribeTargetGroups", _) => {
            look(&Leftovers::<()>::of(&cx.world.config.name), cx, &network(thing)).await
        }
        ("DescribeLaunchTemplates" | "DescribeLaunchTemplateVersions", _) => {
            look(&LaunchTemplate::new(100, "AL2023_x86_64_STANDARD"), cx, &()).await
        }
        ("DescribeCluster", _) => look(&Cluster::new(&cx.world.config.cluster), cx, &()).await,
        ("DescribeNodegroup", _) => look(&node_group(cx), cx, &cluster()).await,
        ("DescribeAddon", _) => look(&Addon::plain("vpc-cni"), cx, &cluster()).await,
        ("DescribeAccessEntry", _) => look(&AccessEntry::of_caller(), cx, &cluster()).await,
        ("ListAssociatedAccessPolicies", _) => {
            let Ok(tritondeploy::engine::Observation::Present(entry)) =
                tritondeploy::engine::Observe::observe(&AccessEntry::of_caller(), cx, &cluster()).await
            else {
                panic!("the caller's entry is there")
            };
            look(&AccessPolicy, cx, &(cluster(), entry.output)).await
        }
        ("GetRole", _) => look(&Role::node(), cx, &()).await,
        ("GetRolePolicy", _) => look(&ModelAccess, cx, &role()).await,
        ("ListAttachedRolePolicies", _) => look(&PolicyAttachment::of(&policy_of(thing)), cx, &role()).await,
        ("GetOpenIDConnectProvider" | "ListOpenIDConnectProviders", _) => look(&OidcProvider, cx, &None).await,
        ("DescribeRepositories" | "ListTagsForResource", _) => look(&Repository::configured(), cx, &()).await,
        ("GetBucketTagging" | "GetPublicAccessBlock", _) => look(&Bucket::configured(), cx, &()).await,
        ("GetServiceQuota" | "GetAWSDefaultServiceQuota", _) => {
            let short = quota::shortage(&cx.world.aws, &cx.world.config, &Machine::default()).await;
            short.map(|short| Found::Present(json!({"short": short.is_some()})))
        }
        _ => return None,
    })
}
