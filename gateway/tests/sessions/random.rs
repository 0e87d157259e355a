//! Any conversation at all, held against the model.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::protocol::v1::Session;
use tritondeploy_gateway::websocket::{Place, Session as _};
use tritondeploy_wire::v1 as wire;
use tungstenite::Message;

use crate::hands::{Fate, Hands, ROOM, content, settled, somebody};
use crate::model::Model;

/// Few, so that they are used again and collide.
const IDS: u64 = 8;
const STREAMS: u64 = 3;

/// As large as the messages that fill it in a few.
const WINDOW: (u32, u64) = (6, 1500);

/// What is no message, or not one of a client.
const GARBAGE: [&[u8]; 14] = [
    b"",
    b"[]",
    b"7",
    b"null",
    b"\"infer\"",
    br#"{"type":"infer"}"#,
    br#"{"type":"infer","id":1}"#,
    br#"{"type":"infer","id":-1,"source":{"image":{}}}"#,
    br#"{"type":"infer","id":1.0,"source":{"image":{}}}"#,
    br#"{"type":"infer","id":1,"source":{"file":{}}}"#,
    br#"{"type":"result","id":1,"results":[]}"#,
    br#"{"type":"cancel"}"#,
    br#"{"type":"stream","stream":1,"drop":"oldest"}"#,
    br#"{"type":"window","requests":-1}"#,
];

#[derive(Clone, Debug)]
enum Step {
    Infer {
        id: u64,
        stream: Option<u64>,
        pad: usize,
        binary: bool,
    },
    /// A long message of tensors begins, of which so much is there; the client's next message is the one after it.
    Begin {
        id: u64,
        stream: Option<u64>,
        lengths: Vec<usize>,
        there: usize,
    },
    Cancel {
        id: u64,
    },
    Window {
        requests: Option<u32>,
        bytes: Option<u64>,
    },
    Stream {
        stream: u64,
        newest: bool,
    },
    EndStream {
        stream: u64,
    },
    Garbage {
        which: usize,
        binary: bool,
    },
    /// Other connections take all the room, or give it back.
    Full(bool),
    /// So do they with the places for tensors.
    NoPlaces(bool),
    Drain,
    /// A model is done with a request.
    Finish {
        which: usize,
        fate: Fate,
    },
    /// The client reads so many messages, if there are.
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![20 => 0..IDS, 1 => Just(wire::LARGEST_ID), 1 => Just(wire::LARGEST_ID + 1), 1 => Just(u64::MAX)];
    let stream = || 0..STREAMS;
    let fate = prop_oneof![9 => Just(Fate::Result), 1 => Just(Fate::Panic)];
    let infer = (id(), prop::option::of(stream()), prop_oneof![0..100usize, 0..2000usize], any::<bool>());
    let lengths = prop::collection::vec(0..700usize, 1..4);
    let begin =
        (id(), prop::option::of(stream()), lengths, prop_oneof![3 => Just(300usize), 1 => 0..300usize, 1 => 0..2000usize]);
    let requests = prop_oneof![0..10u32, Just(u32::MAX)];
    let bytes = prop_oneof![0..2000u64, Just(u64::MAX)];
    prop_oneof![
        30 => infer.prop_map(|(id, stream, pad, binary)| Step::Infer { id, stream, pad, binary }),
        20 => begin.prop_map(|(id, stream, lengths, there)| Step::Begin { id, stream, lengths, there }),
        6 => id().prop_map(|id| Step::Cancel { id }),
        2 => (prop::option::of(requests), prop::option::of(bytes)).prop_map(|(requests, bytes)| Step::Window { requests, bytes }),
        6 => (stream(), any::<bool>()).prop_map(|(stream, newest)| Step::Stream { stream, newest }),
        2 => stream().prop_map(|stream| Step::EndStream { stream }),
        2 => (0..GARBAGE.len(), any::<bool>()).prop_map(|(which, binary)| Step::Garbage { which, binary }),
        1 => prop::bool::weighted(0.3).prop_map(Step::Full),
        1 => prop::bool::weighted(0.3).prop_map(Step::NoPlaces),
        20 => (0..8usize, fate).prop_map(|(which, fate)| Step::Finish { which, fate }),
        16 => prop_oneof![Just(1), Just(100)].prop_map(Step::Read),
    ]
}

