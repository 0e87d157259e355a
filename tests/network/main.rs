//! The network against a local AWS: what `up` makes, keeps, and what `down` leaves.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod local_aws;

use std::sync::Arc;

use local_aws::LocalAws;
use tokio_util::sync::CancellationToken;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::config::Config;
use tritondeploy::deployment::network;
use tritondeploy::engine::{Event, Events, Graph, Outcome, Walk};

async fn walk(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    let mut inventory = Inventory::read(&cloud.aws, &cloud.config).await.expect("an inventory");
    inventory.choose(&cloud.aws, &cloud.config).await.expect("zones");
    let mut graph = Graph::new();
    network(&mut graph, &cloud.config, &inventory);
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                Event::Waiting { node, why, .. } => eprintln!("{node}: {why}"),
                Event::Retrying { node, why, .. } => eprintln!("{node}: again after: {why}"),
                Event::Failed { node, why, evidence, .. } => eprintln!("{node}: FAILED: {why} {evidence:?}"),
                _ => {}
            }
        }
    });
    Walk { graph: Arc::new(graph), world: cloud.clone(), events: Events::to(sender), cancel: CancellationToken::new() }
}

fn fine(outcome: &Outcome) {
    assert!(outcome.ok(), "{:#?} blocked {:?}", outcome.troubles, outcome.blocked);
}

/// What is left: the VPC (everything else is inside it), the gateway and the address.
async fn left(cloud: &Cloud) -> Vec<String> {
    let key = || aws_sdk_ec2::types::Filter::builder().name("tag-key").values("tritondeploy:deployment").build();
    let ec2 = &cloud.aws.ec2;
    let vpcs = ec2.describe_vpcs().filters(key()).send().await.expect("VPCs").vpcs.unwrap_or_default();
    let doors = ec2.describe_internet_gateways().filters(key()).send().await.expect("gateways");
    let addresses = ec2.describe_addresses().filters(key()).send().await.expect("addresses");
    let vpcs = vpcs.into_iter().filter_map(|vpc| vpc.vpc_id);
    let doors = doors.internet_gateways.unwrap_or_default().into_iter().filter_map(|door| door.internet_gateway_id);
    let addresses = addresses.addresses.unwrap_or_default().into_iter().filter_map(|address| address.allocation_id);
    vpcs.chain(doors).chain(addresses).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn up_makes_the_network_up_again_changes_nothing_and_down_leaves_nothing() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    fine(&walk(&cloud).await.up().await);
    assert!(local.mutating() > 15, "only {} mutating calls", local.mutating());

    local.reset_calls();
    let again = walk(&cloud).await.up().await;
    fine(&again);
    assert_eq!(again.changed, 0);
    assert_eq!(local.mutating(), 0);
    let facts: Vec<&str> = again.facts.iter().map(|(_, fact)| fact.key).collect();
    for key in ["vpc_id", "vpc_cidr", "public_subnet_id", "private_subnet_id", "nat_public_ip"] {
        assert!(facts.contains(&key), "{key} is not told: {facts:?}");
    }

    let down = walk(&cloud).await.down().await;
    fine(&down);
    assert!(down.exists.is_empty(), "left: {:?}", down.exists);
    assert_eq!(left(&cloud).await, Vec::<String>::new());
}
