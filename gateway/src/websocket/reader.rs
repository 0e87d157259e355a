//! What a client sends: frames become messages, each read once, into memory of its own, and unmasked while it is still
//! in the processor's cache.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, Utf8Bytes};

use super::charge::Charge;
use super::frame::{Head, Opcode, unmask};
use super::scatter::Scatter;
use super::{CloseReason, Place};

/// Frames of one message. A message of 64 MiB in frames of 1 KiB is still taken.
const FRAGMENTS: u32 = 65_536;

/// Bytes that are read at once where frames begin; small messages come whole, and several together.
const AHEAD: usize = 16 << 10;

/// Bytes of a long payload that are read at once: they are unmasked before they leave the cache.
const PIECE: usize = 128 << 10;

/// Binary messages from this length on may be read straight to where their parts are needed.
const LONG: usize = 64 << 10;

/// A payload has its memory from the start up to this length; of what is longer, the claim alone is not believed.
const BELIEVED: usize = 8 << 20;

/// What came.
#[derive(Debug)]
pub(super) enum Event {
    /// A whole text or binary message.
    Message(Message),
    /// The start of a long binary message; [`Reader::place`] may say where the rest goes.
    Long,
    /// All of a message whose parts had places; its length.
    Placed(Vec<Place>, usize),
    /// Wants a pong with the same payload.
    Ping(Bytes),
    Pong,
    /// The client says goodbye; this is what it says.
    Close(Option<CloseFrame>),
}

/// The longest messages, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Longest {
    pub(super) text: usize,
    pub(super) any: usize,
}

/// The reading half of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    stream: OwnedReadHalf,
    /// What was read and not looked at yet. Holds no memory while nothing is there.
    ahead: BytesMut,
    /// The frame of data whose payload is being read.
    frame: Option<Open>,
    message: Option<Unfinished>,
    charge: Charge,
    /// The longest message.
    longest: Longest,
}

#[derive(Debug)]
struct Open {
    last: bool,
    key: [u8; 4],
    /// Bytes of the payload that are there, and that are not.
    have: usize,
    missing: usize,
}

#[derive(Debug)]
struct Unfinished {
    text: bool,
    since: Instant,
    frames: u32,
    data: BytesMut,
    /// Bytes of a text that are UTF-8.
    valid: usize,
    /// Whether to ask for places.
    ask: bool,
    /// Where its parts go, instead of into `data`.
    places: Option<Scatter>,
}

impl Reader {
    /// `early`: what was read of the stream before.
    pub(super) fn new(stream: OwnedReadHalf, early: &[u8], longest: Longest, charge: Charge) -> Self {
        Self { stream, ahead: early.into(), frame: None, message: None, charge, longest }
    }

    /// What comes next. Cancel safe: what was read stays.
    ///
    /// # Errors
    /// When the connection breaks, or has to be ended for what came.
    pub(super) async fn next(&mut self) -> Result<Event, CloseReason> {
        loop {
            if let Some(event) = self.known()? {
                return Ok(event);
            }
            match poll_fn(|cx| self.poll_more(cx)).await {
                Ok(0) | Err(_) => return Err(CloseReason::Lost),
                Ok(_) => {}
            }
        }
    }

    /// Since when a message is unfinished.
    pub(super) fn since(&self) -> Option<Instant> {
        self.message.as_ref().map(|message| message.since)
    }

    /// Reading goes on after a pause of ours, for which nobody is to blame.
    pub(super) fn resume(&mut self) {
        if let Some(message) = &mut self.message {
            message.since = Instant::now();
        }
    }

    /// The start of the long message that begins, and its length.
    pub(super) fn begun(&self) -> Option<(&[u8], usize)> {
        let (message, frame) = (self.message.as_ref()?, self.frame.as_ref()?);
        Some((&message.data, frame.have + frame.missing))
    }

    /// Where the parts of the long message go that begins; what is there of them already is copied.
    pub(super) fn place(&mut self, places: Vec<Place>) {
        let Some(message) = &mut self.message else { return };
        let mut places = Scatter(places);
        places.start(&message.data);
        message.data = BytesMut::new();
        message.places = Some(places);
    }

    pub(super) fn into_inner(self) -> OwnedReadHalf {
        self.stream
    }

    /// The next event that can be told from what is there.
    fn known(&mut self) -> Result<Option<Event>, CloseReason> {
        loop {
            if let Some(frame) = &mut self.frame {
                let Some(message) = &mut self.message else { return Err(CloseReason::Lost) };
                if frame.missing > 0 && !self.ahead.is_empty() {
                    let here = frame.missing.min(self.ahead.len());
                    message.data.extend_from_slice(&self.ahead[..here]);
                    self.ahead.advance(here);
                    frame.take(message, here);
                }
                let there = if message.places.is_some() { frame.have } else { message.data.len() };
                if !self.charge.set(there) {
                    return Err(CloseReason::Overloaded);
                }
                if frame.missing > 0 {
                    let ask = there > 0 && std::mem::take(&mut message.ask);
                    return Ok(ask.then_some(Event::Long));
                }
                let (last, length) = (frame.last, frame.have);
                self.frame = None;
                if last {
                    return self.whole(length).map(Some);
                }
                self.check_text()?;
            }
            let Some(head) = Head::parse(&self.ahead).map_err(|why| CloseReason::Protocol(why.to_owned()))? else {
                return Ok(None);
            };
            if !head.opcode.is_control() {
                self.ahead.advance(head.size);
                self.begin(&head)?;
                continue;
            }
            let length = usize::try_from(head.length).unwrap_or(usize::MAX);
            if self.ahead.len() - head.size < length {
                return Ok(None);
            }
            self.ahead.advance(head.size);
            let mut payload = self.ahead.split_to(length);
            unmask(&mut payload, head.key, 0);
            // A copy, so that it does not keep what was read with it.
            let payload = Bytes::copy_from_slice(&payload);
            return Ok(Some(match head.opcode {
                Opcode::Ping => Event::Ping(payload),
                Opcode::Close => Event::Close(goodbye(&payload)?),
                _ => Event::Pong,
            }));
        }
    }

