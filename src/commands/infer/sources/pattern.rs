//! Paths that match a pattern, as a shell would find them. (The `glob` crate finds no names that are no UTF-8.)

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};
use walkdir::WalkDir;

/// As in a shell: `*` stays within a folder and finds no hidden files.
const LIKE_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The paths that match a pattern, in the order of their names.
pub(super) struct Matches {
    /// The folder before the first component that is no plain name; empty for the working directory.
    base: PathBuf,
    /// What is below it must match this.
    pattern: Pattern,
    walk: walkdir::IntoIter,
}

/// Whether a path that is not there may be a pattern.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

impl Matches {
    /// # Errors
    /// When it is no pattern.
    pub(super) fn of(text: &str) -> Result<Self, PatternError> {
        let parts: Vec<Component<'_>> = Path::new(text).components().collect();
        let is_plain = |part: &&Component<'_>| part.as_os_str().to_str().is_none_or(|name| !is_pattern(name));
        let plain = parts.iter().take_while(is_plain).count();
        let base: PathBuf = parts[..plain].iter().collect();
        let rest: PathBuf = parts[plain..].iter().collect();
        let pattern = Pattern::new(&rest.to_string_lossy())?;
        let is_recursive = parts.iter().any(|part| part.as_os_str() == "**");
        let from = if plain == 0 { Path::new(".") } else { &base };
        // Below `**`, links may lead round and round.
        let walk = WalkDir::new(from).min_depth(1).follow_links(!is_recursive).sort_by_file_name();
        let walk = if is_recursive { walk } else { walk.max_depth(parts.len() - plain) };
        Ok(Self { base, pattern, walk: walk.into_iter() })
    }
}

impl Iterator for Matches {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let (path, is_folder) = match self.walk.next()? {
                Ok(entry) => (entry.path().to_owned(), entry.file_type().is_dir()),
                // A link that leads nowhere matches, too: whoever reads it says what is wrong.
                Err(why) => match why.path() {
                    Some(path) => (path.to_owned(), false),
                    None => continue,
                },
            };
            let from = if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base };
            let Ok(below) = path.strip_prefix(from) else { continue };
            if self.pattern.matches_with(&below.to_string_lossy(), LIKE_A_SHELL) {
                if is_folder {
                    // All that is in it belongs to the match.
                    self.walk.skip_current_dir();
                }
                return Some(self.base.join(below));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_pattern_finds_what_a_shell_finds_and_names_that_are_no_text() {
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"b/x.jpg"[..], b"b/y.png", b"a/x.jpg", b"a/deep/x.jpg", b"a/.hidden.jpg", b"a/\xff.jpg", b"top.jpg"] {
            let path = folder.path().join(OsStr::from_bytes(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let found = |pattern: &str| -> Vec<PathBuf> {
            let text = folder.path().join(pattern).to_str().unwrap().to_owned();
            Matches::of(&text).unwrap().map(|path| path.strip_prefix(folder.path()).unwrap().to_owned()).collect()
        };
        let path = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
        assert_eq!(found("*/*.jpg"), [path(b"a/x.jpg"), path(b"a/\xff.jpg"), path(b"b/x.jpg")]);
        assert_eq!(found("**/x.jpg"), [path(b"a/deep/x.jpg"), path(b"a/x.jpg"), path(b"b/x.jpg")]);
        assert_eq!(found("[ab]"), [path(b"a"), path(b"b")]);
        assert_eq!(found("t?p.jpg"), [path(b"top.jpg")]);
        assert!(found("*.gif").is_empty());
    }
}
