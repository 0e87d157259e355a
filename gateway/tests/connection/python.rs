//! The client library that most clients use, in its oldest and newest ways.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tritondeploy_gateway::config::Limits;

use crate::Running;

/// The old asyncio client, its end, the new one, and the newest that was tried.
const VERSIONS: [&str; 4] = ["10.4", "12.0", "14.2", "17.0"];

/// The bar is 50 ms; a client that waits for its time-out takes 10 s. A busy machine is neither.
const CLOSED_WITHIN_MS: f64 = 1_000.0;

fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    cache.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache")).join("tritondeploy")
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} cannot start: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}

/// A Python, and a folder with that version; made once.
fn library(version: &str) -> (PathBuf, PathBuf) {
    let venv = cache().join("venv-websockets");
    let python = venv.join("bin/python");
    if !venv.join("made").exists() {
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        std::fs::write(venv.join("made"), "").unwrap();
    }
    let folder = venv.join(version);
    if !folder.exists() {
        let unfinished = venv.join(format!("{version}.unfinished"));
        let package = format!("websockets=={version}");
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"];
        done(Command::new(&python).args(pip).arg(&unfinished).arg(package));
        std::fs::rename(unfinished, &folder).unwrap();
    }
    (python, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_s_websockets_talks_and_closes_without_waiting() {
    let running = Running::start(Limits { message_bytes: 1 << 20, ..Limits::default() }).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connection/websockets.py");
    for version in VERSIONS {
        let (python, folder) = library(version);
        let address = format!("ws://{}", running.address);
        // -I would leave out PYTHONPATH; the script's own folder must not be searched: it has the library's name.
        let mut client = Command::new(python);
        client.env("PYTHONPATH", folder).env("PYTHONSAFEPATH", "1").args(["-W", "ignore"]).arg(&script).arg(address);
        let output = tokio::task::spawn_blocking(move || done(&mut client)).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let took: f64 = said.trim().parse().unwrap_or_else(|_| panic!("{version}: {said}"));
        println!("websockets {version}: closing took {took} ms");
        assert!(took < CLOSED_WITHIN_MS, "websockets {version}: closing took {took} ms");
    }
}
