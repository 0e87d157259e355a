//! The act that makes each mutating call.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use tritondeploy::cloud::aws::OrFault;
use tritondeploy::cloud::deleted::all_deleted;
use tritondeploy::cloud::{Cloud, Cx};
use tritondeploy::engine::{Fault, FaultKind, Inputs, Observation, Resource, Sweep};
use tritondeploy::resources::eks::{AccessEntry, Addon, Cluster, LaunchTemplate, Template};
use tritondeploy::resources::iam::{ModelAccess, OidcProvider, PolicyAttachment, Provider, Role};
use tritondeploy::resources::network::{
    Address, ElasticIp, InternetGateway, Leftover, Leftovers, Nat, NatGateway, Route, RouteTable, RouteTableAssociation,
    S3Endpoint, Subnet, Vpc,
};
use tritondeploy::resources::registry::Repository;
use tritondeploy::resources::storage::Bucket;

use crate::corpus::Recording;
use crate::looks::{cluster, network, node_group, role};
use crate::meaning::{is_absence, is_there_already, meaning};

/// Makes the call as a walk does; None: it is part of something larger, or of nothing but itself.
pub(crate) async fn acted(cx: &Cx, operation: &str) -> Option<Result<(), Fault>> {
    let (vpc, id) = (network(&serde_json::Value::Null), || "id".to_owned());
    let nat = Nat { id: id() };
    let address = Address { allocation: id(), ip: id() };
    let template = || LaunchTemplate::new(100, "AL2023_x86_64_STANDARD");
    let left = |thing: Leftover| vec![thing];
    let cidr = "10.0.0.0/24";
    Some(match operation {
        "AllocateAddress" => ElasticIp.create(cx, &None, &()).await,
        "ReleaseAddress" => Resource::delete(&ElasticIp, cx, &None, &address).await,
        "AssociateRouteTable" => RouteTableAssociation.create(cx, &id(), &id()).await,
        "DisassociateRouteTable" => Resource::delete(&RouteTableAssociation, cx, &id(), &id()).await,
        "CreateInternetGateway" => InternetGateway.create(cx, &None, &vpc).await,
        "DetachInternetGateway" | "DeleteInternetGateway" => deleted(&InternetGateway, cx, &None).await,
        "CreateLaunchTemplate" => template().create(cx, &(), &()).await,
        "DeleteLaunchTemplate" => Resource::delete(&template(), cx, &(), &Template { id: id(), version: 1 }).await,
        "CreateNatGateway" => NatGateway.create(cx, &vpc, &(id(), address, ())).await,
        "DeleteNatGateway" => Resource::delete(&NatGateway, cx, &vpc, &nat).await,
        "CreateRoute" => Route::<NatGateway>::everywhere().create(cx, &id(), &nat).await,
        "DeleteRoute" => Resource::delete(&Route::<NatGateway>::everywhere(), cx, &id(), &()).await,
        "CreateRouteTable" => RouteTable.create(cx, &vpc, &()).await,
        "DeleteRouteTable" => Resource::delete(&RouteTable, cx, &vpc, &id()).await,
        "CreateSubnet" => Subnet::private(cidr, "us-east-1a").create(cx, &vpc, &()).await,
        "DeleteSubnet" => Resource::delete(&Subnet::private(cidr, "us-east-1a"), cx, &vpc, &id()).await,
        "CreateVpc" => Vpc::new(cidr).create(cx, &(), &()).await,
        "DeleteVpc" => Resource::delete(&Vpc::new(cidr), cx, &(), &vpc).await,
        "CreateVpcEndpoint" => S3Endpoint.create(cx, &vpc, &Vec::new()).await,
        "DeleteVpcEndpoints" => Resource::delete(&S3Endpoint, cx, &vpc, &id()).await,
        "DeleteNetworkInterface" => swept(cx, left(Leftover::Interface { id: id(), named: id() })).await,
        "DeleteSecurityGroup" => swept(cx, left(Leftover::Group { id: id(), name: id() })).await,
        "DeleteLoadBalancer" => swept(cx, left(Leftover::Balancer(id()))).await,
        "DeleteTargetGroup" => swept(cx, left(Leftover::TargetGroup(id()))).await,
        "CreateBucket" => Bucket::configured().create(cx, &(), &()).await,
        "CreateRepository" => Repository::configured().create(cx, &(), &()).await,
        "DeleteRepository" => deleted(&Repository::configured(), cx, &()).await,
        "DeleteObjects" => {
            let object = ObjectIdentifier::builder().key("k").build().expect("a key");
            let delete = Delete::builder().objects(object).build().expect("an object");
            let answer = cx.world.aws.s3.delete_objects().bucket("bucket").delete(delete).send().await.fault();
            answer.and_then(|answer| all_deleted("bucket", &answer))
        }
        _ => return of_eks_or_iam(cx, operation).await,
    })
}

