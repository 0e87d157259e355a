//! Sessions of protocol v1 against models that finish when they are told to: the conversations of the vectors.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::connection::Session as _;
use tritondeploy_gateway::protocol::RequestId;
use tritondeploy_gateway::v1::{Asked, Room, Runner, Session};
use tritondeploy_wire::v1::{self as wire, Greeting, Window};
use tungstenite::Message;

const CONVERSATIONS: &str = include_str!("../wire/vectors/v1/conversations.json");

/// Finishes a request when the test says so.
#[derive(Default)]
struct Hands {
    running: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl Runner for Hands {
    fn greeting(&self) -> Greeting {
        let window = Window { requests: 0, bytes: 0 };
        let limits = wire::Limits { message_bytes: 0, object_bytes: 0, pixels: 0, deadline_ms: 0 };
        let (protocol, server) = (String::new(), String::new());
        Greeting { protocol, server, features: vec![], window, limits, models: vec![], pipelines: vec![] }
    }

    fn room(&self, _: usize) -> Option<Room> {
        Some(None)
    }

    async fn run(&self, _: RequestId, asked: Asked) -> Message {
        let (finish, finished) = oneshot::channel();
        let id = asked.infer.id;
        self.running.lock().unwrap().insert(id, finish);
        finished.await.unwrap();
        Message::text(json!({"type": "result", "id": id}).to_string())
    }
}

/// What comes within a time that is long for a machine and short for people.
async fn next(session: &mut Session<Hands>) -> Option<Value> {
    let message = timeout(Duration::from_millis(200), session.next()).await.ok()?;
    Some(serde_json::from_str(message.to_text().unwrap()).unwrap())
}

#[tokio::test]
async fn conversations_go_as_the_vectors_say() {
    let conversations: Vec<Value> = serde_json::from_str(CONVERSATIONS).unwrap();
    for conversation in &conversations {
        let about = conversation["about"].as_str().unwrap();
        let window: Window = serde_json::from_value(conversation["window"].clone()).unwrap();
        let limits = Limits { window_requests: window.requests, window_bytes: window.bytes as usize, ..Limits::default() };
        let hands = Arc::new(Hands::default());
        let mut session = Session::new(hands.clone(), 1, &limits);
        assert_eq!(next(&mut session).await.unwrap()["type"], "hello");
        for step in conversation["steps"].as_array().unwrap() {
            let (what, with) = step.as_object().unwrap().iter().next().unwrap();
            match what.as_str() {
                "client" => session.push(Message::text(with.to_string())),
                "drain" => session.drain(),
                "closed" => assert!(session.is_empty(), "{about}"),
                "finish" => {
                    // Until the request's task has begun.
                    let id = with.as_u64().unwrap();
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    let finish = hands.running.lock().unwrap().remove(&id);
                    finish.unwrap_or_else(|| panic!("{about}: {id} does not run")).send(()).unwrap();
                }
                "gateway" => {
                    let came = next(&mut session).await.unwrap_or_else(|| panic!("{about}: no {with}"));
                    for (key, value) in with.as_object().unwrap() {
                        assert_eq!(&came[key], value, "{about}: {came} instead of {with}");
                    }
                }
                other => panic!("{about}: no step {other}"),
            }
        }
        assert!(session.is_empty(), "{about}: something is open");
        let more = timeout(Duration::from_millis(20), session.next()).await;
        assert!(more.is_err(), "{about}: {more:?} comes after the last step");
    }
}
