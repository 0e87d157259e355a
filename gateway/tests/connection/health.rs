//! Health on its own listener, whatever becomes of the port of the WebSockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::SinkExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tritondeploy_gateway::admission::memory::MessageRoom;
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::peer::{Client, RequestId};
use tritondeploy_gateway::protocol::v0::Protocol;
use tritondeploy_gateway::server::health::Health;
use tritondeploy_gateway::server::open_files;
use tritondeploy_gateway::triton::models::Readiness;
use tungstenite::Message;

use crate::http::ask;
use crate::raw::UPGRADE;
use crate::{Running, SOON, until};

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

fn start(stale: Duration, drain: CancellationToken) -> Health {
    Health::start("127.0.0.1:0", stale, drain).unwrap()
}

/// Status and body.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (status, _, body) = ask(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")).await;
    (status, body)
}

/// Asks again and again, until the answer has this status.
async fn insist(address: SocketAddr, path: &str, status: u16) -> String {
    let asking = async {
        loop {
            match get(address, path).await {
                (now, body) if now == status => return body,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(SOON, asking).await.unwrap_or_else(|_| panic!("{path} is never {status}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_that_hold_every_handshake_do_not_keep_health_out() {
    open_files::raise().unwrap();
    let most = Limits::default().handshakes;
    let limits = Limits { header_seconds: 600, handshakes_per_address: most, ..Limits::default() };
    let running = Running::start(limits).await;
    let health = start(NEVER, CancellationToken::new());
    let mut silent = Vec::new();
    for _ in 0..most + 76 {
        silent.push(running.tcp().await);
    }
    until("those beyond the cap are closed", || {
        silent.iter().filter(|s| s.try_read(&mut [0]).is_ok_and(|n| n == 0)).count() >= 76
    })
    .await;
    assert_eq!(get(running.address, "/healthz").await.0, 0, "the main port has no place left");
    assert_eq!(get(health.address(), "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(health.address(), "/readyz").await.0, 503);
}

/// Answers nothing, and keeps its thread, until it is let go.
#[derive(Debug, Default)]
struct Blocker {
    blocks: AtomicBool,
    free: AtomicBool,
}

impl Protocol for Blocker {
    async fn answer(&self, _: RequestId, _: Client, message: Message, _: MessageRoom) -> Message {
        self.blocks.store(true, Ordering::SeqCst);
        while !self.free.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        message
    }

    fn room(&self, _: Client, _: usize) -> Option<MessageRoom> {
        Some(None)
    }
}

/// A gateway whose one thread a client has blocked, and its health.
async fn blocked(stale: Duration) -> (Running<Blocker>, Health) {
    let health = start(stale, CancellationToken::new());
    let (sender, started) = mpsc::channel();
    let beats = health.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(beats.beat());
            let running = Running::serving(Blocker::default(), Limits::default()).await;
            let shutdown = running.shutdown.clone();
            sender.send(running).unwrap();
            shutdown.drain.cancelled().await;
        });
    });
    let running = started.recv().unwrap();
    insist(health.address(), "/healthz", 200).await;
    let mut client = running.client().await;
    client.send(Message::text("block")).await.unwrap();
    until("the thread is blocked", || running.protocol.blocks.load(Ordering::SeqCst)).await;
    (running, health)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_main_thread_does_not_make_health_late() {
    let (running, health) = blocked(NEVER).await;
    let main = timeout(Duration::from_millis(200), get(running.address, "/healthz")).await;
    assert!(main.is_err(), "the main port is blocked: {main:?}");
    let mut quickest = NEVER;
    // This machine may be late once, but not always.
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(get(health.address(), "/healthz").await.0, 200);
        quickest = quickest.min(start.elapsed());
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
    running.protocol.free.store(true, Ordering::SeqCst);
    running.shutdown.drain.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_main_thread_that_stays_blocked_is_reported_until_it_runs_again() {
    let (running, health) = blocked(Duration::from_secs(2)).await;
    let why = insist(health.address(), "/healthz", 503).await;
    assert!(why.contains("main runtime has not run for 2 s"), "{why}");
    let (status, why) = get(health.address(), "/readyz").await;
    assert!(status == 503 && why.contains("main runtime has not run for"), "{status} {why}");
    running.protocol.free.store(true, Ordering::SeqCst);
    insist(health.address(), "/healthz", 200).await;
    running.shutdown.drain.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_start_models_and_drain_while_health_stays_well() {
    let drain = CancellationToken::new();
    let health = start(NEVER, drain.clone());
    let (status, why) = get(health.address(), "/readyz").await;
    assert!(status == 503 && why.contains("the gateway is starting"), "{status} {why}");
    let waiting = Readiness { triton: Some("connection refused".to_owned()), ..Readiness::default() };
    let (seen, models) = watch::channel(waiting);
    health.watch(models);
    let (status, why) = get(health.address(), "/readyz").await;
    assert!(status == 503 && why.contains("connection refused"), "{status} {why}");
    seen.send(Readiness { ready: true, ..Readiness::default() }).unwrap();
    let (status, answer) = get(health.address(), "/readyz").await;
    assert!(status == 200 && answer.contains("\"ready\":true,\"draining\":false"), "{status} {answer}");
    drain.cancel();
    let (status, answer) = get(health.address(), "/readyz").await;
    assert!(status == 503 && answer.contains("\"ready\":false,\"draining\":true"), "{status} {answer}");
    assert_eq!(get(health.address(), "/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_health_is_there() {
    let health = start(NEVER, CancellationToken::new());
    let head = "HTTP/1.1\r\nHost: t\r\n\r\n";
    for (request, wanted) in [
        (format!("HEAD /healthz {head}"), 200),
        (format!("HEAD /readyz {head}"), 503),
        (format!("POST /healthz {head}"), 404),
        (format!("GET / {head}"), 404),
        (format!("GET /metrics {head}"), 404),
        (format!("GET /v1/release {head}"), 404),
        (format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n"), 404),
        (format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(10_000)), 431),
    ] {
        let mut stream = TcpStream::connect(health.address()).await.unwrap();
        let (status, _, body) = ask(&mut stream, &request).await;
        assert_eq!(status, wanted, "{request}: {body}");
        if request.starts_with("HEAD") {
            assert_eq!(body, "");
        }
        // One request, one connection.
        timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("it is closed").ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_connections_at_once_are_enough_and_none_lives_long() {
    let health = start(NEVER, CancellationToken::new());
    // A machine that takes two seconds for this begins again: the first have ended by then.
    let crowding = async {
        loop {
            let mut silent = Vec::new();
            for _ in 0..64 {
                silent.push(TcpStream::connect(health.address()).await.unwrap());
            }
            if get(health.address(), "/healthz").await.0 == 0 {
                return silent;
            }
        }
    };
    let silent = timeout(SOON, crowding).await.expect("one more than the places is closed");
    insist(health.address(), "/healthz", 200).await;
    for mut stream in silent {
        timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("it is closed").ok();
    }
}
