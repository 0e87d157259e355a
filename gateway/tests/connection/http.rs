//! What the port does before it is a WebSocket.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tritondeploy_gateway::config::Limits;

use crate::raw::UPGRADE;
use crate::{Running, SOON, from_elsewhere, until};

/// Status, headers in lower case, body of the one answer.
pub(crate) async fn ask(stream: &mut TcpStream, request: &str) -> (u16, String, String) {
    // Who is refused before it has spoken may find nobody to speak to.
    drop(stream.write_all(request.as_bytes()).await);
    let mut answer = Vec::new();
    let reading = async { while !is_whole(&answer) && stream.read_buf(&mut answer).await.is_ok_and(|n| n > 0) {} };
    drop(tokio::time::timeout(SOON, reading).await);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, head.to_lowercase(), body.to_owned())
}

/// Asks again and again, until the answer has this status.
pub(crate) async fn insist(running: &Running, request: &str, status: u16) -> Result<(), tokio::time::error::Elapsed> {
    let asking = async {
        while ask(&mut running.tcp().await, request).await.0 != status {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, asking).await
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_path_that_is_not_reserved_is_a_websocket_without_extensions() {
    let running = Running::start(Limits::default()).await;
    for path in ["/", "/ws", "/v2/models/x", "/healthzz", "/a%20b?c=d"] {
        let request = format!("GET {path} HTTP/1.1\r\n{UPGRADE}\r\n");
        let (status, head, _) = ask(&mut running.tcp().await, &request).await;
        assert_eq!(status, 101, "{path}: {head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        assert!(!head.contains("sec-websocket-extensions") && !head.contains("sec-websocket-protocol"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_always_well_and_readiness_says_what_is_missing() {
    let running = Running::start(Limits::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let (status, _, body) = ask(&mut running.tcp().await, &get("/healthz")).await;
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    let (status, _, body) = ask(&mut running.tcp().await, &get("/readyz")).await;
    assert_eq!(status, 503);
    assert!(body.contains("\"ready\":false") && body.contains("Triton was not asked yet"), "{body}");
    let (status, head, _) = ask(&mut running.tcp().await, &get("/")).await;
    assert_eq!(status, 426);
    assert!(head.contains("upgrade: websocket"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_handshake_is_told_so() {
    let running = Running::start(Limits::default()).await;
    for (from, to) in
        [("Version: 13", "Version: 8"), ("dGhlIHNhbXBsZSBub25jZQ==", "short"), ("keep-alive, Upgrade", "keep-alive")]
    {
        let request = format!("GET / HTTP/1.1\r\n{}\r\n", UPGRADE.replace(from, to));
        let (status, head, body) = ask(&mut running.tcp().await, &request).await;
        assert_eq!(status, 400, "{to}: {body}");
        assert!(head.contains("sec-websocket-version: 13"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_answered_with_503_until_another_ends() {
    let running = Running::start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = running.client().await;
    let request = format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n");
    let (status, head, _) = ask(&mut running.tcp().await, &request).await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1"), "{head}");
    // Health has no part in the limit.
    let (status, ..) = ask(&mut running.tcp().await, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(status, 200);
    first.close(None).await.unwrap();
    while futures::StreamExt::next(&mut first).await.is_some() {}
    drop(first);
    // The server hears of the end a little later.
    insist(&running, &request, 101).await.expect("its place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_come_are_not_waited_for() {
    let running = Running::start(Limits { header_seconds: 1, ..Limits::default() }).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost:"] {
        let mut stream = running.tcp().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "{begun:?} is still waited for");
        assert!(started.elapsed() > Duration::from_millis(900));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_never_upgrade_have_a_cap_of_their_own() {
    let running = Running::start(Limits { handshakes: 2, ..Limits::default() }).await;
    let _silent = (running.tcp().await, running.tcp().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = running.tcp().await;
    assert_eq!(third.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_silent_connections_does_not_keep_another_one_out() {
    let limits = Limits { header_seconds: 600, handshakes: 6, handshakes_per_address: 4, ..Limits::default() };
    let running = Running::start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(running.tcp().await);
    }
    let closed = || silent.iter().filter(|stream| stream.try_read(&mut [0]).is_ok_and(|n| n == 0)).count();
    until("all but four are closed", || closed() == 16).await;
    let health = "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&mut from_elsewhere(&running).await, health).await.0, 200);
    let request = format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n");
    assert_eq!(ask(&mut from_elsewhere(&running).await, &request).await.0, 101);
    // Whoever closes has its places again.
    drop(silent);
    insist(&running, &request, 101).await.expect("the address has places again");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_are_refused() {
    let running = Running::start(Limits::default()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: t\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let mut stream = running.tcp().await;
    let (status, ..) = ask(&mut stream, &request[..60_000]).await;
    assert_eq!(status, 431);
}
