//! The default route of a table: public ones go to the internet gateway, private ones to the NAT.

use serde::Serialize;

use super::internet_gateway::{GatewayOutput, InternetGateway};
use super::nat_gateway::{Nat, NatGateway};
use super::route_table::RouteTable;
use crate::cloud::aws::OrFault;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};

/// Everywhere.
const DESTINATION: &str = "0.0.0.0/0";

/// What a route may lead to.
pub trait Gateway: Resource<World = Cloud> {
    /// The gateway's id.
    fn gateway_id(output: &Self::Output) -> String;
    /// Whether it is a NAT gateway: EC2 wants it under another name.
    const NAT: bool;
}

impl Gateway for InternetGateway {
    fn gateway_id(gateway: &GatewayOutput) -> String {
        gateway.id.clone()
    }
    const NAT: bool = false;
}

impl Gateway for NatGateway {
    fn gateway_id(nat: &Nat) -> String {
        nat.id.clone()
    }
    const NAT: bool = true;
}

/// To everywhere, by this gateway.
pub struct Route<G> {
    by: std::marker::PhantomData<fn() -> G>,
}

impl<G: Gateway> Route<G> {
    /// The table's default route.
    #[must_use]
    pub fn everywhere() -> Self {
        Self { by: std::marker::PhantomData }
    }
}

#[derive(Serialize)]
pub struct State {
    gateway: Given<String>,
}

impl<G: Gateway> Observe for Route<G> {
    type World = Cloud;
    const KIND: &'static str = "route";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<RouteTable>;
    type Uses = Node<G>;
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &Given<String>, gateway: &Given<G::Output>) -> State {
        State { gateway: gateway.map(G::gateway_id) }
    }

    async fn observe(&self, cx: &Cx, table: &String) -> Result<Observation<Self>, Fault> {
        let call = cx.world.aws.ec2.describe_route_tables().route_table_ids(table);
        let Some(answer) = call.send().await.fault_or_absent(&["InvalidRouteTableID.NotFound"])? else {
            return Ok(Observation::Absent);
        };
        let routes = answer.route_tables.unwrap_or_default().into_iter().flat_map(|table| table.routes.unwrap_or_default());
        let route = routes.into_iter().find(|route| route.destination_cidr_block() == Some(DESTINATION));
        Ok(route.map_or(Observation::Absent, |route| {
            let to = [route.gateway_id, route.nat_gateway_id, route.network_interface_id, route.instance_id];
            let to = to.into_iter().flatten().next().unwrap_or_else(|| "something else".to_owned());
            Observation::Present(Found::one((), State { gateway: Given::Known(to) }))
        }))
    }
}

impl<G: Gateway> Resource for Route<G> {
    async fn create(&self, cx: &Cx, table: &String, gateway: &G::Output) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.create_route().route_table_id(table).destination_cidr_block(DESTINATION);
        let id = G::gateway_id(gateway);
        let call = if G::NAT { call.nat_gateway_id(id) } else { call.gateway_id(id) };
        call.send().await.fault_or_absent(&["RouteAlreadyExists"]).map(drop)
    }

    async fn update(&self, cx: &Cx, table: &String, gateway: &G::Output, (): &(), _: &[Change]) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.replace_route().route_table_id(table).destination_cidr_block(DESTINATION);
        let id = G::gateway_id(gateway);
        let call = if G::NAT { call.nat_gateway_id(id) } else { call.gateway_id(id) };
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, table: &String, (): &()) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_route().route_table_id(table).destination_cidr_block(DESTINATION);
        call.send().await.fault_or_absent(&["InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
