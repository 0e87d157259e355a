//! The requests of one connection: which ids are open, what the window still allows, and what is to be sent.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tritondeploy_wire::v1::{
    Cancel, Cancelled, ClientMessage, Code, EndStream, Failure, Frame, Infer, LARGEST_ID, LONGEST_HEADER, Reason, ServerMessage,
    Source, Stream, Window, WindowRequest,
};
use tungstenite::Message;

use super::streams::Streams;
use super::{PendingRequest, Runner};
use crate::admission::memory::{FULL, Space};
use crate::config::Limits;
use crate::metrics;
use crate::peer::{Client, RequestId, Version};
use crate::triton::{Payload, WORTH};
use crate::websocket::Place;

/// Messages that wait for a client that does not read; then we do not read either.
const OUTBOX: usize = 64;

/// Bytes of short parts that get their memory before they come.
const SHORT: usize = 64 << 10;

/// One connection of protocol v1. Dropping it gives up every request in it.
pub struct Session<R> {
    runner: Arc<R>,
    connection: u64,
    count: u64,
    /// The window that holds, and the largest that may be asked for.
    window: Window,
    largest: Window,
    open: HashMap<u64, Open>,
    /// What these take of the window.
    taken: metrics::Window,
    streams: Streams,
    /// The request whose tensors are on their way to their places.
    begun: Option<Box<Infer>>,
    tasks: JoinSet<(u64, u64, Message)>,
    outbox: VecDeque<Message>,
    outbox_bytes: usize,
    /// What the client may leave unread, and how much of that is not taken.
    unread_bytes: usize,
    unread: Space,
    client: Client,
    draining: bool,
}

/// A request without its terminal message. An id may come again once it is closed, so each has a number of its own.
struct Open {
    number: u64,
    bytes: u64,
    stream: Option<u64>,
    /// None: it waits in its stream.
    task: Option<AbortHandle>,
}

impl<R: Runner> Session<R> {
    /// For the connection of this number in this process.
    #[must_use]
    pub fn new(runner: Arc<R>, connection: u64, client: Client, limits: &Limits) -> Self {
        let largest = Window { requests: limits.window_requests, bytes: limits.window_bytes as u64 };
        let mut session = Self {
            connection,
            count: 0,
            window: largest,
            largest,
            open: HashMap::new(),
            taken: metrics::Window::default(),
            streams: Streams::default(),
            begun: None,
            tasks: JoinSet::new(),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            unread_bytes: limits.unread_bytes,
            unread: Space::new(limits.unread_bytes as u64),
            client,
            draining: false,
            runner,
        };
        let greeting = session.runner.greeting();
        session.send(&ServerMessage::Hello(greeting));
        session
    }

    /// A message that is no error is sent whether it may be counted or not: there are few of them.
    fn send(&mut self, message: &ServerMessage) {
        let said = self.runner.count(self.client, text(message)).unwrap_or_else(|| text(message));
        self.queue(said);
    }

    fn queue(&mut self, message: Message) {
        self.outbox_bytes += message.len();
        self.outbox.push_back(message);
    }

    fn fail(&mut self, id: Option<u64>, failure: Failure) {
        metrics::failed(Version::V1, failure.code);
        let message = self.runner.error(self.client, id, failure);
        self.queue(message);
    }

    fn on_message(&mut self, message: Message) -> Result<(), String> {
        let received = Instant::now();
        let bytes = message.len() as u64;
        let (said, parts) = match message {
            Message::Text(text) => (ClientMessage::parse(text.as_bytes()).map_err(|e| e.to_string())?, Vec::new()),
            Message::Binary(whole) => {
                let frame = Frame::parse_request(&whole).map_err(|e| e.to_string())?;
                let said = ClientMessage::parse(frame.header).map_err(|e| e.to_string())?;
                (said, frame.parts.into_iter().map(|part| whole.slice(part).into()).collect())
            }
            _ => return Ok(()),
        };
        match said {
            ClientMessage::Infer(infer) => self.infer(infer, parts, bytes, received),
            ClientMessage::Cancel(Cancel { id }) => {
                self.cancel(id, Reason::Asked);
                Ok(())
            }
            ClientMessage::Window(WindowRequest { requests, bytes }) => {
                self.window.requests = requests.unwrap_or(self.window.requests).clamp(1, self.largest.requests);
                self.window.bytes = bytes.unwrap_or(self.window.bytes).clamp(1, self.largest.bytes);
                self.send(&ServerMessage::Window(self.window));
                Ok(())
            }
            ClientMessage::Stream(Stream { stream, drop }) => self.streams.open(stream, drop),
            ClientMessage::EndStream(EndStream { stream }) => self.streams.end(stream),
        }
    }

