//! What AWS refuses for who asks, or for when: `up` tells the cause first, and no other one.

use serde_json::json;
use tritondeploy::cloud::aws::OrFault;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::config::Config;
use tritondeploy::deployment::graph;
use tritondeploy_support::faults::Mode;
use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::walk::aloud;

use crate::operator::Operator;

/// How each cause is told.
pub(crate) const TOLD: [&str; 6] = [
    "this machine's clock is ",
    "the AWS credentials have expired",
    "AWS does not accept the credentials",
    "AWS does not accept the region",
    "is not authorized to perform: ",
    "HTTPS goes through the proxy ",
];

/// No other cause is named beside this one.
pub(crate) fn names_only(told: &str, cause: &str) {
    let named: Vec<&str> = TOLD.into_iter().filter(|one| told.contains(one)).collect();
    assert_eq!(named, [cause], "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told_with_how_far_and_nothing_is_made() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    for (seconds, told) in [(5400, "this machine's clock is 90 min behind: "), (-5400, "this machine's clock is 90 min ahead: ")]
    {
        local.mode(Mode::ClockSkew { seconds });
        let refused = operator.run(&["up", "--yes"]);
        let error = refused.told["error"].as_str().unwrap();
        assert!(refused.code == Some(1) && error.contains(told), "{refused:?}");
        names_only(error, TOLD[0]);
        assert!(refused.told["next"].as_str().unwrap().contains("timedatectl"), "{refused:?}");
        // Of a clock that is changed during a run EC2's code is that of credentials that have expired.
        let ec2 = cloud.aws.ec2.describe_vpcs().send().await.fault().unwrap_err().to_string();
        assert!(ec2.contains(told) && ec2.contains("RequestExpired"), "{ec2}");
        names_only(&ec2, TOLD[0]);
    }
    local.end_modes();
    assert_eq!(local.mutating(), 0);
    assert!(operator.says(&["plan"]).contains("to create"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_expired_is_told_and_nothing_is_made() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let session = cloud.aws.sts.get_session_token().send().await.unwrap().credentials.unwrap();
    let keys = [session.access_key_id, session.secret_access_key, session.session_token];
    let operator = Operator::of(&local).with_keys(keys);
    local.expire_sessions();
    local.reset_calls();
    for command in ["up", "down"] {
        let refused = operator.run(&[command, "--yes"]);
        names_only(refused.told["error"].as_str().unwrap(), TOLD[1]);
        assert!(refused.told["next"].as_str().unwrap().contains("aws sso login"), "{refused:?}");
        assert_eq!((refused.code, local.mutating()), (Some(1), 0), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_told_with_the_action_and_on_what() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let iam = &cloud.aws.iam;
    iam.create_user().user_name("bob").send().await.unwrap();
    let key = iam.create_access_key().user_name("bob").send().await.unwrap().access_key.unwrap();
    let operator = Operator::of(&local).with_keys([key.access_key_id, key.secret_access_key, String::new()]);
    // What comes before the cluster is there: of a permission that might just have been given, a refusal is waited out.
    let mut inventory = Inventory::read(&cloud).await.unwrap();
    inventory.choose(&cloud.aws, &cloud.config).await.unwrap();
    let all = graph(&cloud.config, &inventory, None);
    assert!(aloud(&cloud, all.up_to("role/cluster/AmazonEKSClusterPolicy"), drop).up().await.ok());
    let all_but = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["eks:CreateCluster", "iam:CreateRole"], "Resource": "*"}]});
    let policy = iam.put_user_policy().user_name("bob").policy_name("p").policy_document(all_but.to_string());
    policy.send().await.unwrap();
    let told = operator.says(&["up", "--yes"]);
    let errors: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    let cluster = format!("arn:aws:eks:us-east-1:{}:cluster/{}", cloud.aws.account, cloud.config.name);
    let on = format!("is not authorized to perform: eks:CreateCluster on resource: {cluster} because");
    assert!(errors[0].starts_with("error: cluster: ") && errors[0].contains(&on), "{told}");
    assert!(errors[0].contains("(eks:CreateCluster, request "), "{told}");
    let role = errors.iter().find(|line| line.starts_with("  role/node: ")).unwrap_or_else(|| panic!("{told}"));
    assert!(
        role.contains("is not authorized to perform: iam:CreateRole") && role.contains("(iam:CreateRole, request "),
        "{told}"
    );
    names_only(&told, TOLD[4]);
    for action in ["eks:CreateCluster", "iam:CreateRole"] {
        assert!(told.contains(&format!("allow {action} for these credentials, or use others")), "{told}");
    }
}
