//! Requests that mean harm, before there is a WebSocket.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tritondeploy_gateway::config::Limits;

use crate::http::{ask, insist};
use crate::neighbour::Neighbour;
use crate::raw::{FIN, TEXT, UPGRADE, frame};
use crate::{Running, SOON, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_with_a_trick_in_it_is_none() {
    let running = Running::start(Limits::default()).await;
    let neighbour = Neighbour::of(&running).await;
    let get = "GET / HTTP/1.1\r\n";
    let frames = String::from_utf8(vec![b'x'; 64]).unwrap();
    let tricks = [
        format!("{get}{UPGRADE}Content-Length: 64\r\n\r\n{frames}"),
        format!("{get}{UPGRADE}Transfer-Encoding: chunked\r\n\r\n40\r\n{frames}\r\n0\r\n\r\n"),
        format!("{get}{UPGRADE}Content-Length: 64\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{frames}\r\n0\r\n\r\n"),
        format!("{get}{UPGRADE}Content-Length: 64\r\nContent-Length: 0\r\n\r\n{frames}"),
        format!("{get}{UPGRADE}Content-Length: +64\r\n\r\n{frames}"),
        format!("POST / HTTP/1.1\r\n{UPGRADE}\r\n"),
        format!("GET / HTTP/1.0\r\n{UPGRADE}\r\n"),
        format!("GET / HTTP/9.9\r\n{UPGRADE}\r\n"),
        format!("{get}{}\r\n", UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c")),
        format!("{get}{}\r\n", UPGRADE.replace("Version: 13", "Version: 13, 8")),
        format!("{get}{}\r\n", UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=\u{7f}")),
        format!("{get}{}\r\n", UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSEhISE=")),
        format!("{get}{}\r\n", UPGRADE.replace("Host: t", "Host: t\r\n folded: x")),
        format!("GET /\0 HTTP/1.1\r\n{UPGRADE}\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{UPGRADE}\r\n"),
    ];
    for trick in tricks {
        let (status, _, body) = ask(&mut running.tcp().await, &trick).await;
        // Some are not even answered.
        assert!(matches!(status, 0 | 400..=499 | 505), "{status} {body}, to {trick:?}");
    }
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_in_one_packet_with_the_upgrade_are_heard() {
    let running = Running::start(Limits::default()).await;
    let mut stream = running.tcp().await;
    let mut bytes = format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n").into_bytes();
    bytes.extend(frame(FIN | TEXT, b"0 first"));
    // And half of another.
    bytes.extend(&frame(FIN | TEXT, b"0 second")[..9]);
    stream.write_all(&bytes).await.unwrap();
    let mut answers = Vec::new();
    while !answers.ends_with(b"\x81\x070 first") {
        assert!(timeout(SOON, stream.read_buf(&mut answers)).await.unwrap().unwrap() > 0);
    }
    stream.write_all(&frame(FIN | TEXT, b"0 second")[9..]).await.unwrap();
    while !answers.ends_with(b"\x81\x080 second") {
        assert!(timeout(SOON, stream.read_buf(&mut answers)).await.unwrap().unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_come_byte_by_byte_are_not_waited_for() {
    let running = Running::start(Limits { header_seconds: 1, ..Limits::default() }).await;
    let neighbour = Neighbour::of(&running).await;
    let start = Instant::now();
    let mut stream = running.tcp().await;
    let dripping = async {
        for byte in format!("GET / HTTP/1.1\r\n{UPGRADE}").bytes().cycle() {
            if stream.write_all(&[byte]).await.is_err() || stream.try_read(&mut [0; 64]).is_ok() {
                return;
            }
            sleep(Duration::from_millis(30)).await;
        }
    };
    timeout(SOON, dripping).await.expect("it is still listened to");
    assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_health_and_never_reads_gives_its_place_back() {
    let running = Running::start(Limits { header_seconds: 1, handshakes: 8, ..Limits::default() }).await;
    let neighbour = Neighbour::of(&running).await;
    let asked = "GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n".repeat(1000);
    let mut greedy = Vec::new();
    for _ in 0..8 {
        let mut stream = running.tcp().await;
        // Until nothing moves any more.
        let sending = async { while stream.write_all(asked.as_bytes()).await.is_ok() {} };
        drop(timeout(Duration::from_millis(100), sending).await);
        greedy.push(stream);
    }
    let health = "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&mut running.tcp().await, health).await.0, 0, "the places are taken");
    // Three times a second, and one to finish in.
    insist(&running, health, 200).await.expect("the places are free again");
    neighbour.unharmed().await;
}

async fn crowd(running: &Running) -> Vec<tokio::net::TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(running.tcp().await);
    }
    crowd
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_never_upgrades_costs_only_its_own_kind() {
    let alive = |crowd: &[tokio::net::TcpStream]| {
        crowd.iter().filter(|s| s.try_read(&mut [0]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)).count()
    };
    let limits = |header_seconds| Limits { header_seconds, handshakes: 50, ..Limits::default() };
    let running = Running::start(limits(60)).await;
    let neighbour = Neighbour::of(&running).await;
    let first = crowd(&running).await;
    until("most are sent away", || alive(&first) <= 50).await;
    assert!(alive(&first) > 0, "some are waited for");
    drop(first);
    let request = format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n");
    insist(&running, &request, 101).await.expect("their places are free again");
    neighbour.unharmed().await;

    // Who stays is not waited for longer than for headers.
    let running = Running::start(limits(1)).await;
    let neighbour = Neighbour::of(&running).await;
    let second = crowd(&running).await;
    until("nobody is waited for", || alive(&second) == 0).await;
    drop(running.client().await);
    neighbour.unharmed().await;
}
