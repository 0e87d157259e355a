//! Files under `/dev/shm` that this process made, and those that a dead one left there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use memmap2::{MmapMut, MmapOptions};

/// Where `shm_open` keeps what it opens: the key `/NAME` is this folder's file NAME.
const FOLDER: &str = "/dev/shm";

/// Every name that is ours starts so. What follows: the owner's 128 random bits in hexadecimal, then, for a region, a dash
/// and its number.
const PREFIX: &str = "tritondeploy-gateway-";

/// This process's right to its names: an empty file that stays locked for as long as the process lives, however it ends.
#[derive(Debug)]
pub(super) struct Owner {
    name: String,
    file: File,
    regions: u64,
}

impl Owner {
    /// Takes names of our own.
    pub(super) fn new() -> io::Result<Self> {
        loop {
            let mut random = [0; 16];
            File::open("/dev/urandom")?.read_exact(&mut random)?;
            let name = format!("{PREFIX}{:032x}", u128::from_ne_bytes(random));
            let file = create(&name)?;
            // Between the two calls, whoever clears up may have taken the file for a dead owner's.
            let ours = file.try_lock().is_ok() && fs::metadata(path(&name)).is_ok_and(|m| m.ino() == inode(&file));
            if ours {
                return Ok(Self { name, file, regions: 0 });
            }
        }
    }

    /// Makes a region of `len` bytes. Its name was never used before and never will be again.
    pub(super) fn region(&mut self, len: usize) -> io::Result<Region> {
        self.regions += 1;
        let name = format!("{}-{}", self.name, self.regions);
        let mut file = create(&name)?;
        let path = path(&name);
        let map = fill(&mut file, len).and_then(|()| map(&file));
        match map {
            Ok(map) => Ok(Region { name, path, map }),
            Err(e) => {
                let _ = fs::remove_file(path);
                Err(e)
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = fs::remove_file(path(&self.name));
        let _ = self.file.unlock();
    }
}

/// Memory that Triton can map too. The name goes when this is dropped, the memory when Triton unmaps it as well.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) name: String,
    path: PathBuf,
    map: MmapMut,
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl DerefMut for Region {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// Whether a name is of our kind and no living process owns it.
pub(super) fn is_stale(name: &str) -> bool {
    owner_of(name).is_some_and(|owner| matches!(claim(owner), Claim::Dead(_)))
}

/// Removes the files of dead owners. What cannot be removed is somebody else's.
pub(super) fn clear() {
    let Ok(folder) = fs::read_dir(FOLDER) else { return };
    for entry in folder.flatten() {
        let name = entry.file_name();
        if let Some(owner) = name.to_str().and_then(owner_of)
            && let Claim::Dead(_held) = claim(owner)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn owner_of(name: &str) -> Option<&str> {
    let owner = name.strip_prefix(PREFIX)?.split('-').next()?;
    let random = owner.len() == 32 && owner.bytes().all(|b| b.is_ascii_hexdigit());
    random.then(|| &name[..PREFIX.len() + owner.len()])
}

enum Claim {
    Living,
    /// Its file, locked by us while we clear up, so that nobody begins a life under that name.
    Dead(#[allow(dead_code, reason = "held, not read")] Option<File>),
}

fn claim(owner: &str) -> Claim {
    match OpenOptions::new().read(true).write(true).open(path(owner)) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Claim::Dead(Some(file)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Claim::Living,
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Claim::Dead(None),
        // Another user's.
        Err(_) => Claim::Living,
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn create(name: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path(name))
}

fn inode(file: &File) -> u64 {
    file.metadata().map_or(0, |m| m.ino())
}

/// Takes the memory now: a full `/dev/shm` is an error here, but SIGBUS when a page is first touched later.
fn fill(file: &mut File, len: usize) -> io::Result<()> {
    let zeros = [0; 64 << 10];
    let mut left = len;
    while left > 0 {
        let some = left.min(zeros.len());
        file.write_all(&zeros[..some])?;
        left -= some;
    }
    Ok(())
}

fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: The file is ours alone (new, mode 0600, a name that nobody can guess) and is never truncated. Of those who
    // map it, we are the only one that writes: Triton writes into outputs only, and no region is ever named for an output.
    // We write through `&mut` only, before the region is named to Triton and after its final answers.
    #[allow(unsafe_code, reason = "a mapping cannot be made without")]
    unsafe {
        MmapOptions::new().populate().map_mut(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_owner_s_files_go_and_a_living_one_s_stay() {
        let mut living = Owner::new().unwrap();
        let region = living.region(4096).unwrap();
        let dead = format!("{PREFIX}{:032x}", 7);
        for name in [dead.clone(), format!("{dead}-1")] {
            let _ = fs::remove_file(path(&name));
            create(&name).unwrap();
        }
        let other = format!("{PREFIX}not-ours");
        let _ = fs::remove_file(path(&other));
        create(&other).unwrap();
        assert!(is_stale(&format!("{dead}-1")) && !is_stale(&region.name) && !is_stale(&other));
        clear();
        assert!(!path(&dead).exists() && !path(&format!("{dead}-1")).exists());
        assert!(path(&other).exists() && path(&region.name).exists());
        let (owner, region_path) = (path(&living.name), path(&region.name));
        drop((region, living));
        assert!(!owner.exists() && !region_path.exists());
        fs::remove_file(path(&other)).unwrap();
    }

    #[test]
    fn a_region_is_for_its_user_only() {
        let mut owner = Owner::new().unwrap();
        let region = owner.region(100).unwrap();
        let metadata = fs::metadata(&region.path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.len()), (0o600, 100));
    }
}
