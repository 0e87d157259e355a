//! A subnet of one zone: private for nodes and pods, public for the NAT gateway and balancers.
//!
//! The role tags tell Kubernetes which subnets a balancer may use (EKS guide, "Subnet tagging").

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, SubnetState};
use serde::Serialize;

use super::first_of;
use super::holders::{Place, held};
use super::vpc::{Network, Vpc};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, filter, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Change, Fact, Fault, Given, Node, Observation, Observe, Resource, UpdateMode};

pub struct Subnet {
    cidr: String,
    zone: String,
    public: bool,
}

impl Subnet {
    /// What starts in it gets a public address; internet-facing balancers go here.
    #[must_use]
    pub fn public(cidr: &str, zone: &str) -> Self {
        Self { cidr: cidr.to_owned(), zone: zone.to_owned(), public: true }
    }

    /// No public addresses; internal balancers and nodes go here.
    #[must_use]
    pub fn private(cidr: &str, zone: &str) -> Self {
        Self { cidr: cidr.to_owned(), zone: zone.to_owned(), public: false }
    }

    fn role(&self) -> &'static str {
        if self.public { "kubernetes.io/role/elb" } else { "kubernetes.io/role/internal-elb" }
    }
}

#[derive(Serialize)]
pub struct State {
    cidr: String,
    zone: String,
    public_addresses: bool,
    #[serde(flatten)]
    tags: Tagged,
}

impl Observe for Subnet {
    type World = Cloud;
    const KIND: &'static str = "subnet";
    type Within = Node<Vpc>;
    type Uses = ();
    type State = State;
    /// Its id.
    type Output = String;

    fn want(&self, cloud: &Cloud, _: &Given<Network>, (): &()) -> State {
        State {
            cidr: self.cidr.clone(),
            zone: self.zone.clone(),
            public_addresses: self.public,
            tags: cloud.wanted_tags().with(self.role(), "1"),
        }
    }

    async fn observe(&self, cx: &Cx, vpc: &Network) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let subnets = cx.world.aws.ec2.describe_subnets().set_filters(Some(ours));
        let subnets = subnets.filters(filter("vpc-id", &vpc.id)).into_paginator().items();
        let mut subnets = subnets.send().try_collect().await.fault()?;
        // Of twins the one of the right range and zone.
        let is_other = |subnet: &aws_sdk_ec2::types::Subnet| {
            (subnet.cidr_block(), subnet.availability_zone()) != (Some(&self.cidr), Some(&self.zone))
        };
        subnets.sort_by(|a, b| (is_other(a), &a.subnet_id).cmp(&(is_other(b), &b.subnet_id)));
        if subnets.first().is_some_and(|subnet| subnet.state() == Some(&SubnetState::Pending)) {
            return Ok(Observation::Changing { why: "pending".to_owned(), found: None });
        }
        let found = first_of(subnets.into_iter().map(|subnet| {
            let actual = State {
                cidr: subnet.cidr_block().unwrap_or_default().to_owned(),
                zone: subnet.availability_zone().unwrap_or_default().to_owned(),
                public_addresses: subnet.map_public_ip_on_launch().unwrap_or_default(),
                tags: cx.world.tagged(subnet.tags()),
            };
            (subnet.subnet_id.unwrap_or_default(), actual)
        }));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    /// Interfaces of a balancer or of the control plane go some minutes after their owner. Another subnet that stands where this one
    /// would be made stays.
    fn patience(&self, action: Action) -> Duration {
        Duration::from_secs(if action == Action::Delete { 600 } else { 120 })
    }

    fn id(&self, subnet: &String) -> Option<String> {
        Some(subnet.clone())
    }

    fn facts(&self, subnet: &String) -> Vec<Fact> {
        let key = if self.public { "public_subnet_id" } else { "private_subnet_id" };
        vec![Fact { key, value: subnet.clone() }]
    }
}

impl Resource for Subnet {
    async fn create(&self, cx: &Cx, vpc: &Network, (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).with(self.role(), "1").specification(ResourceType::Subnet);
        let call = cx.world.aws.ec2.create_subnet().vpc_id(&vpc.id).cidr_block(&self.cidr);
        call.availability_zone(&self.zone).tag_specifications(tags).send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &Network, (): &(), subnet: &String, changes: &[Change]) -> Result<(), Fault> {
        let ec2 = &cx.world.aws.ec2;
        if changes.iter().any(|change| change.field == "public_addresses") {
            let on = AttributeBooleanValue::builder().value(self.public).build();
            ec2.modify_subnet_attribute().subnet_id(subnet).map_public_ip_on_launch(on).send().await.fault()?;
        }
        set::ec2(&cx.world.aws, std::slice::from_ref(subnet), &steps(changes)).await
    }

    async fn delete(&self, cx: &Cx, _: &Network, subnet: &String) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_subnet().subnet_id(subnet);
        let answer = call.send().await.fault_or_absent(&["InvalidSubnetID.NotFound"]);
        held(cx, answer, Place::Subnet(subnet)).await
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if matches!(change.field.as_str(), "cidr" | "zone") { UpdateMode::Replace } else { UpdateMode::InPlace }
    }
}
