//! A NAT gateway: the private subnets' way out to the image registries and AWS.
//!
//! Billed by the hour and by the GB; takes one to two minutes to come and to go, and stays to be
//! seen as `deleted` or `failed` for about an hour (VPC guide, "NAT gateways").

use std::time::Duration;

use aws_sdk_ec2::types::{NatGatewayState, ResourceType};
use serde::Serialize;

use super::elastic_ip::{Address, ElasticIp};
use super::subnet::Subnet;
use super::vpc::{Network, Vpc};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, filter, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Change, Fault, Found, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};

pub struct NatGateway;

#[derive(Serialize)]
pub struct State {
    subnet: Given<String>,
    address: Given<String>,
    #[serde(flatten)]
    tags: Tagged,
}

/// A NAT gateway's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    pub id: String,
}

impl Observe for NatGateway {
    type World = Cloud;
    const KIND: &'static str = "nat-gateway";
    type Within = Node<Vpc>;
    /// After the public subnet's route: a NAT gateway without a way out fails.
    type Uses = (Node<Subnet>, Node<ElasticIp>, After);
    type State = State;
    type Output = Nat;

    fn want(&self, cloud: &Cloud, _: &Given<Network>, (subnet, address, ()): &(Given<String>, Given<Address>, ())) -> State {
        State { subnet: subnet.clone(), address: address.map(|address| address.allocation.clone()), tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Network) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let gateways = cx.world.aws.ec2.describe_nat_gateways().set_filter(Some(ours));
        let gateways = gateways.filter(filter("vpc-id", &vpc.id)).into_paginator().items();
        let mut gateways = gateways.send().try_collect().await.fault()?;
        kept_first(&mut gateways);
        let Some(gateway) = gateways.first() else { return Ok(Observation::Absent) };
        let output = Nat { id: gateway.nat_gateway_id().unwrap_or_default().to_owned() };
        let address = gateway.nat_gateway_addresses().iter().find_map(|address| address.allocation_id());
        let actual = State {
            subnet: Given::Known(gateway.subnet_id().unwrap_or_default().to_owned()),
            address: Given::Known(address.unwrap_or_default().to_owned()),
            tags: cx.world.tagged(gateway.tags()),
        };
        let twins = gateways.iter().skip(1).filter(|twin| rank(twin.state()) < rank(Some(&NatGatewayState::Failed)));
        let twins = twins.map(|twin| Nat { id: twin.nat_gateway_id().unwrap_or_default().to_owned() }).collect::<Vec<_>>();
        match gateway.state() {
            Some(NatGatewayState::Available) => Ok(Observation::Present(Found { output, actual, twins, ails: Vec::new() })),
            Some(NatGatewayState::Failed) => {
                let why = [gateway.failure_code(), gateway.failure_message()];
                let why = why.into_iter().flatten().collect::<Vec<_>>().join(": ");
                Ok(Observation::Broken { output, why, remedy: Remedy::Recreate })
            }
            state => {
                let why = state.map_or("in no known state", NatGatewayState::as_str).to_owned();
                let found = (!twins.is_empty()).then_some(Found { output, actual, twins, ails: Vec::new() });
                Ok(Observation::Changing { why, found })
            }
        }
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(600)
    }

    fn id(&self, nat: &Nat) -> Option<String> {
        Some(nat.id.clone())
    }

    async fn evidence(&self, cx: &Cx, vpc: &Network) -> Vec<String> {
        let ours = cx.world.tags(&cx.node).filters();
        let gateways = cx.world.aws.ec2.describe_nat_gateways().set_filter(Some(ours));
        let answer = gateways.filter(filter("vpc-id", &vpc.id)).send().await;
        let gateways = answer.map(|answer| answer.nat_gateways.unwrap_or_default()).unwrap_or_default();
        let told = gateways.into_iter().filter_map(|gateway| {
            let (id, why) = (gateway.nat_gateway_id?, gateway.failure_message?);
            Some(format!("{id}: {why}"))
        });
        told.collect()
    }
}

impl Resource for NatGateway {
    async fn create(&self, cx: &Cx, _: &Network, (subnet, address, ()): &(String, Address, ())) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::Natgateway);
        let call = cx.world.aws.ec2.create_nat_gateway().subnet_id(subnet).allocation_id(&address.allocation);
        call.client_token(cx.token()).tag_specifications(tags).send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &Network, _: &(String, Address, ()), nat: &Nat, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&nat.id), &steps(changes)).await
    }

    async fn delete(&self, cx: &Cx, _: &Network, nat: &Nat) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_nat_gateway().nat_gateway_id(&nat.id);
        call.send().await.fault_or_absent(&["NatGatewayNotFound"]).map(drop)
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if is_of_tags(change) { UpdateMode::InPlace } else { UpdateMode::Replace }
    }
}

/// The one that is kept first: one that lives, else the one that has most life left; of equals the lowest id. `deleted` ones
/// are ghosts, and are left out.
pub(super) fn kept_first(gateways: &mut Vec<aws_sdk_ec2::types::NatGateway>) {
    gateways.retain(|gateway| gateway.state() != Some(&NatGatewayState::Deleted));
    gateways.sort_by_key(|gateway| (rank(gateway.state()), gateway.nat_gateway_id.clone()));
}

/// How much alive a NAT gateway in this state is: less is more. One that comes counts as there, so that the same one is kept
/// before and after.
fn rank(state: Option<&NatGatewayState>) -> u8 {
    match state {
        Some(NatGatewayState::Available | NatGatewayState::Pending) => 1,
        Some(NatGatewayState::Deleting) => 2,
        Some(NatGatewayState::Failed) => 3,
        _ => 4,
    }
}
