use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio_util::sync::CancellationToken;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::{Aws, ConnectError};
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::config::Config;
use tritondeploy::deployment::graph;
use tritondeploy::engine::{Events, Failure, Gate, Timing, Walk};

use tritondeploy_support::local_aws::LocalAws;

fn as_user(key: &str, secret: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(key, secret, None, None, "test"))
}

fn at(host: &str) -> Config {
    Config { endpoint_url: Some(format!("http://{host}")), region: Some("us-east-1".to_owned()), ..Config::default() }
}

async fn refusal(config: &Config, who: SharedCredentialsProvider) -> ConnectError {
    Aws::connect_as(config, who).await.err().expect("no connection")
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_told_apart_with_the_request_to_ask_about() {
    let local = LocalAws::start(60);
    let wrong = refusal(&at(&local.host), as_user(&local.key, "not the secret")).await;
    assert!(matches!(wrong, ConnectError::Refused { .. }), "{wrong}");
    assert!(wrong.to_string().contains("SignatureDoesNotMatch"), "{wrong}");
    assert!(wrong.to_string().contains("request "), "{wrong}");
    let unknown = refusal(&at(&local.host), as_user("AKIANOBODY", "secret")).await;
    assert!(unknown.to_string().contains("InvalidClientTokenId"), "{unknown}");
    assert!(unknown.next().contains("renew the credentials"), "{unknown}");
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_named_with_the_nearest_that_does() {
    let local = LocalAws::start(60);
    let config = Config { region: Some("us-esat-1".to_owned()), ..at(&local.host) };
    let refused = refusal(&config, as_user(&local.key, &local.secret)).await;
    assert!(matches!(refused, ConnectError::NoRegion { nearest: "us-east-1", .. }), "{refused}");
    let told = refused.to_string();
    for words in ["us-esat-1", "scoped to a valid region", "request "] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    assert!(refused.next().contains("did you mean us-east-1?"), "{}", refused.next());
}

#[tokio::test]
async fn an_endpoint_where_nobody_answers_is_told_at_once() {
    let begun = Instant::now();
    let nobody = refusal(&at("127.0.0.1:1"), as_user("key", "secret")).await;
    assert!(matches!(nobody, ConnectError::Unreachable { .. }), "{nobody}");
    assert!(nobody.to_string().contains("127.0.0.1:1"), "{nobody}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_ca_bundle_without_certificates_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("roots.pem");
    std::fs::write(&bundle, "not a certificate").unwrap();
    for path in [bundle, folder.path().join("missing.pem")] {
        let config = Config { ca_bundle: Some(path.clone()), ..at("127.0.0.1:1") };
        let refused = refusal(&config, as_user("key", "secret")).await.to_string();
        assert!(refused.contains(&path.display().to_string()), "{refused}");
    }
}

#[tokio::test]
async fn credentials_that_expire_are_said_to_have_expired_before_and_during_a_walk() {
    let local = LocalAws::start(60);
    let user = Aws::connect_as(&at(&local.host), as_user(&local.key, &local.secret)).await.unwrap();
    let session = user.sts.get_session_token().send().await.unwrap().credentials.unwrap();
    let token = Some(session.session_token.clone());
    let session = Credentials::new(&session.access_key_id, &session.secret_access_key, token, None, "test");
    let session = SharedCredentialsProvider::new(session);
    let aws = Aws::connect_as(&at(&local.host), session.clone()).await.unwrap();

    local.expire_sessions();
    let refused = refusal(&at(&local.host), session).await;
    assert!(matches!(refused, ConnectError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("have expired"), "{refused}");
    let cloud = Arc::new(Cloud::new(aws, at(&local.host)));
    let graph = graph(&cloud.config, &Inventory::default(), None).up_to("s3-endpoint");
    let walk = Walk {
        graph: Arc::new(graph),
        world: cloud,
        events: Events::nowhere(),
        cancel: CancellationToken::new(),
        gate: Gate::open(),
        timing: Timing::default(),
    };
    let outcome = walk.up().await;
    assert_eq!(outcome.changed, 0);
    let told = |failure: &Failure| failure.why.contains("have expired");
    assert!(!outcome.failures.is_empty() && outcome.failures.iter().all(told), "{:?}", outcome.failures);
}
