//! The network: a VPC with public and private subnets in two zones, their ways out, and what
//! others leave behind in it.

mod elastic_ip;
mod holders;
mod internet_gateway;
mod leftovers;
mod nat_gateway;
mod route;
mod route_table;
mod route_table_association;
mod s3_endpoint;
mod subnet;
mod vpc;

pub use elastic_ip::{Address, ElasticIp};
pub use internet_gateway::InternetGateway;
pub use leftovers::{Leftover, Leftovers};
pub use nat_gateway::{Nat, NatGateway};
pub use route::{Gateway, Route};
pub use route_table::RouteTable;
pub use route_table_association::RouteTableAssociation;
pub use s3_endpoint::S3Endpoint;
pub use subnet::Subnet;
pub use vpc::{Network, Vpc};

use crate::engine::{Found, Resource};

/// The first of them is the one that is kept; the others are its twins, made by an answer that was lost or by another run.
fn first_of<R: Resource>(all: impl IntoIterator<Item = (R::Output, R::State)>) -> Option<Found<R>> {
    let mut all = all.into_iter();
    let (output, actual) = all.next()?;
    Some(Found { output, actual, twins: all.map(|(twin, _)| twin).collect(), ails: Vec::new() })
}
