//! A release: which files are served. Drafted from what is here and what is there, uploaded into
//! new places only, and published by one object, so that a crash or a refusal at any point leaves
//! the former release whole.
//!
//! Weights lie at `models/NAME/VERSION/...` (a new version for every change); `config.pbtxt`,
//! labels and the like lie by content at `release/files/SHA256`, and once published also at
//! `models/NAME/...`, so that the bucket reads as a Triton model repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tritondeploy_wire::manifest::{File, Manifest, Model};

use super::{Local, LocalFile, Repository};

/// Where the models lie in the bucket.
pub(super) const MODELS: &str = "models/";
/// Where a draft's manifest lies until it is published.
pub(super) const DRAFTS: &str = "release/drafts/";
/// Where files lie by their content.
pub(super) const BY_CONTENT: &str = "release/files/";

/// What would be released.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The release as it will be.
    pub manifest: Manifest,
    /// What must be in the bucket first; keys are never reused for other content.
    pub uploads: Vec<Upload>,
    /// Models that differ from the former release, with what differs.
    pub changed: Vec<(String, Difference)>,
    /// Models of the former release that are no longer served.
    pub removed: Vec<String>,
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
    /// bucket, released or left by a release that failed: none of them is used again.
    #[must_use]
    pub fn new(local: &Repository, former: Option<&Manifest>, taken: &BTreeMap<String, BTreeSet<u64>>) -> Self {
        let none = BTreeMap::new();
        let former = former.map_or(&none, |manifest| &manifest.models);
        let mut draft = Self {
            manifest: Manifest { version: 1, models: BTreeMap::new() },
            uploads: Vec::new(),
            changed: Vec::new(),
            removed: former.keys().filter(|name| !local.models.contains_key(*name)).cloned().collect(),
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
            if same_weights.is_none() {
                self.upload(file, format!("{MODELS}{}/{path}", model.name));
            }
            files.insert(path, described(file, None));
        }
        for (path, file) in &model.beside {
            let key = format!("{BY_CONTENT}{}", file.sha256);
            if self.uploads.iter().all(|upload| upload.key != key) {
                self.upload(file, key.clone());
            }
            files.insert(path.clone(), described(file, Some(key)));
        }
        self.manifest.models.insert(model.name.clone(), Model { digest, files });
        self.changed.push((model.name.clone(), difference));
    }

    fn upload(&mut self, file: &LocalFile, key: String) {
        self.uploads.push(Upload { path: file.path.clone(), key, size: file.size, sha256: file.sha256.clone() });
    }
}

fn described(file: &LocalFile, key: Option<String>) -> File {
    File { size: file.size, sha256: file.sha256.clone(), key }
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

/// Every key that a release needs in the bucket, and its file.
pub(super) fn keys(manifest: &Manifest) -> impl Iterator<Item = (String, &File)> {
    manifest.models.iter().flat_map(|(name, model)| {
        model.files.iter().map(move |(path, file)| (file.key.clone().unwrap_or_else(|| format!("{MODELS}{name}/{path}")), file))
    })
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
        let again = Draft::new(&local("aa", "c1"), Some(&first.manifest), &taken(&[1]));
        assert!(again.is_empty() && again.uploads.is_empty());
        assert_eq!(again.manifest, first.manifest);
    }

    #[test]
    fn other_weights_get_a_version_that_nobody_had() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("bb", "c1"), Some(&first.manifest), &taken(&[1, 4]));
        assert_eq!(second.changed, [("m".to_owned(), Difference::Weights)]);
        assert_eq!(second.uploads[0].key, "models/m/5/model.onnx");
        assert!(!second.manifest.models["m"].files.contains_key("1/model.onnx"));
    }

    #[test]
    fn another_configuration_keeps_the_version() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let second = Draft::new(&local("aa", "c2"), Some(&first.manifest), &taken(&[1]));
        assert_eq!(second.changed, [("m".to_owned(), Difference::Configuration)]);
        assert_eq!(second.uploads.len(), 1);
        assert!(second.manifest.models["m"].files.contains_key("1/model.onnx"));
    }

    #[test]
    fn a_model_that_is_gone_is_removed() {
        let first = Draft::new(&local("aa", "c1"), None, &BTreeMap::new());
        let draft = Draft::new(&Repository::default(), Some(&first.manifest), &taken(&[1]));
        assert_eq!(draft.removed, ["m"]);
        assert!(draft.manifest.models.is_empty());
    }
}
