//! The lease by itself: who gets it, keeps it, and loses it.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::cloud::lease::{self, Held, Holder, KEY, NotTaken, Pace, Released, Seen};
use tritondeploy::config::Config;
use tritondeploy::engine::FaultKind;

use tritondeploy_support::local_aws::LocalAws;

const BUCKET: &str = "leases";

/// As quick as a test is.
const PACE: Pace = Pace {
    renew: Duration::from_millis(200),
    watch: Duration::from_millis(50),
    give_up: Duration::from_millis(3000),
    again: Duration::from_millis(50),
};

async fn account() -> (LocalAws, Arc<Cloud>) {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    cloud.aws.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    (local, cloud)
}

fn me(command: &str) -> Holder {
    Holder::this("arn:aws:iam::123456789012:user/me", command).unwrap()
}

async fn take(cloud: &Cloud, command: &str, limit: Duration) -> Result<(Held, Option<Holder>), NotTaken> {
    lease::take(&cloud.aws, BUCKET, me(command), PACE, limit, &CancellationToken::new(), |_, _| {}).await
}

async fn taken(cloud: &Cloud, command: &str) -> Held {
    take(cloud, command, Duration::ZERO).await.unwrap().0
}

async fn seen(cloud: &Cloud) -> Option<Seen> {
    lease::read(&cloud.aws, BUCKET).await.unwrap()
}

/// Writes a lease as a run elsewhere does.
pub(crate) async fn write(cloud: &Cloud, bucket: &str, fields: &Value) {
    let mut holder = json!(Holder { host: "elsewhere".to_owned(), ..me("up") });
    holder["boot_id"] = json!("of another machine");
    fields.as_object().unwrap().iter().for_each(|(key, value)| holder[key] = value.clone());
    let body = holder.to_string().into_bytes();
    cloud.aws.s3.put_object().bucket(bucket).key(KEY).body(body.into()).send().await.unwrap();
}

fn fail(local: &LocalAws, action: &str, times: u32, when: &str, code: &str, status: u16) {
    local.ask("POST", &format!("fail?action={action}&times={times}&when={when}&code={code}&status={status}"));
}

