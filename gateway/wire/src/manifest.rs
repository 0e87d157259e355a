//! The release manifest: which files, with which content, are the models of this deployment.
//!
//! tritondeploy writes it last, at `release/manifest.json`; the gateway's sync reads it and mirrors just
//! these files. An object lies at its `key`, else at `models/NAME/PATH`. Which release wrote an object, and from which
//! release a draft was made, is for tritondeploy: the gateway does not read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The key of the manifest in the bucket, unless configured otherwise.
pub const KEY: &str = "release/manifest.json";

/// All models of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version; 1.
    pub version: u32,
    /// By model name.
    pub models: BTreeMap<String, Model>,
    /// Which release this is; None where the manifest was written by something else than tritondeploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Origin>,
}

/// Which release a manifest is, and which one it replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Random, so that no two releases have the same text.
    pub id: String,
    /// SHA-256 (hex) of the text of the manifest that was published when this one was drafted; None: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// One model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// SHA-256 (hex) of the model's content, version numbers aside.
    pub digest: String,
    /// By path below the model's folder, `/` between parts.
    pub files: BTreeMap<String, File>,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content, lower-case hex.
    pub sha256: String,
    /// The object's key in the bucket, where it is not `models/NAME/PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id of the release that wrote the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// A manifest that must not be followed.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It is no JSON of this shape.
    #[error("the release manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a format that this program does not know.
    #[error("the release manifest has version {0}; this program reads version 1")]
    Version(u32),
    /// A name that would leave the model repository.
    #[error("the release manifest names {0:?}, which is no plain path")]
    Path(String),
    /// A digest that is none.
    #[error("the release manifest has {0:?} where a SHA-256 should be")]
    Sha256(String),
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When it is no manifest, or names something outside the model repository.
    pub fn parse(json: &[u8]) -> Result<Self, Invalid> {
        let manifest: Self = serde_json::from_slice(json)?;
        if manifest.version != 1 {
            return Err(Invalid::Version(manifest.version));
        }
        for (name, model) in &manifest.models {
            if name.contains('/') || !is_plain(name) {
                return Err(Invalid::Path(name.clone()));
            }
            for (path, file) in &model.files {
                if !is_plain(path) {
                    return Err(Invalid::Path(format!("{name}/{path}")));
                }
                if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(Invalid::Sha256(file.sha256.clone()));
                }
            }
        }
        Ok(manifest)
    }
}

/// Bytes as a manifest writes a digest: lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A relative path of ordinary parts: nothing empty, hidden or upward, no NUL and no backslash.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_path(path: &str) -> Result<Manifest, Invalid> {
        let sha = "0".repeat(64);
        let json = serde_json::json!({"version": 1, "models": {"m": {"digest": "d",
            "files": {path: {"size": 1, "sha256": sha}}}}});
        Manifest::parse(json.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        let manifest = with_path("1/model.onnx").unwrap();
        let again = Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap();
        assert_eq!(manifest, again);
    }

    #[test]
    fn a_path_that_leaves_the_repository_is_refused() {
        for path in ["../x", "/etc/passwd", "1//x", "1/../../x", ".hidden", "a\\b", ""] {
            assert!(matches!(with_path(path), Err(Invalid::Path(_))), "{path}");
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert!(matches!(Manifest::parse(br#"{"version":2,"models":{}}"#), Err(Invalid::Version(2))));
    }
}
