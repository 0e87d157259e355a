use tritondeploy::config::Config;

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::lossy::{Line, Lost};

/// Lets `up` run until its `call`-th mutating call, which is `lost`, and kills it there.
async fn killed(local: &LocalAws, call: usize, lost: Lost) {
    let line = Line::cut_at(&local.host, call, lost).await;
    let cloud = local.cloud_at(&line.host, Config::default()).await;
    let walk = walk(&cloud).await;
    let going = tokio::spawn(async move { walk.up().await });
    line.until_cut().await;
    going.abort();
    assert!(going.await.is_err_and(|error| error.is_cancelled()), "it ended before it was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_after_a_kill_at_any_call_makes_one_of_each() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    for (call, lost) in [(1, Lost::Answer), (6, Lost::Call), (11, Lost::Answer), (19, Lost::Answer)] {
        killed(&local, call, lost).await;
        up(&cloud).await;
        assert_eq!(up(&cloud).await.changed, 0);
        down(&cloud).await;
        assert_eq!(local.dump(), before, "after a kill at call {call}, {lost:?} lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn down_after_a_kill_at_any_call_leaves_nothing() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    for (call, lost) in [(1, Lost::Answer), (3, Lost::Call), (8, Lost::Answer), (14, Lost::Call), (20, Lost::Answer)] {
        killed(&local, call, lost).await;
        down(&cloud).await;
        assert_eq!(local.dump(), before, "after a kill at call {call}, {lost:?} lost");
    }
}
