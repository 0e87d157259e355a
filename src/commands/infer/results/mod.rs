//! What a run leaves: its journal, and what is made from that.

mod columns;
mod files;
mod index;
mod journal;
pub(crate) mod plain;
pub(crate) mod record;
mod table;
mod tally;
mod videos;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use columns::Columns;
pub(crate) use index::{Index, Meeting};
use journal::{ANOTHER, Journal};
use record::{Item, Record, Run};
pub(crate) use tally::Tally;
pub(crate) use videos::VideoTally;

/// Between two times that the journal is brought to the disk.
const SYNC: Duration = Duration::from_secs(5);

/// The results of a run, while they come in and afterwards. Clones are the same results.
#[derive(Clone)]
pub(crate) struct Results {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    journal: Journal,
    index: Index,
    /// Of videos that are not through: the frames that have their final answers.
    frames: HashMap<String, Frames>,
    /// Frames of this run that a resumption asks for again.
    retryable_frames: u64,
    run: Run,
    columns: Columns,
    folder: PathBuf,
    /// `YYYYmmdd_HHMMSS`, local time: what the names of this run's files end with.
    stamp: String,
    /// It was made by this run, which has added nothing yet.
    is_empty: bool,
}

/// The frames of one content of a video.
#[derive(Default)]
struct Frames {
    version: String,
    /// By number: whether every model answered.
    answered: BTreeMap<u64, bool>,
}

impl Results {
    /// What can be known before anything is asked: whether there can be results, and whether a journal that is named is there.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn check(output: &Path, resumed: Option<&Path>) -> Result<(), Error> {
        if let Some(journal) = resumed {
            let read = std::fs::File::open(journal).map(drop);
            return read
                .map_err(|why| Error::usage(format!("the journal {} cannot be opened: {why}", journal.display()), ANOTHER));
        }
        let there = std::path::absolute(output).unwrap_or_else(|_| output.to_owned());
        let Some(folder) = there.ancestors().find(|folder| folder.exists()) else { return Ok(()) };
        if !folder.is_dir() {
            return Err(unusable(folder, &io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let access = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK);
        access.map_err(|why| unusable(folder, &why.into()))
    }

    /// A new journal in `output`'s folder of results, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(output: &Path, run: Run) -> Result<Self, Error> {
        let folder = output.join(files::FOLDER);
        let (journal, stamp) = files::new(&folder).map_err(|why| unusable(&folder, &why))?;
        let frames = HashMap::new();
        let (index, columns) = (Index::new(), Columns::new(&run.aliases));
        Self::begin(Shared { journal, index, frames, retryable_frames: 0, run, columns, folder, stamp, is_empty: true })
    }

    /// Goes on with a journal: with the one that is named, or with the newest of `output`'s folder of results that asked
    /// the same.
    ///
    /// # Errors
    /// When there is none, it cannot be read, another run writes it, or it asked something else.
    pub(crate) fn resume(output: &Path, named: Option<&Path>, run: Run) -> Result<Self, Error> {
        let path = named.map_or_else(|| files::newest(&output.join(files::FOLDER), &run), |named| Ok(named.to_owned()))?;
        let (mut index, mut frames) = (Index::new(), HashMap::<String, Frames>::new());
        let mut columns = Columns::new(&run.aliases);
        let mut asked = None;
        let journal = Journal::open(&path, |offset, record| {
            match record {
                Record::Run(former) if asked.is_none() => {
                    files::same_question(&path, &former, &run)?;
                    columns = Columns::new(&former.aliases);
                    asked = Some(former);
                }
                Record::Run(_) => {}
                _ if asked.is_none() => {
                    let why = format!("{} is no journal: its first line does not say what was asked", path.display());
                    return Err(Error::usage(why, ANOTHER));
                }
                Record::Image(image) => {
                    columns.see(&image.answer);
                    index.read(&image.item, offset, image.answer.is_final());
                }
                Record::Frame(frame) => {
                    let known = frames.entry(frame.item.uri).or_default();
                    if known.version != frame.item.version {
                        *known = Frames { version: frame.item.version, answered: BTreeMap::new() };
                    }
                    if frame.answer.is_final() {
                        known.answered.insert(frame.frame, frame.answer.is_success());
                    }
                }
                Record::Video(video) => {
                    let answered = frames.get(&video.item.uri).filter(|known| known.version == video.item.version);
                    let answered = answered.map_or(0, |known| known.answered.len() as u64);
                    let is_final = video.error.as_ref().is_none_or(|why| !why.retryable) && answered >= video.frames;
                    if is_final {
                        frames.remove(&video.item.uri);
                    }
                    index.read(&video.item, offset, is_final);
                }
            }
            Ok(())
        })?;
        // Killed before its first line was whole: nothing was asked yet.
        let run = Run { aliases: asked.map_or(run.aliases, |former| former.aliases), ..run };
        let (folder, stamp) = files::of(&path);
        Self::begin(Shared { journal, index, frames, retryable_frames: 0, run, columns, folder, stamp, is_empty: false })
    }

