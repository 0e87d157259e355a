//! The names of the files of results.

use std::io;
use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::record::Run;
use crate::error::Error;

/// Where the results of images lie, below `--output`.
pub(super) const FOLDER: &str = "inference_results";

/// A journal's name is this, a time, and `.jsonl`.
const PREFIX: &str = "inference_";

const SUFFIX: &str = ".jsonl";

/// A new journal, and the time in its name. One that is there already belongs to a run that began in the same second: the
/// next free second is taken.
///
/// # Errors
/// When it cannot be made.
pub(super) fn new(folder: &Path) -> io::Result<(Journal, String)> {
    std::fs::create_dir_all(folder)?;
    let now = jiff::Zoned::now();
    for second in 0..60 {
        let time = now.saturating_add(jiff::SignedDuration::from_secs(second));
        let stamp = time.strftime("%Y%m%d_%H%M%S").to_string();
        match Journal::create(&folder.join(format!("{PREFIX}{stamp}{SUFFIX}"))) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made?, stamp)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many runs began here within a minute"))
}

/// The newest journal of a folder, by its name.
///
/// # Errors
/// When there is none.
pub(super) fn newest(folder: &Path) -> Result<PathBuf, Error> {
    let none = |why: String| {
        let next = "begin a run without --resume, or name the journal with --resume=FILE or its folder with --output";
        Error::usage(format!("there is no journal in {}{why}", folder.display()), next)
    };
    let entries = std::fs::read_dir(folder).map_err(|why| none(format!(": {why}")))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let newest = names.filter(|name| stamp_of(name).is_some()).max();
    newest.map(|name| folder.join(name)).ok_or_else(|| none(String::new()))
}

/// The time in a journal's name.
fn stamp_of(name: &str) -> Option<&str> {
    let stamp = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let shape: Vec<u8> = stamp.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect();
    (shape == b"00000000_000000").then_some(stamp)
}

/// A journal's folder, and what the names of its run's other files end with: its time, or the whole name of one that a
/// user has renamed.
pub(super) fn of(journal: &Path) -> (PathBuf, String) {
    let folder = journal.parent().map(Path::to_owned).unwrap_or_default();
    let name = journal.file_name().unwrap_or_default().to_string_lossy();
    let stamp = stamp_of(&name).unwrap_or_else(|| name.strip_suffix(SUFFIX).unwrap_or(&name));
    (folder, stamp.to_owned())
}

/// # Errors
/// When the journal's run asked something else: its answers and new ones would not belong together.
pub(super) fn same_question(journal: &Path, former: &Run, run: &Run) -> Result<(), Error> {
    let models = |run: &Run| if run.models.is_empty() { "the pipeline".to_owned() } else { run.models.join(", ") };
    let sources = |run: &Run| if run.sources.is_empty() { "the bucket".to_owned() } else { run.sources.join(" ") };
    let asked = |run: &Run| {
        [
            ("the server", run.url.clone()),
            ("the protocol", run.protocol.clone()),
            ("--model", models(run)),
            ("--top", run.top.to_string()),
            ("the sources", sources(run)),
            ("the sampling of videos", run.sampling.clone()),
        ]
    };
    let differs = asked(former).into_iter().zip(asked(run)).find(|(former, now)| former != now);
    differs.map_or(Ok(()), |((what, former), (_, now))| {
        let why = format!("the journal {} was made with another question: {what} was {former}, and is {now}", journal.display());
        Err(Error::usage(why, "ask the same as then, or begin a new run without --resume"))
    })
}
