//! Where ffmpeg and ffprobe are. Both are looked for before the first video, so that a run does not end halfway.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::process::{self, Ended};
use crate::error::Error;

/// How each system's package manager gets both programs.
const GET: &str = "install ffmpeg, which brings ffprobe: `sudo apt-get install ffmpeg` (Debian, Ubuntu), \
    `sudo dnf install ffmpeg-free` (Fedora), `brew install ffmpeg` (macOS)";

/// Videos that an error names; the others are counted.
const NAMED: usize = 3;

/// Both programs.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(super) ffmpeg: PathBuf,
    pub(super) ffprobe: PathBuf,
    /// Makes ffmpeg neither repeat nor drop frames: the option was renamed in 5.1.
    pub(super) passthrough: [&'static str; 2],
}

impl Tool {
    /// Looks in the folders of `path` (the variable PATH), and runs `ffmpeg -version` once. `waiting` are the videos that
    /// need it.
    ///
    /// # Errors
    /// One of them is missing or does not run: how to get it, and which videos wait for it.
    pub(crate) async fn find(path: Option<&OsStr>, waiting: &[String]) -> Result<Self, Error> {
        let missing = |why: String| Error::usage(format!("{why}; {}", of(waiting)), GET);
        let found = |name| look(path, name).ok_or_else(|| missing(format!("{name} is not in any folder of PATH")));
        let (ffmpeg, ffprobe) = (found("ffmpeg")?, found("ffprobe")?);
        let version = process::output(&ffmpeg, &["-version".as_ref()]).await;
        let passthrough = match version {
            Ok(Ended { ok: true, stdout, .. }) => passthrough(&String::from_utf8_lossy(&stdout)),
            Ok(Ended { said, .. }) => return Err(missing(format!("{} does not run: {said}", ffmpeg.display()))),
            Err(why) => return Err(missing(format!("{} does not run: {}", ffmpeg.display(), why.message))),
        };
        Ok(Self { ffmpeg, ffprobe, passthrough })
    }
}

/// The videos that wait, the first few by name.
fn of(waiting: &[String]) -> String {
    let named = waiting.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match waiting.len() {
        0 => "videos need it".to_owned(),
        1 => format!("1 video needs it: {named}"),
        all if all <= NAMED => format!("{all} videos need it: {named}"),
        all => format!("{all} videos need it: {named} and {} more", all - NAMED),
    }
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

    #[tokio::test]
    async fn without_ffmpeg_the_error_says_how_to_get_it_and_which_videos_wait() {
        let empty = tempfile::tempdir().unwrap();
        let videos: Vec<String> = (1..=5).map(|i| format!("clips/{i}.mp4")).collect();
        let error = Tool::find(Some(empty.path().as_os_str()), &videos).await.unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let why = "ffmpeg is not in any folder of PATH; 5 videos need it: clips/1.mp4, clips/2.mp4, clips/3.mp4 and 2 more";
        assert_eq!(error.to_string(), why);
        for word in ["apt-get install ffmpeg", "dnf install", "brew install ffmpeg"] {
            assert!(error.next().contains(word), "{}", error.next());
        }
        assert!(Tool::find(None, &videos[..1]).await.unwrap_err().to_string().ends_with("1 video needs it: clips/1.mp4"));
    }

    #[tokio::test]
    async fn a_program_that_does_not_run_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ffmpeg", "ffprobe"] {
            let file = folder.path().join(name);
            std::fs::write(&file, "#!/bin/sh\necho it lacks a library >&2\nexit 127\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let error = Tool::find(Some(folder.path().as_os_str()), &[]).await.unwrap_err();
        assert!(error.to_string().contains("does not run: it lacks a library"), "{error}");
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
