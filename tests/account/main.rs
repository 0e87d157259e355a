//! The account's side (roles, cluster, access, add-ons, nodes, bucket, repository) against a local
//! AWS in which nothing runs behind the cluster.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod admins;
mod broken;
mod bucket;
mod commands;
mod crash;
mod drift;
mod earlier;
mod faults;
mod foreign;
mod half_down;
mod lease;
mod life;
mod missing_nodes;
mod nodes;
mod odd_answers;
mod operator;
mod refusals;
mod releases;
mod screens;
mod tags;
mod token;
mod twins;
mod zones;

use std::sync::Arc;

use serde_json::Value;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::config::Config;
use tritondeploy::deployment::graph;
use tritondeploy::engine::{Outcome, Walk};
use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::walk::aloud;

/// An account with nothing of ours in it, and what is in it.
pub(crate) async fn account() -> (LocalAws, Arc<Cloud>, Value) {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    // What an account has from the start is made by the first call.
    cloud.aws.ec2.describe_vpcs().send().await.unwrap();
    let before = local.dump();
    (local, cloud, before)
}

pub(crate) async fn walk(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    let mut inventory = Inventory::read(cloud).await.expect("an inventory");
    inventory.choose(&cloud.aws, &cloud.config).await.expect("zones");
    through(cloud, &inventory)
}

/// All of the deployment but what needs Kubernetes, models or Docker.
pub(crate) fn through(cloud: &Arc<Cloud>, inventory: &Inventory) -> Walk<Cloud> {
    let graph = graph(&cloud.config, inventory, None).up_to("tags/nodes");
    aloud(cloud, graph, drop)
}

pub(crate) async fn up(cloud: &Arc<Cloud>) -> Outcome {
    let outcome = walk(cloud).await.up().await;
    assert!(outcome.ok(), "{:#?} blocked {:?}", outcome.failures, outcome.blocked);
    outcome
}

/// A walk through all that there is.
pub(crate) async fn everything(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    through(cloud, &Inventory::of_all(cloud).await.expect("an inventory"))
}

pub(crate) async fn down(cloud: &Arc<Cloud>) {
    let outcome = everything(cloud).await.down().await;
    assert!(outcome.ok(), "{:#?} blocked {:?}", outcome.failures, outcome.blocked);
    assert!(outcome.exists.is_empty(), "left: {:?}", outcome.exists);
}
