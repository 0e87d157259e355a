//! The process of a real Triton (`sandbox/triton/local`), and how it ended.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ending::{end, last_words};
use crate::leftovers::Leftovers;

/// Ends, with its models, when this is dropped.
pub struct Process {
    pub child: Child,
    log: PathBuf,
    _leftovers: Leftovers,
}

impl Process {
    /// Starts it for a model repository, at its ports for HTTP, gRPC and metrics. What it says goes to a file.
    pub fn start(repository: &Path, ports: [u16; 3], more: &[&str], log: PathBuf) -> Self {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("sandbox").exists()).unwrap();
        let (leftovers, said) = (Leftovers::default(), File::create(&log).unwrap());
        let mut command = Command::new(checkout.join("sandbox/triton/local"));
        command.arg("-r").arg(repository).args(more);
        for (option, port) in ["-p", "-g", "-m"].into_iter().zip(ports) {
            command.args([option, &port.to_string()]);
        }
        // A cancelled request may keep a model from being unloaded for ever.
        command.args(["--", "--exit-timeout-secs=10"]).args(leftovers.arguments());
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        Self { child: command.spawn().unwrap(), log, _leftovers: leftovers }
    }

    /// How it ended, with its last words, if it has. Release 2.51 crashes now and then on a request that is cancelled just
    /// as it is answered (<https://github.com/triton-inference-server/server/issues/8034>). It takes the signal itself, and
    /// so the kernel's log says nothing.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        Some(format!("{status}:\n{}", last_words(&self.log)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
