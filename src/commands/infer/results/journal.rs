//! The file behind a run: one record a line, appended, never changed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::Record;
use crate::error::Error;

/// What the first line of a journal begins with.
const BEGIN: &[u8] = br#"{"record":"run""#;

/// A journal that only we may write.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    /// Of whole lines, in bytes.
    length: u64,
}

impl Journal {
    /// A new journal; `path` must not exist.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(path)?;
        file.lock()?;
        Ok(Self { file, path: path.to_owned(), length: 0 })
    }

    /// Opens a journal to go on with it; a line that was being written when its run was killed is cut off. Each record
    /// goes to `each`, with its offset.
    ///
    /// # Errors
    /// When it cannot be read, another run writes it, or a line is no record.
    pub(crate) fn open(path: &Path, mut each: impl FnMut(u64, Record) -> Result<(), Error>) -> Result<Self, Error> {
        let failed = |why: io::Error| Error::usage(format!("the journal {} cannot be opened: {why}", path.display()), ANOTHER);
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("another tritondeploy writes the journal {}", path.display());
                return Err(Error::usage(why, "wait until that one has ended, or begin a new run without --resume"));
            }
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
        let mut journal = Self { file, path: path.to_owned(), length: 0 };
        journal.lines(&mut each).map_err(|why| match why {
            Unread::Io(why) => failed(why),
            Unread::Record { line, why } => {
                let why = format!("line {line} of the journal {} is no record: {why}", path.display());
                Error::failed(why, ANOTHER)
            }
            Unread::Refused(why) => why,
        })?;
        journal.file.set_len(journal.length).map_err(failed)?;
        Ok(journal)
    }

    /// Reads the whole lines, and remembers where the last one ends.
    fn lines(&mut self, each: &mut impl FnMut(u64, Record) -> Result<(), Error>) -> Result<(), Unread> {
        self.file.seek(SeekFrom::Start(0)).map_err(Unread::Io)?;
        let mut reader = BufReader::with_capacity(256 << 10, &self.file);
        let (mut text, mut line) = (Vec::new(), 0);
        loop {
            text.clear();
            line += 1;
            let bytes = reader.read_until(b'\n', &mut text).map_err(Unread::Io)?;
            if text.last() != Some(&b'\n') {
                // What a killed run was writing is cut off; what nobody of ours wrote is left alone.
                let is_ours = self.length > 0 || text.starts_with(BEGIN) || BEGIN.starts_with(&text);
                let why = || "it does not begin as a journal does".to_owned();
                return if is_ours { Ok(()) } else { Err(Unread::Record { line, why: why() }) };
            }
            let record = serde_json::from_slice(&text).map_err(|why| Unread::Record { line, why: why.to_string() })?;
            each(self.length, record).map_err(Unread::Refused)?;
            self.length += bytes as u64;
        }
    }

    /// Appends one record; where it begins. It is in the kernel's hands when this returns, so that the death of this
    /// process does not lose it.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left behind where that can be helped.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<u64> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if let Err(why) = self.file.write_all(&line) {
            // A full disk takes a part of a line. If it cannot be cut off now, the next resumption does.
            let _ = self.file.set_len(self.length);
            return Err(why);
        }
        let begin = self.length;
        self.length += line.len() as u64;
        Ok(begin)
    }

    /// The record that begins at `offset`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, offset: u64) -> io::Result<Record> {
        let mut text = vec![0; 1 << 10];
        let mut filled = 0;
        loop {
            let bytes = self.file.read_at(&mut text[filled..], offset + filled as u64)?;
            if let Some(end) = text[filled..filled + bytes].iter().position(|byte| *byte == b'\n') {
                return Ok(serde_json::from_slice(&text[..filled + end])?);
            }
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += bytes;
            if filled == text.len() {
                text.resize(filled * 2, 0);
            }
        }
    }

    /// Another handle of the file, to make it outlast a crash of the machine, too, while it is written.
    ///
    /// # Errors
    /// When there are too many open files.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What to do about a journal that cannot be used.
pub(super) const ANOTHER: &str = "name another journal with --resume=FILE, or begin a new run without --resume";

/// Why lines cannot be read.
enum Unread {
    Io(io::Error),
    Record { line: u64, why: String },
    Refused(Error),
}

#[cfg(test)]
mod tests {
    use super::super::record::{Answer, Image, Item};
    use super::*;

    fn image(uri: &str) -> Record {
        let item = Item { uri: uri.to_owned(), version: "v".to_owned() };
        let answer = Answer { results: Vec::new(), error: None, seconds: 0.5, thumbnail: None };
        Record::Image(Image { item, place: 0, answer })
    }

    fn opened(path: &Path) -> (Journal, Vec<(u64, Record)>) {
        let mut found = Vec::new();
        let journal = Journal::open(path, |offset, record| {
            found.push((offset, record));
            Ok(())
        });
        (journal.unwrap(), found)
    }

    #[test]
    fn a_torn_line_is_cut_off_and_what_follows_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        let long = "x".repeat(5000);
        let offsets = [journal.append(&image("a")).unwrap(), journal.append(&image(&long)).unwrap()];
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"record\":\"image\",\"ur").unwrap();
        let (mut journal, found) = opened(&path);
        assert_eq!(found, [(offsets[0], image("a")), (offsets[1], image(&long))]);
        let third = journal.append(&image("c\nd")).unwrap();
        assert_eq!((journal.read(third).unwrap(), journal.read(offsets[1]).unwrap()), (image("c\nd"), image(&long)));
        drop(journal);
        assert_eq!(opened(&path).1.len(), 3);
    }

    #[test]
    fn a_journal_that_another_run_writes_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        let first = Journal::create(&path).unwrap();
        let refused = Journal::open(&path, |_, _| Ok(())).unwrap_err().to_string();
        assert!(refused.contains("another tritondeploy writes"), "{refused}");
        drop(first);
        assert!(Journal::open(&path, |_, _| Ok(())).is_ok());
    }

    #[test]
    fn a_file_that_is_no_journal_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for text in ["a token, without a line's end", "{\"record\":\"image\",\"uri\":\"a\"", "a\nb"] {
            std::fs::write(&path, text).unwrap();
            let refused = Journal::open(&path, |_, _| Ok(())).unwrap_err().to_string();
            assert!(refused.contains("line 1 of the journal"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it was changed");
        }
        for torn in ["", "{\"rec", "{\"record\":\"run\",\"vers"] {
            std::fs::write(&path, torn).unwrap();
            assert!(Journal::open(&path, |_, _| Ok(())).is_ok(), "{torn}");
            assert_eq!(std::fs::read(&path).unwrap(), b"");
        }
    }

    #[test]
    fn a_whole_line_that_is_no_record_is_told_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let refused = Journal::open(&path, |_, _| Ok(())).unwrap_err().to_string();
        assert!(refused.contains("line 1 of the journal"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n", "it was changed");
    }
}
