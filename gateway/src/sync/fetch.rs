//! Models put together from the bucket: several files at once, every byte checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tritondeploy_wire::manifest::{File, Model, hex};

use super::disk::{self, At};
use super::{Error, Plan};
use crate::config::Repository;
use crate::storage::{self, Storage};

/// Files on their way at once.
const AT_ONCE: usize = 8;

/// How often a file is asked for from its start before its failure counts.
const TRIES: u32 = 3;

struct Errand {
    key: String,
    file: File,
    to: PathBuf,
}

pub(super) async fn stage(
    storage: &Storage,
    repository: &Repository,
    plan: &Plan,
    known: Option<&BTreeMap<String, Model>>,
) -> Result<(), Error> {
    let next = disk::next(&repository.directory);
    disk::remove(&next)?;
    for folder in [&repository.directory, &next] {
        fs::create_dir_all(folder).at(folder)?;
    }
    let mut errands = Vec::new();
    for (name, model) in &plan.changed {
        for (path, file) in &model.files {
            let to = next.join(name).join(path);
            let folder = to.parent().unwrap_or(&next);
            fs::create_dir_all(folder).at(folder)?;
            let known = known.and_then(|models| models.get(name)?.files.get(path));
            let here = repository.directory.join(name).join(path);
            if known.is_some_and(|known| known.sha256.eq_ignore_ascii_case(&file.sha256)) && reuse(&here, &to, file) {
                continue;
            }
            let key = file.key.clone().unwrap_or_else(|| format!("{}{name}/{path}", repository.prefix));
            errands.push(Errand { key, file: file.clone(), to });
        }
    }
    let fetched = stream::iter(errands).map(|errand| async move { fetch(storage, &errand).await });
    fetched.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    for name in plan.changed.keys() {
        disk::touch(&next.join(name))?;
    }
    Ok(())
}

/// Takes a file that is here already. The configuration is copied: its time will change, and must not at the old place.
fn reuse(here: &Path, to: &Path, file: &File) -> bool {
    if fs::metadata(here).map(|data| data.len()).ok() != Some(file.size) {
        return false;
    }
    let config = here.file_name().is_some_and(|name| name == "config.pbtxt");
    if config { fs::copy(here, to).is_ok() } else { fs::hard_link(here, to).is_ok() }
}

async fn fetch(storage: &Storage, errand: &Errand) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match fetch_once(storage, errand).await {
            // A connection that breaks in the middle of a body is not tried again by the SDK.
            Err(Error::Storage(storage::Error::Unavailable(why))) if tries < TRIES => {
                tracing::warn!(key = errand.key, "{why}; from the start");
                tries += 1;
            }
            other => return other,
        }
    }
}

async fn fetch_once(storage: &Storage, errand: &Errand) -> Result<(), Error> {
    let wrong = |why: String| Error::Content { bucket: storage.bucket().to_owned(), key: errand.key.clone(), why };
    let mut body = storage.open(&errand.key).await?.body;
    let mut out = tokio::fs::File::create(&errand.to).await.at(&errand.to)?;
    let (mut hash, mut size) = (Sha256::new(), 0u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| storage::Error::Unavailable(format!("{} broke off: {e}", errand.key)))?;
        size += chunk.len() as u64;
        if size > errand.file.size {
            return Err(wrong(format!("it is longer than {} bytes", errand.file.size)));
        }
        hash.update(&chunk);
        out.write_all(&chunk).await.at(&errand.to)?;
    }
    out.flush().await.at(&errand.to)?;
    let sha256 = hex(&hash.finalize());
    if size != errand.file.size {
        return Err(wrong(format!("it has {size} bytes instead of {}", errand.file.size)));
    }
    if !sha256.eq_ignore_ascii_case(&errand.file.sha256) {
        return Err(wrong(format!("its SHA-256 is {sha256} instead of {}", errand.file.sha256)));
    }
    Ok(())
}
