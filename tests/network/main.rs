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

use tokio_util::sync::CancellationToken;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::deployment::graph;
use tritondeploy::engine::{Event, Events, Gate, Outcome, Walk};

/// What a walk said while it waited.
pub(crate) type Said = Arc<Mutex<Vec<String>>>;

pub(crate) async fn walk(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    walk_and_listen(cloud, &Said::default()).await
}

pub(crate) async fn walk_and_listen(cloud: &Arc<Cloud>, said: &Said) -> Walk<Cloud> {
    let mut inventory = Inventory::read(cloud).await.expect("an inventory");
    inventory.choose(&cloud.aws, &cloud.config).await.expect("zones");
    let graph = graph(&cloud.config, &inventory, None).up_to("s3-endpoint");
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let said = said.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let line = match event {
                Event::Waiting { node, why, .. } => format!("{node}: {why}"),
                Event::Retrying { node, why, .. } => format!("{node}: again after: {why}"),
                Event::Failed(failure) => format!("FAILED: {failure:?}"),
                _ => continue,
            };
            eprintln!("{line}");
            said.lock().unwrap().push(line);
        }
    });
    Walk {
        graph: Arc::new(graph),
        world: cloud.clone(),
        events: Events::to(sender),
        cancel: CancellationToken::new(),
        gate: Gate::open(),
    }
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
