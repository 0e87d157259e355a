use tritondeploy::config::Config;

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

#[tokio::test(flavor = "multi_thread")]
async fn names_taken_by_others_are_refused_before_anything_is_made() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let trust = r#"{"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}}"#;
    let role = format!("{}-us-east-1-node", cloud.config.name);
    cloud.aws.iam.create_role().role_name(&role).assume_role_policy_document(trust).send().await.unwrap();
    let bucket = format!("{}-{}-us-east-1", cloud.config.name, cloud.aws.account);
    cloud.aws.s3.create_bucket().bucket(&bucket).send().await.unwrap();
    cloud.aws.ecr.create_repository().repository_name("websocket-pipeline").send().await.unwrap();
    let before = local.dump();
    local.reset_calls();

    let refused = walk(&cloud).await.up().await;
    let mut nodes: Vec<&str> = refused.failures.iter().map(|failure| failure.node.as_ref()).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["bucket", "repository", "role/node"], "{:?}", refused.failures);
    assert!(refused.failures.iter().all(|failure| failure.why.contains("not ours")), "{:?}", refused.failures);
    assert_eq!(local.mutating(), 0);

    down(&cloud).await;
    assert_eq!((local.dump(), local.mutating()), (before, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployments_in_an_account_do_not_meet() {
    let local = LocalAws::pretending(600);
    let one = local.cloud(Config::default()).await;
    up(&one).await;
    let with_one = local.dump();
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    up(&other).await;
    assert_eq!(up(&one).await.changed, 0);
    down(&other).await;
    assert_eq!(local.dump(), with_one);
    down(&one).await;
}
