//! How connections end: closed, silent, drained, killed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};
use tritondeploy_gateway::config::Limits;
use tungstenite::Message;

use crate::{Running, SOON, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_at_once_with_work_in_flight_and_tcp_closed_by_us() {
    let running = Running::start(Limits::default()).await;
    let mut client = running.client().await;
    for _ in 0..10 {
        client.send(Message::text("60000 long")).await.unwrap();
    }
    until("four run", || running.protocol.running.load(Ordering::SeqCst) == 4).await;
    let started = Instant::now();
    client.send(Message::Close(None)).await.unwrap();
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    // The client only reads on: the end of the stream is the server's doing.
    let mut stream = client.into_inner();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    // Milliseconds; more only where the machine is busy. A client would wait for 10 s.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    until("they are given up", || running.protocol.given_up.load(Ordering::SeqCst) == 4).await;
    assert_eq!(running.protocol.running.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_given_up_when_the_client_is_gone() {
    let running = Running::start(Limits::default()).await;
    let mut client = running.client().await;
    client.send(Message::text("60000 long")).await.unwrap();
    until("it runs", || running.protocol.running.load(Ordering::SeqCst) == 1).await;
    drop(client);
    until("it is given up", || running.protocol.given_up.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_answers_pings_is_never_idle_and_a_silent_one_is_dropped() {
    let running = Running::start(Limits { ping_seconds: 1, idle_seconds: 2, ..Limits::default() }).await;
    let mut polite = running.client().await;
    let mut silent = running.client().await;
    let listening = tokio::spawn(async move {
        // Reading is what answers pings.
        let mut pings = 0;
        let reading = async {
            while let Some(Ok(Message::Ping(_))) = polite.next().await {
                pings += 1;
            }
        };
        drop(timeout(Duration::from_millis(4600), reading).await);
        (pings, polite)
    });
    // Pings come, nobody answers them.
    sleep(Duration::from_millis(4500)).await;
    let ended = async { while matches!(silent.get_mut().read(&mut [0; 64]).await, Ok(n) if n > 0) {} };
    timeout(SOON, ended).await.expect("the silent one is dropped");
    let (pings, mut polite) = listening.await.unwrap();
    assert!(pings >= 3, "{pings}");
    polite.send(Message::text("0 here")).await.unwrap();
    assert_eq!(text(&mut polite).await, "0 here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_what_was_received_and_closes_with_1001() {
    let running = Running::start(Limits::default()).await;
    let mut busy = running.client().await;
    let mut idle = running.client().await;
    for i in 0..6 {
        busy.send(Message::text(format!("200 {i}"))).await.unwrap();
    }
    until("four run", || running.protocol.running.load(Ordering::SeqCst) == 4).await;
    // The other two are on their way with them, and nobody tells when they have come.
    sleep(Duration::from_millis(100)).await;
    running.shutdown.drain.cancel();
    until("nobody listens", || std::net::TcpStream::connect(running.address).is_err()).await;
    // Received too late to be answered.
    busy.send(Message::text("0 late")).await.unwrap();
    assert_eq!(code(timeout(SOON, idle.next()).await.unwrap()), 1001);
    for i in 0..6 {
        assert_eq!(text(&mut busy).await, format!("200 {i}"));
    }
    assert_eq!(code(busy.next().await), 1001);
    assert!(busy.next().await.is_none());
    assert!(idle.next().await.is_none());
    timeout(SOON, running.server).await.expect("the server ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_in_time_is_closed_all_the_same() {
    let running = Running::start_draining(Limits::default(), Duration::from_millis(300)).await;
    let mut client = running.client().await;
    client.send(Message::text("60000 long")).await.unwrap();
    until("it runs", || running.protocol.running.load(Ordering::SeqCst) == 1).await;
    running.shutdown.drain.cancel();
    let started = Instant::now();
    assert_eq!(code(client.next().await), 1001);
    assert!(client.next().await.is_none());
    timeout(SOON, running.server).await.expect("the server ends").unwrap();
    let took = started.elapsed();
    assert!(took > Duration::from_millis(250) && took < SOON, "{took:?}");
}

fn code(message: Option<Result<Message, tungstenite::Error>>) -> u16 {
    match message {
        Some(Ok(Message::Close(Some(frame)))) => frame.code.into(),
        other => panic!("no Close: {other:?}"),
    }
}
