//! Files that are there whole, or as they were before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Writes `beside`, opened by `options`, and renames it to `path` when all of it is on the disk. `beside` is removed if that
/// fails; it must lie on the same file system.
///
/// # Errors
/// What `write` ends with, or that `beside` cannot be made or renamed.
pub(crate) fn replace<T>(
    path: &Path,
    beside: &Path,
    options: &OpenOptions,
    write: impl FnOnce(&File) -> io::Result<T>,
) -> io::Result<T> {
    let made = options.open(beside).and_then(|file| {
        let written = write(&file)?;
        file.sync_all()?;
        fs::rename(beside, path)?;
        Ok(written)
    });
    if made.is_err() {
        let _ = fs::remove_file(beside);
    }
    made
}
