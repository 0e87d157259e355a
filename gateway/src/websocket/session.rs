//! What the connection code knows of a protocol.

use std::future::Future;
use std::ops::Range;

use tungstenite::Message;

use crate::triton::Buffer;

/// Bytes of a message that are read straight to where they are needed.
#[derive(Debug)]
pub struct Place {
    /// Of the message.
    pub range: Range<usize>,
    /// As long as that.
    pub memory: Buffer,
}

/// The requests of one connection. Dropping it gives up every request in it.
pub trait Session: Send {
    /// Takes a text or binary message.
    fn push(&mut self, message: Message);
    /// A long binary message of `length` bytes begins so: where its parts go, in the order of their ranges. None: the
    /// message is pushed as a whole.
    fn begin(&mut self, _start: &[u8], _length: usize) -> Option<Vec<Place>> {
        None
    }
    /// Takes the message that began so, once all of its places are filled.
    fn placed(&mut self, _places: Vec<Place>, _length: usize) {}
    /// The next message to the client. Cancel safe; pends for ever while there is none.
    fn next(&mut self) -> impl Future<Output = Message> + Send;
    /// Bytes of the longest text message, where that is less than the longest message.
    fn longest_text(&self) -> usize {
        usize::MAX
    }
    /// Whether another message may be read just now.
    fn has_room(&self) -> bool;
    /// Whether nothing is open and nothing is left to send.
    fn is_empty(&self) -> bool;
    /// Requests received so far.
    fn count(&self) -> u64;
    /// From now on, no new request is taken; once it is empty, the connection closes with 1001.
    fn drain(&mut self);
}
