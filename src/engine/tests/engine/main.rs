//! The engine against a model cloud that knows its own rules.
//!
//! The random cases are the same in every run, 500 of them. `TRITONDEPLOY_ENGINE_CASES=50000 cargo test -p
//! tritondeploy-engine` tries more of them, `TRITONDEPLOY_ENGINE_SEED=7` others. `TRITONDEPLOY_ENGINE_SHRINKS=0` reports a case
//! that fails as it was drawn, without the time for a smaller one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub, reason = "tests")]

mod beside;
mod broken;
mod cause;
mod cloud;
mod creation;
mod defaults;
mod differences;
mod down;
mod failures;
mod gate;
mod graph;
mod kept;
mod ledger;
mod mishap;
mod object;
mod properties;
mod scripted;
mod spec;
mod story;
mod twins;
mod unwanted;
mod up;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;
use tritondeploy_engine::{Event, Events, Gate, Outcome, Timing, Walk};

use cloud::Cloud;
use spec::Spec;

/// A walk through the graph of these specs.
pub fn walk(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    let cancel = CancellationToken::new();
    cloud.state().cancel = Some(cancel.clone());
    Walk {
        graph: Arc::new(object::graph(&cloud.specs)),
        world: cloud.clone(),
        events: Events::nowhere(),
        cancel,
        gate: Gate::open(),
        timing: Timing::default(),
    }
}

/// What a walk told while it went, as text.
pub async fn told(mut walk: Walk<Cloud>, way: impl AsyncFnOnce(&Walk<Cloud>) -> Outcome) -> (Outcome, Vec<Event>) {
    let (sender, mut receiver) = unbounded_channel();
    walk.events = Events::to(sender);
    let outcome = way(&walk).await;
    let mut events = Vec::new();
    while let Ok(event) = receiver.try_recv() {
        events.push(event);
    }
    (outcome, events)
}

/// Runs in virtual time: sleeps cost nothing. Everything random follows from the seed.
pub fn virtually<F: Future>(seed: u64, future: F) -> F::Output {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let day = Duration::from_secs(24 * 3600);
    runtime.block_on(async { tokio::time::timeout(day, future).await.expect("a walk ends") })
}

/// Waits for this beside a walk, and not for ever where the walk does not do it.
pub async fn until(happened: impl Fn() -> bool) {
    for _ in 0..200_000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not happen");
}

/// A calm cloud with these objects.
pub fn cloud(specs: Vec<Spec>) -> Arc<Cloud> {
    Arc::new(Cloud::new(specs, 1))
}

/// Names, to compare.
pub fn names(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(AsRef::as_ref).collect()
}
