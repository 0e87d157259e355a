//! Memory that many share: whoever wants some takes it before it is filled, and it is given back when dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::peer::Client;

/// Why there is no room for a message.
pub(crate) const FULL: &str = "too many bytes of requests are held, of all clients or of yours";

/// A message's share of the bytes that may be held; given back when it is dropped. None where nobody counts.
pub type MessageRoom = Option<Room>;

/// One address may hold all but one in so many of the bytes that are shared, and whatever there is for a single thing.
const LEFT: u32 = 4;

/// Bytes that may be held at once. It counts KiB, so that a permit of four bytes can be for any message or object.
#[derive(Clone, Debug)]
pub struct Space {
    all: Arc<Semaphore>,
    shares: Option<Arc<Shares>>,
}

/// What each address holds, in KiB.
#[derive(Debug)]
struct Shares {
    most: u32,
    held: Mutex<HashMap<IpAddr, u32>>,
}

/// Room for bytes; given back when dropped.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    /// Whose share it is of.
    share: Option<(Arc<Shares>, IpAddr)>,
}

impl Space {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { all: Arc::new(Semaphore::new(kib(bytes) as usize)), shares: None }
    }

    /// Of which no address has all: a quarter is left to others, or what is beyond `longest`, which each may have in parts.
    pub(crate) fn shared(bytes: u64, longest: u64) -> Self {
        let all = kib(bytes);
        let most = (all - all / LEFT).max(kib(longest).min(all));
        Self { shares: Some(Arc::new(Shares { most, held: Mutex::default() })), ..Self::new(bytes) }
    }

    /// Waits until there is so much; for more than there is at all, forever. None: never in practice, no space is closed.
    pub(crate) async fn wait(&self, bytes: u64) -> Option<Room> {
        self.all.clone().acquire_many_owned(kib(bytes)).await.ok().map(Room::from)
    }

    /// What one address may hold.
    pub(crate) fn share(&self) -> u64 {
        let all = self.shares.as_ref().map_or(u32::MAX, |shares| shares.most);
        u64::from(all) * 1024
    }

    /// So much if it is there at once, and the client's address holds nothing else, or not more than its share by that.
    pub(crate) fn take(&self, client: Client, bytes: u64) -> Option<Room> {
        let kib = kib(bytes);
        let permit = self.all.clone().try_acquire_many_owned(kib).ok()?;
        let Some(shares) = &self.shares else { return Some(permit.into()) };
        let address = client.address();
        let mut held = shares.held();
        let has = held.get(&address).copied().unwrap_or_default();
        if has > 0 && has.saturating_add(kib) > shares.most {
            return None;
        }
        held.insert(address, has + kib);
        Some(Room { permit, share: Some((shares.clone(), address)) })
    }
}

impl Shares {
    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, address: IpAddr, kib: u32) {
        let mut held = self.held();
        if let Some(share) = held.get_mut(&address) {
            *share -= kib;
            if *share == 0 {
                held.remove(&address);
            }
        }
    }
}

impl Room {
    /// What is held.
    pub(crate) fn bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * 1024
    }

    /// Gives back what is held beyond so many bytes.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let spare = self.permit.num_permits().saturating_sub(kib(bytes) as usize);
        if let Some(permit) = self.permit.split(spare) {
            drop(Self { permit, share: self.share.clone() });
        }
    }

    /// Holds both, of the same space and client, as one.
    pub(crate) fn merge(&mut self, mut more: Self) {
        if let Some(permit) = more.permit.split(more.permit.num_permits()) {
            more.share = None;
            self.permit.merge(permit);
        }
    }
}

impl From<OwnedSemaphorePermit> for Room {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self { permit, share: None }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some((shares, address)) = &self.share {
            shares.give_back(*address, self.permit.num_permits() as u32);
        }
    }
}

/// Bytes whose room is given back when the last that has them lets go.
pub(crate) fn held(bytes: impl AsRef<[u8]> + Send + 'static, room: impl Send + 'static) -> Bytes {
    struct Held<B, R>(B, #[allow(dead_code, reason = "held, not read")] R);
    impl<B: AsRef<[u8]>, R> AsRef<[u8]> for Held<B, R> {
        fn as_ref(&self) -> &[u8] {
            self.0.as_ref()
        }
    }
    Bytes::from_owner(Held(bytes, room))
}

/// Rounded up, so that nothing is free.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Version;

    fn client(number: u8) -> Client {
        Client::new(IpAddr::from([127, 0, 0, number]), Version::V1)
    }

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let space = Space::new(2048);
        let take = |bytes| space.take(client(1), bytes);
        let (nothing, one) = (take(0), take(1));
        assert!(nothing.is_some() && one.is_some() && take(1).is_none());
        drop(one);
        assert!(take(1025).is_none() && take(1024).is_some());
        drop(nothing);
        assert!(take(2049).is_none() && take(2048).is_some());
    }

    #[test]
    fn one_address_leaves_a_quarter_to_the_others() {
        const K: u64 = 1024;
        let space = Space::shared(8 * K, K);
        let mut held: Vec<_> = (0..9).map_while(|_| space.take(client(1), K)).collect();
        assert_eq!(held.len(), 6);
        // By whatever protocol it speaks.
        assert!(space.take(Client::new([127, 0, 0, 1].into(), Version::V0), 1).is_none());
        assert!(space.take(client(2), 2 * K).is_some() && space.take(client(2), 3 * K).is_none());
        held.pop();
        assert!(space.take(client(1), K).is_some());
        drop(held);
        // A single thing may be as long as there is room for.
        assert!(space.take(client(1), 8 * K).is_some());
        // The longest message has room in parts, too, however little is left to others by that.
        let tight = Space::shared(8 * K, 8 * K);
        let parts: Vec<_> = (0..9).map_while(|_| tight.take(client(1), K)).collect();
        assert_eq!(parts.len(), 8);
        drop(parts);
        assert!(space.shares.iter().chain(&tight.shares).all(|shares| shares.held().is_empty()));
    }

    #[test]
    fn bytes_have_their_room_until_the_last_of_them_is_gone() {
        let space = Space::shared(8192, 4096);
        let mut room = space.take(client(1), 4096).unwrap();
        room.shrink(3000);
        room.shrink(9999);
        assert_eq!(room.bytes(), 3 * 1024);
        room.merge(space.take(client(1), 1).unwrap());
        assert_eq!(room.bytes(), 4 * 1024);
        assert!(space.take(client(1), 2049).is_none() && space.take(client(1), 2048).is_some());
        let bytes = held(vec![7; 3000], room);
        let part = bytes.slice(10..20);
        drop(bytes);
        assert!(space.take(client(1), 2049).is_none());
        drop(part);
        assert!(space.take(client(1), 6144).is_some());
        assert!(space.shares.is_some_and(|shares| shares.held().is_empty()));
    }

    #[test]
    fn more_than_can_be_counted_is_all_there_is() {
        let space = Space::new(u64::MAX);
        let all = space.take(client(1), u64::MAX);
        assert!(all.is_some() && space.take(client(1), 1).is_none());
    }
}
