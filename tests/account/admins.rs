//! Who is listed in `[access] admins` has an entry, and who is no longer listed has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::config::{Access, Config};
use tritondeploy::engine::{Report, Status};

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

/// Somebody with credentials of their own, and the ARN.
async fn somebody(boss: &Cloud, name: &str) -> (SharedCredentialsProvider, String) {
    let iam = &boss.aws.iam;
    let arn = iam.create_user().user_name(name).path("/vision/").send().await.unwrap().user.unwrap().arn;
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    iam.attach_user_policy().user_name(name).policy_arn(all).send().await.unwrap();
    let key = iam.create_access_key().user_name(name).send().await.unwrap().access_key.unwrap();
    (SharedCredentialsProvider::new(Credentials::new(key.access_key_id, key.secret_access_key, None, None, "test")), arn)
}

/// The same deployment as seen by `who`, with these admins.
async fn seen_by(boss: &Cloud, who: &SharedCredentialsProvider, admins: &[&str]) -> Arc<Cloud> {
    let config = listing(&boss.config, admins);
    let aws = Aws::connect_as(&config, who.clone()).await.unwrap();
    Arc::new(Cloud::new(aws, config))
}

fn listing(config: &Config, admins: &[&str]) -> Config {
    Config { access: Access { admins: admins.iter().map(|admin| (*admin).to_owned()).collect() }, ..config.clone() }
}

/// Each entry but the nodes', and its policies.
async fn entries(cloud: &Cloud) -> BTreeMap<String, Vec<String>> {
    let (eks, name) = (&cloud.aws.eks, &cloud.config.name);
    let mut entries = BTreeMap::new();
    for principal in eks.list_access_entries().cluster_name(name).send().await.unwrap().access_entries.unwrap_or_default() {
        let policies = eks.list_associated_access_policies().cluster_name(name).principal_arn(&principal);
        let policies = policies.send().await.unwrap().associated_access_policies.unwrap_or_default();
        let policies = policies.into_iter().filter_map(|policy| Some(policy.policy_arn?.rsplit_once('/')?.1.to_owned()));
        entries.insert(principal, policies.collect());
    }
    entries.retain(|principal, _| !principal.ends_with("-node"));
    entries
}

