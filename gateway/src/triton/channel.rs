//! The connection to Triton: HTTP/2, made when it is first needed and again whenever it is lost.
//!
//! Calls hand their frames to the connection themselves. Every task between the two would cost a wake-up, and as much
//! again to find its code and data where a processor has done something else in the meantime.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use http::Uri;
use http::uri::Authority;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::pieces::Pieces;

/// With h2's 64 KiB windows a 602 KB tensor would wait for ten round trips of window updates.
const WINDOW: u32 = 4 << 20;

/// An answer's frames are read at once.
const READ: usize = 16 << 10;

/// A stuck Triton (its process stopped, its node frozen) is noticed by what it owes an answer to: asked so often, and given
/// up after as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Lost(String);

/// Where requests are handed in.
pub(super) type Sender = SendRequest<Pieces>;

/// A connection, shared by its clones.
#[derive(Clone, Debug)]
pub(super) struct Channel(Arc<Line>);

#[derive(Debug)]
struct Line {
    authority: Authority,
    connect_timeout: Duration,
    /// The last one made or tried.
    opening: Mutex<Option<Opening>>,
    /// Held by every call on its way.
    busy: Arc<()>,
}

type Opening = Shared<BoxFuture<'static, Result<Sender, Lost>>>;

impl Channel {
    /// None: the URL is none of a gRPC endpoint.
    pub(super) fn new(endpoint: &str, connect_timeout: Duration) -> Option<Self> {
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"))?;
        let authority = uri.into_parts().authority?;
        Some(Self(Arc::new(Line { authority, connect_timeout, opening: Mutex::default(), busy: Arc::default() })))
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// Where to hand in a request, which is on its way for as long as the second value is kept.
    ///
    /// # Errors
    /// When no connection can be made.
    pub(super) async fn open(&self) -> Result<(Sender, Arc<()>), Lost> {
        let busy = self.0.busy.clone();
        let sender = match poll_fn(|cx| Poll::Ready(self.now(cx))).await {
            Ok(sender) => sender,
            Err(opening) => opening.await?,
        };
        Ok((sender, busy))
    }

    /// The connection that there is, or the one that is being made.
    fn now(&self, cx: &mut Context<'_>) -> Result<Sender, Opening> {
        let mut last = self.0.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = &*last {
            let Some(made) = opening.clone().now_or_never() else { return Err(opening.clone()) };
            // Fails where Triton has gone, or says that it goes.
            if let Ok(mut sender) = made
                && !matches!(sender.poll_ready(cx), Poll::Ready(Err(_)))
            {
                return Ok(sender);
            }
        }
        // In a task of its own: it goes on though who asked first gives up.
        let opening = tokio::spawn(self.0.clone().connect());
        let opening = opening.map(|made| made.unwrap_or_else(|e| Err(Lost(e.to_string())))).boxed().shared();
        *last = Some(opening.clone());
        Err(opening)
    }
}

impl Line {
    async fn connect(self: Arc<Self>) -> Result<Sender, Lost> {
        match timeout(self.connect_timeout, self.handshake()).await {
            Ok(made) => made.map_err(|e| Lost(e.to_string())),
            Err(_) => Err(Lost(format!("no connection to {} within {} s", self.authority, self.connect_timeout.as_secs_f32()))),
        }
    }

    async fn handshake(&self) -> io::Result<Sender> {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.authority.port_u16().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(READ, stream);
        let mut builder = Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW).enable_push(false);
        let (sender, mut connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
        let pings = connection.ping_pong();
        // How it ends is told to the calls that it ends.
        let line = tokio::spawn(connection.map(drop)).abort_handle();
        if let Some(pings) = pings {
            tokio::spawn(keep_alive(pings, line, Arc::downgrade(&self.busy)));
        }
        Ok(sender)
    }
}

/// Ends a connection that is silent while calls wait for answers. Pings without calls would be taken for abuse.
async fn keep_alive(mut pings: PingPong, line: AbortHandle, busy: Weak<()>) {
    /// The channel's own.
    const IDLE: usize = 1;
    loop {
        sleep(KEEP_ALIVE).await;
        if line.is_finished() {
            return;
        }
        if busy.strong_count() > IDLE && !matches!(timeout(KEEP_ALIVE, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return line.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;

    /// How long a connection to somebody silent lasts while so many calls wait; None: over an hour.
    async fn lasts(calls: usize) -> Option<Duration> {
        let (ours, _silent) = duplex(1 << 20);
        let (_sender, mut connection) = Builder::new().handshake::<_, Bytes>(ours).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let line = tokio::spawn(connection.map(drop));
        let busy = Arc::new(());
        let _calls = vec![busy.clone(); calls];
        let start = Instant::now();
        tokio::spawn(keep_alive(pings, line.abort_handle(), Arc::downgrade(&busy)));
        timeout(Duration::from_secs(3600), line).await.ok().map(|_| start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_given_up_while_somebody_waits() {
        assert!(lasts(1).await.is_some_and(|time| time < Duration::from_secs(21)));
        assert_eq!(lasts(0).await, None);
    }
}
