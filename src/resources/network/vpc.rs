//! The VPC that everything else stands in.
//!
//! EKS wants DNS support and DNS host names in it (EKS guide, "Amazon EKS networking requirements").

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName, VpcState};
use futures::future::try_join;
use serde::Serialize;

use super::holders::{Place, held};
use crate::cloud::aws::OrFault;
use crate::cloud::kept::kept_first;
use crate::cloud::tags::{Tagged, Tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fact, Fault, Found, Observation, Observe, Resource, UpdateMode};

pub struct Vpc {
    cidr: String,
}

impl Vpc {
    /// `cidr` as in `192.168.0.0/20`.
    #[must_use]
    pub fn new(cidr: &str) -> Self {
        Self { cidr: cidr.to_owned() }
    }
}

#[derive(Serialize)]
pub struct State {
    cidr: String,
    dns_support: bool,
    dns_hostnames: bool,
    #[serde(flatten)]
    tags: Tagged,
}

/// A VPC's id and range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub id: String,
    pub cidr: String,
    /// The ids of its twins; what is found outside of VPCs and serves one of them does not serve here.
    pub twins: Vec<String>,
}

impl Observe for Vpc {
    type World = Cloud;
    const KIND: &'static str = "vpc";
    type Within = ();
    type Uses = ();
    type State = State;
    type Output = Network;

    fn want(&self, cloud: &Cloud, (): &(), (): &()) -> State {
        State { cidr: self.cidr.clone(), dns_support: true, dns_hostnames: true, tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, (): &()) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let vpcs = cx.world.aws.ec2.describe_vpcs().set_filters(Some(ours));
        let vpcs = vpcs.into_paginator().items().send().try_collect().await.fault()?;
        let ids = vpcs.iter().filter_map(|vpc| vpc.vpc_id.clone()).collect();
        let ids = kept_first(&cx.world.aws, &cx.world.config, ids).await?;
        let Some((kept, twins)) = ids.split_first() else { return Ok(Observation::Absent) };
        let found = |id: &String| vpcs.iter().find(|vpc| vpc.vpc_id() == Some(id));
        let network = |id: &String, twins: &[String]| {
            let cidr = found(id).and_then(|vpc| vpc.cidr_block()).unwrap_or_default().to_owned();
            Network { id: id.clone(), cidr, twins: twins.to_vec() }
        };
        let pending = found(kept).is_some_and(|vpc| vpc.state() == Some(&VpcState::Pending));
        let (twins, network) = (twins.iter().map(|twin| network(twin, &[])).collect(), network(kept, twins));
        if pending {
            return Ok(Observation::Changing { why: "pending".to_owned(), found: None });
        }
        let (dns_support, dns_hostnames) = try_join(
            attribute(cx, &network.id, VpcAttributeName::EnableDnsSupport),
            attribute(cx, &network.id, VpcAttributeName::EnableDnsHostnames),
        )
        .await?;
        let tags = cx.world.tagged(found(kept).map(|vpc| Tags::from(vpc.tags())).unwrap_or_default());
        let actual = State { cidr: network.cidr.clone(), dns_support, dns_hostnames, tags };
        Ok(Observation::Present(Found { output: network, actual, twins, ails: Vec::new() }))
    }

    fn id(&self, vpc: &Network) -> Option<String> {
        Some(vpc.id.clone())
    }

    fn facts(&self, vpc: &Network) -> Vec<Fact> {
        let fact = |key, value: &str| Fact { key, value: value.to_owned() };
        vec![fact("vpc_id", &vpc.id), fact("vpc_cidr", &vpc.cidr)]
    }
}

impl Resource for Vpc {
    async fn create(&self, cx: &Cx, (): &(), (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::Vpc);
        let call = cx.world.aws.ec2.create_vpc().cidr_block(&self.cidr).tag_specifications(tags);
        call.send().await.fault().map(drop)
    }

    /// One attribute a call, as EC2 wants it; host names need DNS support first.
    async fn update(&self, cx: &Cx, (): &(), (): &(), vpc: &Network, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&vpc.id), &steps(changes)).await?;
        let on = AttributeBooleanValue::builder().value(true).build();
        let call = || cx.world.aws.ec2.modify_vpc_attribute().vpc_id(&vpc.id);
        if changes.iter().any(|change| change.field == "dns_support") {
            call().enable_dns_support(on.clone()).send().await.fault()?;
        }
        if changes.iter().any(|change| change.field == "dns_hostnames") {
            call().enable_dns_hostnames(on).send().await.fault()?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, (): &(), vpc: &Network) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_vpc().vpc_id(&vpc.id);
        let answer = call.send().await.fault_or_absent(&["InvalidVpcID.NotFound"]);
        held(cx, answer, Place::Vpc(&vpc.id)).await
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if change.field == "cidr" { UpdateMode::Replace } else { UpdateMode::InPlace }
    }
}

async fn attribute(cx: &Cx, vpc: &str, name: VpcAttributeName) -> Result<bool, Fault> {
    let call = cx.world.aws.ec2.describe_vpc_attribute().vpc_id(vpc).attribute(name);
    let answer = call.send().await.fault()?;
    let on = |value: Option<AttributeBooleanValue>| value.and_then(|value| value.value).unwrap_or_default();
    Ok(on(answer.enable_dns_support) || on(answer.enable_dns_hostnames))
}
