//! Somebody with the binary, a folder, and a bucket.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use tritondeploy_support::world::World;

/// Somebody at work in a folder of their own.
pub(crate) struct User {
    folder: tempfile::TempDir,
    /// What is set.
    pub(crate) env: BTreeMap<String, String>,
    /// The gateway's WebSocket.
    pub(crate) url: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The last line, an object.
    pub(crate) fn json(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_else(|| panic!("nothing was said; {}", self.err));
        serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {}", self.out))
    }
}

impl User {
    pub(crate) fn of(world: &World) -> Self {
        Self::of_url(&world.address(), &world.user_env())
    }

    pub(crate) fn of_url(url: &str, env: &BTreeMap<String, String>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), env: env.clone(), url: url.to_owned() }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// `infer` of the gateway.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tritondeploy"));
        command.args(["infer", "--url", &self.url]).args(args).current_dir(self.folder.path()).env_clear();
        for keep in ["PATH", "TMPDIR"] {
            command.envs(std::env::var_os(keep).map(|value| (keep, value)));
        }
        command.env("HOME", self.folder.path()).env("XDG_STATE_HOME", self.path("state")).envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn infer(&self, args: &[&str]) -> Ran {
        finish(self.command(args).spawn().unwrap())
    }

    /// Files in the folder of results, by the end of their names.
    pub(crate) fn results(&self, suffix: &str) -> Vec<PathBuf> {
        self.files("inference_results", suffix)
    }

    fn files(&self, folder: &str, suffix: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_str().unwrap().ends_with(suffix));
        paths.sort();
        paths
    }

    /// The newest CSV, as Python reads it: a list of lists.
    pub(crate) fn csv(&self) -> Vec<Vec<String>> {
        read(&self.results(".csv").pop().expect("a CSV"))
    }

    /// The newest CSV of videos.
    pub(crate) fn video_csv(&self) -> Vec<Vec<String>> {
        read(&self.files("video_inference_results", ".csv").pop().expect("a CSV of videos"))
    }
}

/// A CSV, as Python reads it.
fn read(path: &Path) -> Vec<Vec<String>> {
    let script = "import csv, json, sys; print(json.dumps(list(csv.reader(open(sys.argv[1], encoding='utf-8', newline='')))))";
    let ran = Command::new("python3").args(["-c", script]).arg(path).output().expect("python3");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Waits for a run's end.
pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
