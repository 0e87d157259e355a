use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_eks::types::{SupportType, UpgradePolicyRequest};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::cloud::support::Support;
use tritondeploy::config::Config;

use crate::{down, up};
use tritondeploy_support::local_aws::LocalAws;

async fn up_twice_and_down(config: Config) {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(config).await;
    // A region's default VPC is in the dump once somebody has looked.
    for at in [cloud.clone(), local.cloud(Config::default()).await] {
        at.aws.ec2.describe_vpcs().send().await.unwrap();
    }
    let before = local.dump();
    up(&cloud).await;

    local.reset_calls();
    let again = up(&cloud).await;
    assert_eq!((again.changed, local.mutating()), (0, 0));
    for key in ["cluster_name", "cluster_endpoint", "cluster_version", "oidc_issuer", "repository", "bucket"] {
        let value = again.facts.iter().find(|(_, fact)| fact.key == key).map(|(_, fact)| fact.value.as_str());
        assert!(value.is_some_and(|value| !value.is_empty()), "{key} is not told: {:?}", again.facts);
    }
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_twice_changes_nothing_and_down_leaves_nothing() {
    up_twice_and_down(Config::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_than_in_us_east_1_too() {
    up_twice_and_down(Config { region: Some("eu-west-1".to_owned()), ..Config::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_a_path_is_let_in_by_its_whole_name() {
    let local = LocalAws::pretending(600);
    let user = local.cloud(Config::default()).await;
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": format!("arn:aws:iam::{}:root", user.aws.account)},
    }]});
    let iam = &user.aws.iam;
    let role = iam.create_role().role_name("operators").path("/teams/vision/").assume_role_policy_document(trust.to_string());
    let role = role.send().await.unwrap().role.unwrap().arn;
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    iam.attach_role_policy().role_name("operators").policy_arn(all).send().await.unwrap();
    let session = user.aws.sts.assume_role().role_arn(&role).role_session_name("me").send().await.unwrap();
    let session = session.credentials.unwrap();
    let keys = Credentials::new(session.access_key_id, session.secret_access_key, Some(session.session_token), None, "test");
    let aws = Aws::connect_as(&user.config, SharedCredentialsProvider::new(keys)).await.unwrap();
    let operator = Arc::new(Cloud::new(aws, user.config.clone()));

    up(&operator).await;
    let entries = || async {
        let entries = user.aws.eks.list_access_entries().cluster_name(&user.config.name).send().await.unwrap();
        let mut ours: Vec<String> = entries.access_entries.unwrap_or_default();
        ours.retain(|principal| !principal.ends_with("-node"));
        ours.sort_unstable();
        ours
    };
    assert_eq!(entries().await, std::slice::from_ref(&role));

    // A second operator gets an entry beside the first one's, and changes nothing else.
    local.reset_calls();
    up(&user).await;
    assert_eq!(local.mutating(), 2);
    assert_eq!(entries().await, [role, user.aws.caller.clone()]);
    down(&user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_has_standard_support_and_one_that_is_there_keeps_its_own_policy() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    let support = || async { Support::of(&cloud.aws, name).await.unwrap().unwrap() };
    assert_eq!((support().await.version.as_str(), support().await.policy.as_str()), ("1.34", "STANDARD"));
    let extended = UpgradePolicyRequest::builder().support_type(SupportType::Extended).build();
    eks.update_cluster_config().name(name).upgrade_policy(extended).send().await.unwrap();
    while support().await.policy != "EXTENDED" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let again = up(&cloud).await;
    assert_eq!((again.changed, support().await.policy.as_str()), (0, "EXTENDED"));
    let told = |key| again.facts.iter().find(|(_, fact)| fact.key == key).map(|(_, fact)| fact.value.clone());
    assert!(told("ami_release").is_some_and(|release| release.starts_with("1.34.")), "{:?}", again.facts);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_an_add_on_that_eks_gives_back_as_yaml_are_the_same_values() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    let dns = || async {
        let answer = eks.describe_addon().cluster_name(name).addon_name("coredns").send().await.unwrap();
        answer.addon.unwrap()
    };
    let json = dns().await.configuration_values.unwrap();
    let yaml = serde_yaml_ng::to_string(&serde_json::from_str::<serde_json::Value>(&json).unwrap()).unwrap();
    assert_ne!(yaml.trim(), json);
    eks.update_addon().cluster_name(name).addon_name("coredns").configuration_values(&yaml).send().await.unwrap();
    while dns().await.configuration_values.as_ref() != Some(&yaml) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
}
