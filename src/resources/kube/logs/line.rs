//! One line of a log with its time, read in bounded memory.

use futures::{AsyncBufRead, AsyncBufReadExt};
use jiff::Timestamp;

/// The most bytes of a line that are kept; the rest of it is counted.
pub const LONGEST: usize = 64 << 10;

/// A line as Kubernetes hands it out with `timestamps=true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When the container wrote it; None: the kubelet put no time before it.
    pub at: Option<Timestamp>,
    /// Without its end, at most [`LONGEST`] bytes.
    pub text: String,
    /// Bytes of it that are not in `text`.
    pub cut: usize,
}

impl Line {
    fn of(bytes: &[u8], cut: usize) -> Self {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        if let Some((time, rest)) = text.split_once(' ')
            && let Ok(at) = time.parse()
        {
            return Self { at: Some(at), text: rest.to_owned(), cut };
        }
        // An empty line is only its time.
        match text.trim_end().parse() {
            Ok(at) => Self { at: Some(at), text: String::new(), cut },
            Err(_) => Self { at: None, text: text.into_owned(), cut },
        }
    }
}

/// The next line; None at the end.
///
/// # Errors
/// What reading fails with.
pub(super) async fn next(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Line>> {
    let (mut kept, mut cut, mut any) = (Vec::new(), 0, false);
    loop {
        let found = from.fill_buf().await?;
        if found.is_empty() {
            return Ok(any.then(|| Line::of(&kept, cut)));
        }
        any = true;
        let end = found.iter().position(|byte| *byte == b'\n');
        let part = &found[..end.unwrap_or(found.len())];
        let room = LONGEST.saturating_sub(kept.len()).min(part.len());
        kept.extend_from_slice(&part[..room]);
        cut += part.len() - room;
        let taken = end.map_or(found.len(), |end| end + 1);
        from.consume_unpin(taken);
        if end.is_some() {
            return Ok(Some(Line::of(&kept, cut)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<Line> {
        // Three bytes at a time, so that no line comes whole.
        let mut from = futures::io::BufReader::with_capacity(3, bytes);
        let mut lines = Vec::new();
        while let Some(line) = next(&mut from).await.unwrap() {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn a_line_has_its_time_and_one_without_is_kept_whole() {
        let read = lines(b"2026-11-30T04:29:10.123456789Z I1130 up\r\nfailed to open\n2026-11-30T04:29:11Z \nlast").await;
        let told: Vec<_> = read.iter().map(|line| (line.at.map(|at| at.to_string()), line.text.as_str())).collect();
        let at = |text: &str| Some(text.to_owned());
        let wanted = [
            (at("2026-11-30T04:29:10.123456789Z"), "I1130 up"),
            (None, "failed to open"),
            (at("2026-11-30T04:29:11Z"), ""),
            (None, "last"),
        ];
        assert_eq!(told, wanted);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_cut_and_what_follows_it_is_read() {
        let long = format!("{}\nnext\n", "x".repeat(LONGEST + 1000));
        let read = lines(long.as_bytes()).await;
        assert_eq!((read[0].text.len(), read[0].cut), (LONGEST, 1000));
        assert_eq!((read[1].text.as_str(), read[1].cut), ("next", 0));
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_end_the_log() {
        let read = lines(b"2026-11-30T04:29:10Z \xff\xfe!\nnext\n").await;
        assert_eq!((read[0].text.as_str(), read[1].text.as_str()), ("\u{fffd}\u{fffd}!", "next"));
    }
}
