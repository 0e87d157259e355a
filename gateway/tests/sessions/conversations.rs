//! The conversations of the vectors.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::protocol::v1::Session;
use tritondeploy_gateway::websocket::Session as _;
use tritondeploy_wire::v1::Window;
use tungstenite::Message;

use crate::hands::{Fate, Hands, settled, somebody};

const CONVERSATIONS: &str = include_str!("../../wire/vectors/v1/conversations.json");

/// What comes within a time that is long for any machine.
async fn next(session: &mut Session<Hands>) -> Option<Value> {
    let message = timeout(Duration::from_secs(10), session.next()).await.ok()?;
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
        let mut session = Session::new(hands.clone(), 1, somebody(), &limits);
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
                    settled().await;
                    let number = hands.number(id).unwrap_or_else(|| panic!("{about}: {id} does not run"));
                    hands.finish(number, Fate::Result);
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

#[tokio::test]
async fn a_client_that_leaves_too_much_unread_has_its_errors_in_few_words() {
    let hands = Arc::new(Hands::default());
    let mut session = Session::new(hands.clone(), 1, somebody(), &Limits::default());
    assert_eq!(next(&mut session).await.unwrap()["type"], "hello");
    for unread in [false, true] {
        hands.unread.store(unread, std::sync::atomic::Ordering::Relaxed);
        session.push(Message::text(r#"{"type":"nonsense"}"#));
        let error = next(&mut session).await.unwrap();
        assert_eq!((&error["type"], &error["id"], &error["code"]), (&"error".into(), &Value::Null, &"bad_request".into()));
        assert_eq!(error["message"].as_str().unwrap().is_empty(), unread, "{error}");
    }
}