/// What is not there, or not as wanted.
fn odd(survey: &Report) -> Vec<String> {
    let odd = |seen: &&tritondeploy::engine::NodeReport| {
        seen.kind.starts_with("access") && (seen.status != Status::Present || !seen.changes.is_empty())
    };
    survey.nodes.iter().filter(odd).map(|seen| format!("{} {:?} {:?}", seen.node, seen.status, seen.changes)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_listed_has_an_entry_and_loses_it_when_listed_no_more() {
    let local = LocalAws::pretending(600);
    let boss = local.cloud(Config::default()).await;
    let before = local.dump();
    let (alices, alice) = somebody(&boss, "alice").await;
    let (_, bob) = somebody(&boss, "bob").await;
    let me = boss.aws.caller.clone();
    let admin = || vec!["AmazonEKSClusterAdminPolicy".to_owned()];

    let both = local.cloud(listing(&boss.config, &[&alice, &bob])).await;
    up(&both).await;
    let all = BTreeMap::from([(me.clone(), admin()), (alice.clone(), admin()), (bob.clone(), admin())]);
    assert_eq!(entries(&boss).await, all);

    // Who has never run `up` sees nothing amiss, and the one who has is nobody's drift: nor would another `up` change it.
    let hers = seen_by(&boss, &alices, &[&alice, &bob]).await;
    assert_eq!(odd(&walk(&hers).await.look().await), Vec::<String>::new());
    local.reset_calls();
    assert_eq!((up(&hers).await.changed, up(&both).await.changed, local.mutating()), (0, 0, 0));
    assert_eq!(entries(&boss).await, all);

    // Bob leaves the list: that is a difference, and `up` takes his entry and no other.
    let without_bob = local.cloud(listing(&boss.config, &[&alice])).await;
    let told = odd(&walk(&without_bob).await.look().await);
    assert!(
        matches!(&*told, [bobs] if bobs.starts_with("access-entry/user/vision/bob Present") && bobs.contains("exists")),
        "{told:?}"
    );
    local.reset_calls();
    assert_eq!((up(&without_bob).await.changed, local.mutating()), (1, 1));
    assert_eq!(entries(&boss).await, BTreeMap::from([(me.clone(), admin()), (alice.clone(), admin())]));

    // Alice leaves it too. Her own `up` does not lock her out; somebody else's does.
    let hers = seen_by(&boss, &alices, &[]).await;
    assert_eq!(up(&hers).await.changed, 0);
    up(&boss).await;
    assert_eq!(entries(&boss).await, BTreeMap::from([(me, admin())]));
    down(&boss).await;
    for name in ["alice", "bob"] {
        let iam = &boss.aws.iam;
        let keys = iam.list_access_keys().user_name(name).send().await.unwrap();
        for key in keys.access_key_metadata {
            iam.delete_access_key().user_name(name).access_key_id(key.access_key_id.unwrap()).send().await.unwrap();
        }
        let all = "arn:aws:iam::aws:policy/AdministratorAccess";
        iam.detach_user_policy().user_name(name).policy_arn(all).send().await.unwrap();
        iam.delete_user().user_name(name).send().await.unwrap();
    }
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_up_and_is_listed_has_one_entry_and_keeps_it() {
    let local = LocalAws::pretending(600);
    let boss = local.cloud(Config::default()).await;
    let (alices, alice) = somebody(&boss, "alice").await;
    let me = boss.aws.caller.clone();
    // Alice runs `up` herself, unlisted: her entry is her own, and stays hers whatever the list says later.
    up(&seen_by(&boss, &alices, &[]).await).await;
    let listed = local.cloud(listing(&boss.config, &[&me, &alice])).await;
    up(&listed).await;
    let names: Vec<String> = entries(&boss).await.into_keys().collect();
    assert_eq!(names, [me.clone(), alice.clone()]);
    up(&boss).await;
    let names: Vec<String> = entries(&boss).await.into_keys().collect();
    assert_eq!(names, [me, alice]);
    down(&boss).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_made_by_hand_follows_the_list_once_it_is_on_it() {
    let local = LocalAws::pretending(600);
    let boss = local.cloud(Config::default()).await;
    let (_, alice) = somebody(&boss, "alice").await;
    up(&boss).await;
    let eks = &boss.aws.eks;
    eks.create_access_entry().cluster_name(&boss.config.name).principal_arn(&alice).send().await.unwrap();
    assert_eq!(up(&boss).await.changed, 0, "not listed, not ours");
    let listed = local.cloud(listing(&boss.config, &[&alice])).await;
    let told = odd(&walk(&listed).await.look().await);
    assert!(
        told.iter().any(|told| told.starts_with("access-entry/user/vision/alice Present") && told.contains("deployment")),
        "{told:?}"
    );
    up(&listed).await;
    assert_eq!(entries(&boss).await[&alice], ["AmazonEKSClusterAdminPolicy"]);
    up(&boss).await;
    assert!(!entries(&boss).await.contains_key(&alice));
    down(&boss).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_iam_does_not_know_is_told_before_anything_is_made() {
    let local = LocalAws::pretending(600);
    let boss = local.cloud(Config::default()).await;
    let (_, alice) = somebody(&boss, "alice").await;
    let account = &boss.aws.account;
    let (nobody, pathless) = (format!("arn:aws:iam::{account}:role/nobody"), format!("arn:aws:iam::{account}:user/alice"));
    let cloud = local.cloud(listing(&boss.config, &[&alice, &nobody, &pathless])).await;
    let inventory = tritondeploy::cloud::inventory::Inventory::read(&cloud).await.unwrap();
    let problems = inventory.admins.problems(&cloud.aws).await.unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("knows no") && problems[0].contains("role/nobody"), "{problems:?}");
    assert!(problems[1].contains(&pathless) && problems[1].contains(&format!("is called {alice}")), "{problems:?}");
}
