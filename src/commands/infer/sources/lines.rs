//! A list of sources on standard input: one a line, or with a NUL after each.

use std::ffi::OsString;
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Found, Seen, files, objects};

/// No path and no key is longer.
const LONGEST: u64 = 8 << 10;

/// So far the end of one that is too long is looked for, in bytes.
const FARTHEST: usize = 16 << 20;

/// Lines that may be read before they are looked at.
const AHEAD: usize = 64;

/// Everything that the list names: paths as they are, `s3://BUCKET/KEY` without a look at the object, and all below
/// `s3://BUCKET/PREFIX/`.
pub(super) async fn all(s3: Option<&aws_sdk_s3::Client>, seen: &Arc<Seen>, to: &mpsc::Sender<Found>) -> ControlFlow<()> {
    let (sender, mut lines) = mpsc::channel(AHEAD);
    let unread = seen.clone();
    spawn_blocking(move || {
        let each = |entry| match entry {
            Entry::Whole(line) => sender.blocking_send(line).is_ok(),
            Entry::TooLong(begin) => {
                let begin = String::from_utf8_lossy(&begin).chars().take(60).collect::<String>();
                unread.problem(format!("standard input: {begin}...: an entry of the list has more than {LONGEST} bytes"));
                true
            }
        };
        if let Err(why) = read(&mut std::io::stdin().lock(), each) {
            unread.problem(format!("standard input: {why}"));
        }
    });
    while let Some(line) = lines.recv().await {
        match std::str::from_utf8(&line).ok().and_then(|text| text.strip_prefix("s3://")).map(str::to_owned) {
            Some(address) => match address.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !key.ends_with('/') => {
                    objects::one(bucket.to_owned(), key.to_owned(), seen, to).await?;
                }
                Some((bucket, prefix)) if !bucket.is_empty() => objects::all(s3, bucket, prefix, seen, to).await?,
                _ => seen.problem(format!("s3://{address}: it names no object")),
            },
            None => {
                let (seen, to) = (seen.clone(), to.clone());
                let path = PathBuf::from(OsString::from_vec(line));
                spawn_blocking(move || files::listed(&path, &seen, &to)).await.unwrap_or(ControlFlow::Break(()))?;
            }
        }
    }
    ControlFlow::Continue(())
}

/// What is read of a list.
enum Entry {
    Whole(Vec<u8>),
    /// Its begin: nothing that is so long can be there.
    TooLong(Vec<u8>),
}

/// Some editors put it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads entries until `each` says that it is enough. What comes first of NUL and the line's end, ends each of them.
fn read(from: &mut impl BufRead, mut each: impl FnMut(Entry) -> bool) -> std::io::Result<()> {
    let (mut end, mut is_first) = (None, true);
    loop {
        let mut entry = Vec::new();
        let limited = &mut from.by_ref().take(LONGEST);
        match end {
            Some(end) => limited.read_until(end, &mut entry)?,
            None => first(limited, &mut entry, &mut end)?,
        };
        if entry.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut is_first) && entry.starts_with(BYTE_ORDER_MARK) {
            entry.drain(..BYTE_ORDER_MARK.len());
        }
        if entry.len() as u64 == LONGEST && entry.last().copied() != end {
            if !each(Entry::TooLong(entry)) || !past(from, &mut end)? {
                return Ok(());
            }
            continue;
        }
        entry.pop_if(|byte| Some(*byte) == end);
        if end == Some(b'\n') {
            entry.pop_if(|byte| *byte == b'\r');
        }
        if !entry.is_empty() && !each(Entry::Whole(entry)) {
            return Ok(());
        }
    }
}

/// Reads past the end of an entry; false: that was all.
///
/// # Errors
/// There is no end in sight.
fn past(from: &mut impl BufRead, end: &mut Option<u8>) -> std::io::Result<bool> {
    let mut left = FARTHEST;
    loop {
        let some = from.fill_buf()?;
        let at = some.iter().position(|byte| end.map_or(matches!(byte, 0 | b'\n'), |end| *byte == end));
        if let Some(at) = at {
            *end = Some(some[at]);
        }
        let bytes = at.map_or(some.len(), |at| at + 1);
        from.consume(bytes);
        if at.is_some() || bytes == 0 {
            return Ok(at.is_some());
        }
        left = left.checked_sub(bytes).ok_or_else(|| std::io::Error::other("it has no ends of lines"))?;
    }
}

/// The first entry, whose end says how all of them end.
fn first(from: &mut impl BufRead, entry: &mut Vec<u8>, end: &mut Option<u8>) -> std::io::Result<usize> {
    for byte in from.bytes() {
        let byte = byte?;
        entry.push(byte);
        if matches!(byte, 0 | b'\n') {
            *end = Some(byte);
            break;
        }
    }
    Ok(entry.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let each = |entry| {
            found.push(match entry {
                Entry::Whole(entry) => String::from_utf8(entry).unwrap(),
                Entry::TooLong(_) => "(too long)".to_owned(),
            });
            true
        };
        read(&mut &text[..], each).unwrap();
        found
    }

    #[test]
    fn entries_end_with_the_line_or_with_nul() {
        assert_eq!(entries(b"a\n\nb c\r\nlast"), ["a", "b c", "last"]);
        assert_eq!(entries(b"a\nb.jpg\0c\0"), ["a", "b.jpg\0c\0"], "the first end is a line's");
        assert_eq!(entries(b"a.jpg\0b\nc.jpg\0"), ["a.jpg", "b\nc.jpg"]);
        assert_eq!(entries(b"\xef\xbb\xbfa\nb"), ["a", "b"], "an editor's mark is no part of the first name");
        assert!(entries(b"").is_empty());
    }

    #[test]
    fn an_entry_that_is_too_long_is_told_and_those_behind_it_are_read() {
        let list = format!("a\n{}\nb\n", "x".repeat(20_000));
        assert_eq!(entries(list.as_bytes()), ["a", "(too long)", "b"]);
        let just = "y".repeat(LONGEST as usize - 1);
        assert_eq!(entries(format!("a\n{just}\nb").as_bytes()), ["a", &just, "b"]);
        assert_eq!(entries(format!("{}\nb\0c\n", "x".repeat(20_000)).as_bytes()), ["(too long)", "b\0c"]);
        assert_eq!(entries("x".repeat(20_000).as_bytes()), ["(too long)"]);
    }

    #[test]
    fn a_list_that_never_ends_a_line_is_not_read_into_memory() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(read(&mut endless, |_| true).is_err());
    }
}
