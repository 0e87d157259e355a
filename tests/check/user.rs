//! Somebody with the binary, and nothing else: no configuration, no credentials.

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `test` with these arguments, and the folder in which it runs.
pub(crate) fn start(args: &[&str]) -> (Child, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritondeploy"));
    command.arg("test").args(args).current_dir(folder.path()).env_clear();
    command.env("HOME", folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command.spawn().unwrap(), folder)
}

pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

/// Runs it beside the servers of this test.
pub(crate) async fn test(args: &[&str]) -> Ran {
    let (child, folder) = start(args);
    let ran = tokio::task::spawn_blocking(|| finish(child)).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written without --log");
    ran
}

/// The same with `--json`; what it prints must be one object.
pub(crate) async fn json(url: &str, more: &[&str]) -> Checks {
    let ran = test(&[&["--json", "--url", url], more].concat()).await;
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|why| panic!("{why}: {} {}", ran.out, ran.err));
    let checks = Checks { told, code: ran.code };
    for verdict in ["passed", "failed", "skipped", "closed"] {
        assert_eq!(checks.told[verdict], checks.names(verdict).len(), "{}", checks.told);
    }
    assert_eq!(checks.code, Some(i32::from(!checks.names("failed").is_empty())));
    checks
}

/// What `--json` told.
pub(crate) struct Checks {
    pub(crate) told: Value,
    pub(crate) code: Option<i32>,
}

impl Checks {
    fn all(&self) -> &Vec<Value> {
        self.told["checks"].as_array().unwrap_or_else(|| panic!("{}", self.told))
    }

    /// The checks that ended so, in their order.
    pub(crate) fn names(&self, verdict: &str) -> Vec<&str> {
        self.all().iter().filter(|check| check["verdict"] == verdict).filter_map(|check| check["name"].as_str()).collect()
    }

    /// One check's words.
    pub(crate) fn of(&self, name: &str, what: &str) -> &str {
        let check = self.all().iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {}", self.told));
        check[what].as_str().unwrap_or_else(|| panic!("no {what}: {check}"))
    }
}
