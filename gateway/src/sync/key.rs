//! Which keys of the bucket a release may name, so that whoever may release can read nothing else of the bucket.

use crate::config::Repository;
use crate::storage::LONGEST_KEY;

/// Says what is wrong with the key of a manifest, or of a file that a manifest names.
pub(super) fn check(key: &str, repository: &Repository) -> Result<(), String> {
    // What the configuration names is right by itself.
    if key == repository.manifest {
        return Ok(());
    }
    let folder = repository.manifest.rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
    let is_of_release = folder.as_ref().is_some_and(|folder| key.starts_with(folder));
    if key.len() > LONGEST_KEY {
        Err(format!("it is longer than {LONGEST_KEY} bytes"))
    } else if key.contains(['\\', '\0']) {
        Err("it contains a backslash or NUL".to_owned())
    } else if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Err("a part of it is empty, \".\" or \"..\"".to_owned())
    } else if !is_of_release && !key.starts_with(&repository.prefix) {
        let places: Vec<&str> = folder.iter().map(String::as_str).chain([repository.prefix.as_str()]).collect();
        Err(format!("it is not under {}", places.join(" or ")))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_keys_of_releases_and_models_are_taken() {
        let repository = Repository::default();
        for key in ["release/manifest.json", "release/drafts/1.json", "models/m/1/model.onnx", "release/..a", "models/.b"] {
            assert_eq!(check(key, &repository), Ok(()), "{key}");
        }
        let long = format!("release/{}", "x".repeat(LONGEST_KEY));
        for (key, why) in [
            ("", "empty"),
            ("images/cat.png", "not under release/ or models/"),
            ("releases/manifest.json", "not under"),
            ("manifest.json", "not under"),
            ("release/", "empty"),
            ("/release/manifest.json", "empty"),
            ("release//manifest.json", "empty"),
            ("release/../images/x", ".."),
            ("release/./x", "\".\""),
            ("release/..", ".."),
            ("release\\x", "backslash"),
            ("models/m\0", "NUL"),
            (&long, "1024 bytes"),
        ] {
            let error = check(key, &repository).unwrap_err();
            assert!(error.contains(why), "{key}: {error}");
        }
    }

    #[test]
    fn a_manifest_without_a_folder_opens_no_other_key() {
        let repository = Repository { manifest: "manifest.json".to_owned(), ..Repository::default() };
        assert_eq!(check("manifest.json", &repository), Ok(()));
        assert_eq!(check("images", &repository).unwrap_err(), "it is not under models/");
    }
}
