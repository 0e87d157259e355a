//! One sandbox for one test or benchmark, gone when that ends, however it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A running sandbox.
pub struct Sandbox {
    state: tempfile::TempDir,
    /// What its user sets.
    pub env: BTreeMap<String, String>,
}

/// How the ARN of the sandbox's user ends.
pub const USER: &str = ":user/sandbox";

/// The checkout.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Our caches.
pub fn cache() -> PathBuf {
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    xdg.unwrap_or_else(home).join("tritondeploy")
}

impl Sandbox {
    /// Starts one, as fast as it is by itself.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one that is so many times as fast as AWS.
    pub fn at_speed(factor: f64) -> Self {
        Self::with(&[("SANDBOX_SPEED", factor.to_string())])
    }

    fn with(set: &[(&str, String)]) -> Self {
        let state = tempfile::Builder::new().prefix("tritondeploy-test-").tempdir().unwrap();
        let mut sandbox = Self { state, env: BTreeMap::new() };
        let mut start = sandbox.command("start");
        let started = start.envs(set.iter().map(|(name, value)| (name, value))).stdout(Stdio::null()).status().unwrap();
        assert!(started.success(), "sandbox/run start failed");
        let lines = sandbox.run("env");
        sandbox.env = lines
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
            .collect();
        assert!(sandbox.env.contains_key("AWS_ENDPOINT_URL"), "{lines}");
        sandbox
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.state.path()
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(root().join("sandbox/run"));
        command.arg("-s").arg(self.state.path()).arg(word).stdin(Stdio::null());
        command
    }

    fn run(&self, word: &str) -> String {
        let output = self.command(word).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "sandbox/run {word} failed: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks the sandbox's own side of the local AWS.
    pub fn ask(&self, method: &str, path: &str) -> Value {
        self.send(method, path, &[])
    }

    pub(crate) fn send(&self, method: &str, path: &str, more: &[&str]) -> Value {
        let url = format!("{}/_sandbox/{path}", self.env["AWS_ENDPOINT_URL"]);
        let all = [&["-sS", "--fail-with-body", "-m", "60", "-X", method, &url][..], more].concat();
        let output = Command::new("curl").args(all).output().unwrap();
        let body = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{url}: {body} {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    }

    /// Everything that exists in the AWS backends and the registry.
    pub fn dump(&self) -> Value {
        self.ask("GET", "dump")
    }

    /// Mutating AWS calls that our user made since the last reset.
    pub fn mutating_calls(&self) -> Vec<Value> {
        let calls = self.ask("GET", "calls");
        let calls = calls["calls"].as_array().unwrap_or_else(|| panic!("{calls}")).clone();
        calls.into_iter().filter(|call| call["principal"].as_str().is_some_and(|who| who.ends_with(USER))).collect()
    }

    /// What kubectl answers the only cluster's own administrator, as JSON.
    pub fn kubectl(&self, args: &[&str]) -> Value {
        let clusters = self.clusters();
        let [cluster] = clusters.as_slice() else { panic!("not one cluster: {clusters:?}") };
        let output = self.command("kubectl").arg(cluster.file_name().unwrap()).args(args).args(["-o", "json"]).output().unwrap();
        assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The folders of its clusters.
    fn clusters(&self) -> Vec<PathBuf> {
        let clusters = std::fs::read_dir(self.folder().join("clusters")).into_iter().flatten();
        clusters.flatten().map(|cluster| cluster.path()).collect()
    }

    /// Writes in the Kubernetes audit logs by anyone whose name is an AWS one, dry runs and reviews aside.
    pub fn kubernetes_writes(&self) -> Vec<Value> {
        let logs = self.clusters().into_iter().map(|cluster| cluster.join("audit.log"));
        let text = logs.filter_map(|log| std::fs::read_to_string(log).ok()).collect::<String>();
        // Most lines are of the cluster's own parts: to read all of them takes longer than a test waits between two looks.
        let lines = text.lines().filter(|line| line.contains("\"arn:aws:"));
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter(|event| {
                let uri = event["requestURI"].as_str().unwrap_or_default();
                let write = ["create", "update", "patch", "delete", "deletecollection"]
                    .contains(&event["verb"].as_str().unwrap_or_default());
                let ours = event["user"]["username"].as_str().is_some_and(|name| name.starts_with("arn:aws:"));
                let aside = uri.contains("dryRun=All") || uri.contains("reviews") || uri.contains("portforward");
                write && ours && !aside && event["stage"] == "ResponseComplete"
            })
            .collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.command("logs").status();
        }
        let stopped = self.command("stop").status();
        if !std::thread::panicking() {
            assert!(stopped.unwrap().success(), "sandbox/run stop failed");
        }
    }
}
