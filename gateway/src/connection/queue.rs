//! The requests of one connection: a few run at once, the rest wait, answers come in the order of arrival.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use tokio_util::task::AbortOnDropHandle;
use tritondeploy_wire::v1::Code;
use tungstenite::Message;

use super::Session;
use crate::config::Limits;
use crate::metrics;
use crate::protocol::{Protocol, RequestId, Version};

/// Dropping it gives up every request in it.
pub struct Queue<P> {
    protocol: Arc<P>,
    connection: u64,
    /// Requests so far.
    count: u64,
    running: VecDeque<AbortOnDropHandle<Message>>,
    waiting: VecDeque<(RequestId, Message)>,
    waiting_bytes: usize,
    draining: bool,
    limits: Limits,
}

impl<P: Protocol> Queue<P> {
    /// For the connection of this number in this process.
    #[must_use]
    pub fn new(protocol: Arc<P>, connection: u64, limits: Limits) -> Self {
        let (running, waiting) = (VecDeque::new(), VecDeque::new());
        Self { protocol, connection, count: 0, running, waiting, waiting_bytes: 0, draining: false, limits }
    }

    fn start(&mut self) {
        while self.running.len() < self.limits.running {
            let Some((id, message)) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= message.len();
            let protocol = self.protocol.clone();
            let task = tokio::spawn(async move { protocol.answer(id, message).await });
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
        self.waiting_bytes += message.len();
        self.waiting.push_back((id, message));
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
        self.draining || self.waiting.len() < self.limits.waiting && self.waiting_bytes < self.limits.waiting_bytes
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
