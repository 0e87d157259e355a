//! The log file: every call with its request id, every event of a walk, no secret.

use std::fs::{File, OpenOptions, create_dir_all};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::error::Error;
use crate::report;

/// A target is matched by how it begins: `aws_` takes the SDK's own lines out of `aws`, our calls.
const WHAT: &str = "info,aws=debug,aws_=warn,kubernetes=debug";

/// So many logs of a deployment's command are kept, the new one among them: many runs of `infer` leave a failed `up` its own.
const KEPT: usize = 20;

/// Opens the log of this run. `TRITONDEPLOY_LOG` says what goes in, as `RUST_LOG` would.
pub(super) fn open(path: Option<&Path>, deployment: &str, command: &str) -> Result<(), Error> {
    let (usual, path) = path.map_or_else(|| (true, place(deployment, command)), |path| (false, path.to_owned()));
    let file = file(&path).map_err(|why| {
        Error::usage(format!("the log file {} cannot be written: {why}", path.display()), "name another with --log")
    })?;
    let filter = EnvFilter::try_from_env("TRITONDEPLOY_LOG").unwrap_or_else(|_| EnvFilter::new(WHAT));
    let log = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Mutex::new(file));
    // A second start in one process (tests) keeps the first log.
    let _ = log.try_init();
    if let (true, Some(folder)) = (usual, path.parent()) {
        prune(folder, command);
    }
    report::logged_at(path);
    Ok(())
}

fn file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Removes all but the newest. That one cannot be removed is no reason to stop.
fn prune(folder: &Path, command: &str) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| ours(name, command)));
    let mut logs: Vec<_> = ours.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    logs.sort_unstable();
    let old = logs.len().saturating_sub(KEPT);
    for (_, path) in logs.into_iter().take(old) {
        let _ = std::fs::remove_file(path);
    }
}

/// A name as [`place`] makes them: whatever else is in the folder is not ours.
fn ours(name: &str, command: &str) -> bool {
    let shape = name.bytes().take(16).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let of = name.get(16..).and_then(|rest| rest.strip_prefix(command)?.strip_prefix('-')?.strip_suffix(".log"));
    shape.eq(*b"00000000-000000-") && of.is_some_and(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
}

fn place(deployment: &str, command: &str) -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.or_else(home).unwrap_or_else(std::env::temp_dir).join("tritondeploy").join(deployment);
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    folder.join(format!("{now}-{command}-{}.log", std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_newest_logs_are_kept_and_what_is_not_ours_too() {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        let make = |name: &str, minutes: u64| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(long_ago + Duration::from_secs(60 * minutes)).unwrap();
        };
        make("mine.log", 0);
        make("20260101-000000-up-1.txt", 0);
        // The clock was put back: what counts is when it was last written.
        (0..25).for_each(|i| make(&format!("20260101-0000{:02}-status-7.log", 59 - i), i));
        // However many another command leaves.
        (0..25).for_each(|i| make(&format!("20260102-0000{i:02}-infer-7.log"), 60 + i));
        make("20260101-000000-up-7.log", 0);
        prune(folder.path(), "status");
        let left = |name: &str| folder.path().join(name).exists();
        assert!(left("mine.log") && left("20260101-000000-up-1.txt") && left("20260101-000000-up-7.log"));
        let logs: Vec<u64> = (0..25).filter(|i| left(&format!("20260101-0000{:02}-status-7.log", 59 - i))).collect();
        assert_eq!(logs, (5..25).collect::<Vec<u64>>());
    }

    #[test]
    fn the_name_of_a_log_is_ours() {
        assert!(ours(place("d", "push-models").file_name().unwrap().to_str().unwrap(), "push-models"));
        assert!(!ours("20260101-000000.log", "up") && !ours("notes-of-the-day.log", "up"));
        assert!(!ours("20260101-000000-up-1-2.log", "up") && !ours("20260101-000000-status-7.log", "up"));
    }
}
