//! What was made under an earlier configuration is still ours.

use std::process::Output;
use std::sync::Arc;

use aws_sdk_s3::types::CreateBucketConfiguration;
use serde_json::{Value, json};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::cloud::orphans::Data;
use tritondeploy::config::{Config, Registry, Storage};
use tritondeploy_support::local_aws::LocalAws;

use crate::commands::{out, run};
use crate::zones::three_zones;
use crate::{down, through, up};

#[tokio::test(flavor = "multi_thread")]
async fn down_takes_the_bucket_and_the_repository_of_a_former_name_and_nobody_elses() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    let tags = CreateBucketConfiguration::builder().set_tags(Some(other.tags("bucket").s3())).build();
    other.aws.s3.create_bucket().bucket(other.bucket()).create_bucket_configuration(tags).send().await.unwrap();
    let ecr = &other.aws.ecr;
    let repository = ecr.create_repository().repository_name(other.config.repository());
    repository.set_tags(Some(other.tags("repository").ecr())).send().await.unwrap();
    other.aws.s3.create_bucket().bucket("untagged-and-somebody-elses").send().await.unwrap();
    let before = local.dump();

    let earlier = Config {
        storage: Storage { bucket: Some("earlier-models".to_owned()) },
        registry: Registry { repository: Some("earlier/gateway".to_owned()) },
        ..Config::default()
    };
    up(&local.cloud(earlier).await).await;
    cloud.aws.s3.put_object().bucket("earlier-models").key("images/cat.png").body(vec![7].into()).send().await.unwrap();
    let renamed = up(&cloud).await;
    assert!(renamed.changed > 0, "the new names are made");

    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn down_takes_subnets_that_the_configuration_no_longer_has() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    cloud.aws.ec2.describe_vpcs().send().await.unwrap();
    let before = local.dump();
    let earlier = Config { network: three_zones(), storage: bucket("earlier-models"), ..Config::default() };
    up(&local.cloud(earlier).await).await;

    // Not even the bucket of today's name is there.
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

fn bucket(name: &str) -> Storage {
    Storage { bucket: Some(name.to_owned()) }
}

/// A bucket and a repository of ours, as an earlier configuration had them, with something in the bucket.
async fn made_earlier(cloud: &Arc<Cloud>, bucket: &str, repository: &str) {
    let tags = CreateBucketConfiguration::builder().set_tags(Some(cloud.tags("bucket").s3())).build();
    cloud.aws.s3.create_bucket().bucket(bucket).create_bucket_configuration(tags).send().await.unwrap();
    cloud.aws.s3.put_object().bucket(bucket).key("images/cat.png").body(vec![7; 1000].into()).send().await.unwrap();
    let call = cloud.aws.ecr.create_repository().repository_name(repository);
    call.set_tags(Some(cloud.tags("repository").ecr())).send().await.unwrap();
}

