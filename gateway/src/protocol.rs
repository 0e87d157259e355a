//! What the connection code knows of a protocol: one message in, one message out.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};

use tokio::sync::OwnedSemaphorePermit;
use tungstenite::Message;

/// A request's share of the bytes that may be held; given back when it is dropped. None where nobody counts.
pub type Room = Option<OwnedSemaphorePermit>;

/// Answers messages. Connections keep the order; answering may take its time and happens several at once.
pub trait Protocol: Send + Sync + 'static {
    /// The one answer to a text or binary message, which has this room. Dropping the future gives the request up.
    fn answer(&self, id: RequestId, client: Client, message: Message, room: Room) -> impl Future<Output = Message> + Send;

    /// Room for a message among those of all connections; None: there is none.
    fn room(&self, bytes: usize) -> Option<Room>;
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Whose request it is. What is scarce is shared by client: an address, and what is spoken from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    address: IpAddr,
    version: Version,
}

impl Client {
    /// Whoever is at this address. Of IPv6, all that share a /64 are one: anybody there may take any of them.
    #[must_use]
    pub fn new(peer: IpAddr, version: Version) -> Self {
        let address = match peer.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 => v4,
        };
        Self { address, version }
    }

    /// What it speaks.
    #[must_use]
    pub fn version(self) -> Version {
        self.version
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
