//! Accepts connections, upgrades them, and ends them all in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::handshake::{self as page, Answer, Wanted};
use super::warning::Warning;
use crate::admission::handshakes::Handshakes;
use crate::admission::memory::Space;
use crate::config::Limits;
use crate::inference::Engine;
use crate::metrics::{self, Refusal};
use crate::peer::{Client, Version};
use crate::protocol::v0::{Protocol, Queue};
use crate::protocol::v1;
use crate::triton::models::Models;
use crate::websocket::{self, Shutdown};

/// Request line and headers must fit; browsers' cookies do.
const HEADER_BYTES: usize = 32 << 10;

/// How many times the longest wait for headers a connection may live that only speaks HTTP. Else those that ask and
/// never read, which hyper waits for, would keep the others out.
const HTTP_LIFE: u32 = 3;

/// After the drain's time: for Close frames to leave.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Serves the port of the WebSockets.
#[derive(Debug)]
pub struct Server<P> {
    /// Answers the messages of connections without a subprotocol.
    pub protocol: Arc<P>,
    /// Answers those of protocol v1.
    pub engine: Option<Arc<Engine>>,
    /// Says whether we are ready.
    pub models: Arc<Models>,
    /// What clients may cost.
    pub limits: Limits,
    /// How long requests may take to finish once the drain began.
    pub drain_for: Duration,
}

struct Shared<P> {
    server: Server<P>,
    shutdown: Shutdown,
    tasks: TaskTracker,
    connections: Arc<Semaphore>,
    handshakes: Arc<Handshakes>,
    warnings: Warnings,
    incoming: Space,
    number: AtomicU64,
}

/// Of refused connections.
struct Warnings {
    handshakes: Arc<Warning>,
    per_address: Arc<Warning>,
    connections: Arc<Warning>,
}

impl Warnings {
    fn new(limits: &Limits) -> Self {
        let warning = |limit: usize, text: &'static str| {
            Warning::new(move |count, peer| tracing::warn!(count, last_peer = %peer, limit, "{text}"))
        };
        Self {
            handshakes: warning(
                limits.handshakes,
                "connections closed: limits.handshakes reached (connections without an upgrade)",
            ),
            per_address: warning(
                limits.handshakes_per_address,
                "connections closed: limits.handshakes_per_address reached by their address (connections without an upgrade)",
            ),
            connections: warning(limits.connections, "WebSockets refused with 503: limits.connections reached"),
        }
    }
}

impl<P: Protocol> Server<P> {
    /// Accepts until the drain begins; returns when every connection has ended.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) {
        let shared = Arc::new(Shared {
            connections: Arc::new(Semaphore::new(self.limits.connections)),
            handshakes: Handshakes::new(self.limits.handshakes, self.limits.handshakes_per_address),
            warnings: Warnings::new(&self.limits),
            incoming: Space::shared(self.limits.incoming_bytes as u64, self.limits.message_bytes as u64),
            number: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            shutdown,
            server: self,
        });
        shared.accept(listener).await;
        shared.drain().await;
    }
}

impl<P: Protocol> Shared<P> {
    async fn accept(self: &Arc<Self>, listener: TcpListener) {
        let mut last_warning: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.shutdown.drain.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer),
                Err(e) => {
                    // Out of file descriptors, most likely: those that close make room.
                    if last_warning.is_none_or(|last| last.elapsed() >= super::warning::PAUSE) {
                        tracing::warn!("no connection can be accepted: {e}");
                        last_warning = Some(Instant::now());
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn drain(&self) {
        self.tasks.close();
        if timeout(self.server.drain_for, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "the time to finish is over; closing what is left");
            self.shutdown.kill.cancel();
            drop(timeout(LAST_WORDS, self.tasks.wait()).await);
        }
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        // Whoever says nothing must not keep others out: what is not upgraded yet has a cap of its own.
        let handshake = match self.handshakes.take(peer.ip()) {
            Ok(handshake) => handshake,
            Err(why) => {
                metrics::refused(why);
                let of_one = matches!(why, Refusal::HandshakesPerAddress);
                let warning = if of_one { &self.warnings.per_address } else { &self.warnings.handshakes };
                return warning.count(peer);
            }
        };
        // Answers are small and someone waits for each.
        drop(stream.set_nodelay(true));
        let shared = self.clone();
        self.tasks.spawn(async move {
            shared.http(stream, peer).await;
            drop(handshake);
        });
    }

    /// Speaks HTTP until the connection ends or becomes a WebSocket's.
    async fn http(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let shared = self.clone();
        let service = service_fn(move |request| {
            let answer = shared.clone().answer(request, peer);
            async { Ok::<_, Infallible>(answer) }
        });
        let patience = Duration::from_secs(self.server.limits.header_seconds);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Ok(ended),
            () = async { drop(timeout(patience * HTTP_LIFE, self.shutdown.drain.cancelled()).await) } => {
                connection.as_mut().graceful_shutdown();
                timeout(patience, connection).await
            }
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::debug!(%peer, "HTTP ended: {e}"),
            Err(_) => tracing::debug!(%peer, "HTTP ended: the client does not read"),
        }
    }