    fn infer(&mut self, infer: Infer, parts: Vec<Payload>, bytes: u64, received: Instant) -> Result<(), String> {
        self.count += 1;
        let id = infer.id;
        if id > LARGEST_ID {
            return Err(format!("the id {id} is over 2^53-1"));
        }
        if self.open.contains_key(&id) {
            return Err(format!("the id {id} is open already; the request with it goes on"));
        }
        if self.draining {
            self.fail(Some(id), Failure::new(Code::Draining, "the gateway stops; connect again"));
            return Ok(());
        }
        if let Some(failure) = self.beyond(bytes) {
            self.fail(Some(id), failure);
            return Ok(());
        }
        let Some(room) = self.runner.room(self.client, bytes as usize) else {
            let why = format!("{FULL}; try again in a moment");
            self.fail(Some(id), Failure { retry_after_ms: Some(50), ..Failure::new(Code::Overloaded, why) });
            return Ok(());
        };
        // A decoder may hold its bytes longer than anybody waits for it.
        let room = Arc::new(room);
        let parts = parts.into_iter().map(|part| part.holding(&room)).collect();
        let (number, stream) = (self.count, infer.stream);
        let asked = PendingRequest { infer, parts, received, room, client: self.client, unread: self.unread.clone() };
        let Some(stream) = stream else {
            let task = Some(self.spawn(number, asked));
            self.taken.open(bytes);
            self.open.insert(id, Open { number, bytes, stream, task });
            return Ok(());
        };
        match self.streams.push(stream, number, asked) {
            Ok(superseded) => {
                self.taken.open(bytes);
                self.open.insert(id, Open { number, bytes, stream: Some(stream), task: None });
                if let Some(old) = superseded {
                    self.cancel(old, Reason::Superseded);
                }
                self.go_on(stream);
            }
            Err(why) => self.fail(Some(id), Failure::new(Code::BadRequest, why)),
        }
        Ok(())
    }

    /// Why the window has no room for a message of so many bytes, if it has none.
    fn beyond(&self, bytes: u64) -> Option<Failure> {
        let Window { requests, bytes: most } = self.window;
        let would = self.taken.bytes() + bytes;
        let why = if self.open.len() >= requests as usize {
            format!("{} requests are open, as many as the window allows", self.open.len())
        } else if !self.open.is_empty() && would > most {
            // One request alone may be larger than the window, or it could never be sent.
            format!("with its {bytes} bytes {would} would be open; the window allows {most}")
        } else {
            return None;
        };
        Some(Failure::new(Code::FlowControl, why))
    }

    fn spawn(&mut self, number: u64, asked: PendingRequest) -> AbortHandle {
        let (runner, id) = (self.runner.clone(), asked.infer.id);
        let name = RequestId { connection: self.connection, request: number };
        // In a box: what has ended and is not heard of yet takes no more than its answer.
        self.tasks.spawn(Box::pin(async move { (id, number, runner.run(name, asked).await) }))
    }

    /// Sends what is next in a stream, and starts what may run.
    fn go_on(&mut self, stream: u64) {
        while let Some((id, message)) = self.streams.finished(stream) {
            self.close(id, message);
        }
        while let Some((number, asked)) = self.streams.startable(stream) {
            let id = asked.infer.id;
            let task = self.spawn(number, asked);
            if let Some(open) = self.open.get_mut(&id) {
                open.task = Some(task);
            }
        }
    }

