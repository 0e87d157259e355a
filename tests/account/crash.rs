use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tritondeploy::cloud::Cloud;
use tritondeploy::config::Config;
use tritondeploy::engine::{Outcome, Walk};

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

/// Starts `up`, and waits until its `nth` mutating call (of this action, if one is named) is held, before it is applied or before
/// it is answered.
async fn held(local: &LocalAws, cloud: &Arc<Cloud>, nth: usize, when: &str, action: &str) -> JoinHandle<Outcome> {
    held_in(local, walk(cloud).await, nth, when, action).await
}

/// The same of this walk.
pub(crate) async fn held_in(local: &LocalAws, walk: Walk<Cloud>, nth: usize, when: &str, action: &str) -> JoinHandle<Outcome> {
    local.ask("POST", &format!("hold?nth={nth}&when={when}&who=&action={action}"));
    let going = tokio::spawn(async move { walk.up().await });
    let begun = Instant::now();
    while local.ask("GET", "hold")["held"].is_null() {
        assert!(!going.is_finished(), "it ended before its call {nth} {action}");
        assert!(begun.elapsed() < Duration::from_secs(120), "call {nth} {action} never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    going
}

/// Lets `up` run until its `nth` mutating call, and kills it before that is applied or before it is answered.
pub(crate) async fn killed(local: &LocalAws, config: Config, nth: usize, when: &str) {
    let going = held(local, &local.cloud(config).await, nth, when, "").await;
    going.abort();
    assert!(going.await.is_err_and(|error| error.is_cancelled()), "it ended before it was killed");
    local.ask("POST", "release");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_after_kills_makes_one_of_each() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    for (nth, when) in [(4, "after"), (9, "after"), (7, "before"), (6, "after"), (3, "after"), (1, "before")] {
        killed(&local, Config::default(), nth, when).await;
    }
    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn down_after_a_kill_at_any_call_leaves_nothing() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    for (nth, when) in [(2, "after"), (5, "before"), (12, "after"), (33, "after"), (38, "before"), (41, "after")] {
        killed(&local, Config::default(), nth, when).await;
        down(&cloud).await;
        assert_eq!(local.dump(), before, "after a kill {when} call {nth}");
    }
}
