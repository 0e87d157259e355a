//! The network against a local AWS: what `up` makes, keeps and mends, and what `down` leaves.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod account;
mod connect;
mod crash;
mod leftovers;
mod life;
mod twins;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::deployment::graph;
use tritondeploy::engine::{Outcome, Walk};
use tritondeploy_support::walk::aloud;

/// What a walk said while it waited.
pub(crate) type Said = Arc<Mutex<Vec<String>>>;

pub(crate) async fn walk(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    walk_and_listen(cloud, &Said::default()).await
}

pub(crate) async fn walk_and_listen(cloud: &Arc<Cloud>, said: &Said) -> Walk<Cloud> {
    let mut inventory = Inventory::read(cloud).await.expect("an inventory");
    inventory.choose(&cloud.aws, &cloud.config).await.expect("zones");
    let graph = graph(&cloud.config, &inventory, None).up_to("s3-endpoint");
    let said = said.clone();
    aloud(cloud, graph, move |line| said.lock().unwrap().push(line))
}

pub(crate) async fn up(cloud: &Arc<Cloud>) -> Outcome {
    let outcome = walk(cloud).await.up().await;
    assert!(outcome.ok(), "{:#?} blocked {:?}", outcome.failures, outcome.blocked);
    assert_eq!(account::ours(cloud).await, account::one_of_each());
    outcome
}

pub(crate) async fn down(cloud: &Arc<Cloud>) {
    let outcome = walk(cloud).await.down().await;
    assert!(outcome.ok(), "{:#?} blocked {:?}", outcome.failures, outcome.blocked);
    assert!(outcome.exists.is_empty(), "left: {:?}", outcome.exists);
    assert_eq!(account::ours(cloud).await, BTreeMap::new());
}
