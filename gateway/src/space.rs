//! Memory that many share: whoever wants some takes it before it is filled, and it is given back when dropped.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that may be held at once. It counts KiB, so that a permit of four bytes can be for any message or object.
#[derive(Clone, Debug)]
pub(crate) struct Space(Arc<Semaphore>);

impl Space {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(Semaphore::new(kib(bytes) as usize)))
    }

    /// Waits until there is so much; for more than there is at all, forever. None: never in practice, no space is closed.
    pub(crate) async fn wait(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_many_owned(kib(bytes)).await.ok()
    }

    /// So much if it is there at once.
    pub(crate) fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(kib(bytes)).ok()
    }
}

/// Gives back what is held beyond so many bytes.
pub(crate) fn shrink(room: &mut OwnedSemaphorePermit, bytes: u64) {
    let spare = room.num_permits().saturating_sub(kib(bytes) as usize);
    drop(room.split(spare));
}

/// What is held.
pub(crate) fn bytes(room: &OwnedSemaphorePermit) -> u64 {
    room.num_permits() as u64 * 1024
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

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let space = Space::new(2048);
        let (nothing, one) = (space.take(0), space.take(1));
        assert!(nothing.is_some() && one.is_some() && space.take(1).is_none());
        drop(one);
        assert!(space.take(1025).is_none() && space.take(1024).is_some());
        drop(nothing);
        assert!(space.take(2049).is_none() && space.take(2048).is_some());
    }

    #[test]
    fn bytes_have_their_room_until_the_last_of_them_is_gone() {
        let space = Space::new(4096);
        let mut room = space.take(4096).unwrap();
        assert!(space.take(1).is_none());
        shrink(&mut room, 3000);
        shrink(&mut room, 9999);
        assert!(space.take(1025).is_none() && space.take(1024).is_some());
        let bytes = held(vec![7; 3000], room);
        let part = bytes.slice(10..20);
        drop(bytes);
        assert!(space.take(1025).is_none());
        drop(part);
        assert!(space.take(4096).is_some());
    }

    #[test]
    fn more_than_can_be_counted_is_all_there_is() {
        let space = Space::new(u64::MAX);
        let all = space.take(u64::MAX);
        assert!(all.is_some() && space.take(1).is_none());
    }
}
