//! What there is in the account, asked without the resources' own looks.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, NatGatewayState, State};
use tritondeploy::cloud::Cloud;

fn key() -> Filter {
    Filter::builder().name("tag-key").values("tritondeploy:deployment").build()
}

/// How many of each kind carry our tag; ghosts aside, and kinds without any left out.
pub(crate) async fn ours(cloud: &Cloud) -> BTreeMap<&'static str, usize> {
    let ec2 = &cloud.aws.ec2;
    let vpcs = ec2.describe_vpcs().filters(key()).send().await.expect("VPCs");
    let subnets = ec2.describe_subnets().filters(key()).send().await.expect("subnets");
    let doors = ec2.describe_internet_gateways().filters(key()).send().await.expect("gateways");
    let addresses = ec2.describe_addresses().filters(key()).send().await.expect("addresses");
    let tables = ec2.describe_route_tables().filters(key()).send().await.expect("route tables");
    let nats = ec2.describe_nat_gateways().filter(key()).send().await.expect("NAT gateways");
    let nats = nats.nat_gateways().iter().filter(|nat| nat.state() != Some(&NatGatewayState::Deleted));
    let endpoints = ec2.describe_vpc_endpoints().filters(key()).send().await.expect("endpoints");
    let endpoints = endpoints.vpc_endpoints().iter().filter(|endpoint| endpoint.state() != Some(&State::Deleted));
    let associations = tables.route_tables().iter().flat_map(|table| table.associations());
    let counted = [
        ("vpc", vpcs.vpcs().len()),
        ("subnet", subnets.subnets().len()),
        ("internet-gateway", doors.internet_gateways().len()),
        ("address", addresses.addresses().len()),
        ("route-table", tables.route_tables().len()),
        ("association", associations.count()),
        ("nat-gateway", nats.count()),
        ("endpoint", endpoints.count()),
    ];
    counted.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// One of each, as the reference deployment has them.
pub(crate) fn one_of_each() -> BTreeMap<&'static str, usize> {
    let counts = [
        ("vpc", 1),
        ("subnet", 4),
        ("internet-gateway", 1),
        ("address", 1),
        ("route-table", 2),
        ("association", 4),
        ("nat-gateway", 1),
        ("endpoint", 1),
    ];
    counts.into()
}

/// The id of the only VPC of ours.
pub(crate) async fn vpc(cloud: &Cloud) -> String {
    let vpcs = cloud.aws.ec2.describe_vpcs().filters(key()).send().await.expect("VPCs");
    vpcs.vpcs().first().and_then(|vpc| vpc.vpc_id()).expect("a VPC").to_owned()
}