    fn cancel(&mut self, id: u64, reason: Reason) {
        let message = text(&ServerMessage::Cancelled(Cancelled { id, reason }));
        // It may just have been answered: then this comes too late, which is no mistake.
        let Some(Open { number, stream, task, .. }) = self.close(id, message) else { return };
        task.map_or_else(|| metrics::cancelled(Version::V1), |task| task.abort());
        if let Some(stream) = stream {
            self.streams.remove(stream, number);
            self.go_on(stream);
        }
    }

    /// Ends a request, if it is open, with its terminal message.
    fn close(&mut self, id: u64, message: Message) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.taken.close(open.bytes);
        self.queue(message);
        Some(open)
    }

    /// Takes what a task ended with.
    fn ended(&mut self, id: u64, number: u64, message: Message) {
        // The answer to a request that was cancelled meanwhile is nobody's.
        let Some(open) = self.open.get(&id).filter(|open| open.number == number) else { return };
        match open.stream {
            Some(stream) => {
                self.streams.finish(stream, number, message);
                self.go_on(stream);
            }
            None => drop(self.close(id, message)),
        }
    }

    /// A task that panicked: its request is still owed its terminal message.
    fn broken(&mut self, task: tokio::task::Id) {
        let is_it = |open: &Open| open.task.as_ref().is_some_and(|handle| handle.id() == task);
        let Some((id, number)) = self.open.iter().find(|(_, open)| is_it(open)).map(|(id, open)| (*id, open.number)) else {
            return;
        };
        metrics::failed(Version::V1, Code::Internal);
        let failure = Failure::new(Code::Internal, "internal error; the gateway's log tells more");
        self.ended(id, number, text(&ServerMessage::Error { id: Some(id), failure }));
    }
}

impl<R: Runner> crate::websocket::Session for Session<R> {
    fn push(&mut self, message: Message) {
        metrics::received(Version::V1, message.len());
        if let Err(why) = self.on_message(message) {
            self.fail(None, Failure::new(Code::BadRequest, why));
        }
    }

    fn begin(&mut self, start: &[u8], length: usize) -> Option<Vec<Place>> {
        // What will be refused takes no place.
        if self.draining || self.beyond(length as u64).is_some() {
            return None;
        }
        let frame = Frame::begin(start, length).ok()?;
        let ClientMessage::Infer(infer) = ClientMessage::parse(frame.header).ok()? else { return None };
        if !matches!(infer.source, Source::Tensors(_)) {
            return None;
        }
        // What is short gets memory of our own, before its bytes are there: of much, no claim is believed.
        let short: usize = frame.parts.iter().map(Range::len).filter(|length| *length < WORTH).sum();
        if short > SHORT {
            return None;
        }
        let place = |range: Range<usize>| Some(Place { memory: self.runner.place(range.len())?, range });
        let places = frame.parts.into_iter().map(place).collect::<Option<_>>()?;
        self.begun = Some(Box::new(infer));
        Some(places)
    }

    fn placed(&mut self, places: Vec<Place>, length: usize) {
        metrics::received(Version::V1, length);
        let Some(infer) = self.begun.take() else { return };
        let parts = places.into_iter().map(|place| place.memory.share()).collect();
        if let Err(why) = self.infer(*infer, parts, length as u64, Instant::now()) {
            self.fail(None, Failure::new(Code::BadRequest, why));
        }
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                self.outbox_bytes -= message.len();
                metrics::sent(Version::V1, message.len());
                return message;
            }
            match self.tasks.join_next().await {
                // Woken by the push of a request that makes it some.
                None => std::future::pending().await,
                Some(Ok((id, number, message))) => self.ended(id, number, message),
                Some(Err(e)) if e.is_cancelled() => {}
                Some(Err(e)) => {
                    tracing::error!(connection = self.connection, "a request ended without an answer: {e}");
                    self.broken(e.id());
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.outbox.len() < OUTBOX && self.outbox_bytes < self.unread_bytes
    }

    fn longest_text(&self) -> usize {
        LONGEST_HEADER
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.outbox.is_empty()
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn drain(&mut self) {
        self.draining = true;
        self.send(&ServerMessage::Goaway { reason: "the gateway stops; connect again".to_owned() });
    }
}

/// A message without parts.
pub(super) fn text(message: &ServerMessage) -> Message {
    // These types have no map with keys that are no strings, the one thing that fails.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}
