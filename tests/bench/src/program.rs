//! One run of the program that people type: what it said, how long it took, how much memory it had at most.

use std::fs::File;
use std::io::{Error, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) wall: Duration,
    /// The most that it had resident, in bytes.
    pub(crate) peak: u64,
    pub(crate) out: String,
}

impl Ran {
    /// The last JSON object that was printed.
    pub(crate) fn json(&self) -> Value {
        self.out.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }
}

/// Runs it to its end; whatever is not an end with 0 is an error with what it said.
pub(crate) fn run(command: &mut Command) -> Result<Ran, String> {
    let told = format!("{command:?}");
    let failed = |why: Error| format!("{told}: {why}");
    let (mut out, mut err) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    let write = |file: &File| file.try_clone().map(Stdio::from).map_err(failed);
    command.stdin(Stdio::null()).stdout(write(&out)?).stderr(write(&err)?);
    let begun = Instant::now();
    let child = command.spawn().map_err(failed)?;
    let (status, peak) = wait(child.id()).map_err(failed)?;
    let wall = begun.elapsed();
    let read = |file: &mut File| -> Result<String, String> {
        let mut text = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut text)).map_err(failed)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let (out, err) = (read(&mut out)?, read(&mut err)?);
    if status == 0 { Ok(Ran { wall, peak, out }) } else { Err(format!("{told} ended with {status:#x}: {out}{err}")) }
}

/// The status and the peak of the child's resident memory. The kernel carries the peak over from whoever forked it, so that
/// this program must be, and is, the smaller one.
#[allow(unsafe_code, reason = "the standard library waits without asking for what the child has used")]
fn wait(pid: u32) -> Result<(i32, u64), Error> {
    let pid = libc::pid_t::try_from(pid).map_err(Error::other)?;
    let mut status = 0;
    // SAFETY: plain numbers, for which zeros are values; both places live through the call, which only writes them.
    let (ended, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    if ended != pid {
        return Err(Error::last_os_error());
    }
    Ok((status, u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024))
}

/// A folder with a configuration and models, and whose environment reaches a sandbox.
pub(crate) struct User<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) env: &'a std::collections::BTreeMap<String, String>,
}

impl User<'_> {
    /// Beside this program.
    pub(crate) fn program() -> Result<PathBuf, String> {
        let here = std::env::current_exe().map_err(|why| why.to_string())?;
        Ok(here.with_file_name("tritondeploy"))
    }

    /// `tritondeploy ARGUMENTS`, with a log of its own.
    pub(crate) fn runs(&self, arguments: &[&str], log: &Path) -> Result<Ran, String> {
        let mut command = self.command(Self::program()?);
        run(command.arg("--log").arg(log).args(arguments))
    }

    /// Any program, as this user.
    pub(crate) fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder).env_clear();
        for keep in ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        command.env("XDG_STATE_HOME", self.folder.join("state")).envs(self.env);
        command
    }
}
