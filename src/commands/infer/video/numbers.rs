//! Which frame it is that comes: ffmpeg tells the number and the time of each decoded frame on a pipe of its own.
//!
//! Two `metadata` filters print there, one for every decoded frame and one for every sampled one:
//! ```text
//! frame:30   pts:1000000 pts_time:1
//! tritondeploy.decoded=1
//! ```
//! Times are microseconds; what stands after `frame:` counts from 0, in the order of presentation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::UnboundedSender;

use super::sampling::Sampling;

/// Printed for every decoded frame, and for every sampled one.
pub(super) const DECODED: &str = "tritondeploy.decoded";
pub(super) const SAMPLED: &str = "tritondeploy.sampled";

/// Decoded frames of which it is not known yet whether they were sampled. ffmpeg tells it at once.
const OPEN: usize = 4096;

/// A line is at most 128 bytes long.
const LINE: usize = 4096;

/// Number and time of a sampled frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Numbered {
    pub(super) number: u64,
    /// Seconds.
    pub(super) at: Option<f64>,
}

/// What was decoded in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) decoded: u64,
    /// Seconds from the first frame to the last one.
    pub(super) seconds: f64,
    /// The numbers did not follow each other, so that nothing after that is certain.
    pub(super) torn: bool,
}

/// Reads the pipe to its end, sends each sampled frame's number, and counts into `decoded` as it goes.
pub(super) async fn read(
    mut pipe: impl AsyncRead + Unpin,
    sampling: Sampling,
    sampled: UnboundedSender<Numbered>,
    decoded: Arc<AtomicU64>,
) -> Tally {
    let mut numbers =
        Numbers { sampling, sampled, decoded, tally: Tally::default(), last: None, first: None, open: VecDeque::new() };
    let mut line = Vec::new();
    let mut piece = [0; 8192];
    while let Ok(read @ 1..) = pipe.read(&mut piece).await {
        for byte in &piece[..read] {
            match byte {
                b'\n' => {
                    numbers.line(&line);
                    line.clear();
                }
                _ if line.len() < LINE => line.push(*byte),
                _ => {}
            }
        }
    }
    numbers.tally
}

struct Numbers {
    sampling: Sampling,
    sampled: UnboundedSender<Numbered>,
    decoded: Arc<AtomicU64>,
    tally: Tally,
    /// The frame that the next key is about.
    last: Option<(u64, Option<i64>)>,
    /// Microseconds.
    first: Option<i64>,
    open: VecDeque<(u64, Option<i64>)>,
}

impl Numbers {
    fn line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if let Some(frame) = line.strip_prefix("frame:") {
            let (number, rest) = frame.split_once("pts:").unwrap_or((frame, ""));
            let pts = rest.split_whitespace().next().and_then(|pts| pts.parse().ok());
            self.last = number.trim().parse().ok().map(|number| (number, pts));
        } else if let (Some((key, _)), Some((number, pts))) = (line.split_once('='), self.last) {
            match key {
                DECODED => self.decoded(number, pts),
                SAMPLED => self.sampled(pts),
                _ => {}
            }
        }
    }

    fn decoded(&mut self, number: u64, pts: Option<i64>) {
        self.tally.torn |= number != self.tally.decoded;
        self.tally.decoded = number.saturating_add(1);
        self.decoded.store(self.tally.decoded, Ordering::Relaxed);
        let first = *self.first.get_or_insert(pts.unwrap_or(0));
        if let Some(pts) = pts {
            self.tally.seconds = self.tally.seconds.max(pts.saturating_sub(first) as f64 / 1e6);
        }
        match self.sampling {
            Sampling::Every(every) if number.is_multiple_of(u64::from(every)) => self.send(number, pts),
            Sampling::Every(_) => {}
            Sampling::Fps(_) => {
                if self.open.len() == OPEN {
                    self.open.pop_front();
                }
                self.open.push_back((number, pts));
            }
        }
    }

    /// By time, only ffmpeg knows which ones. Of several frames with one time it takes the first.
    fn sampled(&mut self, pts: Option<i64>) {
        while let Some((number, at)) = self.open.pop_front() {
            if at == pts {
                return self.send(number, pts);
            }
        }
    }

    fn send(&self, number: u64, pts: Option<i64>) {
        // Nobody waits for it once the frames are given up.
        let _ = self.sampled.send(Numbered { number, at: pts.map(|pts| pts as f64 / 1e6) });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    async fn numbered(sampling: Sampling, text: &str) -> (Vec<Numbered>, Tally) {
        let (send, mut sampled) = mpsc::unbounded_channel();
        let decoded = Arc::new(AtomicU64::new(0));
        let tally = read(text.as_bytes(), sampling, send, decoded.clone()).await;
        assert_eq!(decoded.load(Ordering::Relaxed), tally.decoded);
        let mut all = Vec::new();
        while let Some(frame) = sampled.recv().await {
            all.push(frame);
        }
        (all, tally)
    }

    fn decoded(number: u64, pts: &str) -> String {
        format!("frame:{number:<4} pts:{pts:<7} pts_time:0\n{DECODED}=1\n")
    }

    #[tokio::test]
    async fn every_nth_frame_is_numbered_with_its_time_or_without() {
        let text: String = ["0", "40000", "NOPTS", "120000", "160000"].iter().zip(0..).map(|(pts, n)| decoded(n, pts)).collect();
        let (sampled, tally) = numbered(Sampling::Every(2), &text).await;
        let of = |number, at| Numbered { number, at };
        assert_eq!(sampled, [of(0, Some(0.0)), of(2, None), of(4, Some(0.16))]);
        assert_eq!(tally, Tally { decoded: 5, seconds: 0.16, torn: false });
    }

    #[tokio::test]
    async fn by_time_the_sampled_frame_is_the_first_with_its_time() {
        let sampled = |pts: &str| format!("frame:9 pts:{pts} pts_time:0\n{SAMPLED}=1\n");
        let parts =
            [decoded(0, "0"), sampled("0"), decoded(1, "5"), decoded(2, "7"), decoded(3, "7"), sampled("7"), decoded(4, "9")];
        let (all, _) = numbered(Sampling::Fps(1.0), &parts.concat()).await;
        assert_eq!(all.iter().map(|frame| frame.number).collect::<Vec<_>>(), [0, 2]);
    }

    #[tokio::test]
    async fn what_is_no_frame_is_passed_over_and_a_gap_is_told() {
        let long = "x".repeat(100_000);
        let text = format!("{DECODED}=1\nframe:abc\n{DECODED}=1\n{long}\nother=1\n{}{}", decoded(0, "0"), decoded(2, "1"));
        let (all, tally) = numbered(Sampling::Every(1), &text).await;
        assert_eq!(all.len(), 2);
        assert!(tally.torn);
        assert!(!numbered(Sampling::Every(1), "").await.1.torn);
    }
}
