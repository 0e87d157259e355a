//! Who asks, and how a request of theirs is called.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

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
    /// Whoever is at this address.
    #[must_use]
    pub fn new(peer: IpAddr, version: Version) -> Self {
        Self { address: network(peer), version }
    }

    /// Where it is, or its IPv6 network.
    #[must_use]
    pub(crate) fn address(self) -> IpAddr {
        self.address
    }

    /// What it speaks.
    #[must_use]
    pub fn version(self) -> Version {
        self.version
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network. Whoever has one IPv6 address has this many: RFC 6177.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    const NETWORK: u32 = 64;
    match peer.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - NETWORK))).into(),
        v4 @ IpAddr::V4(_) => v4,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_its_ipv4_address() {
        let client = |text: &str| Client::new(text.parse().unwrap(), Version::V1);
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("::ffff:192.0.2.1"), client("::ffff:192.0.2.2"));
    }
}
