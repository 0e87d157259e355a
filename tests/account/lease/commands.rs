//! The program itself, twice at once.

use std::time::Duration;

use serde_json::{Value, json};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::lease::{self, KEY};
use tritondeploy::config::Config;

use super::down::make_bucket;
use super::protocol::write;
use crate::operator::{Operator, Running, until_held};
use crate::{down, up};
use tritondeploy_support::local_aws::LocalAws;

/// Lets `up` run until it has asked for this, and holds the answer.
pub(super) fn up_until(local: &LocalAws, operator: &Operator, action: &str) -> Running {
    local.ask("POST", &format!("hold?nth=1&when=after&who=&action={action}"));
    let mut running = operator.start(&["up", "--yes"]);
    until_held(local, &mut running);
    running
}

async fn vpcs(cloud: &Cloud) -> usize {
    let ours = aws_sdk_ec2::types::Filter::builder().name("tag-key").values("tritondeploy:deployment").build();
    cloud.aws.ec2.describe_vpcs().filters(ours).send().await.unwrap().vpcs().len()
}

async fn holder(cloud: &Cloud) -> Option<Value> {
    lease::read(&cloud.aws, &cloud.bucket()).await.unwrap().map(|seen| json!(seen.holder))
}

/// The calls that change something, without those of the lease itself.
fn acts(local: &LocalAws) -> Vec<String> {
    let calls = local.ask("GET", "calls")["calls"].clone();
    let actions = calls.as_array().unwrap().iter().map(|call| call["action"].as_str().unwrap().to_owned());
    actions.filter(|action| action != "s3:PutObject" && action != "s3:DeleteObject").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ups_at_once_one_works_and_the_other_says_who_does_and_changes_nothing() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let (first, second) = (Operator::of(&local), Operator::of(&local));
    // Both have looked at an empty account, and both want to begin: the one that asks first is held until the other has ended.
    local.ask("POST", "hold?nth=1&when=after&who=&action=ec2:CreateVpc");
    let mut runs = [first.start(&["up", "--yes"]), second.start(&["up", "--yes"])];
    let loser = loop {
        if let Some(at) = runs.iter_mut().position(Running::is_over) {
            break at;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let [one, other] = runs;
    let (mut winner, loser) = if loser == 0 { (other, one.end()) } else { (one, other.end()) };
    assert_eq!(loser.code, Some(1), "{loser:?}");
    let held = holder(&cloud).await.unwrap();
    assert_eq!(loser.told["lease"]["id"], held["id"], "{loser:?}");
    let why = loser.told["error"].as_str().unwrap();
    let who = format!("another run is changing this deployment: up by {} on ", cloud.aws.caller);
    assert!(why.starts_with(&who) && why.contains(held["since"].as_str().unwrap()), "{why}");
    let next = loser.told["next"].as_str().unwrap();
    assert!(next.contains("--lock-timeout") && next.contains("tritondeploy unlock"), "{next}");

    until_held(&local, &mut winner);
    let looked = first.run(&["plan"]);
    assert_eq!(looked.told["lease"]["id"], held["id"], "{looked:?}");
    let said = first.says(&["status"]);
    assert!(said.contains(&format!("up by {} on ", cloud.aws.caller)) && said.contains("is running."), "{said}");

    local.ask("POST", "release");
    winner.signal("TERM");
    let winner = winner.end();
    assert_eq!(winner.told["outcome"]["interrupted"], true, "{winner:?}");
    assert_eq!(holder(&cloud).await, None, "a stopped run gives its lease back");
    up(&cloud).await;
    assert_eq!(vpcs(&cloud).await, 1);
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_killed_run_on_this_machine_is_taken_over_at_once() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let operator = Operator::of(&local);
    let mut killed = up_until(&local, &operator, "ec2:CreateVpc");
    let id = holder(&cloud).await.unwrap()["id"].clone();
    killed.kill();
    local.ask("POST", "release");

    let mut second = up_until(&local, &operator, "ec2:CreateNatGateway");
    assert_ne!(holder(&cloud).await.unwrap()["id"], id);
    assert!(second.out().contains("taken over from a run that has ended: up by "), "{}", second.out());
    assert_eq!(vpcs(&cloud).await, 1);
    second.kill();
    local.ask("POST", "release");
    let gone = operator.run(&["down", "--yes"]);
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_elsewhere_is_waited_for_as_long_as_the_user_says_and_no_longer() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    drop(up_until(&local, &operator, "s3:CreateBucket"));
    local.ask("POST", "release");
    let bucket = cloud.bucket();
    write(&cloud, &bucket, &json!({"command": "push-models"})).await;
    local.reset_calls();

    let refused = operator.run(&["up", "--yes"]);
    assert_eq!((refused.code, &refused.told["lease"]["host"]), (Some(1), &json!("elsewhere")), "{refused:?}");
    let refused = operator.run(&["up", "--yes", "--lock-timeout", "1s"]);
    assert_eq!((refused.code, &refused.told["lease"]["live"]), (Some(1), &json!(true)), "{refused:?}");
    assert_eq!(acts(&local), Vec::<String>::new());
    assert_eq!(operator.run(&["up", "--yes", "--lock-timeout", "90"]).code, Some(2));

    // The other run ends while this one waits.
    local.ask("POST", "hold?nth=1&when=after&who=&action=ec2:CreateVpc");
    let mut waiting = operator.start(&["up", "--yes", "--lock-timeout", "5m"]);
    waiting.until("waiting for push-models by arn:aws:iam::123456789012:user/me on elsewhere since ");
    cloud.aws.s3.delete_object().bucket(&bucket).key(KEY).send().await.unwrap();
    until_held(&local, &mut waiting);
    assert_eq!(holder(&cloud).await.unwrap()["command"], "up");
    local.ask("POST", "release");
    drop(waiting);

    // A lease that nobody renewed is over by S3's clock.
    write(&cloud, &bucket, &json!({})).await;
    local.ask("POST", "ahead?seconds=61");
    let taken = up_until(&local, &operator, "ec2:CreateNatGateway");
    assert_eq!(holder(&cloud).await.unwrap()["command"], "up");
    local.ask("POST", "release");
    drop(taken);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lease_is_removed_makes_no_new_act_and_the_next_up_finds_no_twins() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let operator = Operator::of(&local);
    let mut running = up_until(&local, &operator, "ec2:CreateVpc");
    let removed = Operator::of(&local).run(&["unlock", "--yes"]);
    assert_eq!((removed.code, &removed.told["removed"], &removed.told["lease"]["live"]), (Some(0), &json!(true), &json!(true)));
    // Its next look finds out; the VPC is made by then, and its answer is still awaited.
    running.until("the lease was removed");
    local.reset_calls();
    local.ask("POST", "release");
    let ended = running.end();
    assert_eq!((ended.code, acts(&local)), (Some(1), vec!["ec2:CreateVpc".to_owned()]), "{ended:?}");
    assert!(ended.told["error"].as_str().unwrap().contains("the lease was removed"), "{ended:?}");
    assert!(ended.told["exists_now"].as_array().unwrap().contains(&json!("vpc")), "{ended:?}");
    up(&cloud).await;
    assert_eq!(vpcs(&cloud).await, 1);
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_slept_longer_than_its_lease_may_not_act_when_it_wakes() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    let sleeper = up_until(&local, &operator, "ec2:CreateVpc");
    sleeper.signal("STOP");
    let slept = tokio::time::sleep(lease::Pace::default().give_up + Duration::from_secs(1));
    // Another run takes over what S3 says is over; only this machine's process table speaks against it, and it is not asked.
    local.ask("POST", "ahead?seconds=61");
    local.ask("POST", "release");
    let second = up_until(&local, &operator, "ec2:CreateNatGateway");
    let id = holder(&cloud).await.unwrap()["id"].clone();
    local.reset_calls();
    // Its own clock is what it asks before each act: S3 may answer later than that.
    slept.await;
    sleeper.signal("CONT");
    let ended = sleeper.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.told["error"].as_str().unwrap().contains("the lease "), "{ended:?}");
    assert_eq!(holder(&cloud).await.unwrap()["id"], id, "what is another's now is left alone");
    local.ask("POST", "release");
    drop(second);
    up(&cloud).await;
    assert_eq!(vpcs(&cloud).await, 1);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_models_takes_the_lease_only_where_something_differs() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    // Without a cluster there is no pod to ask.
    local.ask("POST", "hold?nth=1&when=before&who=&action=eks:CreateCluster");
    let mut running = operator.start(&["up", "--yes"]);
    running.until(r#""event":"finished","node":"models""#);
    until_held(&local, &mut running);
    drop(running);
    local.ask("POST", "release");
    write(&cloud, &cloud.bucket(), &json!({"command": "up"})).await;
    local.reset_calls();
    let same = operator.run(&["push-models"]);
    assert_eq!((same.code, local.mutating()), (Some(0), 0), "{same:?}");

    operator.write("models/m/1/model.py", "# another");
    let refused = operator.run(&["push-models"]);
    assert_eq!((refused.code, &refused.told["lease"]["host"]), (Some(1), &json!("elsewhere")), "{refused:?}");
    assert_eq!(local.mutating(), 1, "the lease was asked for, and nothing else");
    local.ask("POST", "ahead?seconds=61");
    let pushed = operator.run(&["push-models"]);
    assert_eq!((pushed.code, &pushed.told["changed"]), (Some(0), &json!(["m"])), "{pushed:?}");
    assert_eq!(holder(&cloud).await, None);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlock_says_whose_lease_it_removes_and_that_there_is_none() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    let none = operator.run(&["unlock"]);
    assert_eq!((none.code, &none.told), (Some(0), &json!({"schema": 1, "lease": null, "removed": false})));
    make_bucket(&cloud, &cloud.bucket()).await;
    assert!(operator.says(&["unlock"]).contains("There is no lease"));

    write(&cloud, &cloud.bucket(), &json!({"command": "down"})).await;
    let asked = operator.run(&["unlock"]);
    assert_eq!(asked.code, Some(2), "nobody is there to ask: {asked:?}");
    let said = operator.says(&["unlock"]);
    assert!(said.contains("down by arn:aws:iam::123456789012:user/me on elsewhere since "), "{said}");
    assert!(said.contains("warning: that run renewed its lease"), "{said}");
    assert!(holder(&cloud).await.is_some());
    local.ask("POST", "ahead?seconds=61");
    let said = operator.says(&["unlock", "--yes"]);
    assert!(said.contains("It is over") && said.contains("Removed."), "{said}");
    assert_eq!(holder(&cloud).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_holds_the_lease_in_a_bucket_of_another_name_is_not_run_into() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let (first, renamed) = (Operator::of(&local), Operator::of(&local));
    renamed.add("[storage]\nbucket = \"renamed-models\"\n");
    let running = up_until(&local, &first, "ec2:CreateVpc");
    local.reset_calls();
    for command in ["up", "down"] {
        let refused = renamed.run(&[command, "--yes"]);
        assert_eq!((refused.code, &refused.told["lease"]["command"]), (Some(1), &json!("up")), "{refused:?}");
    }
    // The first one goes on beside the call that is held.
    let of_others = |action: &String| action.contains(":Delete") || action == "s3:CreateBucket" || action == "ec2:CreateVpc";
    assert!(!acts(&local).iter().any(of_others), "{:?}", acts(&local));
    drop(running);
    local.ask("POST", "release");
    let gone = renamed.run(&["down", "--yes"]);
    assert_eq!((gone.code, &gone.told["left"]), (Some(0), &json!([])), "{gone:?}");
    assert_eq!(vpcs(&cloud).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_of_another_deployment_is_neither_unlocked_nor_pushed_to() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    let tags = aws_sdk_s3::types::CreateBucketConfiguration::builder().set_tags(Some(cloud.tags("bucket").s3())).build();
    cloud.aws.s3.create_bucket().bucket("others-models").create_bucket_configuration(tags).send().await.unwrap();
    write(&cloud, "others-models", &json!({})).await;
    let operator = Operator::of(&local);
    operator.add("[storage]\nbucket = \"others-models\"\n");
    local.reset_calls();
    for command in [&["unlock", "--yes"][..], &["push-models"]] {
        let refused = operator.run(command);
        let why = refused.told["error"].as_str().unwrap();
        assert!(refused.code == Some(1) && why.contains("is not this deployment's"), "{refused:?}");
    }
    assert_eq!(local.mutating(), 0);
}
