//! The connection code through real sockets, with a protocol that sleeps and echoes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod admin;
mod attack_frames;
mod attack_http;
mod autobahn;
mod health;
mod http;
mod life;
mod messages;
mod neighbour;
mod program;
mod python;
mod random_frames;
mod raw;
mod relay;
mod room;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tritondeploy_gateway::admission::memory::MessageRoom;
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::peer::{self, RequestId};
use tritondeploy_gateway::protocol::v0::Protocol;
use tritondeploy_gateway::server::Server;
use tritondeploy_gateway::triton::models::Models;
use tritondeploy_gateway::triton::{self, Triton};
use tritondeploy_gateway::websocket::Shutdown;
use tungstenite::Message;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Answers "MILLISECONDS WORD" with itself after that time; "x N" with N bytes.
#[derive(Debug, Default)]
struct Sleeper {
    running: AtomicUsize,
    most: AtomicUsize,
    given_up: AtomicUsize,
    /// KiB of messages that may be held, where that is counted.
    room: Option<Arc<Semaphore>>,
}

struct Guard<'s>(&'s Sleeper, bool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        if !self.1 {
            self.0.given_up.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Protocol for Sleeper {
    async fn answer(&self, _: RequestId, _: peer::Client, message: Message, _room: MessageRoom) -> Message {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let mut guard = Guard(self, false);
        let text = message.to_text().expect("text").to_owned();
        let (first, second) = text.split_once(' ').unwrap_or(("0", ""));
        let answer = match first {
            "x" => "x".repeat(second.parse().expect("a number")),
            time => {
                tokio::time::sleep(Duration::from_millis(time.parse().unwrap_or(0))).await;
                text
            }
        };
        guard.1 = true;
        Message::text(answer)
    }

    fn room(&self, _: peer::Client, bytes: usize) -> Option<MessageRoom> {
        let Some(room) = &self.room else { return Some(None) };
        room.clone().try_acquire_many_owned(bytes.div_ceil(1024) as u32).ok().map(|permit| Some(permit.into()))
    }
}

struct Running<P = Sleeper> {
    address: SocketAddr,
    protocol: Arc<P>,
    shutdown: Shutdown,
    server: JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits) -> Self {
        Self::serving(Sleeper::default(), limits).await
    }

    async fn start_draining(limits: Limits, drain_for: Duration) -> Self {
        Self::serving_draining(Sleeper::default(), limits, drain_for).await
    }
}

impl<P: Protocol> Running<P> {
    async fn serving(protocol: P, limits: Limits) -> Self {
        Self::serving_draining(protocol, limits, Duration::from_secs(5)).await
    }

    async fn serving_draining(protocol: P, limits: Limits, drain_for: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let protocol = Arc::new(protocol);
        let triton = Triton::connect(&triton::Config::default()).unwrap();
        let models = Arc::new(Models::new(triton, vec!["m".to_owned()], "/none".into()));
        let shutdown = Shutdown::default();
        let server = Server { protocol: protocol.clone(), engine: None, models, limits, drain_for };
        let server = tokio::spawn(server.run(listener, shutdown.clone()));
        Self { address, protocol, shutdown, server }
    }

    async fn client(&self) -> Client {
        tokio_tungstenite::connect_async(format!("ws://{}/any/path?at=all", self.address)).await.unwrap().0
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// A connection from another address of this machine.
async fn from_elsewhere<P>(running: &Running<P>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(running.address).await.unwrap()
}

/// What comes on a machine of any speed that has other things to do, too; what does not come takes so long.
const SOON: Duration = Duration::from_secs(20);

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The next text of a client.
async fn text(client: &mut Client) -> String {
    use futures::StreamExt;
    loop {
        match client.next().await {
            Some(Ok(Message::Text(text))) => return text.to_string(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("no text: {other:?}"),
        }
    }
}
