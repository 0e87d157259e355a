//! A release: which files are served. Drafted from what is here and what is there, uploaded into
//! new places only, and published by one object, so that a crash or a refusal at any point leaves
//! the former release whole.
//!
//! Weights lie at `models/NAME/VERSION/...` (a new version for every change); `config.pbtxt`,
//! labels and the like lie at `release/files/ID/NAME/...`, and once published also at
//! `models/NAME/...`, so that the bucket reads as a Triton model repository. No place is written
//! by two releases: each release writes its own, and shares those of the release that it replaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tritondeploy_wire::manifest::{File, Manifest, Model, Origin, hex};

use super::{Local, LocalFile, Repository};
use crate::engine::Fault;

/// Where the models lie in the bucket.
pub(super) const MODELS: &str = "models/";
/// Where the manifests of drafts lie, and that of the release that was made from one.
pub(super) const DRAFTS: &str = "release/drafts/";
/// Where files lie that are no weights.
const FILES: &str = "release/files/";

/// What would be released.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The release as it will be.
    pub manifest: Manifest,
    /// What must be in the bucket first.
    pub uploads: Vec<Upload>,
    /// Models that differ from the former release, with what differs.
    pub changed: Vec<(String, Difference)>,
    /// Models of the former release that are no longer served.
    pub removed: Vec<String>,
    id: String,
}

/// A release that is published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Which files it is made of.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's text, lower-case hex: a gateway that serves it tells this.
    pub digest: String,
    /// S3's tag of the object, for If-Match.
    pub etag: String,
}

/// One object to be written.
#[derive(Clone, Debug)]
pub struct Upload {
    /// From here.
    pub path: PathBuf,
    /// To this key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// How a model differs from its former release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It was not there.
    New,
    /// Other weights: a new version.
    Weights,
    /// The same weights under another configuration or other labels.
    Configuration,
}

impl Draft {
    /// Compares what is here with what was released. `taken` are the versions that exist in the
    /// bucket, released, left by a release that failed, or put there by others: none of them is used again.
    #[must_use]
    pub fn new(local: &Repository, former: Option<&Published>, taken: &BTreeMap<String, BTreeSet<u64>>) -> Self {
        let id = format!("{:016x}", fastrand::u64(..));
        let none = BTreeMap::new();
        let base = former.map(|former| former.digest.clone());
        let former = former.map_or(&none, |former| &former.manifest.models);
        let release = Some(Origin { id: id.clone(), base });
        let mut draft = Self {
            manifest: Manifest { version: 1, models: BTreeMap::new(), release },
            uploads: Vec::new(),
            changed: Vec::new(),
            removed: former.keys().filter(|name| !local.models.contains_key(*name)).cloned().collect(),
            id,
        };
        for (name, model) in &local.models {
            let digest = model.digest();
            match former.get(name) {
                Some(was) if was.digest == digest => {
                    draft.manifest.models.insert(name.clone(), was.clone());
                }
                was => {
                    let taken = taken.get(name).and_then(|versions| versions.last()).copied().unwrap_or(0);
                    draft.add(model, digest, was, taken);
                }
            }
        }
        draft
    }

    /// Nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// The id of the release that this will be.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn add(&mut self, model: &Local, digest: String, was: Option<&Model>, taken: u64) {
        let same_weights = was.and_then(|was| version_with(was, &model.weights));
        let difference = match (was, same_weights) {
            (None, _) => Difference::New,
            (Some(_), Some(_)) => Difference::Configuration,
            (Some(_), None) => Difference::Weights,
        };
        let version = same_weights.unwrap_or_else(|| (taken + 1).max(if taken == 0 { model.version } else { 1 }));
        let mut files = BTreeMap::new();
        for (path, file) in &model.weights {
            let path = format!("{version}/{path}");
            let shared = same_weights.and(was).and_then(|was| was.files.get(&path)).cloned();
            let file = shared.unwrap_or_else(|| self.upload(file, None, format!("{MODELS}{}/{path}", model.name)));
            files.insert(path, file);
        }
        for (path, file) in &model.beside {
            let key = format!("{FILES}{}/{}/{path}", self.id, model.name);
            let shared = was.and_then(|was| was.files.get(path)).filter(|was| was.sha256 == file.sha256).cloned();
            let file = shared.unwrap_or_else(|| self.upload(file, Some(key.clone()), key));
            files.insert(path.clone(), file);
        }
        self.manifest.models.insert(model.name.clone(), Model { digest, files });
        self.changed.push((model.name.clone(), difference));
    }

    fn upload(&mut self, file: &LocalFile, named: Option<String>, key: String) -> File {
        self.uploads.push(Upload { path: file.path.clone(), key, size: file.size, sha256: file.sha256.clone() });
        File { size: file.size, sha256: file.sha256.clone(), key: named, release: Some(self.id.clone()) }
    }
}

/// The version of a released model that holds just these weights.
fn version_with(was: &Model, weights: &BTreeMap<String, LocalFile>) -> Option<u64> {
    let version = versions(was).last().copied()?;
    let prefix = format!("{version}/");
    let released: BTreeMap<&str, &str> =
        was.files.iter().filter_map(|(path, file)| path.strip_prefix(&prefix).map(|path| (path, file.sha256.as_str()))).collect();
    let here = weights.iter().map(|(path, file)| (path.as_str(), file.sha256.as_str())).collect();
    (released == here).then_some(version)
}