async fn until(what: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_gets_the_lease_and_the_others_are_told_whose_it_is() {
    let (_local, cloud) = account().await;
    let tries = (0..6).map(|at| {
        let cloud = cloud.clone();
        tokio::spawn(async move { take(&cloud, &format!("up-{at}"), Duration::ZERO).await })
    });
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    for done in futures::future::join_all(tries).await {
        match done.unwrap() {
            Ok((one, _)) => held.push(one),
            Err(NotTaken::Held(seen)) => refused.push(seen.holder.command),
            Err(other) => panic!("{other:?}"),
        }
    }
    let holder = seen(&cloud).await.unwrap().holder;
    assert_eq!((held.len(), refused), (1, vec![holder.command; 5]));
    assert!(matches!(held[0].release().await, Ok(Released::Gone)));
    assert!(seen(&cloud).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_elsewhere_ends_by_s3s_clock_alone() {
    let (local, cloud) = account().await;
    // Minutes away from the clock of this machine; S3 refuses signatures of more than 15.
    for (start, alive, over) in [(0, 50, 75), (-600, -550, -525), (600, 650, 675)] {
        local.ask("POST", &format!("ahead?seconds={start}"));
        write(&cloud, BUCKET, &json!({"since": "1999-01-01T00:00:00Z"})).await;
        local.ask("POST", &format!("ahead?seconds={alive}"));
        let refused = take(&cloud, "up", Duration::ZERO).await.err().unwrap();
        let NotTaken::Held(seen) = refused else { panic!("{refused:?}") };
        assert_eq!((&*seen.holder.host, seen.age.unwrap().as_secs() / 10), ("elsewhere", 5));
        local.ask("POST", &format!("ahead?seconds={over}"));
        let (held, former) = take(&cloud, "up", Duration::ZERO).await.unwrap();
        assert_eq!(former.unwrap().host, "elsewhere");
        held.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_lease_of_ours_keeps_others_out_as_long_as_one_would() {
    let (local, cloud) = account().await;
    cloud.aws.s3.put_object().bucket(BUCKET).key(KEY).body(b"{not json".to_vec().into()).send().await.unwrap();
    assert!(matches!(take(&cloud, "up", Duration::ZERO).await, Err(NotTaken::Held(_))));
    local.ask("POST", "ahead?seconds=70");
    taken(&cloud, "up").await.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_answer_was_lost_is_ours_and_conflicts_are_tried_again() {
    let (local, cloud) = account().await;
    for (when, code, status) in [("after", "InternalError", 500), ("before", "ConditionalRequestConflict", 409)] {
        fail(&local, "s3:PutObject", 1, when, code, status);
        let held = taken(&cloud, "up").await;
        assert_eq!(seen(&cloud).await.unwrap().holder.command, "up");
        fail(&local, "s3:DeleteObject", 1, when, code, status);
        let released = held.release().await.unwrap();
        assert!(seen(&cloud).await.is_none(), "{released:?} after {when} {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_whatever_becomes_of_some_answers_and_nobody_takes_it_meanwhile() {
    let (local, cloud) = account().await;
    let held = taken(&cloud, "up").await;
    let first = seen(&cloud).await.unwrap();
    for (when, code, status) in [("after", "InternalError", 500), ("before", "ConditionalRequestConflict", 409)] {
        fail(&local, "s3:PutObject", 2, when, code, status);
        let before = seen(&cloud).await.unwrap().holder.renewals;
        while seen(&cloud).await.unwrap().holder.renewals < before + 4 {
            assert_eq!(held.gate().refusal(), None);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // Each renewal is another object: what was read before it is no ground for taking it over.
    let stale = cloud.aws.s3.put_object().bucket(BUCKET).key(KEY).if_match(etag(&cloud, &first).await);
    assert!(stale.body(b"{}".to_vec().into()).send().await.is_err());
    assert!(matches!(held.release().await, Ok(Released::Gone)));
}

/// The ETag that an object with this content has: what a first read would have seen.
async fn etag(cloud: &Cloud, seen: &Seen) -> String {
    let body = serde_json::to_vec_pretty(&seen.holder).unwrap();
    let written = cloud.aws.s3.put_object().bucket(BUCKET).key("the-same").body(body.into()).send().await.unwrap();
    written.e_tag.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_lease_may_not_act_any_more_and_says_to_whom() {
    let (_local, cloud) = account().await;
    let held = taken(&cloud, "up").await;
    cloud.aws.s3.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    until(|| held.gate().refusal().is_some()).await;
    assert!(held.gate().refusal().unwrap().contains("was removed"), "{:?}", held.gate());
    // Its place is another's now, and stays it.
    let second = taken(&cloud, "up").await;
    assert!(matches!(held.release().await, Ok(Released::NotOurs(Some(seen))) if seen.holder.command == "up"));

    write(&cloud, BUCKET, &json!({"command": "push-models"})).await;
    until(|| second.gate().refusal().is_some()).await;
    let why = second.gate().refusal().unwrap();
    assert!(why.contains("taken over: push-models by arn:aws:iam::123456789012:user/me on elsewhere since "), "{why}");
    assert!(matches!(second.release().await, Ok(Released::NotOurs(Some(seen))) if seen.holder.command == "push-models"));
    assert_eq!(seen(&cloud).await.unwrap().holder.host, "elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_renewal_in_time_no_act_begins_and_the_last_error_is_told() {
    let (local, cloud) = account().await;
    let held = taken(&cloud, "up").await;
    fail(&local, "s3:PutObject", 1_000_000, "before", "InternalError", 500);
    until(|| held.gate().refusal().is_some()).await;
    let why = held.gate().refusal().unwrap();
    assert!(why.contains("could not be renewed for"), "{why}");
    // It is still ours, and is not left behind.
    assert!(matches!(held.release().await, Ok(Released::Gone)));
    assert!(seen(&cloud).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_lease_when_it_is_given_back_and_not_before() {
    let (_local, cloud) = account().await;
    let held = taken(&cloud, "down").await;
    let waited = tokio::sync::Notify::new();
    let limit = Duration::from_secs(60);
    let cancel = CancellationToken::new();
    let waiting = |seen: &Seen, _| {
        assert_eq!(seen.holder.command, "down");
        waited.notify_one();
    };
    let release = async {
        waited.notified().await;
        waited.notified().await;
        held.release().await.unwrap();
    };
    let (second, ()) = tokio::join!(lease::take(&cloud.aws, BUCKET, me("up"), PACE, limit, &cancel, waiting), release);
    let (second, former) = second.unwrap();
    assert_eq!((former, seen(&cloud).await.unwrap().holder.command), (None, "up".to_owned()));
    second.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_while_waiting_leaves_the_lease_alone() {
    let (_local, cloud) = account().await;
    let cancel = CancellationToken::new();
    write(&cloud, BUCKET, &json!({})).await;
    let stop = |_: &Seen, _: Duration| cancel.cancel();
    let stopped = lease::take(&cloud.aws, BUCKET, me("up"), PACE, Duration::from_secs(60), &cancel, stop).await;
    assert!(matches!(stopped, Err(NotTaken::Cancelled)));
    assert_eq!(seen(&cloud).await.unwrap().holder.host, "elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_the_lease_is_told_which_permission_is_missing() {
    let (_local, cloud) = account().await;
    let nobody = cloud.aws.iam.create_user().user_name("reader").send().await.unwrap().user.unwrap().arn;
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}"#;
    cloud.aws.iam.put_user_policy().user_name("reader").policy_name("p").policy_document(policy).send().await.unwrap();
    let key = cloud.aws.iam.create_access_key().user_name("reader").send().await.unwrap().access_key.unwrap();
    let keys = Credentials::new(key.access_key_id, key.secret_access_key, None, None, "test");
    let aws = Aws::connect_as(&cloud.config, SharedCredentialsProvider::new(keys)).await.unwrap();
    let reader = Cloud::new(aws, cloud.config.clone());
    assert_eq!(reader.aws.caller, nobody);
    let denied = take(&reader, "up", Duration::ZERO).await.err().unwrap();
    assert!(
        matches!(&denied, NotTaken::Fault(fault) if fault.kind == FaultKind::Denied && fault.message.contains("s3:PutObject")),
        "{denied:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_bucket_nobody_takes_a_lease() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    assert!(matches!(take(&cloud, "up", Duration::ZERO).await, Err(NotTaken::NoBucket)));
    assert!(seen(&cloud).await.is_none());
}
