//! The names of the files of results.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::record::{Record, Run};
use crate::error::Error;

/// Where the results of images lie, below `--output`.
pub(super) const FOLDER: &str = "inference_results";

/// A journal's name is this, a time, and `.jsonl`.
const PREFIX: &str = "inference_";

const SUFFIX: &str = ".jsonl";

/// No command line makes a longer first line.
const LONGEST_RUN: u64 = 4 << 20;

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

/// The newest journal of a folder, by its name, of those that asked the same; where there are only others, the newest of
/// them, whose difference can be told.
///
/// # Errors
/// When there is none.
pub(super) fn newest(folder: &Path, run: &Run) -> Result<PathBuf, Error> {
    let none = |why: String| {
        let next = "begin a run without --resume, or name the journal with --resume=FILE or its folder with --output";
        Error::usage(format!("there is no journal in {}{why}", folder.display()), next)
    };
    let entries = std::fs::read_dir(folder).map_err(|why| none(format!(": {why}")))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| stamp_of(name).is_some()).collect();
    names.sort_unstable_by(|one, other| other.cmp(one));
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let asked = |path: &&PathBuf| first(path).is_some_and(|former| same_question(path, &former, run).is_ok());
    paths.iter().find(asked).or(paths.first()).cloned().ok_or_else(|| none(String::new()))
}

/// What a journal's run asked, by its first line.
fn first(path: &Path) -> Option<Run> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?).take(LONGEST_RUN).read_line(&mut line).ok()?;
    match serde_json::from_str(&line).ok()? {
        Record::Run(run) => Some(run),
        _ => None,
    }
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
    // Protocol v0 tells them with its answers only.
    let is_known = [former, run].iter().all(|run| run.protocol == "v1" && !run.aliases.is_empty());
    if is_known && former.aliases != run.aliases && former.models == run.models {
        let (former, now) = (former.aliases.join(", "), run.aliases.join(", "));
        let why = format!("the journal {} has answers of {former}, and the server now has {now}", journal.display());
        return Err(Error::usage(why, "begin a new run without --resume"));
    }
    let differs = asked(former).into_iter().zip(asked(run)).find(|(former, now)| former != now);
    differs.map_or(Ok(()), |((what, former), (_, now))| {
        let why = format!("the journal {} was made with another question: {what} was {former}, and is {now}", journal.display());
        Err(Error::usage(why, "ask the same as then, or begin a new run without --resume"))
    })
}