/// Steps, and where among them the drain begins; it need not.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    (prop::collection::vec(step(), 1..80), prop::option::weighted(0.4, 0..80usize)).prop_map(|(mut steps, drain)| {
        if let Some(at) = drain {
            steps.insert(at % steps.len(), Step::Drain);
        }
        steps
    })
}

fn message(said: &Value, part: Option<&[u8]>) -> Message {
    match part {
        Some(part) => Message::binary(wire::encode(said, &[part]).unwrap()),
        None => Message::text(said.to_string()),
    }
}

/// A message that is on its way, and where its parts go.
struct Begun {
    id: u64,
    stream: Option<u64>,
    whole: Vec<u8>,
    places: Option<Vec<Place>>,
}

/// The session, the model, and what the client saw.
struct Both {
    session: Session<Hands>,
    hands: Arc<Hands>,
    model: Model,
    draining: bool,
    /// Requests sent, and the messages that ended one.
    sent: usize,
    terminal: usize,
    /// Errors without an id that are about one all the same.
    nameless: usize,
    begun: Option<Begun>,
    /// Messages that had places.
    placed: usize,
}

impl Both {
    fn new() -> Self {
        let hands = Arc::new(Hands::default());
        let limits = Limits { window_requests: WINDOW.0, window_bytes: WINDOW.1 as usize, ..Limits::default() };
        let session = Session::new(hands.clone(), 1, somebody(), &limits);
        let model = Model::new(WINDOW.0.into(), WINDOW.1);
        Self { session, hands, model, draining: false, sent: 0, terminal: 0, nameless: 0, begun: None, placed: 0 }
    }

