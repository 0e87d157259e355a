//! A route table; its routes and associations are resources of their own.

use std::cmp::Reverse;

use aws_sdk_ec2::types::ResourceType;
use serde::Serialize;

use super::first_of;
use super::vpc::{Network, Vpc};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, filter, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Given, Node, Observation, Observe, Resource, UpdateMode};

pub struct RouteTable;

#[derive(Serialize)]
pub struct State {
    #[serde(flatten)]
    tags: Tagged,
}

impl Observe for RouteTable {
    type World = Cloud;
    const KIND: &'static str = "route-table";
    type Within = Node<Vpc>;
    type Uses = ();
    type State = State;
    /// Its id.
    type Output = String;

    fn want(&self, cloud: &Cloud, _: &Given<Network>, (): &()) -> State {
        State { tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Network) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let tables = cx.world.aws.ec2.describe_route_tables().set_filters(Some(ours));
        let tables = tables.filters(filter("vpc-id", &vpc.id)).into_paginator().items();
        let mut tables = tables.send().try_collect().await.fault()?;
        // Of twins the one that most subnets were given to.
        tables.sort_by_key(|table| (Reverse(table.associations().len()), table.route_table_id.clone()));
        let found = first_of(tables.into_iter().map(|table| {
            let tags = cx.world.tagged(table.tags());
            (table.route_table_id.unwrap_or_default(), State { tags })
        }));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    fn id(&self, table: &String) -> Option<String> {
        Some(table.clone())
    }
}

impl Resource for RouteTable {
    async fn create(&self, cx: &Cx, vpc: &Network, (): &()) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::RouteTable);
        let call = cx.world.aws.ec2.create_route_table().vpc_id(&vpc.id).tag_specifications(tags);
        call.client_token(cx.token()).send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &Network, (): &(), table: &String, changes: &[Change]) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(table), &steps(changes)).await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }

    async fn delete(&self, cx: &Cx, _: &Network, table: &String) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_route_table().route_table_id(table);
        call.send().await.fault_or_absent(&["InvalidRouteTableID.NotFound"]).map(drop)
    }
}
