//! The requests of one connection: a few run at once, the rest wait, answers come in the order of arrival.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use tokio_util::task::AbortOnDropHandle;
use tritondeploy_wire::v1::Code;
use tungstenite::Message;

use crate::admission::memory::{FULL, MessageRoom};
use crate::config::Limits;
use crate::metrics;
use crate::peer::{Client, RequestId, Version};
use crate::websocket::Session;

/// Answers messages. Connections keep the order; answering may take its time and happens several at once.
pub trait Protocol: Send + Sync + 'static {
    /// The one answer to a text or binary message, which has this room. Dropping the future gives the request up.
    fn answer(&self, id: RequestId, client: Client, message: Message, room: MessageRoom) -> impl Future<Output = Message> + Send;

    /// Room for a message among those of all connections; None: there is none.
    fn room(&self, client: Client, bytes: usize) -> Option<MessageRoom>;
}

/// Dropping it gives up every request in it.
pub struct Queue<P> {
    protocol: Arc<P>,
    connection: u64,
    client: Client,
    /// Requests so far.
    count: u64,
    running: VecDeque<AbortOnDropHandle<Message>>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    draining: bool,
    limits: Limits,
}

struct Waiting {
    id: RequestId,
    /// None where all connections together held too much when it came: it is not kept, only answered.
    held: Option<(Message, MessageRoom)>,
}

impl<P: Protocol> Queue<P> {
    /// For the connection of this number in this process.
    #[must_use]
    pub fn new(protocol: Arc<P>, connection: u64, client: Client, limits: Limits) -> Self {
        let (running, waiting) = (VecDeque::new(), VecDeque::new());
        Self { protocol, connection, client, count: 0, running, waiting, waiting_bytes: 0, draining: false, limits }
    }

    fn start(&mut self) {
        while self.running.len() < self.limits.running {
            let Some(Waiting { id, held }) = self.waiting.pop_front() else { return };
            let task = match held {
                Some((message, room)) => {
                    self.waiting_bytes -= message.len();
                    let (protocol, client) = (self.protocol.clone(), self.client);
                    // In a box: what has ended and is not read yet takes no more than its answer.
                    tokio::spawn(Box::pin(async move { protocol.answer(id, client, message, room).await }))
                }
                None => tokio::spawn(std::future::ready(refusal())),
            };
            self.running.push_back(AbortOnDropHandle::new(task));
        }
    }
}

impl<P: Protocol> Session for Queue<P> {
    fn push(&mut self, message: Message) {
        metrics::received(Version::V0, message.len());
        // What comes after the drain began is not answered: the client sees 1001 and may ask elsewhere.
        if self.draining {
            return;
        }
        self.count += 1;
        let id = RequestId { connection: self.connection, request: self.count };
        let held = self.protocol.room(self.client, message.len()).map(|room| (message, room));
        match &held {
            Some((message, _)) => self.waiting_bytes += message.len(),
            None => metrics::failed(Version::V0, Code::Overloaded),
        }
        self.waiting.push_back(Waiting { id, held });
        self.start();
    }

    /// An answered request makes room for the next one only once its answer is taken, so that a client that does not
    /// read cannot pile up answers.
    async fn next(&mut self) -> Message {
        let answer = poll_fn(|cx| {
            let Some(first) = self.running.front_mut() else { return Poll::Pending };
            let answer = ready!(std::pin::Pin::new(first).poll(cx));
            self.running.pop_front();
            Poll::Ready(answer)
        })
        .await;
        self.start();
        let answer = answer.unwrap_or_else(|e| {
            metrics::failed(Version::V0, Code::Internal);
            tracing::error!(connection = self.connection, "a request ended without an answer: {e}");
            Message::text(tritondeploy_wire::v0::error("internal error; the gateway's log tells more"))
        });
        metrics::sent(Version::V0, answer.len());
        answer
    }

    fn has_room(&self) -> bool {
        let limits = &self.limits;
        // Who was refused is not heard before that is answered: refusals must not pile up either.
        let refused = self.waiting.back().is_some_and(|last| last.held.is_none());
        self.draining || !refused && self.waiting.len() < limits.waiting && self.waiting_bytes < limits.waiting_bytes
    }

    fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn drain(&mut self) {
        self.draining = true;
    }
}

fn refusal() -> Message {
    Message::text(tritondeploy_wire::v0::error(&format!("too much is asked for just now: {FULL}; try again in a moment")))
}
