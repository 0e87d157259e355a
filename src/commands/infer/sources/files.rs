//! Files: one, a folder's, or those that match a pattern.

use std::collections::HashSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use walkdir::WalkDir;

use super::super::results::plain;
use super::super::results::record::{Failure, Item};
use super::{Found, Kind, Location, Seen, Skip, content, pattern, suffix};

/// Whose code a file has that cannot be read.
const UNREADABLE: &str = "unreadable";

/// The code of the protocol for what is no image.
const UNSUPPORTED: &str = "unsupported_image";

/// A file, or all that is below a folder, by name.
pub(super) async fn all(path: PathBuf, seen: Arc<Seen>, to: mpsc::Sender<Found>) -> ControlFlow<()> {
    blocking(move || Search { seen: &seen, to: &to, folders: HashSet::new() }.below(&path, true)).await
}

/// What matches, by name; folders with all that is below them.
pub(super) async fn matching(pattern: String, seen: Arc<Seen>, to: mpsc::Sender<Found>) -> ControlFlow<()> {
    blocking(move || {
        let mut search = Search { seen: &seen, to: &to, folders: HashSet::new() };
        let Ok(matches) = pattern::Matches::of(&pattern) else { return ControlFlow::Continue(()) };
        let mut any = false;
        for path in matches {
            any = true;
            search.below(&path, true)?;
        }
        if !any {
            seen.problem(format!("{pattern}: nothing matches"));
        }
        ControlFlow::Continue(())
    })
    .await
}

/// Disks are asked by a thread of its own.
async fn blocking(work: impl FnOnce() -> ControlFlow<()> + Send + 'static) -> ControlFlow<()> {
    spawn_blocking(work).await.unwrap_or(ControlFlow::Break(()))
}

struct Search<'s> {
    seen: &'s Seen,
    to: &'s mpsc::Sender<Found>,
    /// Device and inode of each folder: one that several links lead to is searched once.
    folders: HashSet<(u64, u64)>,
}

impl Search<'_> {
    fn below(&mut self, path: &Path, is_named: bool) -> ControlFlow<()> {
        let mut walk = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(why) if why.loop_ancestor().is_some() => {
                    self.seen.skip(Skip::Linked);
                    continue;
                }
                Err(why) => {
                    self.unseen(&why, path)?;
                    continue;
                }
            };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(why) => {
                    self.unseen(&why, path)?;
                    continue;
                }
            };
            if metadata.is_dir() {
                if !self.folders.insert((metadata.dev(), metadata.ino())) {
                    self.seen.skip(Skip::Linked);
                    walk.skip_current_dir();
                }
                continue;
            }
            self.file(entry.path(), &metadata, is_named && entry.depth() == 0)?;
        }
        ControlFlow::Continue(())
    }

    /// What has the name of an image or a video has a place in the results; anything else is told as a problem.
    fn unseen(&self, why: &walkdir::Error, from: &Path) -> ControlFlow<()> {
        let path = why.path().unwrap_or(from);
        let said = why.io_error().map_or_else(|| why.to_string(), io::Error::to_string);
        let promised = path.to_str().and_then(suffix::promised);
        if !path.is_dir() && matches!(promised, Some(Kind::Image | Kind::Video)) {
            return self.found(path, String::new(), 0, promised.unwrap_or(Kind::Image), Some(unreadable(&said)));
        }
        self.seen.problem(format!("{}: {said}", path.display()));
        ControlFlow::Continue(())
    }

    /// `is_named`: by the user and not by a folder, so that it is never passed over in silence.
    fn file(&self, path: &Path, metadata: &Metadata, is_named: bool) -> ControlFlow<()> {
        if !metadata.is_file() {
            self.seen.skip(Skip::NoRegularFile);
            return ControlFlow::Continue(());
        }
        let version = version(metadata);
        let promised = path.to_str().and_then(suffix::promised);
        let (kind, broken) = match head(path) {
            Ok(head) => match (content::kind(&head), promised) {
                (Some(kind), _) => (kind, None),
                // Who decodes it says what is wrong with it.
                (None, Some(Kind::Video)) => (Kind::Video, None),
                (None, promised) if is_named || promised == Some(Kind::Image) => (Kind::Image, Some(no_image(&head))),
                (None, _) => {
                    self.seen.skip(Skip::NeitherImageNorVideo);
                    return ControlFlow::Continue(());
                }
            },
            Err(why) if why.kind() == io::ErrorKind::InvalidInput => {
                self.seen.skip(Skip::NoRegularFile);
                return ControlFlow::Continue(());
            }
            Err(why) => (promised.filter(|kind| *kind == Kind::Video).unwrap_or(Kind::Image), Some(unreadable(&why.to_string()))),
        };
        self.found(path, version, metadata.len(), kind, broken)
    }

    fn found(&self, path: &Path, version: String, bytes: u64, kind: Kind, broken: Option<Failure>) -> ControlFlow<()> {
        let item = Item { uri: plain::local(path), version };
        let found = Found { item, kind, location: Location::File(path.to_owned()), bytes, broken };
        self.seen.found(&found);
        match self.to.blocking_send(found) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Size, and modification time in nanoseconds.
fn version(metadata: &Metadata) -> String {
    format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn unreadable(why: &str) -> Failure {
    Failure::new(UNREADABLE, format!("the file cannot be read: {why}"), true)
}

fn no_image(head: &[u8]) -> Failure {
    let what =
        if head.is_empty() { "the file is empty" } else { "the file's content is no image: not JPEG, PNG, WebP, GIF or BMP" };
    Failure::new(UNSUPPORTED, what, false)
}

/// Opens a regular file. A pipe, a socket or a device that took its place meanwhile is not waited for.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] where it is no regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")) }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(content::HEAD);
    open(path)?.take(content::HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What a file is by its content; None also where it cannot be read.
pub(crate) fn kind_of(path: &Path) -> Option<Kind> {
    head(path).ok().and_then(|head| content::kind(&head))
}

/// The whole file.
///
/// # Errors
/// That it cannot be read, or has more than `most` bytes: of such a one, no more is read.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let failed = |why: io::Error| unreadable(&why.to_string());
    let file = open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let too_large = |bytes: u64| {
        let why =
            format!("the file has {bytes} bytes; the server takes {most}: make it smaller, or put it into the bucket's images/");
        Failure::new("too_large", why, false)
    };
    if bytes > most {
        return Err(too_large(bytes));
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > most { Err(too_large(content.len() as u64)) } else { Ok(content) }
}

/// One path of a list: never passed over in silence, except by a reason that is counted.
pub(super) fn listed(path: &Path, seen: &Seen, to: &mpsc::Sender<Found>) -> ControlFlow<()> {
    let search = &mut Search { seen, to, folders: HashSet::new() };
    match std::fs::metadata(path) {
        Ok(_) => search.below(path, true),
        Err(why) => {
            let kind = path.to_str().and_then(suffix::promised).filter(|kind| *kind == Kind::Video).unwrap_or(Kind::Image);
            search.found(path, String::new(), 0, kind, Some(unreadable(&why.to_string())))
        }
    }
}
