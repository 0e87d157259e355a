//! A file as a decoder of protobuf reads it, piece by piece. What the decoder passes over, most of a model, is never read.

use std::fs::File;
use std::io::{Error, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Buf;

/// Fields that are read are short; a weight that is passed over costs one piece.
const PIECE: usize = 64 << 10;

pub(super) struct Pieces {
    file: File,
    piece: Vec<u8>,
    /// What of the piece is consumed.
    at: usize,
    /// What of the file comes after the piece.
    left: usize,
    /// A decoder knows no failing reads: it gets zeros, and whoever called it asks here.
    failed: Option<Error>,
}

impl Pieces {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let left = usize::try_from(file.metadata()?.len()).map_err(Error::other)?;
        let mut pieces = Self { file, piece: Vec::new(), at: 0, left, failed: None };
        pieces.next(0);
        Ok(pieces)
    }

    /// Why the file could not be read to where the decoder came.
    pub(super) fn failure(self) -> Option<Error> {
        self.failed
    }

    /// The piece that begins so many bytes after the end of this one.
    fn next(&mut self, skipped: usize) {
        self.left = self.left.saturating_sub(skipped);
        self.piece.resize(self.left.min(PIECE), 0);
        self.left -= self.piece.len();
        self.at = 0;
        let skipped = i64::try_from(skipped).map_err(Error::other);
        let read = skipped.and_then(|skipped| match skipped {
            0 => Ok(0),
            skipped => self.file.seek(SeekFrom::Current(skipped)),
        });
        if let Err(why) = read.and_then(|_| self.file.read_exact(&mut self.piece)) {
            self.piece.fill(0);
            self.failed.get_or_insert(why);
        }
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.piece.len() - self.at + self.left
    }

    fn chunk(&self) -> &[u8] {
        &self.piece[self.at..]
    }

    fn advance(&mut self, count: usize) {
        match count.checked_sub(self.piece.len() - self.at) {
            None => self.at += count,
            Some(beyond) => self.next(beyond),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_where_it_is_in_the_file_whatever_is_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        for step in [1, 2, 1000, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5] {
            let (mut pieces, mut at) = (Pieces::of(file.path()).unwrap(), 0);
            while at < bytes.len() {
                assert_eq!((pieces.remaining(), pieces.chunk()[0]), (bytes.len() - at, bytes[at]), "{at} by {step}");
                let step = step.min(bytes.len() - at);
                pieces.advance(step);
                at += step;
            }
            assert!(!pieces.has_remaining() && pieces.chunk().is_empty() && pieces.failure().is_none());
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_a_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(2 * PIECE as u64).unwrap();
        let mut pieces = Pieces::of(file.path()).unwrap();
        file.as_file().set_len(PIECE as u64).unwrap();
        pieces.advance(PIECE);
        assert_eq!(pieces.chunk().len(), PIECE);
        assert!(pieces.failure().is_some());
    }
}
