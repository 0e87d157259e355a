//! Where videos of the bucket lie while they are decoded, as most formats cannot be read without seeking.
//!
//! A run has a folder of its own, locked while it lives and removed when it ends. One that was killed left its folder
//! without a lock: the next run removes it.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const PREFIX: &str = "tritondeploy-videos-";

/// A folder that is not locked yet: no other run looks at it.
const NEW: &str = ".tritondeploy-videos-";

/// Bytes that stay free for others.
const SPARE: u64 = 64 << 20;

/// A run's folder. It is removed with the last clone, and with all of its files.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
    /// Bytes that files here will still take.
    promised: Mutex<u64>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now, the next run removes.
        drop(std::fs::remove_dir_all(&self.path));
    }
}

/// Where large temporary files go by convention: not into memory, which /tmp may be.
pub(super) fn place() -> PathBuf {
    let named = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let large = Some(PathBuf::from("/var/tmp")).filter(|folder| folder.is_dir());
    named.or(large).unwrap_or_else(std::env::temp_dir)
}

impl Scratch {
    /// Makes a folder in `place` that only we may read.
    ///
    /// # Errors
    /// When no folder can be made there.
    pub(super) fn open(place: &Path) -> io::Result<Self> {
        let unique = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        let new = place.join(format!("{NEW}{unique}"));
        DirBuilder::new().mode(0o700).create(&new)?;
        let lock = File::open(&new)?;
        lock.lock()?;
        let path = place.join(format!("{PREFIX}{unique}"));
        std::fs::rename(&new, &path)?;
        Ok(Self { folder: Arc::new(Folder { path, _lock: lock, promised: Mutex::new(0) }) })
    }

    /// A name for a new file, with room for so many bytes. It is removed when it is dropped.
    ///
    /// # Errors
    /// How much is free, where that is less than this file and those that are being written need.
    pub(super) fn file(&self, bytes: u64) -> Result<Temporary, NoSpace> {
        let file =
            Temporary { path: self.folder.path.join(format!("{:016x}", fastrand::u64(..))), left: bytes, scratch: self.clone() };
        let mut promised = self.promised();
        // What cannot be told is found out by writing.
        let free = free(&self.folder.path).unwrap_or(u64::MAX).saturating_sub(*promised);
        *promised = promised.saturating_add(bytes);
        drop(promised);
        if bytes.saturating_add(SPARE) > free { Err(NoSpace { free: free.saturating_sub(SPARE) }) } else { Ok(file) }
    }

    fn promised(&self) -> std::sync::MutexGuard<'_, u64> {
        self.folder.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There are only so many bytes for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSpace {
    pub(super) free: u64,
}

/// Bytes that we may write.
fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A file of the folder.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) path: PathBuf,
    /// Bytes of its room that are not written yet.
    left: u64,
    scratch: Scratch,
}

impl Temporary {
    /// So many bytes of its room are on the disk now.
    pub(super) fn wrote(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        *self.scratch.promised() -= bytes;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        *self.scratch.promised() -= self.left;
        drop(std::fs::remove_file(&self.path));
    }
}

/// Removes the folders of this user's runs that live no more.
pub(super) fn clean(place: &Path) {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    for path in entries.filter(|entry| ours(&entry.file_name())).map(|entry| entry.path()) {
        let user = rustix::process::geteuid().as_raw();
        // Not a link that somebody put there.
        let is_ours = std::fs::symlink_metadata(&path).is_ok_and(|folder| folder.is_dir() && folder.uid() == user);
        if is_ours && File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok()) {
            drop(std::fs::remove_dir_all(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Path) -> Vec<String> {
        std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_folder_goes_with_its_run_and_that_of_a_killed_run_with_the_next() {
        let place = tempfile::tempdir().unwrap();
        let living = Scratch::open(place.path()).unwrap();
        let file = living.file(3).unwrap();
        std::fs::write(&file.path, "abc").unwrap();
        // A killed run: its folder is there, its lock is not.
        let killed = place.path().join(format!("{PREFIX}1-2"));
        std::fs::create_dir(&killed).unwrap();
        std::fs::write(killed.join("film"), "left").unwrap();
        std::fs::write(place.path().join("tritondeploy-other"), "not ours").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), place.path().join(format!("{PREFIX}link"))).unwrap();

        clean(place.path());
        let second = Scratch::open(place.path()).unwrap();
        assert!(!killed.exists() && file.path.exists() && elsewhere.path().exists());
        assert_eq!(std::fs::metadata(file.path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        let path = file.path.clone();
        drop(file);
        assert!(!path.exists());
        drop((living, second));
        let mut left = names(place.path());
        left.sort();
        assert_eq!(left, ["tritondeploy-other".to_owned(), format!("{PREFIX}link")]);
    }

    #[test]
    fn room_is_promised_once_and_given_back() {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(place.path()).unwrap();
        let free = free(place.path()).unwrap();
        assert!(scratch.file(free).is_err());
        assert_eq!(*scratch.promised(), 0);
        // Others write, too, while this runs: half is enough for one and not for two.
        let mut first = scratch.file(free / 2).unwrap();
        assert!(scratch.file(free / 2 + (1 << 20)).is_err());
        first.wrote(free / 4);
        assert_eq!(*scratch.promised(), free / 2 - free / 4);
        first.wrote(u64::MAX);
        drop(first);
        assert_eq!(*scratch.promised(), 0);
    }
}
