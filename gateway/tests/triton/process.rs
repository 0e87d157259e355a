//! The process of a real Triton (`sandbox/triton/local`), and how it ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../../bench/src/world/leftovers.rs"]
mod leftovers;

use leftovers::Leftovers;

/// Ends, with its models, when this is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    _leftovers: Leftovers,
}

impl Process {
    /// Starts it with these arguments; what it says goes to a file.
    pub(crate) fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, log: PathBuf) -> Self {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("sandbox").exists()).unwrap();
        let (leftovers, said) = (Leftovers::new(), File::create(&log).unwrap());
        let mut command = Command::new(checkout.join("sandbox/triton/local"));
        // A cancelled request may keep a model from being unloaded for ever.
        command.args(arguments).args(["--", "--exit-timeout-secs=10"]).args(leftovers.arguments());
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        Self { child: command.spawn().unwrap(), log, _leftovers: leftovers }
    }

    /// Sends it a signal; whether that went.
    pub(crate) fn signal(&self, name: &str) -> bool {
        Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().is_ok_and(|sent| sent.success())
    }

    /// How it ended, with its last words, if it has. Release 2.51 crashes now and then on a request that is cancelled just
    /// as it is answered (<https://github.com/triton-inference-server/server/issues/8034>). It takes the signal itself, and
    /// so the kernel's log says nothing.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        Some(format!("{status}:\n{}", lines[lines.len().saturating_sub(12)..].join("\n")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: killed, it may leave a model's process and its memory under /dev/shm.
        let (asked, start) = (self.ended().is_none() && self.signal("TERM"), Instant::now());
        while asked && matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
