//! Places for connections that have not sent an upgrade: so many in all, and so many for one address, so that one client
//! that opens connections and says nothing does not keep the others out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Refusal;

/// Whoever has an IPv6 address has this whole network of them: RFC 6177.
const NETWORK: u32 = 64;

#[derive(Debug)]
pub(super) struct Handshakes {
    all: Arc<Semaphore>,
    per_address: usize,
    /// Places in use, of those addresses that use any.
    used: Mutex<HashMap<IpAddr, usize>>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    handshakes: Arc<Handshakes>,
    address: IpAddr,
    _one: OwnedSemaphorePermit,
}

impl Handshakes {
    pub(super) fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all: Arc::new(Semaphore::new(all)), per_address, used: Mutex::default() })
    }

    /// A place for a connection from `address`, or which cap is reached.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refusal> {
        let address = client(address);
        let mut used = self.used();
        if used.get(&address).is_some_and(|count| *count >= self.per_address) {
            return Err(Refusal::HandshakesPerAddress);
        }
        let one = self.all.clone().try_acquire_owned().map_err(|_| Refusal::Handshakes)?;
        *used.entry(address).or_default() += 1;
        drop(used);
        Ok(Place { handshakes: self.clone(), address, _one: one })
    }

    fn used(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut used = self.handshakes.used();
        if let Some(count) = used.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                used.remove(&self.address);
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - NETWORK))).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_at_its_cap_waits_for_its_own_places_and_others_do_not() {
        let handshakes = Handshakes::new(3, 2);
        let first = handshakes.take(ip("192.0.2.1")).unwrap();
        let _second = handshakes.take(ip("192.0.2.1")).unwrap();
        assert!(matches!(handshakes.take(ip("192.0.2.1")), Err(Refusal::HandshakesPerAddress)));
        let other = handshakes.take(ip("192.0.2.2")).unwrap();
        assert!(matches!(handshakes.take(ip("192.0.2.2")), Err(Refusal::Handshakes)));
        drop(first);
        let _third = handshakes.take(ip("192.0.2.1")).unwrap();
        drop(other);
        assert_eq!(handshakes.used().len(), 1, "an address without connections is forgotten");
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_its_ipv4_address() {
        assert_eq!(client(ip("2001:db8:1:2:3:4:5:6")), client(ip("2001:db8:1:2::1")));
        assert_ne!(client(ip("2001:db8:1:2::1")), client(ip("2001:db8:1:3::1")));
        assert_eq!(client(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_ne!(client(ip("::ffff:192.0.2.1")), client(ip("::ffff:192.0.2.2")));
    }
}
