//! What lies where, and what is on disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tritondeploy_wire::manifest::Model;

use super::{Error, Release, Swap};

/// Our own folder, beside Triton's.
pub(super) fn own(directory: &Path) -> PathBuf {
    directory.parent().unwrap_or(Path::new("/")).join(".release")
}

/// Where models are put together.
pub(super) fn next(directory: &Path) -> PathBuf {
    own(directory).join("next")
}

/// Where a swap keeps what it replaced.
pub(super) fn former(directory: &Path, digest: &str) -> PathBuf {
    own(directory).join(format!("former-{digest}"))
}

/// Adds the path to an error of the disk.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Disk { path: path.to_owned(), source })
    }
}

/// Removes a folder or a file; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).at(path),
        _ => Ok(()),
    }
}

/// The names of the folders in a folder.
pub(super) fn folders(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.at(directory)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.at(directory)?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether two models are made of the same files; where in the bucket these lie makes no difference.
pub(super) fn same_files(a: &Model, b: &Model) -> bool {
    a.files.len() == b.files.len()
        && a.files.iter().zip(&b.files).all(|((p, f), (q, g))| p == q && f.sha256.eq_ignore_ascii_case(&g.sha256))
}

/// Whether a folder holds every file of a model, by size. Contents were checked when they were fetched.
pub(super) fn holds(folder: &Path, model: &Model) -> bool {
    model.files.iter().all(|(path, file)| fs::metadata(folder.join(path)).is_ok_and(|data| data.len() == file.size))
}

/// Makes Triton see a change: it loads again only what has a newer time than before, and does not see deletions.
pub(super) fn touch(model: &Path) -> Result<(), Error> {
    let config = model.join("config.pbtxt");
    match File::options().append(true).open(&config) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        file => file.and_then(|file| file.set_modified(SystemTime::now())).at(&config),
    }
}

/// Writes the manifest of what is on disk now, whole or not at all.
pub(super) fn write_manifest(directory: &Path, text: &[u8]) -> Result<(), Error> {
    let folder = own(directory);
    fs::create_dir_all(&folder).at(&folder)?;
    let (part, path) = (folder.join("manifest.json.part"), folder.join("manifest.json"));
    let mut file = File::create(&part).at(&part)?;
    file.write_all(text).and_then(|()| file.sync_all()).at(&part)?;
    fs::rename(&part, &path).at(&path)
}

/// Reads what is on disk, after taking back a swap that was cut off.
pub(super) fn recover(directory: &Path) -> Result<Option<Release>, Error> {
    let folder = own(directory);
    remove(&next(directory))?;
    let path = folder.join("manifest.json");
    let text = match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        other => Some(other.at(&path)?),
    };
    // A manifest that cannot be read is as good as none: everything is fetched again.
    let release = text.and_then(|text| Release::parse(&text).ok());
    let digest = release.as_ref().map_or("none", |r| r.digest.as_str());
    for name in folders(&folder)? {
        if name == format!("former-{digest}") {
            tracing::warn!("a release was cut off; its former models are put back");
            Swap::found(directory, digest)?.undo()?;
        } else if name.starts_with("former-") {
            remove(&folder.join(name))?;
        }
    }
    Ok(release)
}
