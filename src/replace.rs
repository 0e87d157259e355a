//! Files that are there whole, or as they were before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Whether a file can be put there later: before anything that takes time.
///
/// # Errors
/// It is a folder, or nothing can be written beside it: why, and what to do.
pub(crate) fn check(flag: &str, to: &Path, example: &str) -> Result<(), Error> {
    let unusable = |why: String| Error::usage(why, format!("name a file in a folder that exists, such as {flag} {example}"));
    if to.is_dir() || to.file_name().is_none() {
        return Err(unusable(format!("{flag} {} is a folder", to.display())));
    }
    // A device or a pipe, such as /dev/stdout, would be replaced by a file.
    if to.symlink_metadata().is_ok() && !to.is_file() {
        return Err(unusable(format!("{flag} {} is no regular file", to.display())));
    }
    let to = &behind_links(to);
    let folder = folder(to);
    if !folder.is_dir() {
        return Err(unusable(format!("{flag} {}: there is no folder {}", to.display(), folder.display())));
    }
    let draft = draft(to);
    let tried = File::create(&draft).and_then(|_| fs::remove_file(&draft));
    tried.map_err(|why| unusable(format!("{flag} {}: cannot write to {}: {why}", to.display(), folder.display())))
}

/// The file itself, where links lead to it: they stay.
pub(crate) fn behind_links(to: &Path) -> PathBuf {
    if to.is_symlink() { fs::canonicalize(to).unwrap_or_else(|_| to.to_owned()) } else { to.to_owned() }
}

fn folder(to: &Path) -> &Path {
    to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Beside the file, so that a rename puts it into place.
pub(crate) fn draft(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    folder(to).join(format!(".{name}.{}", std::process::id()))
}

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