    /// A frame of data begins.
    fn begin(&mut self, head: &Head) -> Result<(), CloseReason> {
        let broken = |why: &str| Err(CloseReason::Protocol(why.to_owned()));
        let message = match (head.opcode, &mut self.message) {
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Continuation, None) => return broken("a continuation of no message"),
            (_, Some(_)) => return broken("a message begins inside another"),
            (opcode, none) => {
                let text = opcode == Opcode::Text;
                let ask = !text && head.last && head.length >= LONG as u64;
                let (data, since) = (BytesMut::new(), Instant::now());
                none.insert(Unfinished { text, since, frames: 0, data, valid: 0, ask, places: None })
            }
        };
        let longest = if message.text { self.longest.text } else { self.longest.any };
        let room = longest - message.data.len();
        let Some(missing) = usize::try_from(head.length).ok().filter(|length| *length <= room) else {
            return Err(CloseReason::TooLarge);
        };
        message.frames += 1;
        if message.frames > FRAGMENTS {
            return Err(CloseReason::Fragments);
        }
        // Of what may get places, only the start is read before that is known.
        message.data.reserve(missing.min(if message.ask { AHEAD } else { BELIEVED }));
        self.frame = Some(Open { last: head.last, key: head.key, have: 0, missing });
        Ok(())
    }

    /// The message is all there.
    fn whole(&mut self, length: usize) -> Result<Event, CloseReason> {
        let Some(Unfinished { text, data, places, .. }) = self.message.take() else { return Err(CloseReason::Lost) };
        self.charge.set(0);
        if let Some(places) = places {
            // A message that has places is one frame.
            return Ok(Event::Placed(places.0, length));
        }
        let data = data.freeze();
        Ok(Event::Message(if text {
            Message::Text(Utf8Bytes::try_from(data).map_err(|_| CloseReason::NotUtf8)?)
        } else {
            Message::Binary(data)
        }))
    }

    /// A text that cannot become UTF-8 any more ends before all of it has come.
    fn check_text(&mut self) -> Result<(), CloseReason> {
        match &mut self.message {
            Some(message) if message.text => {
                message.valid += match std::str::from_utf8(&message.data[message.valid..]) {
                    Ok(text) => text.len(),
                    Err(e) if e.error_len().is_none() => e.valid_up_to(),
                    Err(_) => return Err(CloseReason::NotUtf8),
                };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads what is missing; 0 at the stream's end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) {
            if let Some(places) = &mut message.places {
                let (next, key) = ((frame.have, frame.missing.min(PIECE)), frame.key);
                let unmask = |bytes: &mut [u8]| unmask(bytes, key, next.0);
                let read = ready!(places.poll_read(Pin::new(&mut self.stream), cx, next, unmask))?;
                frame.have += read;
                frame.missing -= read;
                return Poll::Ready(Ok(read));
            }
            let (piece, believed) = if message.ask { (AHEAD, AHEAD) } else { (PIECE, BELIEVED) };
            let wanted = frame.missing.min(piece);
            // What got no places after all gets its memory at once, too, and not piece by piece.
            if message.data.capacity() - message.data.len() < wanted {
                message.data.reserve(frame.missing.min(believed));
            }
            let mut room = (&mut message.data).limit(wanted);
            let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut room))?;
            frame.take(message, read);
            return Poll::Ready(Ok(read));
        }
        let read = match self.stream.as_ref().poll_read_ready(cx)? {
            Poll::Ready(()) => {
                self.ahead.reserve(AHEAD);
                poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.ahead)
            }
            Poll::Pending => Poll::Pending,
        };
        // Who says nothing costs no buffer.
        if read.is_pending() && self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        read
    }
}

impl Open {
    /// Unmasks the last `bytes` bytes of the message, which are the next of this frame.
    fn take(&mut self, message: &mut Unfinished, bytes: usize) {
        let start = message.data.len() - bytes;
        unmask(&mut message.data[start..], self.key, self.have);
        self.have += bytes;
        self.missing -= bytes;
    }
}

/// What a Close frame says, where it says something that may be said (RFC 6455, section 7.4).
fn goodbye(payload: &[u8]) -> Result<Option<CloseFrame>, CloseReason> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseReason::Protocol("a Close of one byte".to_owned())) };
    };
    let reason = std::str::from_utf8(reason).map_err(|_| CloseReason::NotUtf8)?;
    let code = CloseCode::from(u16::from_be_bytes(*code));
    if !code.is_allowed() {
        return Err(CloseReason::Protocol(format!("a Close with the code {code}")));
    }
    Ok(Some(CloseFrame { code, reason: reason.into() }))
}