    fn begin(mut shared: Shared) -> Result<Self, Error> {
        let first = Record::Run(shared.run.clone());
        shared.journal.append(&first).map_err(|why| unwritable(shared.journal.path(), &why))?;
        Ok(Self { shared: Arc::new(Mutex::new(shared)) })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // What is behind it is whole between any two lines of ours.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An item that the sources name: whether to ask for it, and its place.
    pub(crate) fn meet(&self, item: &Item) -> Meeting {
        self.lock().index.meet(item)
    }

    /// Of a video that a former run did not bring to its end: the frames that have their final answers, and
    /// whether every model answered.
    pub(crate) fn answered_frames(&self, item: &Item) -> BTreeMap<u64, bool> {
        let shared = self.lock();
        let known = shared.frames.get(&item.uri).filter(|known| known.version == item.version);
        known.map(|known| known.answered.clone()).unwrap_or_default()
    }

    /// Writes a record. Only what this has taken may be told to the user.
    ///
    /// # Errors
    /// When it cannot be written: the run must stop.
    pub(crate) fn add(&self, record: &Record) -> Result<(), Error> {
        let mut shared = self.lock();
        let offset = shared.journal.append(record).map_err(|why| unwritable(shared.journal.path(), &why))?;
        shared.is_empty = false;
        match record {
            Record::Image(image) => {
                shared.columns.see(&image.answer);
                shared.index.answered(image.place, offset);
            }
            Record::Video(video) => shared.index.answered(video.place, offset),
            Record::Frame(frame) => shared.retryable_frames += u64::from(!frame.answer.is_final()),
            Record::Run(_) => {}
        }
        Ok(())
    }

    /// The last record of each image and video, in the order of the sources; then those that this run did not come to.
    ///
    /// # Errors
    /// When the journal cannot be read, or `each` fails.
    pub(crate) fn each(&self, mut each: impl FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        let shared = self.lock();
        for offset in shared.index.in_order() {
            each(shared.journal.read(offset)?)?;
        }
        let place = |record: &Record| match record {
            Record::Image(image) => image.place,
            Record::Video(video) => video.place,
            Record::Run(_) | Record::Frame(_) => u64::MAX,
        };
        let mut others = Vec::new();
        for offset in shared.index.not_met() {
            others.push((place(&shared.journal.read(offset)?), offset));
        }
        others.sort_unstable();
        others.into_iter().try_for_each(|(_, offset)| each(shared.journal.read(offset)?))
    }

    /// Writes the CSV of images, and counts what is in it and what is not.
    ///
    /// # Errors
    /// When the journal cannot be read, or the CSV not be written.
    pub(crate) fn finish(&self) -> Result<Tally, Error> {
        let (path, aliases) = {
            let shared = self.lock();
            shared.journal.handle().and_then(|file| file.sync_data()).map_err(|why| unwritable(shared.journal.path(), &why))?;
            (shared.folder.join(format!("inference_results_{}.csv", shared.stamp)), shared.columns.aliases())
        };
        table::write(self, &path, &aliases).map_err(|why| unwritable(&path, &why))
    }

    /// Writes the CSV of videos, where there are any, and counts what is in it.
    ///
    /// # Errors
    /// When the journal cannot be read, or the CSV not be written.
    pub(crate) fn finish_videos(&self) -> Result<VideoTally, Error> {
        let (path, retryable) = {
            let shared = self.lock();
            (videos::path(&shared.folder, &shared.stamp), shared.retryable_frames)
        };
        let tally = videos::write(self, &path).map_err(|why| unwritable(&path, &why))?;
        Ok(VideoTally { retryable: tally.retryable + retryable, ..tally })
    }

    /// Brings what was written to the disk, every few seconds, until it is dropped: the death of this process loses
    /// nothing, and a crash of the machine no more than this time's answers.
    pub(crate) async fn sync(&self) -> Infallible {
        loop {
            tokio::time::sleep(SYNC).await;
            let Ok(file) = self.lock().journal.handle() else { continue };
            // A disk that fails here fails the next write, too, and that is told.
            let _ = tokio::task::spawn_blocking(move || file.sync_data()).await;
        }
    }

    /// This run began the journal, and has added nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty
    }

    /// Leaves nothing behind.
    pub(crate) fn discard(&self) {
        // One that cannot be removed is of no harm.
        let _ = std::fs::remove_file(self.journal());
    }

    /// Where the journal is.
    pub(crate) fn journal(&self) -> PathBuf {
        self.lock().journal.path().to_owned()
    }
}

/// No results can be there.
fn unusable(folder: &Path, why: &io::Error) -> Error {
    Error::usage(format!("{} cannot take results: {why}", folder.display()), "name another folder with --output")
}

/// The disk does not take it.
pub(crate) fn unwritable(path: &Path, why: &io::Error) -> Error {
    let next = "make room, or name another folder with --output; then go on with --resume";
    Error::failed(format!("{} cannot be written: {why}", path.display()), next)
}
