//! What the unfinished messages of all connections may have in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A message's first bytes are free: small messages do not touch what all connections share.
const FREE: usize = 64 << 10;

/// What is charged at a time.
const STEP: usize = 256 << 10;

/// Bytes that the unfinished messages of all connections may have.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// In bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    fn take(&self, bytes: usize) -> bool {
        let sum = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
    }
}

/// What one connection has taken of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// Takes what a message of so many bytes needs, or gives back what it needs no more; says whether there is room.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let wanted = if bytes > FREE { bytes.next_multiple_of(STEP) } else { 0 };
        if wanted > self.bytes && !self.budget.take(wanted - self.bytes) {
            return false;
        }
        if wanted < self.bytes {
            self.budget.used.fetch_sub(self.bytes - wanted, Ordering::Relaxed);
        }
        self.bytes = wanted;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let budget = Budget::new(2 * STEP);
        let (mut one, mut other) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.set(FREE) && other.set(FREE) && budget.used.load(Ordering::Relaxed) == 0);
        assert!(one.set(FREE + 1) && other.set(STEP) && !other.set(STEP + 1));
        assert!(one.set(0) && other.set(2 * STEP));
        drop(other);
        assert!(one.set(2 * STEP));
    }
}