async fn of_eks_or_iam(cx: &Cx, operation: &str) -> Option<Result<(), Fault>> {
    let id = || "id".to_owned();
    let provider = Provider { arn: id(), issuer: id() };
    let eks = || Cluster::new(&cx.world.config.cluster);
    Some(match operation {
        "CreateCluster" => eks().create(cx, &(), &(role(), Vec::new(), ())).await,
        "DeleteCluster" => Resource::delete(&eks(), cx, &(), &cluster()).await,
        "CreateNodegroup" => {
            node_group(cx).create(cx, &cluster(), &(role(), Vec::new(), Template { id: id(), version: 1 }, ())).await
        }
        "DeleteNodegroup" => deleted(&node_group(cx), cx, &cluster()).await,
        "CreateAddon" => Addon::plain("vpc-cni").create(cx, &cluster(), &()).await,
        "DeleteAddon" => Resource::delete(&Addon::plain("vpc-cni"), cx, &cluster(), &id()).await,
        "CreateAccessEntry" => AccessEntry::of_caller().create(cx, &cluster(), &()).await,
        "DeleteAccessEntry" => deleted(&AccessEntry::of_caller(), cx, &cluster()).await,
        "AttachRolePolicy" => PolicyAttachment::of("ReadOnlyAccess").create(cx, &role(), &()).await,
        "DetachRolePolicy" => Resource::delete(&PolicyAttachment::of("ReadOnlyAccess"), cx, &role(), &()).await,
        "CreateOpenIDConnectProvider" => OidcProvider.create(cx, &None, &cluster()).await,
        "DeleteOpenIDConnectProvider" => Resource::delete(&OidcProvider, cx, &None, &provider).await,
        "CreateRole" => Role::node().create(cx, &(), &None).await,
        "DeleteRole" => Resource::delete(&Role::node(), cx, &(), &role()).await,
        "DeleteRolePolicy" => Resource::delete(&ModelAccess, cx, &role(), &()).await,
        "PutRolePolicy" => ModelAccess.create(cx, &role(), &id()).await,
        _ => return None,
    })
}

/// Looks first, as a walk does: what it deletes is what it found.
async fn deleted<R: Resource<World = Cloud>>(resource: &R, cx: &Cx, within: &<R::Within as Inputs>::Values) -> Result<(), Fault> {
    match resource.observe(cx, within).await? {
        Observation::Present(found) => Resource::delete(resource, cx, within, &found.output).await,
        _ => panic!("a {} of ours is there", R::KIND),
    }
}

async fn swept(cx: &Cx, things: Vec<Leftover>) -> Result<(), Fault> {
    Leftovers::<()>::of(&cx.world.config.name).delete(cx, &network(&serde_json::Value::Null), &things).await
}

/// What an act should come to; None: it is done.
pub(crate) fn meant(of: &Recording) -> Option<FaultKind> {
    let takes_away = ["Delete", "Release", "Detach", "Disassociate"].iter().any(|verb| of.operation.starts_with(verb));
    if !of.is_error() && of.operation == "DeleteObjects" {
        let errors = of.answer["Errors"].as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(|one| one["Code"].as_str());
        let left = errors.into_iter().find(|code| !["NoSuchKey", "NoSuchVersion"].contains(code));
        return left.map(|code| if code == "AccessDenied" { FaultKind::Denied } else { FaultKind::TryAgain });
    }
    if !of.is_error() {
        let refused = of.answer["Unsuccessful"].as_array().and_then(|all| all.first()).map(|one| &one["Error"]);
        let is_gone = |error: &serde_json::Value| error["Code"].as_str().is_some_and(|code| code.ends_with("NotFound"));
        return refused.filter(|error| !is_gone(error)).map(|_| FaultKind::Fatal);
    }
    // Of objects, a bucket that is not there is no success.
    let done = (takes_away && is_absence(of) && of.operation != "DeleteObjects") || is_there_already(of);
    // EC2's word for an address that a NAT gateway still holds.
    let held = of.operation == "ReleaseAddress" && of.code() == "AuthFailure";
    (!done).then(|| if held { FaultKind::TryAgain } else { meaning(of) })
}
