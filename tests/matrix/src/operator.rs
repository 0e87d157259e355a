//! Somebody who runs the program, with a folder, a model and a gateway's binary of their own.

use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use tritondeploy_support::workplace::{PROGRAM, workplace};

use crate::account::{ALIAS, Account};
use crate::case::Command;
use crate::plane::Plane;

/// A command that has not ended by then hangs.
const LONGEST: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Operator {
    folder: tempfile::TempDir,
    hosts: PathBuf,
    docker: String,
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) ok: bool,
    /// The end of what it printed.
    pub(crate) said: String,
}

/// A command that has not ended.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    begun: Instant,
}

impl Operator {
    pub(crate) fn new(program: &Path, plane: &Plane) -> Self {
        let folder = workplace(program, program.parent().unwrap(), ALIAS);
        Self { folder, hosts: plane.hosts(), docker: format!("tcp://{}:5000", plane.address) }
    }

    pub(crate) fn start(&self, account: &Account, command: Command) -> Running {
        let out = self.folder.path().join("out");
        let file = File::create(&out).unwrap();
        // It ends with us, and the balancer's name is known to it alone. Those before it become it, so that a kill is its own.
        let mut child = Process::new("setpriv");
        child
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""])
            .arg(&self.hosts);
        child.arg(self.folder.path().join(PROGRAM)).args([command.word(), "--yes"]).current_dir(self.folder.path());
        child.env("XDG_STATE_HOME", self.folder.path().join("state")).env("DOCKER_HOST", &self.docker);
        child.env("AWS_ENDPOINT_URL", format!("http://{}", account.aws.host)).env("AWS_REGION", "us-east-1");
        child.env("AWS_ACCESS_KEY_ID", &account.aws.key).env("AWS_SECRET_ACCESS_KEY", &account.aws.secret);
        child.env("AWS_EC2_METADATA_DISABLED", "true");
        let child = child.stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file).spawn().unwrap();
        Running { child, out, begun: Instant::now() }
    }

    pub(crate) fn run(&self, account: &Account, command: Command) -> Ran {
        self.start(account, command).end()
    }
}

impl Running {
    /// Waits for this; false: the command ended or hung before.
    pub(crate) fn until(&mut self, there: impl Fn() -> bool) -> bool {
        loop {
            if there() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() || self.begun.elapsed() > LONGEST {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn end(mut self) -> Ran {
        while self.child.try_wait().unwrap().is_none() {
            if self.begun.elapsed() > LONGEST {
                return Ran { ok: false, said: format!("it did not end within {} s\n{}", LONGEST.as_secs(), self.said()) };
            }
            std::thread::sleep(PAUSE);
        }
        Ran { ok: self.child.wait().unwrap().success(), said: self.said() }
    }

    pub(crate) fn said(&self) -> String {
        let out = read_to_string(&self.out).unwrap_or_default();
        let lines: Vec<&str> = out.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
