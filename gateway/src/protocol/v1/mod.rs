//! Protocol v1: many requests at once on one connection, answers as they finish.

mod decode;
mod encode;
mod greeting;
mod session;
mod streams;

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;
use tritondeploy_wire::v1::{Failure, Greeting, Infer, ServerMessage};
use tungstenite::Message;

pub use session::Session;
use session::text;

use crate::admission::memory::{MessageRoom, Space};
use crate::peer::{Client, RequestId};
use crate::triton::{Buffer, Payload};

/// What a session's requests are handed to.
pub trait Runner: Send + Sync + 'static {
    /// The first message of a connection.
    fn greeting(&self) -> Greeting;
    /// Room for a request's message among those of all connections; None: there is none.
    fn room(&self, client: Client, bytes: usize) -> Option<MessageRoom>;
    /// The same message, counted among those that clients have not read; None: they may not be more.
    fn count(&self, client: Client, message: Message) -> Option<Message>;
    /// An error that is counted so; in fewer words where it may not be.
    fn error(&self, client: Client, id: Option<u64>, failure: Failure) -> Message {
        let message = |failure| text(&ServerMessage::Error { id, failure });
        let short = Failure { message: String::new(), ..failure.clone() };
        self.count(client, message(failure)).unwrap_or_else(|| message(short))
    }
    /// Memory for a tensor that is still on its way, from where models can take it; None: it comes with its message.
    fn place(&self, bytes: usize) -> Option<Buffer>;
    /// The terminal message of a request: its result, or its error. Dropping the future gives the request up.
    fn run(&self, id: RequestId, asked: PendingRequest) -> impl Future<Output = Message> + Send;
}

/// A request as it came.
#[derive(Debug)]
pub struct PendingRequest {
    /// What is asked for.
    pub infer: Infer,
    /// The parts of its frame.
    pub parts: Vec<Payload>,
    /// When its last byte came.
    pub received: Instant,
    /// What its message takes of all that may be held; its parts have it, too.
    pub room: Arc<MessageRoom>,
    /// Whose it is.
    pub client: Client,
    /// What its connection may have of answers that were not read.
    pub(crate) unread: Space,
}
