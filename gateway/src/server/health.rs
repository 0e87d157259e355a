//! Health on a listener and a thread of its own, for the kubelet's probes. Full handshakes, busy decoders or a stuck socket
//! thread cannot make these answers late, and a stuck main runtime is reported.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::Request;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::server::handshake::{self as page, Answer, Wanted};
use crate::server::own_thread;
use crate::triton::models::Readiness;

/// A main runtime that has not run for so long is stuck. Far longer than any single task may keep a thread.
pub const STALE: Duration = Duration::from_secs(15);

/// How often the main runtime says that it runs.
const BEAT: Duration = Duration::from_millis(250);

/// Open connections; one more is closed. A kubelet opens one for each probe.
const CONNECTIONS: usize = 64;

/// Longest wait for the headers of a request.
const HEADERS: Duration = Duration::from_secs(2);

/// The longest headers: the least that hyper takes.
const HEADER_BYTES: usize = 8 << 10;

/// The longest life of a connection, which serves one request.
const LIFE: Duration = Duration::from_secs(5);

/// The health listener. It serves until the process ends; clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Health {
    state: Arc<State>,
    address: SocketAddr,
}

#[derive(Debug)]
struct State {
    start: Instant,
    /// Milliseconds from `start` to the last beat.
    beat: AtomicU64,
    stale: Duration,
    drain: CancellationToken,
    /// Empty until the models are known.
    models: OnceLock<watch::Receiver<Readiness>>,
}

impl Health {
    /// Listens on `address` and serves from a new thread. `stale` is the age of the last [`Health::beat`] from which on
    /// `/healthz` is 503.
    ///
    /// # Errors
    /// When `address` cannot be listened on, or there is no thread.
    pub fn start(address: &str, stale: Duration, drain: CancellationToken) -> io::Result<Self> {
        let state = State { start: Instant::now(), beat: AtomicU64::new(0), stale, drain, models: OnceLock::new() };
        let state = Arc::new(state);
        let serving = state.clone();
        let address = own_thread::listen("health", address, move |listener| serving.serve(listener))?;
        Ok(Self { state, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `/readyz` tells what was seen of the models. Only the first call counts.
    pub fn watch(&self, models: watch::Receiver<Readiness>) {
        drop(self.state.models.set(models));
    }

    /// Beats for ever: a task of the runtime that `/healthz` watches.
    pub async fn beat(self) {
        loop {
            let age = u64::try_from(self.state.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.state.beat.store(age, Ordering::Relaxed);
            sleep(BEAT).await;
        }
    }
}

impl State {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without a place the connection is dropped, which closes it.
            if let Ok(place) = places.clone().try_acquire_owned() {
                let state = self.clone();
                tokio::spawn(async move {
                    state.speak(stream).await;
                    drop(place);
                });
            }
        }
    }

    /// One request.
    async fn speak(&self, stream: TcpStream) {
        let bounds = own_thread::Bounds { headers: HEADERS, header_bytes: HEADER_BYTES, life: LIFE };
        own_thread::one_request(stream, bounds, |request| std::future::ready(self.answer(&request))).await;
    }

    fn answer<B>(&self, request: &Request<B>) -> Answer {
        match page::wanted(request) {
            Wanted::Health => self.stuck().map_or_else(page::health, |why| page::unavailable(format!("{why}\n"))),
            Wanted::Ready => page::ready(&self.readiness(), self.drain.is_cancelled()),
            Wanted::WebSocket | Wanted::Other => page::not_found(),
        }
    }

    /// Why the main runtime does not serve, where it does not.
    fn stuck(&self) -> Option<String> {
        let beat = Duration::from_millis(self.beat.load(Ordering::Relaxed));
        let silence = self.start.elapsed().saturating_sub(beat);
        (silence >= self.stale).then(|| format!("the gateway's main runtime has not run for {} s", silence.as_secs()))
    }

    fn readiness(&self) -> Readiness {
        // What a stuck runtime has seen last may be long over.
        let why = match (self.stuck(), self.models.get()) {
            (None, Some(models)) => return models.borrow().clone(),
            (Some(stuck), _) => stuck,
            (None, None) => "the gateway is starting; Triton was not asked yet".to_owned(),
        };
        Readiness { triton: Some(why), ..Readiness::default() }
    }
}
