//! What was seen so far: found, skipped and why, and what could not be looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why something is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// By its content (a file) or its suffix (an object).
    NeitherImageNorVideo,
    /// A pipe, a socket, a device: opening one may wait for ever.
    NoRegularFile,
    /// A symbolic link to where we are already, or were before.
    Linked,
    /// An object that stands for a folder.
    FolderMarker,
    /// In an archive of S3: it cannot be read without being restored.
    Archived,
    /// What `up` put there for its own check.
    Proof,
    /// Another source named it before.
    Twice,
    /// The gateway said so of an object whose name does not tell.
    NoImage,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeitherImageNorVideo => "neither image nor video",
            Self::NoRegularFile => "no regular file",
            Self::Linked => "reached before by another link",
            Self::FolderMarker => "folder marker",
            Self::Archived => "archived by S3",
            Self::Proof => "the deployment's own check",
            Self::Twice => "named twice",
            Self::NoImage => "no image, says the gateway",
        })
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    counts: Mutex<Counts>,
}

/// The numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) images: u64,
    pub(crate) videos: u64,
    /// The first of them.
    pub(crate) first_videos: Vec<String>,
    pub(crate) skipped: BTreeMap<Skip, u64>,
    /// ListObjectsV2 requests.
    pub(crate) lists: u64,
    /// What could not be looked at.
    pub(crate) problems: Vec<String>,
    /// More problems than are kept.
    pub(crate) more_problems: u64,
    /// Everything has been seen.
    pub(crate) ended: bool,
}

impl Counts {
    /// No image and no video.
    pub(crate) fn is_nothing(&self) -> bool {
        self.images + self.videos == 0
    }
}

/// So many problems are kept.
const PROBLEMS: usize = 20;

/// So many videos are kept by name, for who cannot take them.
const NAMED: usize = 3;

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Images, videos, and whether that is all.
    pub(crate) fn totals(&self) -> (u64, u64, bool) {
        let counts = self.lock();
        (counts.images, counts.videos, counts.ended)
    }

    pub(crate) fn skip(&self, why: Skip) {
        *self.lock().skipped.entry(why).or_default() += 1;
    }

    pub(super) fn found(&self, found: &super::Found) {
        let mut counts = self.lock();
        let is_video = found.kind == super::Kind::Video;
        counts.images += u64::from(!is_video);
        counts.videos += u64::from(is_video);
        if is_video && counts.first_videos.len() < NAMED {
            counts.first_videos.push(found.item.uri.clone());
        }
    }

    /// A found item is none after all: another source named it, or the gateway said so.
    pub(crate) fn skip_found(&self, kind: super::Kind, why: Skip) {
        let mut counts = self.lock();
        match kind {
            super::Kind::Video => counts.videos -= 1,
            super::Kind::Image | super::Kind::Unknown => counts.images -= 1,
        }
        *counts.skipped.entry(why).or_default() += 1;
    }

    pub(super) fn listed(&self) {
        self.lock().lists += 1;
    }

    pub(super) fn problem(&self, what: String) {
        let mut counts = self.lock();
        tracing::warn!(what, "a source");
        if counts.problems.len() < PROBLEMS {
            counts.problems.push(what);
        } else {
            counts.more_problems += 1;
        }
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
    }
}
