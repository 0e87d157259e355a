use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tritondeploy::cloud::token::eks_token;
use tritondeploy::config::Config;

use tritondeploy_support::local_aws::LocalAws;

/// Asks STS as a cluster does that was shown the token.
fn shown(local: &LocalAws, token: &str, cluster: &str) -> (bool, String) {
    let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").expect("the prefix")).expect("base64");
    let url = String::from_utf8(url).unwrap();
    let path = url.strip_prefix(&format!("http://{}", local.host)).expect("the endpoint");
    let mut stream = TcpStream::connect(&local.host).unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nx-k8s-aws-id: {cluster}\r\n\r\n", local.host);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.lines().next().is_some_and(|status| status.contains(" 200 ")), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_who_we_are_to_one_cluster_only() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let (token, until) = eks_token(&cloud.aws.sdk, "blue").await.unwrap();
    assert!(token.len() <= 4096, "{} bytes", token.len());
    let seconds = until.as_second() - jiff::Timestamp::now().as_second();
    assert!((13 * 60..=14 * 60).contains(&seconds), "good for {seconds} s");

    let (accepted, answer) = shown(&local, &token, "blue");
    assert!(accepted && answer.contains(&cloud.aws.caller), "{answer}");
    let (accepted, answer) = shown(&local, &token, "green");
    assert!(!accepted && !answer.contains(&cloud.aws.caller), "{answer}");
}

/// kubectl asks every few minutes, and waits for the answer.
#[test]
fn a_token_with_static_credentials_is_made_without_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_tritondeploy"))
        .args(["token", "--name", "blue", "--region", "eu-west-1"])
        .current_dir(folder.path())
        .env_clear()
        // Nobody is there.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(told["status"]["token"].as_str().unwrap().starts_with("k8s-aws-v1."), "{told}");
}
