//! The model repository: validation, manifest, release.
