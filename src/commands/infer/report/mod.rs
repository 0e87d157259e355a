//! `--report FILE`: one HTML file of everything that a run found, made from its journal. It asks nobody for anything:
//! pictures, style and script are in it, and what others wrote (names, labels, messages) is data that only ever
//! becomes text.

mod failures;
mod journal;
mod labels;
mod latency;
mod page;
mod text;
mod videos;

#[cfg(test)]
mod in_browser;
#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::replace;
use crate::report::words::quoted;
use journal::Journal;
use page::Page;

/// Images whose thumbnails are worth asking for: the page shows no more.
pub(super) const THUMBNAILS: usize = page::THUMBNAILS;
/// Pictures of one video that it shows.
pub(super) const PICTURES: usize = videos::PICTURES;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Of the file.
    pub(super) bytes: u64,
    /// Images with a thumbnail on the page.
    pub(super) thumbnails: usize,
    /// Lines of the journal that hold no record.
    pub(super) unreadable: u64,
}

/// Whether a report can be written there, before anything is asked for.
///
/// # Errors
/// When it is a folder, or nothing can be written beside it.
pub(super) fn check(to: &Path) -> Result<(), Error> {
    replace::check("--report", to, "report.html")
}

/// Makes the report of a journal, whose last run took `took`. The file is there whole, or as it was.
///
/// # Errors
/// When the journal cannot be read, or the file cannot be written.
pub(super) fn write(journal: &Path, to: &Path, took: Duration) -> Result<Summary, Error> {
    let (page, thumbnails, unreadable) = read(journal, took).map_err(|why| {
        Error::failed(format!("the report cannot be made: {}: {why}", journal.display()), "check the journal, and its folder")
    })?;
    let to = &replace::behind_links(to);
    let draft = replace::draft(to);
    let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
    replace::replace(to, &draft, &options, |mut file| file.write_all(page.as_bytes())).map_err(|why| {
        let again = format!("the same command with --resume={} and another --report", quoted(&journal.display().to_string()));
        Error::failed(format!("the report cannot be written to {}: {why}", to.display()), again)
    })?;
    Ok(Summary { bytes: page.len() as u64, thumbnails, unreadable })
}

fn read(path: &Path, took: Duration) -> io::Result<(String, usize, u64)> {
    let mut journal = Journal::open(path)?;
    let mut page = Page::default();
    journal.each(|record| page.take(record))?;
    let unreadable = journal.unreadable;
    let (html, thumbnails) = page.html(&path.display().to_string(), took, unreadable);
    Ok((html, thumbnails, unreadable))
}
