//! What the connection code knows of a protocol.

use std::future::Future;

use tungstenite::Message;

/// The requests of one connection. Dropping it gives up every request in it.
pub trait Session: Send {
    /// Takes a text or binary message.
    fn push(&mut self, message: Message);
    /// The next message to the client. Cancel safe; pends for ever while there is none.
    fn next(&mut self) -> impl Future<Output = Message> + Send;
    /// Whether another message may be read just now.
    fn has_room(&self) -> bool;
    /// Whether nothing is open and nothing is left to send.
    fn is_empty(&self) -> bool;
    /// Requests received so far.
    fn count(&self) -> u64;
    /// From now on, no new request is taken; once it is empty, the connection closes with 1001.
    fn drain(&mut self);
}
