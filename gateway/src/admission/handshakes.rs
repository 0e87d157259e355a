//! Places for connections that have not sent an upgrade: so many in all, and so many for one address, so that one client
//! that opens connections and says nothing does not keep the others out. The relays count theirs in the same way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Refusal;
use crate::peer::network;

#[derive(Debug)]
pub(crate) struct Handshakes {
    all: Arc<Semaphore>,
    per_address: usize,
    /// Places in use, of those addresses that use any.
    used: Mutex<HashMap<IpAddr, usize>>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct HandshakePermit {
    handshakes: Arc<Handshakes>,
    address: IpAddr,
    _one: OwnedSemaphorePermit,
}

impl Handshakes {
    pub(crate) fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all: Arc::new(Semaphore::new(all)), per_address, used: Mutex::default() })
    }

    /// A place for a connection from `address`, or which cap is reached.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<HandshakePermit, Refusal> {
        let address = network(address);
        let mut used = self.used();
        if used.get(&address).is_some_and(|count| *count >= self.per_address) {
            return Err(Refusal::HandshakesPerAddress);
        }
        let one = self.all.clone().try_acquire_owned().map_err(|_| Refusal::Handshakes)?;
        *used.entry(address).or_default() += 1;
        drop(used);
        Ok(HandshakePermit { handshakes: self.clone(), address, _one: one })
    }

    fn used(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HandshakePermit {
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
}
