//! Binary frames: a JSON header and parts.
//!
//! ```text
//! u32 little-endian: length of the header
//! the header: a JSON object; its "parts" lists the length of each part in bytes
//! each part, at the next multiple of 8 bytes from the start of the frame; zeros between; nothing after the last
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::LONGEST_HEADER;
use super::lenient::First;
use crate::echo;

/// Parts begin at multiples of this, so that tensors can be read in place.
const ALIGNMENT: usize = 8;

/// More parts than any model has inputs.
pub(super) const MOST_PARTS: usize = 1024;

/// A frame that was read: its header's text, and where its parts lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// JSON.
    pub header: &'a [u8],
    /// Byte ranges of the whole frame.
    pub parts: Vec<Range<usize>>,
}

/// Why a binary frame cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not even a header.
    #[error("the frame has {bytes} bytes, too few for a header of {header}")]
    Short {
        /// Of the frame.
        bytes: usize,
        /// As the frame says.
        header: usize,
    },
    /// No JSON object, or one whose `parts` is no list of lengths.
    #[error("the header is not as specified: {0}")]
    Header(String),
    /// Lengths that the frame does not have.
    #[error("the parts end at byte {parts}, the frame at byte {bytes}")]
    Length {
        /// By the header.
        parts: u64,
        /// Of the frame.
        bytes: usize,
    },
    /// Far more than anything needs.
    #[error("more than {MOST_PARTS} parts; at most {MOST_PARTS} are allowed")]
    Parts,
    /// A client's message without its parts is longer than any request needs.
    #[error("a text message, and the header of a frame, has at most {LONGEST_HEADER} bytes; this one has {0}")]
    Long(usize),
    /// No message of a client.
    #[error("{0}")]
    Message(String),
}

impl Malformed {
    /// serde repeats what it did not expect, however long that is.
    pub(super) fn message(why: &serde_json::Error) -> Self {
        Self::Message(echo::cut(why, echo::LONGEST))
    }

    fn header(why: &serde_json::Error) -> Self {
        Self::Header(echo::cut(why, echo::LONGEST))
    }
}

#[derive(Deserialize)]
struct Lengths {
    #[serde(default)]
    parts: First<u64, MOST_PARTS>,
}

/// A message of a client is an object, and not longer than it may be.
pub(super) fn check_object(json: &[u8]) -> Result<(), Malformed> {
    if json.len() > LONGEST_HEADER {
        return Err(Malformed::Long(json.len()));
    }
    // serde would take a list for an object.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(Malformed::Header("it is no JSON object".to_owned()));
    }
    Ok(())
}

#[derive(Serialize)]
struct Whole<'a, T> {
    #[serde(flatten)]
    message: &'a T,
    parts: Vec<usize>,
}

/// As the frame says; 0 where there is not even that.
fn header_length(frame: &[u8]) -> usize {
    frame.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize)
}

fn aligned(at: u64) -> u64 {
    at.next_multiple_of(ALIGNMENT as u64)
}

impl<'a> Frame<'a> {
    /// Finds header and parts. The header is not read beyond `parts`.
    ///
    /// # Errors
    /// When lengths do not fit each other.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::begin(bytes, bytes.len())
    }

    /// Finds header and parts of a client's frame, as [`Frame::parse`] does, where its header is not too long for one.
    ///
    /// # Errors
    /// Those of [`Frame::parse`], and [`Malformed::Long`].
    pub fn parse_request(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match header_length(bytes) {
            length if length > LONGEST_HEADER => Err(Malformed::Long(length)),
            _ => Self::parse(bytes),
        }
    }

    /// Finds header and parts of a frame of which only the start is there, as far as its header's end at least.
    ///
    /// # Errors
    /// When it is not, or when lengths do not fit each other.
    pub fn begin(bytes: &'a [u8], whole: usize) -> Result<Self, Malformed> {
        let length = header_length(bytes);
        let short = Malformed::Short { bytes: bytes.len(), header: length };
        if bytes.len() < 4 {
            return Err(short);
        }
        let header = bytes.get(4..4 + length).ok_or(short)?;
        // serde would take a list for an object.
        if !header.trim_ascii_start().starts_with(b"{") {
            return Err(Malformed::Header("it is no JSON object".to_owned()));
        }
        let Lengths { parts } = serde_json::from_slice(header).map_err(|e| Malformed::header(&e))?;
        let First(parts) = parts;
        if parts.len() > MOST_PARTS {
            return Err(Malformed::Parts);
        }
        let mut end = 4 + length as u64;
        let mut ranges = Vec::with_capacity(parts.len());
        for part in parts {
            let start = aligned(end);
            end = start.saturating_add(part);
            if end > whole as u64 {
                return Err(Malformed::Length { parts: end, bytes: whole });
            }
            ranges.push(start as usize..end as usize);
        }
        if end != whole as u64 {
            return Err(Malformed::Length { parts: end, bytes: whole });
        }
        Ok(Self { header, parts: ranges })
    }
}

