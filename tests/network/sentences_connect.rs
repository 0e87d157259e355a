use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tritondeploy::cloud::aws::{Aws, ConnectError};
use tritondeploy::config::Config;

use crate::local_aws::LocalAws;

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
    assert!(matches!(wrong, ConnectError::Refused(_)), "{wrong}");
    assert!(wrong.to_string().contains("SignatureDoesNotMatch"), "{wrong}");
    assert!(wrong.to_string().contains("request "), "{wrong}");
    let unknown = refusal(&at(&local.host), as_user("AKIANOBODY", "secret")).await;
    assert!(unknown.to_string().contains("InvalidClientTokenId"), "{unknown}");
    assert!(unknown.to_string().contains("Next: "), "{unknown}");
}

#[tokio::test]
async fn an_endpoint_where_nobody_answers_is_told_at_once() {
    let begun = Instant::now();
    let nobody = refusal(&at("127.0.0.1:1"), as_user("key", "secret")).await;
    assert!(matches!(nobody, ConnectError::Unreachable { .. }), "{nobody}");
    assert!(nobody.to_string().contains("127.0.0.1:1"), "{nobody}");
    assert!(begun.elapsed() < Duration::from_secs(5));
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
