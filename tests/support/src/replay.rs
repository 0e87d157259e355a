//! Answers of AWS that a test sets, given out as AWS would send them (`sandbox/aws/tests/replay.py`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Value, json};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::config::Config;

use crate::local_aws::python;

/// It ends with its standard input, when this is dropped.
pub struct Replay {
    host: String,
    process: Child,
}

impl Replay {
    pub fn start() -> Self {
        let sandbox = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let mut process = Command::new(python())
            .args(["-m", "aws.tests.replay"])
            .current_dir(&sandbox)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} (made by sandbox/build/venv): {error}", python().display()));
        let mut host = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut host).expect("its address");
        Self { host: host.trim().to_owned(), process }
    }

    /// A client of it, as any command makes one.
    pub async fn cloud(&self, mut config: Config) -> Arc<Cloud> {
        self.answer(&[json!({
            "service": "sts", "operation": "GetCallerIdentity", "status": 200,
            "answer": {"Account": "123456789012", "UserId": "AIDAEXAMPLE", "Arn": "arn:aws:iam::123456789012:user/example"},
        })]);
        config.endpoint_url = Some(format!("http://{}", self.host));
        config.region = Some("us-east-1".to_owned());
        let who = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        let aws = Aws::connect_as(&config, SharedCredentialsProvider::new(who)).await.expect("the replay answers");
        Arc::new(Cloud::new(aws, config))
    }

    /// What its operations answer from now on; all others answer an empty success.
    pub fn answer(&self, answers: &[Value]) {
        self.ask("PUT", &serde_json::to_string(answers).expect("JSON"));
    }

    /// The operations that were called since, such as `ec2:DescribeVpcs`.
    pub fn called(&self) -> Vec<String> {
        serde_json::from_str(&self.ask("GET", "")).expect("a list")
    }

    fn ask(&self, method: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).expect("a connection");
        let length = body.len();
        let head = format!("{method} /_replay HTTP/1.1\r\nHost: local\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(" 200 "), "{method}: {head} {body}");
        body.to_owned()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
