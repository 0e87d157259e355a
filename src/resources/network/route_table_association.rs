//! Which route table a subnet uses; without one it uses the VPC's main table.

use aws_sdk_ec2::types::RouteTableAssociationStateCode as Code;
use serde::Serialize;

use super::route_table::RouteTable;
use super::subnet::Subnet;
use crate::cloud::aws::OrFault;
use crate::cloud::tags::filter;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Change, Fault, Found, Given, Node, Observation, Observe, Remedy, Resource, UpdateMode};

pub struct RouteTableAssociation;

#[derive(Serialize)]
pub struct State {
    table: Given<String>,
}

impl Observe for RouteTableAssociation {
    type World = Cloud;
    const KIND: &'static str = "route-table-association";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Subnet>;
    type Uses = Node<RouteTable>;
    type State = State;
    /// Its id.
    type Output = String;

    fn want(&self, _: &Cloud, _: &Given<String>, table: &Given<String>) -> State {
        State { table: table.clone() }
    }

    async fn observe(&self, cx: &Cx, subnet: &String) -> Result<Observation<Self>, Fault> {
        let tables = cx.world.aws.ec2.describe_route_tables().filters(filter("association.subnet-id", subnet));
        let tables = tables.into_paginator().items().send().try_collect().await.fault()?;
        let mut associations = tables.into_iter().flat_map(|table| table.associations.unwrap_or_default());
        // A subnet has at most one.
        let Some(association) = associations.find(|association| association.subnet_id() == Some(subnet)) else {
            return Ok(Observation::Absent);
        };
        let code = association.association_state().and_then(|state| state.state()).cloned();
        let output = association.route_table_association_id.unwrap_or_default();
        let actual = State { table: Given::Known(association.route_table_id.unwrap_or_default()) };
        Ok(match code {
            Some(Code::Disassociated) => Observation::Absent,
            Some(code @ (Code::Associating | Code::Disassociating)) => {
                Observation::Changing { why: code.as_str().to_owned(), found: None }
            }
            Some(Code::Failed) => Observation::Broken { output, why: "failed".to_owned(), remedy: Remedy::Recreate },
            _ => Observation::Present(Found::one(output, actual)),
        })
    }
}

impl Resource for RouteTableAssociation {
    async fn create(&self, cx: &Cx, subnet: &String, table: &String) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.associate_route_table().route_table_id(table).subnet_id(subnet);
        call.send().await.fault().map(drop)
    }

    async fn update(&self, cx: &Cx, _: &String, table: &String, association: &String, _: &[Change]) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.replace_route_table_association();
        call.association_id(association).route_table_id(table).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, _: &String, association: &String) -> Result<(), Fault> {
        let call = cx.world.aws.ec2.disassociate_route_table().association_id(association);
        call.send().await.fault_or_absent(&["InvalidAssociationID.NotFound"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