    /// The rest of the message that began has come.
    fn complete(&mut self) {
        let Some(Begun { id, stream, whole, places }) = self.begun.take() else { return };
        self.sent += 1;
        self.model.infer(id, stream, whole.len() as u64);
        match places {
            Some(mut places) => {
                places.iter_mut().for_each(|Place { range, memory }| memory.copy_from_slice(&whole[range.clone()]));
                self.placed += 1;
                self.session.placed(places, whole.len());
            }
            None => self.session.push(Message::binary(whole)),
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        if !matches!(step, Step::Full(_) | Step::NoPlaces(_) | Step::Drain | Step::Finish { .. } | Step::Read(_)) {
            self.complete();
        }
        match *step {
            Step::Infer { id, stream, pad, binary } => {
                let mut said = json!({"type": "infer", "id": id, "source": {"image": {}}});
                if let Some(stream) = stream {
                    said["stream"] = stream.into();
                }
                let sent = if binary {
                    message(&said, Some(&content(id, 0, pad)))
                } else {
                    said["unknown to all"] = "x".repeat(pad).into();
                    message(&said, None)
                };
                self.sent += 1;
                self.model.infer(id, stream, sent.len() as u64);
                self.session.push(sent);
            }
            Step::Begin { id, stream, ref lengths, there } => {
                let tensor = |length: &usize| json!({"name": "x", "datatype": "UINT8", "shape": [length]});
                let tensors: Vec<_> = lengths.iter().map(tensor).collect();
                let mut said = json!({"type": "infer", "id": id, "source": {"tensors": tensors}});
                if let Some(stream) = stream {
                    said["stream"] = stream.into();
                }
                let parts: Vec<_> = lengths.iter().enumerate().map(|(at, length)| content(id, at, *length)).collect();
                let whole = wire::encode(&said, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
                let places = self.session.begin(&whole[..there.min(whole.len())], whole.len());
                if let Some(places) = &places {
                    let came: Vec<_> = places.iter().map(|place| place.memory.len()).collect();
                    prop_assert_eq!(&came, lengths);
                }
                self.begun = Some(Begun { id, stream, whole, places });
            }
            Step::Cancel { id } => {
                self.model.cancel(id);
                self.session.push(message(&json!({"type": "cancel", "id": id}), None));
            }
            Step::Window { requests, bytes } => {
                self.model.window(requests.map(u64::from), bytes);
                self.session.push(message(&json!({"type": "window", "requests": requests, "bytes": bytes}), None));
            }
            Step::Stream { stream, newest } => {
                let drop = if newest { "newest" } else { "all" };
                self.model.stream(stream, newest);
                self.session.push(message(&json!({"type": "stream", "stream": stream, "drop": drop}), None));
            }
            Step::EndStream { stream } => {
                self.model.end_stream(stream);
                self.session.push(message(&json!({"type": "end_stream", "stream": stream}), None));
            }
            Step::Garbage { which, binary } => {
                self.model.garbage();
                let garbage = GARBAGE[which];
                let text = || Message::text(std::str::from_utf8(garbage).unwrap());
                self.session.push(if binary { Message::binary(garbage) } else { text() });
            }
            Step::Full(full) => {
                self.model.full = full;
                self.hands.full.store(full, Ordering::Relaxed);
            }
            Step::NoPlaces(none) => self.hands.no_places.store(none, Ordering::Relaxed),
            Step::Drain => {
                self.draining = true;
                self.model.drain();
                self.session.drain();
            }
            Step::Finish { which, fate } => self.finish(which, fate).await?,
            Step::Read(most) => self.read(most).await?,
        }
        prop_assert_eq!(self.session.is_empty(), self.model.is_empty());
        Ok(())
    }

    /// What runs is what should; one of it ends.
    async fn finish(&mut self, which: usize, fate: Fate) -> Result<(), TestCaseError> {
        settled().await;
        let running = self.hands.running();
        prop_assert_eq!(&running, &self.model.running());
        let (open, bytes) = self.model.taken();
        prop_assert!(open <= WINDOW.0 as usize && (open <= 1 || bytes <= WINDOW.1), "{open} requests, {bytes} bytes are open");
        prop_assert!(running.len() <= open);
        if !running.is_empty() {
            let number = running[which % running.len()];
            self.model.finish(number, fate);
            self.hands.finish(number, fate);
            settled().await;
        }
        Ok(())
    }

    async fn read(&mut self, most: usize) -> Result<(), TestCaseError> {
        for _ in 0..most {
            settled().await;
            let came = self.session.next().now_or_never();
            let came = came.map(|message| serde_json::from_str::<Value>(message.to_text().unwrap()).unwrap());
            let wanted = self.model.next();
            let same = match (&came, &wanted) {
                (Some(came), Some(wanted)) => wanted.is(came),
                (None, None) => return Ok(()),
                _ => false,
            };
            prop_assert!(same, "the session: {came:?}; the model: {wanted:?}");
            let came = came.unwrap_or_default();
            self.terminal += usize::from(came["id"].is_u64());
            self.nameless +=
                usize::from(came["id"].is_null() && came["message"].as_str().is_some_and(|m| m.starts_with("the id ")));
        }
        Ok(())
    }

    /// Drains, and lets all that is open end.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        self.complete();
        if !self.draining {
            self.step(&Step::Drain).await?;
        }
        // Too late for these; they are still owed an answer.
        for id in 100..103 {
            self.step(&Step::Infer { id, stream: None, pad: 0, binary: false }).await?;
        }
        for _ in 0..1000 {
            self.read(100).await?;
            if self.model.is_empty() {
                break;
            }
            self.finish(0, Fate::Result).await?;
        }
        self.read(1).await?;
        prop_assert!(self.session.is_empty() && self.model.is_empty());
        prop_assert_eq!(self.hands.running(), Vec::<u64>::new());
        prop_assert_eq!(self.hands.room.available_permits(), ROOM, "room is not given back");
        Ok(())
    }
}

#[test]
fn every_conversation_goes_as_the_model_says() {
    let config = Config { cases: 1000, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let placed = Cell::new(0);
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut both = Both::new();
            for step in &steps {
                both.step(step).await?;
            }
            both.end().await?;
            placed.set(placed.get() + both.placed);
            // Counted apart from the model.
            prop_assert_eq!(both.terminal + both.nameless, both.sent, "each request has one end");
            Ok(())
        })
    });
    if let Err(e) = outcome {
        panic!("{e}");
    }
    assert!(placed.get() > 1000, "only {} messages had places", placed.get());
}
