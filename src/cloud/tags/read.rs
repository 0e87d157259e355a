//! Tags that no description shows, read by a call of their own.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;

use super::Tags;
use crate::cloud::aws::{Aws, OrFault};
use crate::engine::Fault;

/// DescribeTags takes so many values in a filter (EC2 API, `DescribeTags`).
const IDS_AT_ONCE: usize = 200;

/// Of anything in EC2, by ids; none of what is not there.
///
/// # Errors
/// As EC2 answers.
pub async fn ec2(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, Tags>, Fault> {
    let mut things: BTreeMap<String, Tags> = ids.iter().map(|id| (id.clone(), Tags::default())).collect();
    for ids in ids.chunks(IDS_AT_ONCE) {
        let of_them = Filter::builder().name("resource-id").set_values(Some(ids.to_vec())).build();
        let tags = aws.ec2.describe_tags().filters(of_them).into_paginator().items().send().try_collect().await.fault()?;
        for tag in tags {
            let Some(thing) = tag.resource_id().and_then(|id| things.get_mut(id)) else { continue };
            *thing = std::mem::take(thing).with(tag.key().unwrap_or_default(), tag.value().unwrap_or_default());
        }
    }
    Ok(things)
}

/// Of a load balancer and its target groups, by ARNs; None: one of them has just gone.
///
/// # Errors
/// As ELB answers.
pub async fn balancer(aws: &Aws, balancer: &str) -> Result<Option<BTreeMap<String, Tags>>, Fault> {
    let gone = ["LoadBalancerNotFound", "TargetGroupNotFound"];
    // A Service has three ports at most, and a target group for each: one page, and less than DescribeTags' 20.
    let groups = aws.elb.describe_target_groups().load_balancer_arn(balancer).send().await.fault_or_absent(&gone)?;
    let Some(groups) = groups else { return Ok(None) };
    let groups = groups.target_groups.unwrap_or_default().into_iter().filter_map(|group| group.target_group_arn);
    let arns = std::iter::once(balancer.to_owned()).chain(groups).collect();
    let told = aws.elb.describe_tags().set_resource_arns(Some(arns)).send().await.fault_or_absent(&gone)?;
    let Some(told) = told else { return Ok(None) };
    let told = told.tag_descriptions.unwrap_or_default().into_iter();
    Ok(Some(told.filter_map(|told| Some((told.resource_arn.clone()?, Tags::from(told.tags())))).collect()))
}
