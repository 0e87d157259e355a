//! The public address under which the nodes reach the internet; billed by the hour.

use aws_sdk_ec2::types::{DomainType, ResourceType};
use serde::Serialize;

use super::first_of;
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fact, Fault, FaultKind, Observation, Observe, Resource, UpdateMode};

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
    type Within = ();
    type Uses = ();
    type State = State;
    type Output = Address;

    fn want(&self, cloud: &Cloud, (): &(), (): &()) -> State {
        State { tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        // DescribeAddresses has no pages.
        let answer = cx.world.aws.ec2.describe_addresses().set_filters(Some(ours)).send().await.fault()?;
        let mut addresses = answer.addresses.unwrap_or_default();
        // Of twins the one in use.
        let unused = |address: &aws_sdk_ec2::types::Address| address.association_id.is_none();
        addresses.sort_by(|a, b| (unused(a), &a.allocation_id).cmp(&(unused(b), &b.allocation_id)));
        let found = first_of(addresses.into_iter().map(|address| {
            let tags = cx.world.tagged(address.tags());
            let allocation = address.allocation_id.unwrap_or_default();
            (Address { allocation, ip: address.public_ip.unwrap_or_default() }, State { tags })
        }));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    fn facts(&self, address: &Address) -> Vec<Fact> {
        vec![Fact { key: "nat_public_ip", value: address.ip.clone() }]
    }
}

impl Resource for ElasticIp {
    async fn create(&self, cx: &Cx, (): &(), (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::ElasticIp);
        let call = cx.world.aws.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        call.send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, (): &(), (): &(), address: &Address, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&address.allocation), &steps(changes)).await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }

    async fn delete(&self, cx: &Cx, (): &(), address: &Address) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.release_address().allocation_id(&address.allocation).send().await;
        match call.fault_or_absent(&["InvalidAllocationID.NotFound"]) {
            // So EC2 answers while the address still belongs to an interface of the NAT gateway.
            Err(fault) if fault.code() == "AuthFailure" => Err(fault.taken_as(FaultKind::TryAgain)),
            answer => answer.map(drop),
        }
    }
}
