//! The private subnets' short way to S3: models and image layers do not go through the NAT
//! gateway, which bills by the GB; a gateway endpoint costs nothing.
//!
//! It has no policy: one would have to allow the buckets of ECR's layers too.

use std::cmp::Reverse;

use aws_sdk_ec2::operation::delete_vpc_endpoints::DeleteVpcEndpointsOutput;
use aws_sdk_ec2::types::{ResourceType, State as Code, VpcEndpointType};
use serde::Serialize;
use serde_json::Value;

use super::first_of;
use super::route_table::RouteTable;
use super::vpc::{Network, Vpc};
use crate::cloud::aws::{OrFault, fault_of};
use crate::cloud::tags::{Tagged, filter, set, steps};
use crate::cloud::vpc_endpoint::state;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};

pub struct S3Endpoint;

#[derive(Serialize)]
pub struct State {
    /// In order of their ids, once these are known.
    route_tables: Vec<Given<String>>,
    #[serde(flatten)]
    tags: Tagged,
}

impl Observe for S3Endpoint {
    type World = Cloud;
    const KIND: &'static str = "vpc-endpoint";
    type Within = Node<Vpc>;
    /// The tables that it writes its routes into.
    type Uses = Vec<Node<RouteTable>>;
    type State = State;
    /// Its id.
    type Output = String;

    fn want(&self, cloud: &Cloud, _: &Given<Network>, tables: &Vec<Given<String>>) -> State {
        State { route_tables: sorted(tables.clone()), tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Network) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node).filters();
        let endpoints = cx.world.aws.ec2.describe_vpc_endpoints().set_filters(Some(ours));
        let endpoints = endpoints.filters(filter("vpc-id", &vpc.id)).into_paginator().items();
        let mut endpoints = endpoints.send().try_collect().await.fault()?;
        endpoints.retain(|endpoint| state(endpoint) != Some(Code::Deleted));
        // Of twins one that lives, and has most routes.
        endpoints.sort_by_key(|endpoint| {
            let dying = state(endpoint) == Some(Code::Deleting);
            (dying, Reverse(endpoint.route_table_ids().len()), endpoint.vpc_endpoint_id.clone())
        });
        let Some(endpoint) = endpoints.first() else { return Ok(Observation::Absent) };
        match state(endpoint) {
            Some(state @ (Code::Pending | Code::PendingAcceptance | Code::Deleting)) => {
                return Ok(Observation::Changing { why: state.as_str().to_owned(), found: None });
            }
            Some(state @ (Code::Failed | Code::Rejected | Code::Expired | Code::Partial)) => {
                let told = endpoint.last_error().and_then(|error| error.message()).unwrap_or(state.as_str());
                let output = endpoint.vpc_endpoint_id().unwrap_or_default().to_owned();
                return Ok(Observation::Broken { output, why: told.to_owned(), remedy: Remedy::Recreate });
            }
            _ => {}
        }
        let found = first_of(endpoints.into_iter().map(|endpoint| {
            let tags = cx.world.tagged(endpoint.tags());
            let tables = endpoint.route_table_ids.unwrap_or_default().into_iter().map(Given::Known);
            (endpoint.vpc_endpoint_id.unwrap_or_default(), State { route_tables: sorted(tables.collect()), tags })
        }));
        Ok(found.map_or(Observation::Absent, Observation::Present))
    }

    fn id(&self, endpoint: &String) -> Option<String> {
        Some(endpoint.clone())
    }
}

impl Resource for S3Endpoint {
    async fn create(&self, cx: &Cx, vpc: &Network, tables: &Vec<String>) -> Result<(), Fault> {
        let tags = cx.world.tags(&cx.node).specification(ResourceType::VpcEndpoint);
        let service = format!("com.amazonaws.{}.s3", cx.world.aws.region);
        let call = cx.world.aws.ec2.create_vpc_endpoint().vpc_endpoint_type(VpcEndpointType::Gateway);
        let call = call.vpc_id(&vpc.id).service_name(service).set_route_table_ids(Some(tables.clone()));
        call.client_token(cx.token()).tag_specifications(tags).send().await.fault().map(drop)
    }

    async fn update(
        &self,
        cx: &Cx,
        _: &Network,
        wanted: &Vec<String>,
        endpoint: &String,
        changes: &[Change],
    ) -> Result<(), Fault> {
        set::ec2(&cx.world.aws, std::slice::from_ref(endpoint), &steps(changes)).await?;
        let Some(tables) = changes.iter().find(|change| change.field == "route_tables") else { return Ok(()) };
        let actual = strings(&tables.from);
        let missing = wanted.iter().filter(|table| !actual.contains(table)).cloned().collect::<Vec<_>>();
        let surplus = actual.iter().filter(|table| !wanted.contains(table)).cloned().collect::<Vec<_>>();
        let listed = |tables: Vec<String>| (!tables.is_empty()).then_some(tables);
        let call = cx.world.aws.ec2.modify_vpc_endpoint().vpc_endpoint_id(endpoint);
        let call = call.set_add_route_table_ids(listed(missing)).set_remove_route_table_ids(listed(surplus));
        call.send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, _: &Network, endpoint: &String) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids(endpoint);
        refused(&call.send().await.fault()?)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}

fn sorted(mut tables: Vec<Given<String>>) -> Vec<Given<String>> {
    tables.sort_by(|a, b| a.known().cmp(&b.known()));
    tables
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// DeleteVpcEndpoints tells of failures inside an answer that is a success.
pub(super) fn refused(answer: &DeleteVpcEndpointsOutput) -> Result<(), Fault> {
    let Some(error) = answer.unsuccessful().first().and_then(|item| item.error()) else { return Ok(()) };
    match (error.code().unwrap_or_default(), error.message().unwrap_or_default()) {
        ("InvalidVpcEndpoint.NotFound" | "InvalidVpcEndpointId.NotFound", _) => Ok(()),
        (code, message) => Err(fault_of(code, message)),
    }
}
