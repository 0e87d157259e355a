//! Processes that end with this one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure};

/// Triton ends its models first.
const PATIENCE: Duration = Duration::from_secs(15);

/// A process of ours; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts one whose output goes to a file. It is told to end, too, when this process is killed.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self, Failure> {
        let output = File::create(log).doing(log.display())?;
        // The kernel sends it when the thread that started the process ends: this must be the main thread.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program).args(arguments);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(home) = std::env::var_os("HOME") {
            command.env("HOME", home);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone().doing(log.display())?).stderr(output);
        let child = command.spawn().doing(format!("starting {}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with the log's last lines, if it has ended.
    pub(crate) fn lives(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().doing("looking after a process")? {
            None => Ok(()),
            Some(status) => Err(Failure(format!("it ended with {status}:\n{}", self.last_words()))),
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: Triton's Python backend leaves shared memory behind when it is killed.
        let asked = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let start = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) && start.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
