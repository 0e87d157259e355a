//! Where ffmpeg and ffprobe are. Both are looked for before anything is asked, so that a run does not end halfway; ffmpeg is
//! run once before the first video, for that takes as long as dozens of images.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::process::{self, Ended};
use crate::error::Error;

/// How each system's package manager gets both programs.
const GET: &str = "install ffmpeg, which brings ffprobe: `sudo apt-get install ffmpeg` (Debian, Ubuntu), \
    `sudo dnf install ffmpeg-free` (Fedora), `brew install ffmpeg` (macOS)";

/// Both programs, not run yet.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
}

/// Both programs.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(super) ffmpeg: PathBuf,
    pub(super) ffprobe: PathBuf,
    /// Makes ffmpeg neither repeat nor drop frames: the option was renamed in 5.1.
    pub(super) passthrough: [&'static str; 2],
}

impl Programs {
    /// Looks in the folders of `path` (the variable PATH).
    ///
    /// # Errors
    /// One of them is missing.
    pub(crate) fn find(path: Option<&OsStr>) -> Result<Self, String> {
        let found = |name| look(path, name).ok_or_else(|| format!("{name} is not in any folder of PATH"));
        Ok(Self { ffmpeg: found("ffmpeg")?, ffprobe: found("ffprobe")? })
    }

    /// Runs `ffmpeg -version`.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) async fn proven(&self) -> Result<Tool, String> {
        let Self { ffmpeg, ffprobe } = self.clone();
        let version = process::output(&ffmpeg, &["-version".as_ref()]).await;
        let passthrough = match version {
            Ok(Ended { ok: true, stdout, .. }) => passthrough(&String::from_utf8_lossy(&stdout)),
            Ok(Ended { said, .. }) => return Err(format!("{} does not run: {said}", ffmpeg.display())),
            Err(why) => return Err(format!("{} does not run: {}", ffmpeg.display(), why.message)),
        };
        Ok(Tool { ffmpeg, ffprobe, passthrough })
    }
}

/// Says which of the `count` videos wait for it, the `first` by name, and how to get it.
pub(super) fn missing(why: &str, first: &[String], count: u64) -> Error {
    let need = if count == 1 { "video needs" } else { "videos need" };
    let more = count.saturating_sub(first.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Error::usage(format!("{why}; {count} {need} it: {}{more}", first.join(", ")), GET)
}

/// An executable file of this name. Relative folders are passed over: they may be the folder that the videos came in.
fn look(path: Option<&OsStr>, name: &str) -> Option<PathBuf> {
    let runs = |file: &PathBuf| file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let folders = std::env::split_paths(path?).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(runs)
}

/// By the first line of `ffmpeg -version`. Builds without a release's number are newer than any release was with the old name.
fn passthrough(version: &str) -> [&'static str; 2] {
    let number = version.strip_prefix("ffmpeg version ").unwrap_or_default();
    // Some distributions write n7.1.
    let number = number.trim_start_matches('n').split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next().unwrap_or(0)) {
        (Some(major), minor) if (major, minor) < (5, 1) => ["-vsync", "passthrough"],
        _ => ["-fps_mode", "passthrough"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ffmpeg_the_error_says_how_to_get_it_and_which_videos_wait() {
        let empty = tempfile::tempdir().unwrap();
        let why = Programs::find(Some(empty.path().as_os_str())).unwrap_err();
        assert_eq!(Programs::find(None).unwrap_err(), why);
        let first = ["clips/1.mp4".to_owned(), "clips/2.mp4".to_owned()];
        let error = missing(&why, &first, 5);
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.to_string(),
            "ffmpeg is not in any folder of PATH; 5 videos need it: clips/1.mp4, clips/2.mp4 and 3 more"
        );
        for word in ["apt-get install ffmpeg", "dnf install", "brew install ffmpeg"] {
            assert!(error.next().contains(word), "{}", error.next());
        }
        assert!(missing(&why, &first[..1], 1).to_string().ends_with("1 video needs it: clips/1.mp4"));
    }

    #[tokio::test]
    async fn a_program_that_does_not_run_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ffmpeg", "ffprobe"] {
            let file = folder.path().join(name);
            std::fs::write(&file, "#!/bin/sh\necho it lacks a library >&2\nexit 127\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let why = Programs::find(Some(folder.path().as_os_str())).unwrap().proven().await.unwrap_err();
        assert!(why.contains("does not run: it lacks a library"), "{why}");
    }

    #[test]
    fn a_program_is_not_taken_from_a_relative_folder() {
        assert_eq!(look(Some(OsStr::new(":.:src")), "cli.rs"), None);
        assert!(look(Some(OsStr::new("/nowhere:/bin:/usr/bin")), "sh").is_some());
    }

    #[test]
    fn the_option_that_keeps_every_frame_goes_by_the_version() {
        let of = |version: &str| passthrough(&format!("ffmpeg version {version} Copyright (c) 2000-2026"))[0];
        for old in ["4.4.2-0ubuntu0.22.04.1", "5.0", "3.4.13", "n4.4.1"] {
            assert_eq!(of(old), "-vsync", "{old}");
        }
        for new in ["5.1.9-0+deb12u1", "7.1.1", "8", "n8.0", "N-118896-g9a4e4b8", "2026-01-02-git-abc"] {
            assert_eq!(of(new), "-fps_mode", "{new}");
        }
    }
}
