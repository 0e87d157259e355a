//! What the program itself prints and leaves behind, where no Kubernetes is needed for it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tritondeploy::config::Config;

use crate::{down, up};
use tritondeploy_support::local_aws::LocalAws;

/// The program, with a state folder of its own.
pub(crate) fn run(local: &LocalAws, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritondeploy"));
    command.args(args).current_dir(folder).env("XDG_STATE_HOME", folder.join("state"));
    command.env("AWS_ENDPOINT_URL", format!("http://{}", local.host)).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", &local.key).env("AWS_SECRET_ACCESS_KEY", &local.secret);
    command.env("AWS_EC2_METADATA_DISABLED", "true").output().expect("it runs")
}

pub(crate) fn out(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_leaves_no_log_behind_but_where_one_is_asked_for() {
    let local = LocalAws::start(600);
    let folder = tempfile::tempdir().unwrap();
    let token = run(&local, folder.path(), &["token"]);
    let token: Value = serde_json::from_str(out(&token)).unwrap();
    assert_eq!(token["kind"], "ExecCredential");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was written");
    out(&run(&local, folder.path(), &["token", "--log", "token.log"]));
    assert!(std::fs::read_to_string(folder.path().join("token.log")).unwrap().contains("signed a token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_is_json_where_json_is_asked_for() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let folder = tempfile::tempdir().unwrap();
    let json = run(&local, folder.path(), &["kubeconfig", "--json"]);
    let json: Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!((&json["kind"], &json["users"][0]["user"]["exec"]["args"][0]), (&"Config".into(), &"token".into()));
    let yaml = run(&local, folder.path(), &["kubeconfig"]);
    assert!(out(&yaml).starts_with("apiVersion: v1\n"), "{}", out(&yaml));
    let written = run(&local, folder.path(), &["kubeconfig", "--json", "--output", "k"]);
    assert_eq!(out(&written).trim(), r#"{"schema":1,"kubeconfig":"k"}"#);
    assert_eq!(std::fs::read_to_string(folder.path().join("k")).unwrap(), out(&yaml));
    down(&cloud).await;
}
