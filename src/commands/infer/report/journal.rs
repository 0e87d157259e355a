//! The journal, read twice in bounded memory: which line is an item's last, then those lines.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::super::results::record::Record;

/// A line of the journal holds one answer and at most one thumbnail; what is longer is none of ours.
const LINE: u64 = 4 << 20;

/// What the first reading needs of a line.
#[derive(Deserialize)]
struct Key {
    record: Kind,
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    frame: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Run,
    Image,
    Frame,
    Video,
}

/// A journal, after its first reading.
pub(super) struct Journal {
    lines: BufReader<File>,
    hasher: RandomState,
    /// Where each item's last record begins. Items are known by keyed hashes: a million of them take 40 MB at most.
    last: HashMap<u64, u64>,
    /// Of each video the version of its last record: frames of an earlier one are of another content.
    versions: HashMap<u64, u64>,
    /// Where the reading ends: what is written later belongs to a later report.
    end: u64,
    /// Lines that hold no record; a torn last line is not among them.
    pub(super) unreadable: u64,
}

impl Journal {
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let end = file.metadata()?.len();
        let (lines, hasher) = (BufReader::with_capacity(256 << 10, file), RandomState::new());
        let mut journal = Self { lines, hasher, last: HashMap::new(), versions: HashMap::new(), end, unreadable: 0 };
        journal.index()?;
        Ok(journal)
    }

    fn index(&mut self) -> io::Result<()> {
        let (mut at, mut line) = (0, Vec::new());
        while let Some(next) = self.line(at, &mut line)? {
            match serde_json::from_slice::<Key>(&line) {
                Ok(Key { record: Kind::Run, .. }) => {}
                Ok(key) => {
                    if key.record != Kind::Image {
                        self.versions.insert(self.hasher.hash_one(&key.uri), self.hasher.hash_one(&key.version));
                    }
                    self.last.insert(self.hasher.hash_one((&key.uri, key.frame)), at);
                }
                // The tail of a run that was killed while it wrote.
                Err(_) if !line.ends_with(b"\n") && next >= self.end => {}
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => self.unreadable += 1,
            }
            at = next;
        }
        Ok(())
    }

    /// The line that begins at `at`, and where the next one does. Of a line that is too long nothing is kept.
    fn line(&mut self, at: u64, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
        line.clear();
        let mut next = at + (&mut self.lines).take(LINE.min(self.end - at)).read_until(b'\n', line)? as u64;
        if next == at {
            return Ok(None);
        }
        if line.len() as u64 == LINE && !line.ends_with(b"\n") {
            line.clear();
            line.extend(b"too long\n");
            next += skip(&mut self.lines, self.end - next)?;
        }
        Ok(Some(next))
    }

    /// Each run, and of each item the last record, in the order of the journal.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn each(&mut self, mut take: impl FnMut(Record)) -> io::Result<()> {
        self.lines.seek(SeekFrom::Start(0))?;
        let (mut at, mut line) = (0, Vec::new());
        while let Some(next) = self.line(at, &mut line)? {
            match serde_json::from_slice::<Record>(&line) {
                Ok(record) if self.is_last(&record, at) => take(record),
                // A key without the rest: counted here, as the first reading took it for a record.
                Err(_) if serde_json::from_slice::<Key>(&line).is_ok() => self.unreadable += 1,
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    fn is_last(&self, record: &Record, at: u64) -> bool {
        let (item, frame) = match record {
            Record::Run(_) => return true,
            Record::Image(image) => (&image.item, None),
            Record::Frame(frame) => (&frame.item, Some(frame.frame)),
            Record::Video(video) => (&video.item, None),
        };
        let last = self.last.get(&self.hasher.hash_one((&item.uri, frame))) == Some(&at);
        let version = self.hasher.hash_one(&item.version);
        last && (frame.is_none() || self.versions.get(&self.hasher.hash_one(&item.uri)) == Some(&version))
    }
}

/// Passes over the rest of a line, of which at most `most` bytes are there; how much that was.
fn skip(lines: &mut impl BufRead, most: u64) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let bytes = lines.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(bytes.len(), |end| end + 1);
        lines.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 || skipped >= most {
            return Ok(skipped.min(most));
        }
    }
}
