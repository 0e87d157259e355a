//! What the program itself prints and leaves behind, where no Kubernetes is needed for it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tritondeploy::config::Config;

use crate::refusals::names_only;
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

#[test]
fn aws_is_reached_through_the_proxy_of_the_environment_but_where_none_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://me:secret@{}", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let _ = (&stream).write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = sender.send(head);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let ask = |endpoint: &str, no_proxy: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tritondeploy"));
        command.arg("plan").current_dir(folder.path()).env_clear().env("XDG_STATE_HOME", folder.path().join("state"));
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "key");
        command.env("HTTPS_PROXY", &proxy).env("HTTP_PROXY", &proxy).env("NO_PROXY", no_proxy);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    for (endpoint, no_proxy) in [("https://aws.invalid", "aws.invalid"), ("https://127.0.0.1:1", ""), ("http://127.0.0.1:1", "")]
    {
        ask(endpoint, no_proxy);
        assert!(asked.try_recv().is_err(), "{endpoint} is reached directly");
    }
    let told = ask("https://aws.invalid", "localhost");
    let head = asked.recv_timeout(Duration::from_secs(60)).expect("the proxy is asked");
    assert!(head[0].starts_with("CONNECT aws.invalid:443"), "{head:?}");
    let credentials = "proxy-authorization: Basic bWU6c2VjcmV0";
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case(credentials)), "{head:?}");
    assert!(!told.contains("secret"), "{told}");
    let at = proxy.rsplit('@').next().unwrap();
    assert!(told.contains(&format!("HTTPS goes through the proxy {at}, which HTTPS_PROXY names")), "{told}");
    names_only(&told, "HTTPS goes through the proxy ");
}
