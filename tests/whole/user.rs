//! A user: a folder with a configuration and models, and the binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::config::Config;

use tritondeploy_support::sandbox::{Sandbox, cache, root};

/// Somebody at work.
pub struct User {
    folder: tempfile::TempDir,
    /// What is set.
    pub env: BTreeMap<String, String>,
}

/// How a run ended.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl User {
    /// A user of this sandbox with the demo's configuration and models.
    pub fn of(sandbox: &Sandbox) -> Self {
        let user = Self { folder: tempfile::tempdir().unwrap(), env: sandbox.env.clone() };
        std::fs::copy(root().join("sandbox/demo.toml"), user.path("tritondeploy.toml")).unwrap();
        copy(&cache().join("models"), &user.path("models"));
        user
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes the configuration.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.path("tritondeploy.toml");
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Gives a model the same graph with other bytes: ONNX ignores what a producer writes about itself. Field 2 (producer_name)
    /// of a ModelProto, again: the last one wins, in protobuf.
    pub fn changes_a_model(&self) {
        let model = self.path("models/efficientnet_lite0/1/model.onnx");
        let mut bytes = std::fs::read(&model).unwrap();
        bytes.extend_from_slice(b"\x12\x07another");
        std::fs::write(model, bytes).unwrap();
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env_clear();
        for keep in ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        command.env("XDG_STATE_HOME", self.path("state")).envs(&self.env);
        command
    }

    /// Starts tritondeploy and does not wait for it; what it prints goes to the file `out`.
    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_tritondeploy"), args);
        let out = std::fs::File::create(self.path("out")).unwrap();
        command.stdout(out).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs tritondeploy.
    pub fn run(&self, args: &[&str]) -> Ran {
        eprintln!("$ tritondeploy {}", args.join(" "));
        let ran: Ran = self.command(env!("CARGO_BIN_EXE_tritondeploy"), args).output().unwrap().into();
        eprintln!("{}{}(exit {:?})", ran.out, ran.err, ran.code);
        ran
    }

    /// Runs tritondeploy, which must do it.
    pub fn does(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "tritondeploy {} failed", args.join(" "));
        ran
    }

    /// Runs another program.
    pub fn other(&self, program: impl AsRef<Path>, args: &[&str]) -> Ran {
        self.command(program.as_ref(), args).output().unwrap().into()
    }
}

/// AWS, as the sandbox's own user.
pub async fn aws(sandbox: &Sandbox) -> Aws {
    let of = |name: &str| sandbox.env[name].clone();
    let who = Credentials::new(of("AWS_ACCESS_KEY_ID"), of("AWS_SECRET_ACCESS_KEY"), None, None, "test");
    let config = Config { endpoint_url: Some(of("AWS_ENDPOINT_URL")), region: Some(of("AWS_REGION")), ..Config::default() };
    Aws::connect_as(&config, SharedCredentialsProvider::new(who)).await.unwrap()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// The last JSON object that was printed.
    pub fn json(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in
        std::fs::read_dir(from).unwrap_or_else(|why| panic!("{}: {why}; `sandbox/models/build` makes it", from.display()))
    {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