/// A frame of a message and its parts.
///
/// # Errors
/// When the message cannot be written as JSON.
pub fn encode(message: &impl Serialize, parts: &[&[u8]]) -> Result<Vec<u8>, serde_json::Error> {
    let header = serde_json::to_vec(&Whole { message, parts: parts.iter().map(|part| part.len()).collect() })?;
    let body: usize = parts.iter().map(|part| part.len() + ALIGNMENT).sum();
    let mut frame = Vec::with_capacity(4 + header.len() + body);
    frame.extend((header.len() as u32).to_le_bytes());
    frame.extend(header);
    for part in parts {
        frame.resize(frame.len().next_multiple_of(ALIGNMENT), 0);
        frame.extend_from_slice(part);
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for parts in [vec![], vec![&b""[..]], vec![&b"abc"[..], &b"12345678"[..], &b""[..], &b"z"[..]]] {
            let bytes = encode(&json!({"type": "x"}), &parts).unwrap();
            let frame = Frame::parse(&bytes).unwrap();
            assert_eq!(frame.parts.iter().map(|part| &bytes[part.clone()]).collect::<Vec<_>>(), parts);
            assert!(frame.parts.iter().all(|part| part.start % 8 == 0));
            let header: serde_json::Value = serde_json::from_slice(frame.header).unwrap();
            assert_eq!(header["type"], "x");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let frame = |header: &str, rest: &[u8]| [&(header.len() as u32).to_le_bytes()[..], header.as_bytes(), rest].concat();
        assert!(matches!(Frame::parse(&[]), Err(Malformed::Short { .. })));
        assert!(matches!(Frame::parse(&[9, 0, 0, 0, b'{']), Err(Malformed::Short { .. })));
        assert!(matches!(Frame::parse(&[255; 8]), Err(Malformed::Short { .. })));
        assert!(matches!(Frame::parse(&frame("[]", b"")), Err(Malformed::Header(_))));
        assert!(matches!(Frame::parse(&frame(r#"{"parts":[-1]}"#, b"")), Err(Malformed::Header(_))));
        assert!(matches!(Frame::parse(&frame(r#"{"parts":[1]}"#, b"")), Err(Malformed::Length { .. })));
        assert!(matches!(Frame::parse(&frame("{}", b"a")), Err(Malformed::Length { .. })));
        assert!(matches!(Frame::parse(&frame(r#"{"parts":[18446744073709551615]}"#, b"")), Err(Malformed::Length { .. })));
        let many = format!(r#"{{"parts":[{}]}}"#, vec!["0"; 2000].join(","));
        assert_eq!(Frame::parse(&frame(&many, b"")), Err(Malformed::Parts));
    }

    #[test]
    fn a_request_s_header_has_an_end() {
        let frame = |header: usize| {
            let padding = " ".repeat(header - 2);
            [&(header as u32).to_le_bytes()[..], b"{", padding.as_bytes(), b"}"].concat()
        };
        assert!(Frame::parse_request(&frame(LONGEST_HEADER)).is_ok());
        assert_eq!(Frame::parse_request(&frame(LONGEST_HEADER + 1)), Err(Malformed::Long(LONGEST_HEADER + 1)));
        // An answer of a thousand classes for each model is longer.
        assert!(Frame::parse(&frame(LONGEST_HEADER + 1)).is_ok());
        // It is told from the claim alone.
        assert_eq!(Frame::parse_request(&[255; 8]), Err(Malformed::Long(u32::MAX as usize)));
    }
}
