//! Who reads the local models.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tritondeploy_support::local_aws::LocalAws;

/// A configuration whose one model has a pipe for weights: whoever reads it waits for ever.
fn endless(folder: &Path) {
    let model = folder.join("models/densenet_onnx");
    std::fs::create_dir_all(model.join("1")).unwrap();
    std::fs::write(model.join("config.pbtxt"), "platform: \"onnxruntime_onnx\"").unwrap();
    let made = Command::new("mkfifo").arg(model.join("1/model.onnx")).status().unwrap();
    assert!(made.success());
    std::fs::write(folder.join("tritondeploy.toml"), "[models]\ndirectory = \"models\"\n").unwrap();
}

fn command(local: &LocalAws, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritondeploy"));
    command.args(args).current_dir(folder).env("XDG_STATE_HOME", folder.join("state"));
    command.env("AWS_ENDPOINT_URL", format!("http://{}", local.host)).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", &local.key).env("AWS_SECRET_ACCESS_KEY", &local.secret);
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Whether it ends by itself; it is killed otherwise.
fn ends(mut command: Command) -> bool {
    let (mut child, begun) = (command.spawn().unwrap(), Instant::now());
    while begun.elapsed() < Duration::from_secs(60) {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

/// Whether somebody reads the weights before it ends.
fn reads(mut command: Command, folder: &Path) -> bool {
    let mut child = command.spawn().unwrap();
    let pipe = folder.join("models/densenet_onnx/1/model.onnx");
    // Without waiting, a pipe is opened for writing only once somebody reads it.
    let (begun, mut read) = (Instant::now(), false);
    while !read && child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60) {
        read = std::fs::OpenOptions::new().write(true).custom_flags(nonblock()).open(&pipe).is_ok();
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    read
}

fn nonblock() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits().cast_signed()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_reads_no_local_weights() {
    let local = LocalAws::start(600);
    let folder = tempfile::tempdir().unwrap();
    endless(folder.path());
    for args in [&["status"][..], &["down", "--yes"], &["kubeconfig"], &["logs"], &["test"], &["infer", "models/densenet_onnx"]] {
        assert!(ends(command(&local, folder.path(), args)), "{args:?} reads them");
    }
    for args in [&["plan"][..], &["push-models"]] {
        assert!(reads(command(&local, folder.path(), args), folder.path()), "{args:?} does not read them");
    }
}
