//! What the connection code knows of a protocol: one message in, one message out.

use std::fmt;
use std::future::Future;

use tokio::sync::OwnedSemaphorePermit;
use tungstenite::Message;

/// A request's share of the bytes that may be held; given back when it is dropped. None where nobody counts.
pub type Room = Option<OwnedSemaphorePermit>;

/// Answers messages. Connections keep the order; answering may take its time and happens several at once.
pub trait Protocol: Send + Sync + 'static {
    /// The one answer to a text or binary message. Dropping the future gives the request up.
    fn answer(&self, id: RequestId, message: Message) -> impl Future<Output = Message> + Send;

    /// Room for a message among those of all connections; None: there is none.
    fn room(&self, bytes: usize) -> Option<Room>;
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Protocol v0: no subprotocol.
    V0,
    /// Protocol v1.
    V1,
}

impl Version {
    /// `v0` or `v1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
        }
    }
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
