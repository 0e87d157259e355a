//! What a client is sent: frames of the server, small ones together, large ones from where they lie.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use tungstenite::Message;

/// Payloads up to this are copied behind their heads: it takes less than handing them over separately.
const SMALL: usize = 8 << 10;

/// Pieces that are handed over at once.
const PIECES: usize = 16;

const LAST: u8 = 0x80;

/// The writing half of a connection.
#[derive(Debug)]
pub(super) struct Writer {
    stream: OwnedWriteHalf,
    /// In the order of sending; none is empty.
    pieces: VecDeque<Bytes>,
    /// What comes behind them. Holds no memory while nothing is there.
    tail: BytesMut,
}

impl Writer {
    pub(super) fn new(stream: OwnedWriteHalf) -> Self {
        Self { stream, pieces: VecDeque::new(), tail: BytesMut::new() }
    }

    /// Puts a message behind those that are on their way; [`Writer::flush`] sends them.
    pub(super) fn push(&mut self, message: Message) {
        let (opcode, payload) = match message {
            Message::Text(text) => (1, text.into()),
            Message::Binary(bytes) => (2, bytes),
            Message::Ping(bytes) => (9, bytes),
            Message::Pong(bytes) => (10, bytes),
            Message::Close(said) => (8, said.map_or_else(Bytes::new, |said| goodbye(u16::from(said.code), &said.reason))),
            Message::Frame(_) => return,
        };
        self.tail.put_u8(LAST | opcode);
        match payload.len() {
            length @ 0..126 => self.tail.put_u8(length as u8),
            length @ 126..=0xffff => {
                self.tail.put_u8(126);
                self.tail.put_u16(length as u16);
            }
            length => {
                self.tail.put_u8(127);
                self.tail.put_u64(length as u64);
            }
        }
        if payload.len() <= SMALL {
            self.tail.extend_from_slice(&payload);
        } else {
            self.pieces.push_back(std::mem::take(&mut self.tail).freeze());
            self.pieces.push_back(payload);
        }
    }

    /// Hands everything to the kernel. Cancel safe: what is not sent stays.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    pub(super) fn into_inner(self) -> OwnedWriteHalf {
        self.stream
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.tail.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.tail).freeze());
        }
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent(sent);
        }
        self.pieces.shrink_to(PIECES);
        Poll::Ready(Ok(()))
    }

    fn sent(&mut self, mut bytes: usize) {
        while let Some(first) = self.pieces.front_mut()
            && bytes > 0
        {
            let here = bytes.min(first.len());
            first.advance(here);
            bytes -= here;
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}

fn goodbye(code: u16, reason: &str) -> Bytes {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat().into()
}
