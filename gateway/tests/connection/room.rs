//! What whole messages of all connections may take together.

use std::sync::Arc;

use futures::SinkExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tritondeploy_gateway::config::Limits;
use tungstenite::Message;

use crate::neighbour::Neighbour;
use crate::{Client, Running, SOON, Sleeper, text, until};

const MESSAGES: usize = 4;

/// Ten of the crowd's messages, and something for the neighbour.
const ROOM: usize = 1024;
const LONG: usize = 100 << 10;

/// Sends some long messages at once; each takes some time.
async fn greedy(running: &Running) -> Client {
    let mut client = running.client().await;
    for i in 0..MESSAGES {
        let message = format!("300 {i} {}", "x".repeat(LONG - 6));
        client.send(Message::text(message)).await.unwrap();
    }
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_all_connections_together_are_bounded_whether_they_run_or_wait() {
    let room = Arc::new(Semaphore::new(ROOM));
    let sleeper = Sleeper { room: Some(room.clone()), ..Sleeper::default() };
    let limits = Limits { running: 1, waiting_bytes: 8 << 20, ..Limits::default() };
    let running = Running::serving(sleeper, limits).await;
    let neighbour = Neighbour::of(&running).await;
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(greedy(&running).await);
    }
    let (mut answered, mut refused) = (0, 0);
    for client in &mut crowd {
        // In their order, whatever became of them; who was refused is told why, and goes on.
        for i in 0..MESSAGES {
            let answer = timeout(SOON, text(client)).await.expect("an answer");
            if answer.starts_with(&format!("300 {i} ")) {
                answered += 1;
            } else {
                assert!(answer.starts_with(r#"{"status":"error","message":"too much is asked for"#), "{answer}");
                refused += 1;
            }
        }
    }
    // Ten have room at first, and some more as it is given back.
    assert!(answered >= 10 && refused >= 10, "{answered} answered, {refused} refused");
    neighbour.unharmed().await;
    // All of it is given back: by what is answered, and by who leaves.
    drop(greedy(&running).await);
    until("all of it is given back", || room.available_permits() == ROOM).await;
    drop(crowd);
}
