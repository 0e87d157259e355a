//! The log file: every call with its request id, every event of a walk, no secret.

use std::fs::{File, OpenOptions, create_dir_all};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::error::Error;
use crate::report;

/// A target is matched by how it begins: `aws_` takes the SDK's own lines out of `aws`, our calls.
const WHAT: &str = "info,aws=debug,aws_=warn,kubernetes=debug";

/// Opens the log of this run. `TRITONDEPLOY_LOG` says what goes in, as `RUST_LOG` would.
pub(super) fn open(path: Option<&Path>, deployment: &str, command: &str) -> Result<(), Error> {
    let path = path.map_or_else(|| place(deployment, command), Path::to_owned);
    let file = file(&path).map_err(|why| {
        Error::usage(format!("the log file {} cannot be written: {why}", path.display()), "name another with --log")
    })?;
    let filter = EnvFilter::try_from_env("TRITONDEPLOY_LOG").unwrap_or_else(|_| EnvFilter::new(WHAT));
    let log = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Mutex::new(file));
    // A second start in one process (tests) keeps the first log.
    let _ = log.try_init();
    report::logged_at(path);
    Ok(())
}

fn file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn place(deployment: &str, command: &str) -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.or_else(home).unwrap_or_else(std::env::temp_dir).join("tritondeploy").join(deployment);
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    folder.join(format!("{now}-{command}-{}.log", std::process::id()))
}
