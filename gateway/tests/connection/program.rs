//! The program itself, alone: without Triton and without a bucket.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::SOON;

/// `serve`, killed when dropped.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
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
    fn start(before: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.toml");
        let key = |name: &str| format!("{name} = \"127.0.0.1:0\"\n");
        let ports: String = ["listen", "admin"].into_iter().filter(|k| !more.contains(k)).map(key).collect();
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
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, _folder: folder }
    }

    /// The next line of its log that `is` asked for; everything up to there when it ends without.
    fn line(&mut self, is: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let mut all = String::new();
        loop {
            let from = all.len();
            if self.log.read_line(&mut all).unwrap() == 0 {
                return Err(all);
            }
            match serde_json::from_str(&all[from..]) {
                Ok(line) if is(&line) => return Ok(line),
                _ => {}
            }
        }
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
    let start = Instant::now();
    loop {
        let (soft, hard) = program.open_files();
        if soft == hard {
            let line = program.line(|line| line.get("open_files").is_some()).unwrap();
            assert_eq!(line["open_files"].to_string(), hard);
            return;
        }
        assert!(start.elapsed() < SOON, "the soft limit is {soft}, the hard limit {hard}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
