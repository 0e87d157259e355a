//! The connection to Triton, with fewer system calls than HTTP/2 would make by itself.
//!
//! A request is a frame of headers and a frame of data, which come one right after the other and would leave in a packet
//! each, waking Triton twice. So what is written waits for one more turn of the task that writes: by then the rest of the
//! request is there, and often the next request, too. Nobody waits for time to pass.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tonic::codegen::Service;

/// Writes up to this are gathered; longer ones go by themselves.
const GATHERED: usize = 16 << 10;

/// An answer's frames are read at once.
const READ: usize = 16 << 10;

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Connector;

impl Service<Uri> for Connector {
    type Response = TokioIo<Gathering>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(Gathering::new(stream)))
        })
    }
}

/// A stream whose small writes are gathered.
#[derive(Debug)]
pub(super) struct Gathering<S = TcpStream> {
    stream: BufReader<S>,
    waiting: Vec<u8>,
    /// Bytes of these that are sent.
    sent: usize,
    /// Whether more was waited for.
    waited: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathering<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::with_capacity(READ, stream), waiting: Vec::with_capacity(GATHERED), sent: 0, waited: false }
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.waiting.clear();
        (self.sent, self.waited) = (0, false);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.waiting.len() + length > GATHERED {
            ready!(self.poll_sent(cx))?;
        }
        if length > GATHERED {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        bufs.iter().for_each(|buf| self.waiting.extend_from_slice(buf));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.is_empty() && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_written_arrives_in_order_however_long_it_is() {
        let (ours, mut theirs) = duplex(3000);
        let mut wanted = Vec::new();
        let pieces: Vec<Vec<u8>> = [5, 300, 0, GATHERED, 1, GATHERED + 1, 70_000, 2, GATHERED - 1, 9]
            .iter()
            .enumerate()
            .map(|(i, length)| (0..*length).map(|at| (at * 7 + i) as u8).collect())
            .collect();
        wanted.extend(pieces.iter().flatten().copied());
        let writing = tokio::spawn(async move {
            let mut stream = Gathering::new(ours);
            for (i, piece) in pieces.iter().enumerate() {
                stream.write_all(piece).await.unwrap();
                if i % 3 == 0 {
                    stream.flush().await.unwrap();
                }
            }
            stream.shutdown().await.unwrap();
        });
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.unwrap();
        writing.await.unwrap();
        assert!(all == wanted, "{} bytes, {} wanted", all.len(), wanted.len());
    }

    #[tokio::test]
    async fn what_follows_in_the_same_turn_leaves_together() {
        let (ours, mut theirs) = duplex(1000);
        let mut stream = Gathering::new(ours);
        stream.write_all(b"headers").await.unwrap();
        let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_flush(cx))).await;
        assert!(first.is_pending());
        stream.write_all(b"data").await.unwrap();
        stream.flush().await.unwrap();
        let mut read = [0; 100];
        let length = theirs.read(&mut read).await.unwrap();
        assert_eq!(&read[..length], b"headersdata");
    }
}
