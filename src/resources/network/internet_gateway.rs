//! The VPC's internet gateway. It is made first and attached then: its attachment is drift.

use aws_sdk_ec2::types::ResourceType;
use serde::Serialize;

use super::first_of;
use super::holders::{Place, held};
use super::vpc::{Network, Vpc};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Beside, Change, Fault, Given, Node, Observation, Observe, Resource, UpdateMode};

pub struct InternetGateway;

#[derive(Serialize)]
pub struct State {
    vpc: Option<Given<String>>,
    #[serde(flatten)]
    tags: Tagged,
}

/// An internet gateway, and what it is attached to.
#[derive(Clone, Debug)]
pub struct GatewayOutput {
    pub id: String,
    vpc: Option<String>,
}

impl Observe for InternetGateway {
    type World = Cloud;
    const KIND: &'static str = "internet-gateway";
    /// Found by its tags wherever it is: it is there before its attachment, and may outlive it.
    type Within = Beside<Node<Vpc>>;
    type Uses = Node<Vpc>;
    type State = State;
    type Output = GatewayOutput;

    fn want(&self, cloud: &Cloud, _: &Option<Network>, vpc: &Given<Network>) -> State {
        State { vpc: Some(vpc.map(|vpc| vpc.id.clone())), tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Option<Network>) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let gateways = cx.world.aws.ec2.describe_internet_gateways().set_filters(Some(ours));
        let gateways = gateways.into_paginator().items().send().try_collect().await.fault()?;
        let mut gateways: Vec<(GatewayOutput, Tagged)> = gateways
            .into_iter()
            .map(|gateway| {
                let attached = gateway.attachments().iter().find_map(|attachment| attachment.vpc_id());
                let (vpc, tags) = (attached.map(str::to_owned), cx.world.tagged(gateway.tags()));
                (GatewayOutput { vpc, id: gateway.internet_gateway_id.unwrap_or_default() }, tags)
            })
            .collect();
        // Of twins the one of the VPC that is kept, else one that is free. One in a twin of the VPC goes with that.
        gateways.sort_by(|(a, _), (b, _)| (rank(a, vpc.as_ref()), &a.id).cmp(&(rank(b, vpc.as_ref()), &b.id)));
        if gateways.first().is_some_and(|(first, _)| rank(first, vpc.as_ref()) == ELSEWHERE) {
            return Ok(Observation::Elsewhere(gateways.into_iter().map(|(gateway, _)| gateway).collect()));
        }
        let found = first_of(gateways.into_iter().map(|(gateway, tags)| {
            let vpc = gateway.vpc.clone().map(Given::Known);
            (gateway, State { vpc, tags })
        }));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    fn id(&self, gateway: &GatewayOutput) -> Option<String> {
        Some(gateway.id.clone())
    }

    /// Public addresses inside the VPC hold it until NAT gateway and balancers are gone.
    fn patience(&self, _: Action) -> std::time::Duration {
        std::time::Duration::from_secs(600)
    }
}

impl Resource for InternetGateway {
    async fn create(&self, cx: &Cx, _: &Option<Network>, _: &Network) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::InternetGateway);
        cx.world.aws.ec2.create_internet_gateway().tag_specifications(tags).send().await.fault().map(drop)
    }

    async fn update(
        &self,
        cx: &Cx,
        _: &Option<Network>,
        vpc: &Network,
        gateway: &GatewayOutput,
        changes: &[Change],
    ) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(&gateway.id), &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let call = cx.world.aws.ec2.attach_internet_gateway().internet_gateway_id(&gateway.id).vpc_id(&vpc.id);
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, _: &Option<Network>, gateway: &GatewayOutput) -> Result<(), Fault> {
        let ec2 = &cx.world.aws.ec2;
        if let Some(vpc) = &gateway.vpc {
            let call = ec2.detach_internet_gateway().internet_gateway_id(&gateway.id).vpc_id(vpc);
            let gone = ["Gateway.NotAttached", "InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound"];
            let answer = call.send().await.fault_or_absent(&gone);
            held(cx, answer, Place::PublicAddresses(vpc)).await?;
        }
        let call = ec2.delete_internet_gateway().internet_gateway_id(&gateway.id);
        call.send().await.fault_or_absent(&["InvalidInternetGatewayID.NotFound"]).map(drop)
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if is_of_tags(change) || change.from.is_null() { UpdateMode::InPlace } else { UpdateMode::Replace }
    }
}

/// It is attached to a twin of the VPC.
const ELSEWHERE: u8 = 3;

/// How well it serves this VPC: less is better.
fn rank(gateway: &GatewayOutput, vpc: Option<&Network>) -> u8 {
    match (&gateway.vpc, vpc) {
        (Some(at), Some(vpc)) if vpc.twins.contains(at) => ELSEWHERE,
        (Some(at), Some(vpc)) if *at != vpc.id => 2,
        (None, _) => 1,
        (Some(_), _) => 0,
    }
}