/// The versions that a released model has.
fn versions(model: &Model) -> BTreeSet<u64> {
    model.files.keys().filter_map(|path| path.split_once('/')?.0.parse().ok()).collect()
}

/// Every key that a release names, and its file: what pods read, and the copies that make the bucket read as a Triton
/// model repository.
pub(super) fn names(manifest: &Manifest) -> impl Iterator<Item = (String, &File)> {
    manifest.models.iter().flat_map(|(name, model)| {
        model.files.iter().flat_map(move |(path, file)| {
            let copy = (format!("{MODELS}{name}/{path}"), file);
            file.key.clone().map(|key| (key, file)).into_iter().chain([copy])
        })
    })
}

/// Every copy that a release wants, from where, and its file.
pub(super) fn copies(manifest: &Manifest) -> impl Iterator<Item = (String, &str, &File)> {
    manifest.models.iter().flat_map(|(name, model)| {
        model.files.iter().filter_map(move |(path, file)| Some((format!("{MODELS}{name}/{path}"), file.key.as_deref()?, file)))
    })
}

/// Where the manifest of a draft lies.
pub(super) fn draft_key(id: &str) -> String {
    format!("{DRAFTS}{id}.json")
}

/// The text of a manifest: the same for a draft and for what is published from it, so that a pod which was given the
/// draft tells the digest of the release.
pub(super) fn text(manifest: &Manifest) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec_pretty(manifest).map_err(|why| Fault::fatal(why.to_string()))
}

/// SHA-256 of a manifest's text.
pub(super) fn digest(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> LocalFile {
        LocalFile { path: content.into(), size: content.len() as u64, sha256: format!("{content:0>64}") }
    }

    fn local(weights: &str, config: &str) -> Repository {
        let model = Local {
            name: "m".to_owned(),
            beside: BTreeMap::from([("config.pbtxt".to_owned(), file(config))]),
            weights: BTreeMap::from([("model.onnx".to_owned(), file(weights))]),
            version: 1,
            wants_gpu: None,
        };
        Repository { models: BTreeMap::from([("m".to_owned(), model)]) }
    }

    fn published(draft: &Draft) -> Published {
        let digest = digest(&text(&draft.manifest).unwrap());
        Published { manifest: draft.manifest.clone(), digest, etag: "e".to_owned() }
    }

    fn taken(versions: &[u64]) -> BTreeMap<String, BTreeSet<u64>> {
        BTreeMap::from([("m".to_owned(), versions.iter().copied().collect())])
    }

    #[test]
    fn a_first_release_uploads_everything() {
        let draft = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        assert_eq!(draft.changed, [("m".to_owned(), Difference::New)]);
        assert_eq!(draft.uploads[0].key, "models/m/1/model.onnx");
        assert_eq!(draft.uploads.len(), 2);
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let again = Draft::new(&local("aa", "c1"), Some(&published(&first)), &taken(&[1]));
        assert!(again.is_empty() && again.uploads.is_empty());
        assert_eq!(again.manifest.models, first.manifest.models);
    }

    #[test]
    fn other_weights_get_a_version_that_nobody_had() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("bb", "c1"), Some(&published(&first)), &taken(&[1, 4]));
        assert_eq!(second.changed, [("m".to_owned(), Difference::Weights)]);
        assert_eq!(second.uploads[0].key, "models/m/5/model.onnx");
        assert!(!second.manifest.models["m"].files.contains_key("1/model.onnx"));
    }

    #[test]
    fn another_configuration_keeps_the_version() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("aa", "c2"), Some(&published(&first)), &taken(&[1]));
        assert_eq!(second.changed, [("m".to_owned(), Difference::Configuration)]);
        assert_eq!(second.uploads.len(), 1);
        assert!(second.manifest.models["m"].files.contains_key("1/model.onnx"));
    }

    #[test]
    fn a_model_that_is_gone_is_removed() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let draft = Draft::new(&Repository::default(), Some(&published(&first)), &taken(&[1]));
        assert_eq!(draft.removed, ["m"]);
        assert!(draft.manifest.models.is_empty());
    }
    #[test]
    fn what_is_written_again_is_written_to_a_place_of_its_own() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("aa", "c2"), Some(&published(&first)), &taken(&[1]));
        let third = Draft::new(&local("aa", "c1"), Some(&published(&second)), &taken(&[1]));
        let place = |draft: &Draft| draft.manifest.models["m"].files["config.pbtxt"].key.clone();
        assert_ne!(place(&first), place(&third), "the clean-up after the second release may delete the first one's");
        assert_eq!(third.manifest.models["m"].digest, first.manifest.models["m"].digest);
        assert_ne!(published(&third).digest, published(&first).digest, "a pod tells them apart");
    }

    #[test]
    fn a_release_shares_what_did_not_change_with_the_one_that_it_replaces() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("bb", "c1"), Some(&published(&first)), &taken(&[1]));
        assert_eq!(second.uploads.len(), 1);
        let files = |draft: &Draft| draft.manifest.models["m"].files["config.pbtxt"].clone();
        assert_eq!(files(&second), files(&first));
        assert_eq!(second.manifest.release.unwrap().base, Some(published(&first).digest));
    }
}
