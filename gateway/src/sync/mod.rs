//! The models on Triton's disk: a mirror of the release manifest in the bucket.
//!
//! Beside the model repository, and never in it (Triton takes every folder there for a model), lies `.release/`:
//! `manifest.json`, the release that is on disk; `next/`, what is being fetched; `former-DIGEST/`, what a release in
//! progress has moved away from the release DIGEST. Whole model folders are swapped by renames, so that Triton
//! never sees half a model, and a swap can be taken back.

mod disk;
mod fetch;
mod key;
mod swap;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tritondeploy_wire::echo::Quoted;
use tritondeploy_wire::manifest::{Invalid, Manifest, Model, hex};

pub use swap::Swap;

use crate::config::Repository;
use crate::storage::{self, Storage};

/// A manifest larger than this is none: a model has a handful of files.
const MANIFEST_BYTES: u64 = 16 << 20;

/// Why the models could not be mirrored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket does not give the manifest or a file.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The manifest must not be followed.
    #[error(transparent)]
    Manifest(#[from] Invalid),
    /// A key that no release may name.
    #[error("the key {} may not be released: {why}; use `tritondeploy push-models`", Quoted(key))]
    Key {
        /// As it was named.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// What came is not what the manifest says.
    #[error("s3://{bucket}/{key} is not the file that the manifest names: {why}; push the models again")]
    Content {
        /// Where it lies.
        bucket: String,
        /// Where it lies.
        key: String,
        /// What differs.
        why: String,
    },
    /// The disk refuses.
    #[error("{path}: {source}")]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A release: the manifest, and the SHA-256 of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What it is made of.
    pub manifest: Manifest,
    /// Lower-case hex.
    pub digest: String,
    text: Vec<u8>,
}

impl Release {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// When it must not be followed.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        let manifest = Manifest::parse(text)?;
        Ok(Self { manifest, digest: hex(&Sha256::digest(text)), text: text.to_vec() })
    }
}

/// What a release would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Models with new, other or fewer files.
    pub changed: BTreeMap<String, Model>,
    /// Models that are on disk already.
    pub unchanged: Vec<String>,
    /// Folders on disk that the release does not name.
    pub removed: Vec<String>,
}

/// Triton's model repository on this disk and its source in the bucket.
#[derive(Debug)]
pub struct Mirror {
    storage: Storage,
    repository: Repository,
    current: Mutex<Option<Arc<Release>>>,
}

impl Mirror {
    /// A mirror that knows what is on disk; anything left half-done there is taken back first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(storage: Storage, repository: Repository) -> Result<Self, Error> {
        let current = disk::recover(&repository.directory)?;
        Ok(Self { storage, repository, current: Mutex::new(current.map(Arc::new)) })
    }

    /// The release on disk.
    pub fn current(&self) -> Option<Arc<Release>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Triton's model repository.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.repository.directory
    }

    /// Reads a manifest from the bucket.
    ///
    /// # Errors
    /// When it is missing or must not be followed, or when it or one of its files has a key that no release may name.
    pub async fn release(&self, key: &str) -> Result<Release, Error> {
        self.check(key)?;
        let text = self.storage.read(key, MANIFEST_BYTES).await?;
        let release = Release::parse(&text)?;
        let files = release.manifest.models.values().flat_map(|model| model.files.values());
        files.filter_map(|file| file.key.as_deref()).try_for_each(|key| self.check(key))?;
        Ok(release)
    }

    fn check(&self, key: &str) -> Result<(), Error> {
        key::check(key, &self.repository).map_err(|why| Error::Key { key: key.to_owned(), why })
    }

    /// Compares a release with the disk.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn plan(&self, release: &Release) -> Result<Plan, Error> {
        let current = self.current();
        let mut plan = Plan::default();
        for (name, model) in &release.manifest.models {
            let known = current.as_ref().and_then(|c| c.manifest.models.get(name));
            let same = known.is_some_and(|known| disk::same_files(known, model));
            if same && disk::holds(&self.repository.directory.join(name), model) {
                plan.unchanged.push(name.clone());
            } else {
                plan.changed.insert(name.clone(), model.clone());
            }
        }
        plan.removed = disk::folders(&self.repository.directory)?;
        plan.removed.retain(|name| !release.manifest.models.contains_key(name));
        Ok(plan)
    }

    /// Fetches what a plan needs, beside the repository; nothing of Triton's is touched.
    ///
    /// # Errors
    /// When a file is missing, is not what the manifest says, or the disk refuses.
    pub async fn stage(&self, plan: &Plan) -> Result<(), Error> {
        let current = self.current();
        let known = current.as_ref().map(|c| &c.manifest.models);
        fetch::stage(&self.storage, &self.repository, plan, known).await
    }

    /// Puts staged models in place. The swap can be taken back until it is kept.
    ///
    /// # Errors
    /// When the disk refuses; then everything is as before.
    pub fn swap(&self, plan: &Plan) -> Result<Swap, Error> {
        let digest = self.current().map_or_else(|| "none".to_owned(), |c| c.digest.clone());
        Swap::make(&self.repository.directory, &digest, plan)
    }

    /// Makes a swap final: `release` is what is on disk now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, swap: Swap, release: Release) -> Result<(), Error> {
        disk::write_manifest(&self.repository.directory, &release.text)?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(release));
        swap.discard()
    }

    /// Mirrors the configured manifest, for a Triton that does not run yet.
    ///
    /// # Errors
    /// When anything of it fails; what is on disk then is what was there before.
    pub async fn sync(&self) -> Result<Plan, Error> {
        let release = self.release(&self.repository.manifest).await?;
        let plan = self.plan(&release)?;
        self.stage(&plan).await?;
        let swap = self.swap(&plan)?;
        self.keep(swap, release)?;
        Ok(plan)
    }
}
