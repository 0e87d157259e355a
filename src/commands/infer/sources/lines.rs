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

/// Lines that may be read before they are looked at.
const AHEAD: usize = 64;

/// Everything that the list names: paths as they are, `s3://BUCKET/KEY` without a look at the object, and all below
/// `s3://BUCKET/PREFIX/`.
pub(super) async fn all(s3: Option<&aws_sdk_s3::Client>, seen: &Arc<Seen>, to: &mpsc::Sender<Found>) -> ControlFlow<()> {
    let (sender, mut lines) = mpsc::channel(AHEAD);
    let unread = seen.clone();
    spawn_blocking(move || {
        if let Err(why) = read(&mut std::io::stdin().lock(), |line| sender.blocking_send(line).is_ok()) {
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

/// Reads entries until `each` says that it is enough. What comes first of NUL and the line's end, ends each of them.
fn read(from: &mut impl BufRead, mut each: impl FnMut(Vec<u8>) -> bool) -> std::io::Result<()> {
    let mut end = None;
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
        if entry.len() as u64 == LONGEST {
            return Err(std::io::Error::other(format!("an entry of the list has more than {LONGEST} bytes")));
        }
        entry.pop_if(|byte| Some(*byte) == end);
        if end == Some(b'\n') {
            entry.pop_if(|byte| *byte == b'\r');
        }
        if !entry.is_empty() && !each(entry) {
            return Ok(());
        }
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
        read(&mut &text[..], |entry| {
            found.push(String::from_utf8(entry).unwrap());
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn entries_end_with_the_line_or_with_nul() {
        assert_eq!(entries(b"a\n\nb c\r\nlast"), ["a", "b c", "last"]);
        assert_eq!(entries(b"a\nb.jpg\0c\0"), ["a", "b.jpg\0c\0"], "the first end is a line's");
        assert_eq!(entries(b"a.jpg\0b\nc.jpg\0"), ["a.jpg", "b\nc.jpg"]);
        assert!(entries(b"").is_empty());
    }

    #[test]
    fn a_list_that_never_ends_a_line_is_not_read_into_memory() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(read(&mut endless, |_| true).is_err());
    }
}
