//! Which items there are, in which order, and where the journal has them: 41 to 82 bytes each.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;

use super::record::Item;

/// Tables, so that only one of them is copied when it grows.
const SHARDS: usize = 64;

/// No record yet; beyond any offset.
const NONE: u64 = u64::MAX;

/// What is known of an item.
struct Known {
    /// Of its content.
    version: u64,
    record: Last,
}

/// Its last record: before this run met it, twice the offset, and one more where it is final.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Last(u64);

impl Last {
    /// It was met: [`Index::places`] has the rest.
    const MET: Self = Self(u64::MAX);

    fn new(offset: u64, is_final: bool) -> Self {
        Self(offset * 2 + u64::from(is_final))
    }

    fn offset(self) -> u64 {
        self.0 / 2
    }

    fn is_final(self) -> bool {
        self.0 % 2 == 1
    }
}

/// All items, by their names.
pub(crate) struct Index {
    shards: Vec<HashMap<u128, Known>>,
    hashes: [RandomState; 3],
    /// By place: where the last record begins.
    places: Vec<u64>,
}

/// What to do with an item that the sources name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Ask for it; this is its place.
    Ask(u64),
    /// It has its final answer already.
    Answered,
    /// The sources named it before.
    Twice,
}

impl Index {
    pub(crate) fn new() -> Self {
        let hashes = [RandomState::new(), RandomState::new(), RandomState::new()];
        Self { shards: (0..SHARDS).map(|_| HashMap::new()).collect(), hashes, places: Vec::new() }
    }

    fn key(&self, uri: &str) -> (usize, u128) {
        // `a.jpg`, `./a.jpg` and `/its/folder/a.jpg` are one file.
        let whole = (!uri.contains("://")).then(|| std::path::absolute(uri).ok()).flatten();
        let name = whole.as_ref().map_or(uri.as_bytes(), |path| path.as_os_str().as_bytes());
        let [high, low] = [0, 1].map(|half| self.hashes[half].hash_one(name));
        (high as usize % SHARDS, u128::from(high) << 64 | u128::from(low))
    }

    /// A record that a resumed journal has. Of an item that changed, the older content's record is forgotten.
    pub(crate) fn read(&mut self, item: &Item, offset: u64, is_final: bool) {
        let (shard, key) = self.key(&item.uri);
        let version = self.hashes[2].hash_one(&item.version);
        self.shards[shard].insert(key, Known { version, record: Last::new(offset, is_final) });
    }

    /// The sources name it.
    pub(crate) fn meet(&mut self, item: &Item) -> Meeting {
        let (shard, key) = self.key(&item.uri);
        let version = self.hashes[2].hash_one(&item.version);
        let known = self.shards[shard].insert(key, Known { version, record: Last::MET });
        if known.as_ref().is_some_and(|known| known.record == Last::MET) {
            return Meeting::Twice;
        }
        let place = self.places.len() as u64;
        // The record of another content stands until there is a new one, and does not keep from asking.
        self.places.push(known.as_ref().map_or(NONE, |known| known.record.offset()));
        let is_answered = known.is_some_and(|known| known.version == version && known.record.is_final());
        if is_answered { Meeting::Answered } else { Meeting::Ask(place) }
    }

    /// The journal has its record, at `offset`.
    pub(crate) fn answered(&mut self, place: u64, offset: u64) {
        if let Some(known) = self.places.get_mut(place as usize) {
            *known = offset;
        }
    }

    /// Where the records of the items begin, in this run's order.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = u64> {
        self.places.iter().copied().filter(|offset| *offset != NONE)
    }

    /// Where the records begin that the journal has of items which this run did not meet.
    pub(crate) fn not_met(&self) -> Vec<u64> {
        let all = self.shards.iter().flat_map(HashMap::values).map(|known| known.record);
        let mut offsets: Vec<u64> = all.filter(|record| *record != Last::MET).map(Last::offset).collect();
        offsets.sort_unstable();
        offsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(uri: &str, version: &str) -> Item {
        Item { uri: uri.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn each_item_is_asked_once_and_what_has_a_final_answer_not_at_all() {
        let mut index = Index::new();
        index.read(&item("done", "1"), 0, true);
        index.read(&item("failed", "1"), 100, false);
        index.read(&item("changed", "1"), 200, true);
        index.read(&item("gone", "1"), 300, true);
        let met = ["new", "done", "failed", "new"].map(|uri| index.meet(&item(uri, "1")));
        assert_eq!(met, [Meeting::Ask(0), Meeting::Answered, Meeting::Ask(2), Meeting::Twice]);
        assert_eq!(index.meet(&item("changed", "2")), Meeting::Ask(3));
        index.answered(2, 500);
        assert_eq!(index.in_order().collect::<Vec<_>>(), [0, 500, 200], "the older content's record, until there is a new one");
        index.answered(0, 400);
        index.answered(3, 600);
        assert_eq!(index.in_order().collect::<Vec<_>>(), [400, 0, 500, 600]);
        assert_eq!(index.not_met(), [300]);
    }

    #[test]
    fn the_later_record_of_an_item_counts() {
        let mut index = Index::new();
        index.read(&item("a", "1"), 0, false);
        index.read(&item("a", "1"), 100, true);
        assert_eq!(index.meet(&item("a", "1")), Meeting::Answered);
        assert_eq!(index.in_order().collect::<Vec<_>>(), [100]);
    }
}
