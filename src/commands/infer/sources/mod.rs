//! What the sources name, one item after another, while it is being found.

mod content;
mod files;
mod lines;
mod objects;
mod pattern;
mod skipped;
mod suffix;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::results::record::{Failure, Item};
use crate::error::Error;
pub(crate) use files::{kind_of, read};
pub(crate) use skipped::{Counts, Seen, Skip};
pub(crate) use suffix::promised;

/// Items that may be found before anybody asks for them: so many, that the end of most sources is known soon, and so few,
/// that their memory (some 300 bytes each) does not count.
const AHEAD: usize = 20_000;

/// What one source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file, or a folder with all that is in it.
    Path(PathBuf),
    /// A pattern for paths.
    Glob(String),
    /// The objects of a bucket whose keys begin so; one object, where its key is the whole.
    Objects { bucket: String, prefix: String },
    /// Sources on standard input, one a line.
    List,
}

/// An image or a video that a source names.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) item: Item,
    pub(crate) kind: Kind,
    pub(crate) location: Location,
    /// Its size, where it is known.
    pub(crate) bytes: u64,
    /// Why it need not be tried: it has a place in the results all the same.
    pub(crate) broken: Option<Failure>,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Video,
    /// An object whose name does not tell: the gateway will.
    Unknown,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    Object { bucket: String, key: String },
}

impl Source {
    /// As the command line says it.
    ///
    /// # Errors
    /// When it names nothing that can be there.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text == "-" {
            return Ok(Self::List);
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(Error::usage(format!("{text} names no bucket"), "write s3://BUCKET/PREFIX"));
            }
            return Ok(Self::Objects { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        let path = PathBuf::from(text);
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Ok(Self::Path(path)),
            // Its name has a `*` and is not there: a pattern, if it is one.
            Err(_) if pattern::is_pattern(text) => match glob::Pattern::new(text) {
                Ok(_) => Ok(Self::Glob(text.to_owned())),
                Err(why) => Err(Error::usage(
                    format!("{text} is no pattern: {why}"),
                    "name files, folders, patterns or s3://BUCKET/PREFIX",
                )),
            },
            Err(why) => {
                let next = "name files, folders, patterns, s3://BUCKET/PREFIX, or - for a list on standard input";
                Err(Error::usage(format!("{text} cannot be read: {why}"), next))
            }
        }
    }

    /// Whether AWS is asked for it.
    pub(crate) fn is_listed_by_s3(&self) -> bool {
        matches!(self, Self::Objects { .. })
    }
}

/// What finds the items.
pub(crate) struct Finder {
    /// For objects; None where no source may need it.
    pub(crate) s3: Option<aws_sdk_s3::Client>,
    pub(crate) seen: Arc<Seen>,
}

impl Finder {
    /// Begins to look, in the order of the sources. The channel ends with them; whoever drops it ends the search.
    pub(crate) fn start(self, sources: Vec<Source>) -> mpsc::Receiver<Found> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            for source in sources {
                if self.search(source, &sender).await.is_break() {
                    return;
                }
            }
            self.seen.end();
        });
        receiver
    }

    async fn search(&self, source: Source, to: &mpsc::Sender<Found>) -> std::ops::ControlFlow<()> {
        match source {
            Source::Path(path) => files::all(path, self.seen.clone(), to.clone()).await,
            Source::Glob(pattern) => files::matching(pattern, self.seen.clone(), to.clone()).await,
            Source::Objects { bucket, prefix } => objects::all(self.s3.as_ref(), &bucket, &prefix, &self.seen, to).await,
            Source::List => lines::all(self.s3.as_ref(), &self.seen, to).await,
        }
    }
}
