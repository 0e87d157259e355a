//! `up` where AWS throttles, hides what was made, and loses answers: it arrives, and makes one of each.

use std::sync::Arc;

use serde_json::Value;
use tritondeploy::cloud::Cloud;
use tritondeploy_support::faults::{Effect, Fault, Mode};
use tritondeploy_support::local_aws::LocalAws;

use crate::commands::{out, run};
use crate::{account, down, up, walk};

/// After an `up` all stands, once; and all of it goes.
async fn all_stands_once_and_goes(local: &LocalAws, cloud: &Arc<Cloud>, before: &Value) {
    let report = walk(cloud).await.look().await;
    let twins: Vec<_> = report.nodes.iter().filter(|seen| !seen.twins.is_empty()).map(|seen| &seen.node).collect();
    assert!(twins.is_empty(), "there more than once: {twins:?}");
    local.reset_calls();
    assert_eq!((up(cloud).await.changed, local.mutating()), (0, 0));
    down(cloud).await;
    assert_eq!(local.dump(), *before);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_arrives_under_the_throttling_that_aws_publishes() {
    let (local, cloud, before) = account().await;
    local.mode(Mode::Throttling { share: 1.0 });
    up(&cloud).await;
    local.end_modes();
    all_stands_once_and_goes(&local, &cloud, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_arrives_where_others_leave_a_tenth_of_what_aws_allows() {
    let (local, cloud, before) = account().await;
    local.mode(Mode::Throttling { share: 0.1 });
    up(&cloud).await;
    let modes = local.end_modes();
    assert!(!modes[0]["refused"].as_object().unwrap().is_empty(), "nothing was throttled");
    all_stands_once_and_goes(&local, &cloud, &before).await;
}

async fn up_though_of_a_hundred_calls_so_many_are_throttled(percent: u32, seed: u64) {
    let (local, cloud, before) = account().await;
    local.fault(&Fault::of(Effect::Throttle).percent(percent, seed));
    up(&cloud).await;
    assert!(local.end_faults().len() > 20);
    all_stands_once_and_goes(&local, &cloud, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_arrives_though_three_of_ten_calls_are_throttled() {
    up_though_of_a_hundred_calls_so_many_are_throttled(30, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_arrives_though_three_other_ones_of_ten_calls_are_throttled() {
    up_though_of_a_hundred_calls_so_many_are_throttled(30, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_arrives_though_yet_other_calls_are_throttled() {
    up_though_of_a_hundred_calls_so_many_are_throttled(30, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_waits_for_what_aws_shows_late() {
    let (local, cloud, before) = account().await;
    // 2 s of the client's time.
    local.mode(Mode::VisibilityDelay { seconds: 1200 });
    up(&cloud).await;
    local.end_modes();
    all_stands_once_and_goes(&local, &cloud, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_looks_for_what_each_lost_answer_was_about() {
    let (local, cloud, before) = account().await;
    local.fault(&Fault::of(Effect::Lost).mutating(true).each().times(1));
    up(&cloud).await;
    let lost = local.end_faults();
    assert!(lost.len() > 40, "{lost:?}");
    all_stands_once_and_goes(&local, &cloud, &before).await;
}

#[test]
fn a_command_that_looks_asks_again_where_it_is_throttled_or_not_answered() {
    let local = LocalAws::start(600);
    let folder = tempfile::tempdir().unwrap();
    let read = ["sts:GetCallerIdentity", "ec2:DescribeSubnets", "eks:ListAccessEntries", "tag:GetResources", "s3:ListBuckets"];
    for (effect, args) in [(Effect::Throttle, &["plan"][..]), (Effect::Lost, &["down", "--yes"])] {
        for action in read {
            local.fault(&Fault::of(effect).on(action).times(1));
        }
        out(&run(&local, folder.path(), args));
        assert!(local.end_faults().len() >= 4);
    }
}
