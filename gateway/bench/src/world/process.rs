//! Processes that end with this one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::{Doing, Failure};
use tritondeploy_support::ending::{end, last_words, signal};

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

    /// Asks it to end, without waiting.
    pub(crate) fn ask_to_end(&self) {
        signal(&self.child, "TERM");
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        signal(&self.child, "KILL");
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait().doing("looking after a process")?.is_some())
    }

    /// What it has written so far.
    pub(crate) fn output(&self) -> String {
        std::fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// An error with the log's last lines, if it has ended.
    pub(crate) fn lives(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().doing("looking after a process")? {
            None => Ok(()),
            Some(status) => Err(Failure(format!("it ended with {status}:\n{}", last_words(&self.log)))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
