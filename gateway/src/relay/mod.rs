//! Triton's own HTTP and metrics ports, read-only, for whom the Service lets in, and the metrics of both programs for what scrapes
//! pods in the cluster: listeners that are closed unless configured.
//!
//! Only what [`route`] lists reaches Triton, without a client's headers and bodies. Each listener has a thread of its own, few
//! connections to Triton, and a bounded rate, so that what is asked here does not make clients of the WebSocket wait.

mod route;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::{CONTENT_TYPE, EXPECT, HeaderValue};
use http::uri::Authority;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::admission::handshakes::Handshakes;
use crate::metrics;
use crate::server::handshake::{self as page, Answer};
use crate::server::own_thread;
use crate::server::warning::Warning;
use crate::triton::Triton;

use upstream::Upstream;

/// Longest wait for Triton's answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Files that a listener has open at most: its connections, and those to Triton.
pub const OPEN_FILES: usize = CONNECTIONS + 8;

/// Open connections; one more is closed. Each serves one request.
const CONNECTIONS: usize = 64;

/// Of these, so many from one IPv4 address or IPv6 /64 network.
const CONNECTIONS_PER_ADDRESS: usize = 16;

/// Longest wait for the headers of a request.
const HEADERS: Duration = Duration::from_secs(5);

/// The longest headers.
const HEADER_BYTES: usize = 16 << 10;

/// The longest life of a connection.
const LIFE: Duration = Duration::from_secs(30);

/// From one request to the next, of all clients: who asks without a pause takes no processor from the models.
const TURN: Duration = Duration::from_millis(10);

/// Of a body that is refused, so much is read first, and for so long: whoever still sends when the connection is closed may
/// never see why.
const REFUSED_BYTES: usize = 64 << 10;
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// Which of Triton's ports a listener stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Its HTTP port.
    Http,
    /// Its metrics.
    Metrics,
    /// The gateway's own metrics, and Triton's beside them.
    Scrape,
}

impl Port {
    /// The key of the configuration.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Http => "triton_http",
            Self::Metrics => "triton_metrics",
            Self::Scrape => "metrics",
        }
    }
}

/// The gateway's own metrics as they are now, in Prometheus's text format.
pub type Measure = fn(&Triton) -> String;

/// Listens on `address` and relays to the port of Triton at `authority`, from a new thread, until the process ends. Where it
/// listens. `patience` is the longest wait for Triton's answer; then the answer is 503. What `own` measures is on
/// [`Port::Scrape`] alone.
///
/// # Errors
/// When `address` cannot be listened on, or there is no thread.
pub fn start(
    port: Port,
    address: &str,
    authority: Authority,
    patience: Duration,
    own: Option<(Measure, Triton)>,
) -> io::Result<SocketAddr> {
    let relay = Arc::new(Relay { port, upstream: Upstream::new(authority, patience), own, last: Mutex::new(Instant::now()) });
    own_thread::listen(port.key(), address, move |listener| relay.serve(listener))
}

#[derive(Debug)]
struct Relay {
    port: Port,
    upstream: Upstream,
    own: Option<(Measure, Triton)>,
    /// When the last request had its turn. Its lock is the queue: a client that goes away leaves it.
    last: Mutex<Instant>,
}

impl Relay {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Handshakes::new(CONNECTIONS, CONNECTIONS_PER_ADDRESS);
        let key = self.port.key();
        let refused = Warning::new(move |count, peer| {
            tracing::warn!(count, last_peer = %peer, "connections closed: too many are open on the port of {key}");
        });
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors, most likely.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without a place the connection is dropped, which closes it.
            let Ok(place) = places.take(peer.ip()) else {
                refused.count(peer);
                continue;
            };
            let relay = self.clone();
            tokio::spawn(async move {
                relay.speak(stream).await;
                drop(place);
            });
        }
    }

    /// One request.
    async fn speak(&self, stream: TcpStream) {
        let bounds = own_thread::Bounds { headers: HEADERS, header_bytes: HEADER_BYTES, life: LIFE };
        own_thread::one_request(stream, bounds, |request| self.answer(request)).await;
    }

    /// Waits for the next turn.
    async fn turn(&self) {
        let mut last = self.last.lock().await;
        sleep_until(*last + TURN).await;
        *last = Instant::now();
    }

    /// The gateway's own metrics.
    fn measured(&self) -> Answer {
        let Some((measure, triton)) = &self.own else { return page::not_found() };
        let mut answer = Answer::new(measure(triton).into());
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.turn().await;
        let asked = match route::route(self.port, &request) {
            Ok(asked) => asked,
            Err(why) => {
                // Whoever waits for a "100 Continue" sends no body without.
                if !request.headers().contains_key(EXPECT) {
                    drop(timeout(REFUSED_WAIT, read_some(request.into_body())).await);
                }
                return error(page::not_found(), why);
            }
        };
        let Some(asked) = asked else { return self.measured() };
        let path = asked.path.clone();
        match self.upstream.ask(asked).await {
            Ok(answer) => answer,
            Err(why) => {
                tracing::debug!(path, "Triton does not answer: {why}");
                error(page::unavailable(""), &format!("Triton does not answer: {why}"))
            }
        }
    }
}

/// Reads a body that nobody wants.
async fn read_some(mut body: Incoming) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        if bytes > REFUSED_BYTES {
            return;
        }
    }
}

/// As Triton words errors.
fn error(mut answer: Answer, why: &str) -> Answer {
    *answer.body_mut() = format!("{}\n", json!({ "error": why })).into();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
