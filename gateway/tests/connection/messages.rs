//! Requests and answers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::timeout;
use tritondeploy_gateway::config::Limits;
use tungstenite::Message;

use crate::{Running, SOON, text};

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_the_order_while_four_run_at_once() {
    let running = Running::start(Limits::default()).await;
    let mut client = running.client().await;
    let asked: Vec<String> = (0..12).map(|i| format!("{} {i}", 120 - i * 10)).collect();
    for request in &asked {
        client.send(Message::text(request)).await.unwrap();
    }
    for request in &asked {
        assert_eq!(text(&mut client).await, *request);
    }
    assert_eq!(running.protocol.most.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_while_work_runs() {
    let running = Running::start(Limits::default()).await;
    let mut client = running.client().await;
    for _ in 0..8 {
        client.send(Message::text("60000 x")).await.unwrap();
    }
    client.send(Message::Ping("p".into())).await.unwrap();
    let answer = timeout(SOON, client.next()).await.expect("a pong");
    assert_eq!(answer.unwrap().unwrap(), Message::Pong("p".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_message_is_a_request_too() {
    let running = Running::start(Limits::default()).await;
    let mut client = running.client().await;
    client.send(Message::binary(b"0 binary".to_vec())).await.unwrap();
    assert_eq!(text(&mut client).await, "0 binary");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_beyond_the_bound_is_read_later_and_answered_all_the_same() {
    for limits in
        [Limits { waiting: 3, running: 2, ..Limits::default() }, Limits { waiting_bytes: 1_000, running: 2, ..Limits::default() }]
    {
        let running = Running::start(limits).await;
        let client = running.client().await;
        let (mut sink, mut source) = client.split();
        let padding = "-".repeat(100_000);
        let asked: Vec<String> = (0..100).map(|i| format!("1 {i}{padding}")).collect();
        let sent = asked.clone();
        let sending = tokio::spawn(async move {
            for request in sent {
                sink.send(Message::text(request)).await.unwrap();
            }
            sink
        });
        for request in &asked {
            let answer = source.next().await.unwrap().unwrap();
            assert!(answer.to_text().unwrap() == request);
        }
        drop(sending.await.unwrap());
        assert_eq!(running.protocol.most.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_cap_closes_its_connection_and_no_other() {
    let running = Running::start(Limits { message_bytes: 1_000_000, ..Limits::default() }).await;
    let mut other = running.client().await;
    let mut client = running.client().await;
    client.send(Message::text(format!("0 {}", "x".repeat(900_000)))).await.unwrap();
    assert_eq!(text(&mut client).await.len(), 900_002);
    // Far more than socket buffers hold: the Close frame must not be lost to a reset.
    let (mut sink, mut source) = client.split();
    let sending = tokio::spawn(async move { sink.send(Message::text("x".repeat(60_000_000))).await });
    match timeout(SOON, source.next()).await.expect("an end") {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1009),
        other => panic!("no Close: {other:?}"),
    }
    drop(sending.await);
    other.send(Message::text("0 still here")).await.unwrap();
    assert_eq!(text(&mut other).await, "0 still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_and_never_reads_is_dropped_and_harms_nobody() {
    let running = Running::start(Limits { write_seconds: 1, ..Limits::default() }).await;
    let mut greedy = running.client().await;
    for _ in 0..20 {
        greedy.send(Message::text("x 30000000")).await.unwrap();
    }
    let mut other = running.client().await;
    other.send(Message::text("0 me")).await.unwrap();
    assert_eq!(text(&mut other).await, "0 me");
    tokio::time::sleep(Duration::from_secs(3)).await;
    // At most what was on its way arrives, then the connection is gone.
    let mut bytes = 0;
    let ended = async {
        while let Some(Ok(message)) = greedy.next().await {
            bytes += message.len();
        }
    };
    timeout(SOON, ended).await.expect("the connection ends");
    assert!(bytes < 60_000_000, "{bytes}");
}
