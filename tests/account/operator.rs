//! Somebody who runs the program itself, with a folder, models and a gateway's binary of their own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::workplace::{PROGRAM, workplace};

/// One person at one machine.
pub(crate) struct Operator {
    folder: tempfile::TempDir,
    program: PathBuf,
    docker: String,
    aws: Vec<(&'static str, String)>,
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
#[allow(dead_code, reason = "all of it is shown where a test fails")]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// The last line that it printed.
    pub(crate) told: Value,
    pub(crate) err: String,
}

impl Operator {
    pub(crate) fn of(local: &LocalAws) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_tritondeploy"));
        let folder = workplace(program, Path::new(env!("CARGO_TARGET_TMPDIR")), "m");
        let program = folder.path().join(PROGRAM);
        let aws = vec![("AWS_ENDPOINT_URL", format!("http://{}", local.host))];
        let operator = Self { program, docker: idle_docker(), folder, aws };
        operator.with_keys([local.key.clone(), local.secret.clone(), String::new()])
    }

    /// Key, secret and session token (of a user: none) of somebody else.
    pub(crate) fn with_keys(mut self, keys: [String; 3]) -> Self {
        self.aws.truncate(1);
        self.aws.extend(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].into_iter().zip(keys));
        self
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Adds to the configuration.
    pub(crate) fn add(&self, lines: &str) {
        let path = self.folder.path().join("tritondeploy.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, config + lines).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.folder.path()).env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.envs(self.aws.clone()).env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("DOCKER_HOST", &self.docker).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, with `--json`.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).arg("--json").output().unwrap())
    }

    /// The same, for people.
    pub(crate) fn says(&self, args: &[&str]) -> String {
        let ran = self.command(args).output().unwrap();
        [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
    }

    /// Starts it, with `--json`.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let out = self.folder.path().join(format!("out-{}", fastrand::u64(..)));
        let file = std::fs::File::create(&out).unwrap();
        let child = self.command(args).arg("--json").stdout(file).stderr(Stdio::null()).spawn().unwrap();
        Running { child, out }
    }
}

impl Running {
    /// What it printed so far.
    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    /// Until it has printed this.
    pub(crate) fn until(&mut self, line: &str) {
        let begun = Instant::now();
        while !self.out().contains(line) {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before {line:?}: {}", self.out());
            assert!(begun.elapsed() < Duration::from_secs(120), "it did not say {line:?}: {}", self.out());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Killed, and not yet waited for.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn end(mut self) -> Ran {
        let code = self.child.wait().unwrap().code();
        let out = self.out();
        Ran { code, told: last(&out), err: out }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), told: last(&String::from_utf8_lossy(&output.stdout)), err }
    }
}

fn last(out: &str) -> Value {
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_default()
}

/// Until the local AWS holds the call that it was asked to hold.
pub(crate) fn until_held(local: &LocalAws, running: &mut Running) {
    let begun = Instant::now();
    while local.ask("GET", "hold")["held"].is_null() {
        assert!(!running.is_over(), "it ended before the call: {}", running.out());
        assert!(begun.elapsed() < Duration::from_secs(120), "the call never came: {}", running.out());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a Docker engine answers that it is there, and builds nothing.
fn idle_docker() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || docker_answers(stream));
        }
    });
    format!("tcp://{address}")
}

fn docker_answers(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let (status, body) = match () {
        () if line.contains("/_ping") => ("200 OK", "OK"),
        () if line.contains("/version") => ("200 OK", r#"{"ApiVersion":"1.41","MinAPIVersion":"1.24"}"#),
        () => ("500 Internal Server Error", r#"{"message":"this engine builds nothing"}"#),
    };
    let (length, kind) = (body.len(), "Content-Type: application/json");
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}