    fn answer(self: Arc<Self>, mut request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let draining = self.shutdown.drain.is_cancelled();
        match page::wanted(&request) {
            Wanted::Health => page::health(),
            Wanted::Ready => page::ready(&self.server.models.readiness(), draining),
            Wanted::Other => page::upgrade_required(),
            Wanted::WebSocket if draining => {
                metrics::refused(Refusal::Draining);
                page::unavailable("the gateway stops; connect again\n")
            }
            Wanted::WebSocket => {
                let subprotocol = match page::subprotocol(&request) {
                    Ok(Some(_)) if self.server.engine.is_none() => return page::unspoken(),
                    Ok(subprotocol) => subprotocol,
                    Err(page::UnsupportedSubprotocol) => {
                        metrics::refused(Refusal::Subprotocol);
                        return page::unspoken();
                    }
                };
                let answer = page::upgrade(&request, subprotocol);
                if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    metrics::refused(Refusal::Handshake);
                    return answer;
                }
                let Ok(permit) = self.connections.clone().try_acquire_owned() else {
                    metrics::refused(Refusal::Connections);
                    self.warnings.connections.count(peer);
                    return page::unavailable("too many connections; try again\n");
                };
                let upgrade = hyper::upgrade::on(&mut request);
                let shared = self.clone();
                let v1 = subprotocol.is_some();
                self.tasks.spawn(async move { shared.websocket(upgrade, v1, peer, permit).await });
                answer
            }
        }
    }

    async fn websocket(self: Arc<Self>, upgrade: OnUpgrade, v1: bool, peer: SocketAddr, _permit: OwnedSemaphorePermit) {
        // What is left in the buffer of the HTTP connection is copied, or the whole buffer would live as long as we do.
        let (stream, early) = match upgrade.await.map(|upgraded| upgraded.downcast::<TokioIo<TcpStream>>()) {
            Ok(Ok(parts)) => (parts.io.into_inner(), parts.read_buf.to_vec()),
            Ok(Err(_)) => return tracing::error!(%peer, "the upgraded connection is no TCP stream"),
            Err(e) => return tracing::debug!(%peer, "the upgrade failed: {e}"),
        };
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let start = Instant::now();
        tracing::debug!(connection = number, %peer, "connected");
        let Server { protocol, engine, limits, .. } = &self.server;
        let summary = match engine {
            Some(engine) if v1 => {
                let _open = metrics::Connection::open(Version::V1);
                let client = Client::new(peer.ip(), Version::V1);
                let session = v1::Session::new(engine.clone(), number, client, limits);
                websocket::serve(stream, early, session, limits, (&self.incoming, client), &self.shutdown).await
            }
            _ => {
                let _open = metrics::Connection::open(Version::V0);
                let client = Client::new(peer.ip(), Version::V0);
                let queue = Queue::new(protocol.clone(), number, client, limits.clone());
                websocket::serve(stream, early, queue, limits, (&self.incoming, client), &self.shutdown).await
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        let (requests, end) = (summary.requests, summary.end.to_string());
        tracing::info!(connection = number, %peer, requests, seconds, end, "disconnected");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v0::V0;

    /// What `start` makes is never made here: its size is known without.
    fn bytes<A, B, C, D, E, F: Future>(_start: impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_that_says_nothing_is_small() {
        // Thousands are open at a time. One array that lives across an await makes each as large as that.
        let each = bytes(Shared::<V0>::websocket);
        assert!(each <= 3 << 10, "{each} bytes");
    }
}
