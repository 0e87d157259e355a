//! What still holds a subnet, a VPC or its gateway: EC2 only says "DependencyViolation".

use aws_sdk_ec2::types::{NatGatewayState, NetworkInterface, State as Code};
use futures::future::join4;

use crate::cloud::Cx;
use crate::cloud::aws::OrFault;
use crate::cloud::tags::filter;
use crate::cloud::vpc_endpoint;
use crate::engine::Fault;

/// What is held.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Vpc(&'a str),
    Subnet(&'a str),
    /// The internet gateway of this VPC, by the public addresses in it.
    PublicAddresses(&'a str),
}

/// After a deletion that was refused because something hangs from it: says what.
pub(super) async fn held<T>(cx: &Cx, answer: Result<T, Fault>, place: Place<'_>) -> Result<(), Fault> {
    match answer {
        Ok(_) => Ok(()),
        Err(fault) if fault.code() == "DependencyViolation" => match &*holders(cx, place).await {
            [] => Err(fault),
            holders => Err(fault.and(format_args!("held by {}", holders.join(", ")))),
        },
        Err(fault) => Err(fault),
    }
}

/// As much as can be told: a look that fails tells nothing.
async fn holders(cx: &Cx, place: Place<'_>) -> Vec<String> {
    match place {
        Place::Subnet(id) => interfaces(cx, "subnet-id", id, |_| true).await,
        Place::PublicAddresses(vpc) => interfaces(cx, "vpc-id", vpc, |interface| interface.association().is_some()).await,
        Place::Vpc(id) => {
            let (a, b, c, d) =
                join4(interfaces(cx, "vpc-id", id, |_| true), subnets(cx, id), groups(cx, id), gateways(cx, id)).await;
            [a, b, c, d].concat()
        }
    }
}

async fn interfaces(cx: &Cx, by: &str, id: &str, which: impl Fn(&NetworkInterface) -> bool) -> Vec<String> {
    let call = cx.world.aws.ec2.describe_network_interfaces().filters(filter(by, id));
    let found = call.into_paginator().items().send().try_collect().await.unwrap_or_default();
    found.iter().filter(|interface| which(interface)).map(named).collect()
}

/// An interface with what it is for, in the words of whoever made it.
pub(super) fn named(interface: &NetworkInterface) -> String {
    let id = interface.network_interface_id().unwrap_or_default();
    let what = interface.description().filter(|text| !text.is_empty());
    let what = what.map_or_else(|| "network interface".to_owned(), |text| format!("network interface of {text}"));
    let attached = interface.attachment().and_then(|attachment| attachment.instance_id());
    attached.map_or_else(|| format!("{id} ({what})"), |instance| format!("{id} ({what}, at {instance})"))
}

async fn subnets(cx: &Cx, vpc: &str) -> Vec<String> {
    let call = cx.world.aws.ec2.describe_subnets().filters(filter("vpc-id", vpc));
    let found = call.into_paginator().items().send().try_collect().await.unwrap_or_default();
    found.into_iter().filter_map(|subnet| Some(format!("{} (subnet)", subnet.subnet_id?))).collect()
}

/// Security groups, but for the VPC's own, which goes with it.
async fn groups(cx: &Cx, vpc: &str) -> Vec<String> {
    let call = cx.world.aws.ec2.describe_security_groups().filters(filter("vpc-id", vpc));
    let found = call.into_paginator().items().send().try_collect().await.unwrap_or_default();
    let own = |name: Option<&str>| name == Some("default");
    let found = found.into_iter().filter(|group| !own(group.group_name()));
    found
        .map(|group| format!("{} (security group {})", group.group_id.unwrap_or_default(), group.group_name.unwrap_or_default()))
        .collect()
}

async fn gateways(cx: &Cx, vpc: &str) -> Vec<String> {
    let ec2 = &cx.world.aws.ec2;
    let call = ec2.describe_internet_gateways().filters(filter("attachment.vpc-id", vpc));
    let gateways = call.into_paginator().items().send().try_collect().await.unwrap_or_default();
    let gateways =
        gateways.into_iter().filter_map(|gateway| Some(format!("{} (internet gateway)", gateway.internet_gateway_id?)));
    let call = ec2.describe_nat_gateways().filter(filter("vpc-id", vpc));
    let nats = call.into_paginator().items().send().try_collect().await.unwrap_or_default();
    let nats = nats.into_iter().filter(|nat| nat.state() != Some(&NatGatewayState::Deleted));
    let nats = nats.filter_map(|nat| Some(format!("{} (NAT gateway)", nat.nat_gateway_id?)));
    let call = ec2.describe_vpc_endpoints().filters(filter("vpc-id", vpc));
    let ends = call.into_paginator().items().send().try_collect().await.fault().unwrap_or_default();
    let ends = ends.into_iter().filter(|end| vpc_endpoint::state(end) != Some(Code::Deleted));
    let ends = ends.filter_map(|end| Some(format!("{} (VPC endpoint)", end.vpc_endpoint_id?)));
    gateways.chain(nats).chain(ends).collect()
}
