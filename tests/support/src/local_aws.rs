//! A local AWS of this test's own: the sandbox's, without Kubernetes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::config::Config;

pub struct LocalAws {
    /// The fork server's child ends when this does.
    lifeline: TcpStream,
    pub host: String,
    pub key: String,
    pub secret: String,
}

/// What has the local AWS loaded already, where `tests/programs` has not started one for all; it ends when its standard
/// input does.
struct ForkServer {
    address: String,
    _process: Child,
}

/// The sandbox's.
pub(crate) fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache"));
    cache.join("tritondeploy/venv/bin/python")
}

impl ForkServer {
    fn start() -> Self {
        let sandbox = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let python = python();
        let mut process = Command::new(&python)
            .args(["-m", "aws", "--fork-server"])
            .current_dir(&sandbox)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} (made by sandbox/build/venv): {error}", python.display()));
        let mut address = String::new();
        let told = process.stdout.take().expect("its output");
        BufReader::new(told).read_line(&mut address).expect("its address");
        Self { address: address.trim().to_owned(), _process: process }
    }
}

impl LocalAws {
    /// Starts one, `speed` times as fast as AWS.
    pub fn start(speed: u32) -> Self {
        Self::with(speed, "")
    }

    /// The same, where nodes say that they are Ready and add-ons that they are healthy.
    pub fn pretending(speed: u32) -> Self {
        Self::with(speed, "--pretend")
    }

    /// One whose clusters have the control plane of `python -m nodeless --directory DIRECTORY`, with a stand-in for the gateway
    /// that answers for one model.
    pub fn on_plane(speed: u32, directory: &Path, alias: &str) -> Self {
        Self::with(speed, &format!("--plane {} --alias {alias}", directory.display()))
    }

    fn with(speed: u32, more: &str) -> Self {
        static FORK_SERVER: LazyLock<ForkServer> = LazyLock::new(ForkServer::start);
        let address = std::env::var("TRITONDEPLOY_FORK_SERVER").unwrap_or_else(|_| FORK_SERVER.address.clone());
        let mut lifeline = TcpStream::connect(address).expect("the fork server listens");
        writeln!(lifeline, "--port 0 --speed {speed} {more}").expect("asked");
        let told = lifeline.try_clone().expect("a handle");
        let mut local = Self { lifeline, host: String::new(), key: String::new(), secret: String::new() };
        for line in BufReader::new(told).lines().map_while(Result::ok) {
            let Some((name, value)) = line.trim_start_matches("export ").split_once('=') else { continue };
            match name {
                "AWS_ENDPOINT_URL" => local.host = value.trim_start_matches("http://").to_owned(),
                "AWS_ACCESS_KEY_ID" => local.key = value.to_owned(),
                "AWS_SECRET_ACCESS_KEY" => local.secret = value.to_owned(),
                "AWS_EC2_METADATA_DISABLED" => return local,
                _ => {}
            }
        }
        panic!("the local AWS did not start");
    }

    pub async fn cloud(&self, config: Config) -> Arc<Cloud> {
        self.cloud_at(&self.host, config).await
    }

    /// By another way, `host:port`.
    pub async fn cloud_at(&self, host: &str, mut config: Config) -> Arc<Cloud> {
        config.endpoint_url = Some(format!("http://{host}"));
        config.region.get_or_insert_with(|| "us-east-1".to_owned());
        let who = SharedCredentialsProvider::new(Credentials::new(&self.key, &self.secret, None, None, "test"));
        let aws = Aws::connect_as(&config, who).await.expect("the local AWS answers");
        Arc::new(Cloud::new(aws, config))
    }

    /// How many mutating calls there were since the start or the last reset.
    pub fn mutating(&self) -> u64 {
        self.ask("GET", "calls")["count"].as_u64().expect("a count")
    }

    pub fn reset_calls(&self) {
        self.ask("POST", "reset-calls");
    }

    /// Everything that every service holds, ghosts aside.
    pub fn dump(&self) -> Value {
        self.ask("GET", "dump")
    }

    /// Lets every session of today's credentials end now.
    pub fn expire_sessions(&self) {
        self.ask("POST", "expire-sessions");
    }

    pub fn ask(&self, method: &str, path: &str) -> Value {
        self.send(method, path, None)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut stream = TcpStream::connect(&self.host).expect("a connection");
        let body = body.map_or_else(String::new, Value::to_string);
        let length = body.len();
        let request = format!("{method} /_sandbox/{path} HTTP/1.0\r\nHost: local\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(" 200 "), "{method} {path}: {head} {body}");
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        let _ = self.lifeline.shutdown(Shutdown::Write);
        // The child's end is the end of what it says.
        let _ = self.lifeline.read_to_end(&mut Vec::new());
    }
}
