//! What the connection code knows of a protocol: one message in, one message out.

use std::fmt;
use std::future::Future;

use tungstenite::Message;

/// Answers messages. Connections keep the order; answering may take its time and happens several at once.
pub trait Protocol: Send + Sync + 'static {
    /// The one answer to a text or binary message. Dropping the future gives the request up.
    fn answer(&self, id: RequestId, message: Message) -> impl Future<Output = Message> + Send;
}

/// Names a request in the logs: the connection's number in this process, and the request's in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// From 1.
    pub connection: u64,
    /// From 1.
    pub request: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connection, self.request)
    }
}
