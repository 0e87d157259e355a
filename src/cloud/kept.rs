//! Which of several VPCs with our tags is kept: all commands must tell the same one at any time.
//!
//! `CreateVpc` has no client token, so that an answer that is lost, or two runs at once, make two.

use std::cmp::Reverse;
use std::collections::HashMap;

use aws_sdk_ec2::types::{Filter, NatGatewayState, State};
use futures::future::{try_join, try_join4};

use super::aws::{Aws, OrFault, shown};
use super::vpc_endpoint::state;
use crate::config::Config;
use crate::engine::Fault;

/// These VPCs, the one that is kept first: the one that holds the cluster, else the one with most in it (subnets, route tables,
/// NAT gateways, endpoints), else the one with the lowest id. Of one, nothing is asked.
///
/// # Errors
/// When EC2 or EKS does not tell.
pub async fn kept_first(aws: &Aws, config: &Config, mut vpcs: Vec<String>) -> Result<Vec<String>, Fault> {
    vpcs.sort_unstable();
    vpcs.dedup();
    if vpcs.len() < 2 {
        return Ok(vpcs);
    }
    let (home, children) = try_join(home(aws, config), children(aws, &vpcs)).await?;
    // Stable: of equals the lowest id stays first.
    vpcs.sort_by_key(|vpc| (home.as_ref() != Some(vpc), Reverse(children.get(vpc).copied().unwrap_or_default())));
    Ok(vpcs)
}

/// The VPC that holds the cluster.
async fn home(aws: &Aws, config: &Config) -> Result<Option<String>, Fault> {
    let answer = aws.eks.describe_cluster().name(&config.name).send().await;
    let Some(answer) = answer.fault_or_absent(&["ResourceNotFoundException"])? else { return Ok(None) };
    Ok(shown(answer.cluster, "cluster")?.resources_vpc_config.and_then(|place| place.vpc_id))
}

/// How much each of them holds of what we make.
async fn children(aws: &Aws, vpcs: &[String]) -> Result<HashMap<String, usize>, Fault> {
    let here = || Filter::builder().name("vpc-id").set_values(Some(vpcs.to_vec())).build();
    let subnets = async {
        let all = aws.ec2.describe_subnets().filters(here()).into_paginator().items().send().try_collect().await.fault()?;
        Ok(all.into_iter().filter_map(|subnet| subnet.vpc_id).collect::<Vec<_>>())
    };
    let tables = async {
        let all = aws.ec2.describe_route_tables().filters(here()).into_paginator().items().send().try_collect().await.fault()?;
        Ok(all.into_iter().filter_map(|table| table.vpc_id).collect::<Vec<_>>())
    };
    let nats = async {
        let all = aws.ec2.describe_nat_gateways().filter(here()).into_paginator().items().send().try_collect().await.fault()?;
        let alive =
            all.into_iter().filter(|nat| matches!(nat.state(), Some(NatGatewayState::Available | NatGatewayState::Pending)));
        Ok(alive.filter_map(|nat| nat.vpc_id).collect::<Vec<_>>())
    };
    let endpoints = async {
        let all = aws.ec2.describe_vpc_endpoints().filters(here()).into_paginator().items().send().try_collect().await.fault()?;
        let alive = all.into_iter().filter(|endpoint| !matches!(state(endpoint), Some(State::Deleting | State::Deleted)));
        Ok(alive.filter_map(|endpoint| endpoint.vpc_id).collect::<Vec<_>>())
    };
    let (a, b, c, d): (Vec<String>, Vec<String>, Vec<String>, Vec<String>) = try_join4(subnets, tables, nats, endpoints).await?;
    let mut children = HashMap::new();
    for vpc in [a, b, c, d].concat() {
        *children.entry(vpc).or_default() += 1;
    }
    Ok(children)
}
