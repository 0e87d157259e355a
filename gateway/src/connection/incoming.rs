//! The message that is still coming: what it costs, and how long it may take.
//!
//! tungstenite gathers a message until it is whole and tells nothing meanwhile; so the frames' headers are followed
//! below it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::Frames;

/// A message's first bytes are free: small messages do not touch what all connections share.
const FREE: usize = 64 << 10;

/// What is charged at a time.
const STEP: usize = 256 << 10;

/// Frames of one message. A message of 64 MiB in frames of 1 KiB is still taken.
const FRAGMENTS: u32 = 65_536;

/// Why no more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// All connections together are sending too much just now.
    Overloaded,
    /// The message does not end.
    Slow,
    /// The message comes in too many pieces.
    Fragments,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overloaded => "too much is being sent just now",
            Self::Slow => "the message does not end",
            Self::Fragments => "too many fragments",
        })
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Bytes that the unfinished messages of all connections may have.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// In bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    fn take(&self, bytes: usize) -> bool {
        let sum = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
    }
}

/// What one connection has taken of the budget; given back when dropped.
#[derive(Debug)]
struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    fn set(&mut self, wanted: usize) -> bool {
        if wanted > self.bytes && !self.budget.take(wanted - self.bytes) {
            return false;
        }
        if wanted < self.bytes {
            self.budget.used.fetch_sub(self.bytes - wanted, Ordering::Relaxed);
        }
        self.bytes = wanted;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The frames of a connection, seen from below the WebSocket and from above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Mutex<Frames>>);

impl Watch {
    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reading goes on after a pause of ours, for which nobody is to blame.
    pub(super) fn resume(&self) {
        self.frames().restart(Instant::now());
    }
}

/// A client's TCP stream; reading fails with a [`Refusal`] when a message costs too much.
#[derive(Debug)]
pub(super) struct Incoming {
    stream: TcpStream,
    watch: Watch,
    charge: Charge,
    time: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// `early`: what was read of the stream before. `time`: how long a message may take.
    pub(super) fn new(stream: TcpStream, early: &[u8], watch: Watch, budget: &Arc<Budget>, time: Duration) -> Self {
        watch.frames().follow(early, Instant::now());
        Self { stream, watch, charge: Charge { budget: budget.clone(), bytes: 0 }, time, timer: None }
    }

    /// The stream alone; what was taken of the budget is given back.
    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Holds what is unfinished against the limits.
    fn check(&mut self, cx: &mut Context<'_>, waits: bool) -> Result<(), Refusal> {
        let (open, bytes, frames) = {
            let frames = self.watch.frames();
            (frames.since(), frames.bytes(), frames.count())
        };
        let wanted = if bytes > FREE { bytes.next_multiple_of(STEP) } else { 0 };
        if wanted != self.charge.bytes && !self.charge.set(wanted) {
            return Err(Refusal::Overloaded);
        }
        if frames > FRAGMENTS {
            return Err(Refusal::Fragments);
        }
        let Some(since) = open else {
            self.timer = None;
            return Ok(());
        };
        if !waits {
            return Ok(());
        }
        let deadline = since + self.time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_ready() { Err(Refusal::Slow) } else { Ok(()) }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch.frames().follow(&buf.filled()[before..], Instant::now());
        self.check(cx, read.is_pending()).map_err(io::Error::other)?;
        read
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
