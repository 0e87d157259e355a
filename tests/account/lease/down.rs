//! `down` and the lease: the last object to go.

use aws_sdk_s3::types::{BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration};
use serde_json::json;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::lease::{self, KEY};
use tritondeploy::config::{Config, Storage};

use super::commands::up_until;
use super::protocol::write;
use crate::operator::{Operator, until_held};
use crate::{down, everything, up};
use tritondeploy_support::local_aws::LocalAws;

/// A bucket of ours of this name.
pub(super) async fn make_bucket(cloud: &Cloud, name: &str) {
    let tags = CreateBucketConfiguration::builder().set_tags(Some(cloud.tags("bucket").s3()));
    cloud.aws.s3.create_bucket().bucket(name).create_bucket_configuration(tags.build()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn down_holds_the_lease_until_all_else_is_gone_and_leaves_nothing_of_it() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let operator = Operator::of(&local);
    drop(up_until(&local, &operator, "ec2:CreateNatGateway"));
    local.ask("POST", "release");
    // Versions of the lease are objects, too.
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    cloud.aws.s3.put_bucket_versioning().bucket(cloud.bucket()).versioning_configuration(on).send().await.unwrap();

    local.ask("POST", "hold?nth=1&when=after&who=&action=ec2:DeleteVpc");
    let mut running = operator.start(&["down", "--yes"]);
    until_held(&local, &mut running);
    let seen = lease::read(&cloud.aws, &cloud.bucket()).await.unwrap().unwrap();
    assert_eq!(seen.holder.command, "down");
    let refused = Operator::of(&local).run(&["up", "--yes"]);
    assert_eq!((refused.code, &refused.told["lease"]["command"]), (Some(1), &json!("down")), "{refused:?}");
    local.ask("POST", "release");
    let gone = running.end();
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
    assert_eq!(local.dump(), before);
    // Nothing is left to change: no lease is taken, and no bucket made for one.
    local.reset_calls();
    assert_eq!((operator.run(&["down", "--yes"]).code, local.mutating()), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn down_is_refused_while_somebody_else_changes_the_deployment() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    drop(up_until(&local, &operator, "ec2:CreateVpc"));
    local.ask("POST", "release");
    write(&cloud, &cloud.bucket(), &json!({})).await;
    local.reset_calls();
    let refused = operator.run(&["down", "--yes"]);
    assert_eq!((refused.code, &refused.told["lease"]["host"]), (Some(1), &json!("elsewhere")), "{refused:?}");
    let calls = local.ask("GET", "calls")["calls"].clone();
    assert!(calls.as_array().unwrap().iter().all(|call| call["action"] == "s3:PutObject" && call["status"] == 412), "{calls}");
    local.ask("POST", "ahead?seconds=61");
    let gone = operator.run(&["down", "--yes"]);
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_whose_lease_another_run_holds_is_not_emptied() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let earlier = Config { storage: Storage { bucket: Some("earlier-models".to_owned()) }, ..Config::default() };
    up(&local.cloud(earlier).await).await;
    cloud.aws.s3.put_object().bucket("earlier-models").key("images/cat.png").body(vec![7].into()).send().await.unwrap();
    write(&cloud, "earlier-models", &json!({"command": "push-models"})).await;
    let stopped = everything(&cloud).await.down().await;
    let whys: Vec<&str> = stopped.failures.iter().map(|failure| failure.why.as_str()).collect();
    let why = "another run holds the bucket's lease: push-models by ";
    assert!(matches!(&*whys, [one] if one.starts_with(why)), "{whys:?}");
    let listed = cloud.aws.s3.list_objects_v2().bucket("earlier-models").send().await.unwrap();
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["images/cat.png", KEY]);
    // One that is over goes with the bucket.
    local.ask("POST", "ahead?seconds=61");
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_down_without_a_bucket_stops_when_somebody_else_begins() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let operator = Operator::of(&local);
    drop(up_until(&local, &operator, "ec2:CreateNatGateway"));
    local.ask("POST", "release");
    let (s3, bucket) = (&cloud.aws.s3, cloud.bucket());
    for object in s3.list_objects_v2().bucket(&bucket).send().await.unwrap().contents() {
        s3.delete_object().bucket(&bucket).key(object.key().unwrap()).send().await.unwrap();
    }
    s3.delete_bucket().bucket(&bucket).send().await.unwrap();

    local.ask("POST", "hold?nth=1&when=after&who=&action=ec2:DeleteNatGateway");
    let mut running = operator.start(&["down", "--yes"]);
    until_held(&local, &mut running);
    make_bucket(&cloud, &cloud.bucket()).await;
    write(&cloud, &cloud.bucket(), &json!({})).await;
    running.until("another run has started: up by ");
    local.ask("POST", "release");
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.told["error"].as_str().unwrap().contains("another run has started: up by "), "{ended:?}");
    let exists = ended.told["exists_now"].as_array().unwrap();
    assert!(exists.contains(&json!("vpc")), "{exists:?}");
    local.ask("POST", "ahead?seconds=61");
    let gone = operator.run(&["down", "--yes"]);
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_puts_into_the_bucket_after_it_took_the_lease_over_is_not_deleted() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    drop(up_until(&local, &operator, "ec2:CreateVpc"));
    local.ask("POST", "release");
    let (s3, bucket) = (&cloud.aws.s3, cloud.bucket());
    let put = |key: &str| s3.put_object().bucket(&bucket).key(key).body(vec![7].into()).send();
    put("images/cat.png").await.unwrap();

    // It has deleted what there was, and does not know yet that somebody unlocked.
    local.ask("POST", "hold?nth=1&when=after&who=&action=s3:DeleteObjects");
    let mut running = operator.start(&["down", "--yes"]);
    until_held(&local, &mut running);
    s3.delete_object().bucket(&bucket).key(KEY).send().await.unwrap();
    write(&cloud, &bucket, &json!({})).await;
    put("release/manifest.json").await.unwrap();
    local.ask("POST", "release");
    let stopped = running.end();
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["release/manifest.json", KEY]);
    local.ask("POST", "ahead?seconds=61");
    let gone = operator.run(&["down", "--yes"]);
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
}
