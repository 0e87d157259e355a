//! A control plane of Kubernetes (`sandbox/nodeless`), for account after account.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Numbers that a plane may have, each with a loopback address and ports of its own.
const NUMBERS: std::ops::RangeInclusive<u16> = 1..=1600;
/// How many are tried until one is free.
const TRIES: usize = 5;

pub(crate) struct Plane {
    process: Child,
    folder: tempfile::TempDir,
    /// On which all of it listens.
    pub(crate) address: String,
}

impl Plane {
    pub(crate) fn start() -> Self {
        (0..TRIES).find_map(|_| Self::numbered(fastrand::u16(NUMBERS))).expect("a control plane")
    }

    /// None: it did not come up. Another one may have the number.
    fn numbered(number: u16) -> Option<Self> {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        // All of it ends with a process namespace of its own, however that ends.
        let process = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc"])
            .arg(python())
            .args(["-m", "nodeless", "--number", &number.to_string(), "--directory"])
            .arg(folder.path())
            .current_dir(sandbox)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut plane = Self { process, folder, address: format!("127.77.{}.{}", number >> 8, number & 255) };
        let mut line = String::new();
        BufReader::new(plane.process.stdout.take()?).read_line(&mut line).ok()?;
        if line.trim() == "up" {
            return Some(plane);
        }
        println!("plane {number}: {}", std::fs::read_to_string(plane.folder.path().join("log")).unwrap_or_default());
        None
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What stands for /etc/hosts where its balancers' names are known.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.folder().join("hosts")
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// Made by sandbox/build/venv.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    cache.join("tritondeploy/venv/bin/python")
}
