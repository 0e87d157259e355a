//! A large buffer per thread, used again: fresh memory costs a page fault every 4 KiB, which for a photograph is a
//! tenth of its decoding.

use std::cell::RefCell;

/// What a thread keeps at most; a 4-megapixel image.
const KEPT: usize = 16 << 20;

thread_local! {
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// `len` bytes, which may hold **another image**: only for a decoder that writes all of them or fails.
pub(super) fn take(len: usize) -> Vec<u8> {
    let mut spare = SPARE.take();
    if spare.capacity() < len {
        return vec![0; len];
    }
    spare.resize(len, 0);
    spare
}

/// Keeps a buffer for the next [`take`].
pub(super) fn keep(buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        SPARE.set(buffer);
    }
}