async fn buckets(cloud: &Cloud) -> Vec<String> {
    let found = cloud.aws.s3.list_buckets().send().await.unwrap();
    found.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name).collect()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_and_status_show_data_of_a_former_name_with_why_and_how_to_delete_it() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    made_earlier(&cloud, "earlier-models", "earlier/gateway").await;
    let folder = tempfile::tempdir().unwrap();

    let plan = run(&local, folder.path(), &["plan"]);
    for told in [
        "Data of an earlier configuration, which `up` does not delete:",
        "S3 bucket earlier-models: 1 object, 0.000 GB, $0.00 a month at $0.023 per GB-month",
        "`tritondeploy up --delete-data earlier-models`",
        "ECR repository earlier/gateway: 0 images",
        "What is left of an earlier configuration is not counted.",
    ] {
        assert!(out(&plan).contains(told), "no {told:?} in {}", out(&plan));
    }
    assert!(!out(&plan).contains("to delete"), "{}", out(&plan));
    let plan: Value = serde_json::from_str(out(&run(&local, folder.path(), &["plan", "--json"]))).unwrap();
    let node = plan["nodes"].as_array().unwrap().iter().find(|seen| seen["node"] == "bucket/earlier-models").unwrap();
    assert_eq!(node["unwanted"], json!({"why": "storage.bucket was earlier-models", "removal": "never"}));
    assert_eq!(
        (&plan["data_left"][0]["contents"]["count"], &plan["data_left"][0]["contents"]["bytes"]),
        (&json!(1), &json!(1000))
    );

    let status = run(&local, folder.path(), &["status"]);
    assert_eq!(status.status.code(), Some(1));
    let told = text(&status);
    assert!(told.contains("  = bucket/earlier-models (not in the configuration any more: storage.bucket was"), "{told}");
    assert!(told.contains("left of an earlier configuration: bucket/earlier-models, repository/earlier/gateway"), "{told}");
    let status = run(&local, folder.path(), &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(!status["found"].to_string().contains("\"facts\":{\"bucket\""), "an orphan is no fact of the deployment: {status}");
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_deletes_no_data_but_what_is_named() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    for name in ["earlier-models", "even-earlier-models"] {
        made_earlier(&cloud, name, name).await;
    }
    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    assert!(buckets(&cloud).await.contains(&"earlier-models".to_owned()));

    let mut inventory = Inventory::read(&cloud).await.unwrap();
    inventory.orphans.data = Data::Delete(vec!["bucket/earlier-models".to_owned()]);
    let outcome = through(&cloud, &inventory).up().await;
    assert!(outcome.ok() && outcome.changed == 1, "{outcome:?}");
    let left = buckets(&cloud).await;
    assert!(!left.contains(&"earlier-models".to_owned()) && left.contains(&"even-earlier-models".to_owned()), "{left:?}");
    let repositories = cloud.aws.ecr.describe_repositories().send().await.unwrap();
    assert_eq!(repositories.repositories().len(), 3);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_data_of_an_earlier_configuration_is_refused_before_anything_is_made() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    made_earlier(&cloud, "earlier-models", "earlier-models").await;
    let theirs = cloud.aws.s3.create_bucket().bucket("somebody-elses");
    theirs.send().await.unwrap();
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    made_earlier(&other, "of-the-other", "of-the-other").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tritondeploy.toml"), "[workload]\nsource_ranges = [\"10.0.0.0/8\"]\n").unwrap();
    local.reset_calls();
    let ours = cloud.bucket();
    for (name, why) in [
        ("nothing-of-that-name", "there is bucket/earlier-models, repository/earlier-models"),
        ("somebody-elses", "no bucket or repository of an earlier configuration of ours"),
        ("of-the-other", "no bucket or repository of an earlier configuration of ours"),
        (&ours, "goes with `down` only"),
        ("earlier-models", "a bucket and a repository"),
        ("No Name!", "no bucket or repository"),
    ] {
        let refused = run(&local, folder.path(), &["up", "--yes", "--delete-data", name]);
        let told = text(&refused);
        assert!(refused.status.code() == Some(2) && told.contains(why), "{name}: {:?}: {told}", refused.status);
    }
    assert_eq!(local.mutating(), 0);
    cloud.aws.s3.delete_bucket().bucket("somebody-elses").send().await.unwrap();
    down(&cloud).await;
    assert_eq!(buckets(&cloud).await, ["of-the-other"]);
    down(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tagging_api_says_late_counts_only_once_it_is_seen() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    made_earlier(&cloud, "gone-models", "gone/gateway").await;
    local.ask("POST", "freeze-tags");
    down(&cloud).await;
    made_earlier(&cloud, "new-models", "new/gateway").await;
    let foreign = CreateBucketConfiguration::builder().build();
    cloud.aws.s3.create_bucket().bucket("gone-models").create_bucket_configuration(foreign).send().await.unwrap();

    let inventory = Inventory::read(&cloud).await.unwrap();
    assert_eq!(inventory.orphans.buckets, ["gone-models"]);
    let survey = through(&cloud, &inventory).look().await;
    assert!(survey.nodes.iter().all(|seen| seen.unwanted.is_none()), "{survey:?}");
    // `down` lists, and so needs nobody's notice.
    down(&cloud).await;
    assert_eq!(buckets(&cloud).await, ["gone-models"]);
    local.ask("POST", "freeze-tags?on=false");
    cloud.aws.s3.delete_bucket().bucket("gone-models").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_the_tagging_api_is_told_what_cannot_be_told_and_goes_on() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    made_earlier(&cloud, "earlier-models", "earlier/gateway").await;
    let iam = &cloud.aws.iam;
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "tag:*", "Resource": "*"}]}"#;
    let name = cloud.aws.caller.rsplit('/').next().unwrap();
    iam.put_user_policy().user_name(name).policy_name("blind").policy_document(policy).send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = run(&local, folder.path(), &["plan"]);
    let told = out(&plan);
    assert!(
        told.contains("What an earlier configuration left could not be read: buckets and repositories of other names"),
        "{told}"
    );
    assert!(told.contains("tag:GetResources"), "{told}");
    let plan: Value = serde_json::from_str(out(&run(&local, folder.path(), &["plan", "--json"]))).unwrap();
    assert!(plan["orphans_unknown"][0].as_str().is_some_and(|why| why.contains("AccessDenied")), "{}", plan["orphans_unknown"]);
    // Whoever names it needs no list of it.
    let mut inventory = Inventory::read(&cloud).await.unwrap();
    inventory.orphans.buckets.push("earlier-models".to_owned());
    let survey = through(&cloud, &inventory).look().await;
    assert_eq!(survey.nodes.iter().filter(|seen| seen.unwanted.is_some()).count(), 1, "{survey:?}");
    down(&cloud).await;
    iam.delete_user_policy().user_name(name).policy_name("blind").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn down_keeps_data_where_it_is_told_to_and_a_later_up_uses_it() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    made_earlier(&cloud, "earlier-models", "earlier/gateway").await;
    up(&cloud).await;
    let ours = cloud.bucket();
    cloud.aws.s3.put_object().bucket(&ours).key("images/cat.png").body(vec![7].into()).send().await.unwrap();

    let mut inventory = Inventory::of_all(&cloud).await.unwrap();
    inventory.orphans.data = Data::Keep;
    let outcome = through(&cloud, &inventory).down().await;
    assert!(outcome.ok() && outcome.exists.is_empty(), "{outcome:?}");
    assert_eq!(buckets(&cloud).await, ["earlier-models".to_owned(), ours.clone()]);
    assert_eq!(cloud.aws.ecr.describe_repositories().send().await.unwrap().repositories().len(), 2);

    // The command says so, and what is in them; there is nothing else left to delete.
    let folder = tempfile::tempdir().unwrap();
    local.reset_calls();
    let told = run(&local, folder.path(), &["down", "--keep-data"]);
    let told = out(&told);
    assert!(told.contains("Nothing to delete") && told.contains("nothing but what you keep:"), "{told}");
    assert!(told.contains(&format!("  = S3 bucket {ours}: 1 object,")), "{told}");
    let told: Value =
        serde_json::from_str(out(&run(&local, folder.path(), &["down", "--keep-data", "--json"])).lines().last().unwrap())
            .unwrap();
    assert_eq!((told["data_left"].as_array().map(Vec::len), &told["left"]), (Some(4), &json!([])), "{told}");
    assert_eq!(local.mutating(), 0);

    let made = |call: &Value| ["s3:CreateBucket", "ecr:CreateRepository"].contains(&call["action"].as_str().unwrap_or_default());
    up(&cloud).await;
    let calls = local.ask("GET", "calls");
    assert!(!calls["calls"].as_array().unwrap().iter().any(made), "{calls}");
    assert!(cloud.aws.s3.head_object().bucket(&ours).key("images/cat.png").send().await.is_ok());
    down(&cloud).await;
    assert_eq!(buckets(&cloud).await, Vec::<String>::new());
}
