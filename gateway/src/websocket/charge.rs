//! What a message that is not whole yet takes of what all of them may have in memory.

use crate::admission::memory::{Room, Space};
use crate::peer::Client;

/// A message's first bytes are free: small messages do not touch what all connections share.
const FREE: usize = 64 << 10;

/// What is charged at a time.
const STEP: usize = 256 << 10;

/// What one connection has taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    space: Space,
    client: Client,
    room: Option<Room>,
}

impl Charge {
    pub(super) fn new(space: &Space, client: Client) -> Self {
        Self { space: space.clone(), client, room: None }
    }

    /// Takes what a message of so many bytes needs, or gives back what it needs no more; says whether there is room.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        if bytes <= FREE {
            self.room = None;
            return true;
        }
        let wanted = bytes.next_multiple_of(STEP) as u64;
        let has = self.room.as_ref().map_or(0, Room::bytes);
        if wanted > has {
            let Some(more) = self.space.take(self.client, wanted - has) else { return false };
            match &mut self.room {
                Some(room) => room.merge(more),
                none => *none = Some(more),
            }
        } else if let Some(room) = &mut self.room {
            room.shrink(wanted);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Version;

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let client = |number: u8| Client::new([127, 0, 0, number].into(), Version::V0);
        let space = Space::shared(2 * STEP as u64, 2 * STEP as u64);
        let (mut one, mut other) = (Charge::new(&space, client(1)), Charge::new(&space, client(2)));
        assert!(one.set(FREE) && other.set(FREE) && space.take(client(3), 2 * STEP as u64).is_some());
        assert!(one.set(FREE + 1) && other.set(STEP) && !other.set(STEP + 1));
        assert!(one.set(0) && other.set(2 * STEP) && other.set(STEP) && one.set(STEP));
        drop(other);
        assert!(one.set(2 * STEP));
    }
}
