//! The program itself, alone: without Triton and without a bucket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::SOON;

/// `serve`, killed when dropped.
pub(crate) struct Program {
    child: Child,
    log: mpsc::Receiver<String>,
    _folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Program {
    /// Starts it from a shell that has run `before`; ports are free ones unless `more` names others.
    pub(crate) fn start(before: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.toml");
        let key = |name: &str| format!("{name} = \"127.0.0.1:0\"\n");
        let ports: String = ["listen", "admin", "health"].into_iter().filter(|k| !more.contains(k)).map(key).collect();
        let models = folder.path().join("models");
        let text = format!("{ports}{more}\nstorage.bucket = \"b\"\nrepository.directory = {models:?}\n");
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$@\""), "sh", env!("CARGO_BIN_EXE_tritondeploy-gateway")])
            .args(["serve", "--config"])
            .arg(&config)
            .env_clear()
            .envs([("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log, _folder: folder }
    }

    /// The next line of its log that `is` asked for; everything up to there when it does not come, or the program ends.
    pub(crate) fn line(&mut self, is: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let (start, mut all) = (Instant::now(), String::new());
        while let Ok(line) = self.log.recv_timeout(SOON.saturating_sub(start.elapsed())) {
            match serde_json::from_str(&line) {
                Ok(line) if is(&line) => return Ok(line),
                _ => all += &line,
            }
        }
        Err(all)
    }

    /// Its limit of open files, soft and hard.
    fn open_files(&self) -> (String, String) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    }
}

#[test]
fn the_limit_of_open_files_is_raised_to_the_hard_limit() {
    let mut program = Program::start("ulimit -S -n 64", "");
    // The shell has set its limit by then.
    let line = program.line(|line| line.get("open_files").is_some()).unwrap();
    let (soft, hard) = program.open_files();
    assert!(soft == hard && hard != "64", "the soft limit is {soft}, the hard limit {hard}");
    assert_eq!(line["open_files"].to_string(), hard);
}

/// Status and body.
pub(crate) fn ask(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
}

#[test]
fn health_is_answered_before_there_is_a_triton_or_a_bucket() {
    let mut program = Program::start(":", "");
    let line = program.line(|line| line.get("health").is_some()).unwrap();
    let address = line["health"].as_str().unwrap();
    assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
    let (status, why) = get(address, "/readyz");
    assert!(status == 503 && why.contains("\"ready\":false"), "{status} {why}");
}

#[test]
fn a_health_address_that_is_taken_is_an_error_that_names_the_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = Program::start(":", &format!("health = \"{}\"", taken.local_addr().unwrap()));
    let log = program.line(|line| line["message"] == "listening").unwrap_err();
    assert!(log.contains("key `health`"), "{log}");
    assert_eq!(program.child.wait().unwrap().code(), Some(1));
}

#[test]
fn refused_connections_do_not_fill_the_log() {
    let limits = "limits.handshakes_per_address = 1\nlimits.header_seconds = 600";
    let mut program = Program::start(":", limits);
    let listening = program.line(|line| line["message"] == "listening").unwrap();
    let address = listening["address"].as_str().unwrap();
    let start = Instant::now();
    let _silent: Vec<_> = (0..301).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (mut lines, mut refused) = (0, 0);
    while refused < 300 {
        refused += program.line(|line| line.get("count").is_some()).unwrap()["count"].as_u64().unwrap();
        lines += 1;
    }
    assert_eq!(refused, 300);
    // One at once, and one for each second that has begun since.
    assert!(lines <= start.elapsed().as_secs() + 2, "{lines} lines");
}
