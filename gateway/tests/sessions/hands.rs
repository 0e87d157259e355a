//! Models that finish when they are told to.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tritondeploy_gateway::admission::memory::MessageRoom;
use tritondeploy_gateway::peer::{Client, RequestId, Version};
use tritondeploy_gateway::protocol::v1::{PendingRequest, Runner};
use tritondeploy_gateway::triton::Buffer;
use tritondeploy_wire::v1::{self as wire, Greeting, Window};
use tungstenite::Message;

/// What a request's parts hold, so that each can be told from all others.
pub(crate) fn content(id: u64, at: usize, len: usize) -> Vec<u8> {
    vec![(id as u8).wrapping_mul(16).wrapping_add(at as u8); len]
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Result,
    Panic,
}

/// KiB that all requests may hold: more than any test needs.
pub(crate) const ROOM: usize = 1 << 20;

/// Finishes a request when the test says so.
#[derive(Debug)]
pub(crate) struct Hands {
    /// By the request's number in its connection.
    running: Mutex<BTreeMap<u64, (u64, oneshot::Sender<Fate>)>>,
    /// Whether there is no room for another.
    pub(crate) full: AtomicBool,
    /// Whether there are no places for tensors on their way.
    pub(crate) no_places: AtomicBool,
    pub(crate) room: Arc<Semaphore>,
    /// Whether clients have left as much unread as they may.
    pub(crate) unread: AtomicBool,
}

impl Default for Hands {
    fn default() -> Self {
        let (full, no_places) = (AtomicBool::default(), AtomicBool::default());
        Self { running: Mutex::default(), full, no_places, room: Arc::new(Semaphore::new(ROOM)), unread: AtomicBool::default() }
    }
}

impl Hands {
    /// The requests that run: numbers.
    pub(crate) fn running(&self) -> Vec<u64> {
        self.running.lock().unwrap().keys().copied().collect()
    }

    /// The number of the running request with this id.
    pub(crate) fn number(&self, id: u64) -> Option<u64> {
        self.running.lock().unwrap().iter().find(|(_, (of, _))| *of == id).map(|(number, _)| *number)
    }

    /// Ends a request that runs.
    pub(crate) fn finish(&self, number: u64, fate: Fate) {
        let (_, finish) = self.running.lock().unwrap().remove(&number).unwrap();
        finish.send(fate).unwrap();
    }
}

/// Takes a request that is given up off the list.
struct Listed<'h>(&'h Hands, u64);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.running.lock().unwrap().remove(&self.1);
    }
}

impl Runner for Hands {
    fn greeting(&self) -> Greeting {
        let window = Window { requests: 0, bytes: 0 };
        let limits =
            wire::Limits { message_bytes: 0, object_bytes: 0, pixels: 0, deadline_ms: 0, header_bytes: None, models: None };
        let (protocol, server) = (String::new(), String::new());
        Greeting { protocol, server, features: vec![], window, limits, models: vec![], pipelines: vec![] }
    }

    fn room(&self, _: Client, bytes: usize) -> Option<MessageRoom> {
        if self.full.load(Ordering::Relaxed) {
            return None;
        }
        self.room.clone().try_acquire_many_owned(bytes as u32).ok().map(|permit| Some(permit.into()))
    }

    fn count(&self, _: Client, message: Message) -> Option<Message> {
        (!self.unread.load(Ordering::Relaxed)).then_some(message)
    }

    fn place(&self, bytes: usize) -> Option<Buffer> {
        (!self.no_places.load(Ordering::Relaxed)).then(|| Buffer::inline(bytes))
    }

    async fn run(&self, number: RequestId, asked: PendingRequest) -> Message {
        let number = number.request;
        for (at, part) in asked.parts.iter().enumerate() {
            assert!(**part == *content(asked.infer.id, at, part.len()), "part {at} holds another's bytes: {asked:?}");
        }
        let (finish, finished) = oneshot::channel();
        let id = asked.infer.id;
        self.running.lock().unwrap().insert(number, (id, finish));
        let _listed = Listed(self, number);
        match finished.await.unwrap() {
            Fate::Result => Message::text(json!({"type": "result", "id": id, "number": number}).to_string()),
            // Without the hook's words.
            Fate::Panic => resume_unwind(Box::new("told to")),
        }
    }
}

/// Whose sessions they are.
pub(crate) fn somebody() -> Client {
    Client::new(std::net::Ipv4Addr::LOCALHOST.into(), Version::V1)
}

/// Lets every task come as far as it can.
pub(crate) async fn settled() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
