//! The public address under which the nodes reach the internet; billed by the hour.

use aws_sdk_ec2::types::{DomainType, NatGatewayState, ResourceType};
use serde::Serialize;

use super::first_of;
use super::nat_gateway;
use super::vpc::{Network, Vpc};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{self, Tagged, filter, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Beside, Change, Fact, Fault, FaultKind, Node, Observation, Observe, Resource, UpdateMode};

pub struct ElasticIp;

#[derive(Serialize)]
pub struct State {
    #[serde(flatten)]
    tags: Tagged,
}

/// An elastic IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `eipalloc-...`
    pub allocation: String,
    pub ip: String,
}

impl Observe for ElasticIp {
    type World = Cloud;
    const KIND: &'static str = "elastic-ip";
    /// Found by its tags wherever it is; of several the VPC tells which one serves.
    type Within = Beside<Node<Vpc>>;
    type Uses = ();
    type State = State;
    type Output = Address;

    fn want(&self, cloud: &Cloud, _: &Option<Network>, (): &()) -> State {
        State { tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Option<Network>) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        // DescribeAddresses has no pages.
        let answer = cx.world.aws.ec2.describe_addresses().set_filters(Some(ours)).send().await.fault()?;
        let mut addresses = answer.addresses.unwrap_or_default();
        let output = |address: &aws_sdk_ec2::types::Address| Address {
            allocation: address.allocation_id().unwrap_or_default().to_owned(),
            ip: address.public_ip().unwrap_or_default().to_owned(),
        };
        if addresses.len() > 1 || vpc.as_ref().is_some_and(|vpc| !vpc.twins.is_empty()) {
            let holders = Holders::find(cx, vpc.as_ref()).await?;
            addresses.sort_by(|a, b| (holders.rank(a), &a.allocation_id).cmp(&(holders.rank(b), &b.allocation_id)));
            if addresses.first().is_some_and(|first| holders.rank(first) == ELSEWHERE) {
                return Ok(Observation::Elsewhere(addresses.iter().map(output).collect()));
            }
        }
        let found = first_of(addresses.iter().map(|address| (output(address), State { tags: cx.world.tagged(address.tags()) })));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    fn id(&self, address: &Address) -> Option<String> {
        Some(address.allocation.clone())
    }

    fn facts(&self, address: &Address) -> Vec<Fact> {
        vec![Fact { key: "nat_public_ip", value: address.ip.clone() }]
    }
}

impl Resource for ElasticIp {
    async fn create(&self, cx: &Cx, _: &Option<Network>, (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::ElasticIp);
        let call = cx.world.aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        call.send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &Option<Network>, (): &(), address: &Address, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&address.allocation), &steps(changes)).await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }

    async fn delete(&self, cx: &Cx, _: &Option<Network>, address: &Address) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.release_address().allocation_id(&address.allocation).send().await;
        match call.fault_or_absent(&["InvalidAllocationID.NotFound"]) {
            // So EC2 answers while the address still belongs to an interface of the NAT gateway.
            Err(fault) if fault.code() == "AuthFailure" => Err(fault.taken_as(FaultKind::TryAgain)),
            answer => answer.map(drop),
        }
    }
}

/// It belongs to a NAT gateway in a twin of the VPC, which does not give it away.
const ELSEWHERE: u8 = 4;

/// Which addresses our NAT gateways have, in the order of how well they serve.
struct Holders(Vec<(u8, String)>);

impl Holders {
    async fn find(cx: &Cx, vpc: Option<&Network>) -> Result<Self, Fault> {
        let ours = [(tags::DEPLOYMENT, &cx.world.config.name), (tags::REGION, &cx.world.aws.region)];
        let ours = ours.map(|(key, value)| filter(&format!("tag:{key}"), value));
        let call = cx.world.aws.ec2.describe_nat_gateways().set_filter(Some(ours.to_vec()));
        let mut gateways = call.into_paginator().items().send().try_collect().await.fault()?;
        nat_gateway::kept_first(&mut gateways);
        // One that failed names an address that it does not hold.
        gateways.retain(|gateway| gateway.state() != Some(&NatGatewayState::Failed));
        let (mut held, mut is_first) = (Vec::new(), true);
        for gateway in gateways {
            let rank = match (gateway.vpc_id(), vpc) {
                (Some(at), Some(vpc)) if vpc.twins.iter().any(|twin| twin == at) => ELSEWHERE,
                (Some(at), Some(vpc)) if *at != vpc.id => 3,
                // The first of them is the one that is kept.
                _ => u8::from(!std::mem::take(&mut is_first)),
            };
            let addresses = gateway.nat_gateway_addresses.unwrap_or_default().into_iter();
            held.extend(addresses.filter_map(|address| Some((rank, address.allocation_id?))));
        }
        Ok(Self(held))
    }

    /// How well an address serves: less is better.
    fn rank(&self, address: &aws_sdk_ec2::types::Address) -> u8 {
        let held = self.0.iter().filter(|(_, allocation)| address.allocation_id() == Some(allocation)).map(|(rank, _)| *rank);
        held.min().unwrap_or(if address.association_id().is_none() { 2 } else { 3 })
    }
}
