//! Answers that are not AWS's, or that tell nothing: nobody takes them for "there is none", or for "not applied".

use tritondeploy::cloud::quota;
use tritondeploy::config::Config;
use tritondeploy::engine::Status;
use tritondeploy_support::faults::{Effect, Fault, Mode};

use crate::{account, down, everything, up, walk};

/// As a proxy writes it.
const PAGE: &str = "<html><head><title>Error</title></head><body>upstream connect error</body></html>";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_proxy_is_no_sign_that_a_bucket_is_gone() {
    let (local, cloud, before) = account().await;
    up(&cloud).await;
    for status in [404, 502] {
        local.fault(&Fault::of(Effect::AnswerOfOthers { status, body: PAGE }).on("s3:GetBucketTagging").times(3));
    }
    down(&cloud).await;
    assert_eq!(local.end_faults().len(), 6, "the pages were read");
    assert_eq!(local.dump(), before);
}

/// What EKS shows by one call, some of its answers being empty.
async fn down_though_eks_shows_nothing(read: &str) {
    let (local, cloud, before) = account().await;
    up(&cloud).await;
    for body in ["{}", ""] {
        local.fault(&Fault::of(Effect::Answer { body }).on(read).times(4));
    }
    down(&cloud).await;
    assert_eq!(local.end_faults().len(), 8, "the empty answers were read");
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_an_answer_does_not_show_is_not_taken_for_gone() {
    down_though_eks_shows_nothing("eks:DescribeCluster").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_an_answer_does_not_show_are_not_taken_for_gone() {
    down_though_eks_shows_nothing("eks:DescribeNodegroup").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_under_a_cluster_that_is_not_shown() {
    let (local, cloud, _) = account().await;
    up(&cloud).await;
    let stands = local.dump();
    local.reset_calls();
    local.fault(&Fault::of(Effect::Answer { body: "{}" }).on("eks:DescribeCluster"));
    let survey = walk(&cloud).await.look().await;
    let cluster = survey.nodes.iter().find(|seen| &*seen.node == "cluster").unwrap();
    assert!(
        matches!(&cluster.status, Status::Unknown { why, .. } if why.contains("tells nothing of the cluster")),
        "{cluster:?}"
    );
    assert!(survey.nodes.iter().all(|seen| seen.status != Status::Absent), "{survey:?}");
    assert_eq!((local.mutating(), local.dump()), (0, stands));
    local.end_faults();
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_instead_of_the_answer_to_a_creation_leaves_no_twins() {
    let (local, cloud, before) = account().await;
    local.mode(Mode::VisibilityDelay { seconds: 600 });
    for action in ["ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateInternetGateway", "ec2:AllocateAddress"] {
        local.fault(&Fault::of(Effect::AnswerOfOthersAfter { status: 503, body: PAGE }).on(action).times(1));
    }
    up(&cloud).await;
    assert_eq!(local.end_faults().len(), 4);
    local.end_modes();
    let survey = walk(&cloud).await.look().await;
    let twins: Vec<_> = survey.nodes.iter().filter(|seen| !seen.twins.is_empty()).map(|seen| &seen.node).collect();
    assert!(twins.is_empty(), "{twins:?}");
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_passes_does_not_end_an_up() {
    let (local, cloud, _) = account().await;
    for (action, code) in [
        ("iam:CreateOpenIDConnectProvider", "OpenIdIdpCommunicationError"),
        ("ec2:CreateSubnet", "InvalidSubnet.Conflict"),
        ("ec2:CreateVpcEndpoint", "RouteAlreadyExists"),
    ] {
        local.fault(&Fault::of(Effect::Error { code, status: 400 }).on(action).times(1));
    }
    local
        .fault(&Fault::of(Effect::Error { code: "InsufficientAddressCapacity", status: 500 }).on("ec2:AllocateAddress").times(1));
    up(&cloud).await;
    assert_eq!(local.end_faults().len(), 4);
    let tagged = Config { tags: [("team".to_owned(), "vision".to_owned())].into(), ..Config::default() };
    let cloud = local.cloud(tagged).await;
    local.fault(&Fault::of(Effect::Error { code: "ConcurrentTagAccess", status: 400 }).on("ec2:CreateTags").times(2));
    up(&cloud).await;
    assert_eq!(local.end_faults().len(), 2);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_comes_without_its_value_is_not_zero() {
    let (local, cloud, _) = account().await;
    let machine = tritondeploy::cloud::machine::Machine::read(&cloud.aws, &cloud.config).await.unwrap();
    let body = r#"{"Quota": {"QuotaCode": "L-DB2E81BA", "ErrorReason": {"ErrorCode": "DEPENDENCY_THROTTLING_ERROR"}}}"#;
    local.fault(&Fault::of(Effect::Answer { body }).on("servicequotas:GetServiceQuota"));
    let unread = quota::shortage(&cloud.aws, &cloud.config, &machine).await.unwrap_err();
    assert!(unread.to_string().contains("does not tell its value"), "{unread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_provider_that_somebody_else_made_is_not_ours() {
    let (_local, cloud, _) = account().await;
    up(&cloud).await;
    let iam = &cloud.aws.iam;
    let listed = iam.list_open_id_connect_providers().send().await.unwrap();
    let arn = listed.open_id_connect_provider_list()[0].arn().unwrap().to_owned();
    let provider = iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await.unwrap();
    let keys = provider.tags().iter().map(|tag| tag.key().to_owned()).collect();
    iam.untag_open_id_connect_provider().open_id_connect_provider_arn(&arn).set_tag_keys(Some(keys)).send().await.unwrap();
    let survey = walk(&cloud).await.look().await;
    let seen = survey.nodes.iter().find(|seen| seen.kind == "oidc-provider").unwrap();
    assert!(matches!(&seen.status, Status::Foreign { why } if why.contains(&arn)), "{seen:?}");
    let outcome = everything(&cloud).await.down().await;
    assert!(outcome.ok(), "{:?}", outcome.failures);
    let left = iam.list_open_id_connect_providers().send().await.unwrap();
    assert_eq!(left.open_id_connect_provider_list().len(), 1, "it is somebody else's");
}
