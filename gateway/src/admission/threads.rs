//! Work for processors: as much at once as there are cores, shared by client, and never all of it for large images.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fair_queue::FairQueue;
use crate::peer::Client;

/// Thousands of pixels of an image that is no large one.
pub(super) const SMALL: u32 = 4_000;

/// The threads that decode, read and write.
#[derive(Debug)]
pub(crate) struct Threads {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Of those, what large images may have: one thread is always left to what is small.
    free_for_large: usize,
    /// Thousands of pixels that large images may still have in memory.
    free_pixels: u32,
    waiting: FairQueue<(Client, Size), u32, Thread>,
}

/// Small work does not queue behind its own client's large images either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Size {
    Small,
    Large,
}

/// A thread's time, and memory for a large image's pixels; given back when dropped.
#[derive(Debug)]
pub(crate) struct Thread {
    /// None: it has been given back already.
    threads: Option<Arc<Threads>>,
    /// Thousands of pixels; 0 of what is small.
    large: u32,
}

impl Threads {
    /// `pixels`: thousands, of all large images at once.
    pub(crate) fn new(threads: usize, pixels: u32) -> Arc<Self> {
        // Even one core has two, or a large image would be all that it does.
        let free = threads.max(2);
        let state = State { free, free_for_large: free - 1, free_pixels: pixels, waiting: FairQueue::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Waits for a thread, for work on so many thousand pixels. None: never in practice, the threads do not end.
    pub(crate) async fn enter(self: &Arc<Self>, client: Client, pixels: u32) -> Option<Thread> {
        let (size, large) = if pixels <= SMALL { (Size::Small, 0) } else { (Size::Large, pixels) };
        let place = {
            let mut state = self.state();
            let place = state.waiting.push((client, size), large);
            self.admit(&mut state);
            place
        };
        place.await.ok()
    }

    fn admit(self: &Arc<Self>, state: &mut State) {
        while state.free > 0 {
            let (threads, pixels) = (state.free_for_large, state.free_pixels);
            // The first large image is waited for until there is room for it: smaller ones would keep it out for ever.
            let mut first = true;
            let next = state.waiting.next(|(_, size), large| match size {
                Size::Small => true,
                Size::Large => std::mem::take(&mut first) && threads > 0 && large <= pixels,
            });
            let Some(((_, size), large, place)) = next else { return };
            state.free -= 1;
            if size == Size::Large {
                state.free_for_large -= 1;
                state.free_pixels -= large;
            }
            if let Err(mut thread) = place.send(Thread { threads: Some(self.clone()), large }) {
                // Its receiver has just given up; giving back by dropping would lock again.
                thread.threads = None;
                state.take_back(large);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_back(&mut self, large: u32) {
        self.free += 1;
        if large > 0 {
            self.free_for_large += 1;
            self.free_pixels += large;
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let Some(threads) = self.threads.take() else { return };
        let mut state = threads.state();
        state.take_back(self.large);
        threads.admit(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::FutureExt;

    use super::*;
    use crate::peer::Version;

    fn client(number: u8) -> Client {
        Client::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)), Version::V1)
    }

    #[tokio::test]
    async fn large_images_never_have_the_last_thread() {
        for cores in [1, 2, 4] {
            let threads = Threads::new(cores, 1_000_000);
            let large: Vec<_> = (0..8).map(|_| threads.enter(client(1), SMALL + 1).now_or_never()).collect();
            assert_eq!(large.iter().filter(|thread| thread.is_some()).count(), cores.max(2) - 1);
            assert!(threads.enter(client(1), SMALL).now_or_never().is_some(), "{cores} cores");
        }
    }

    #[tokio::test]
    async fn large_images_have_the_pixels_that_there_are_and_the_first_is_not_kept_out() {
        let threads = Threads::new(8, 10_000);
        let one = threads.enter(client(1), 6_000).await;
        let mut whole = Box::pin(threads.enter(client(2), 10_000));
        assert!((&mut whole).now_or_never().is_none());
        let mut third = Box::pin(threads.enter(client(3), 4_001));
        // It would fit, and so would the next, for ever.
        assert!((&mut third).now_or_never().is_none());
        drop(one);
        let whole = whole.now_or_never();
        assert!(whole.is_some() && (&mut third).now_or_never().is_none());
        drop(whole);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_client_waits_for_one_piece_of_another_s_work_at_most() {
        let threads = Threads::new(2, 10_000);
        let mut held: Vec<_> = (0..2).map(|_| threads.enter(client(1), 0).now_or_never().flatten()).collect();
        let mut flood: Vec<_> = (0..50).map(|_| Box::pin(threads.enter(client(1), 0))).collect();
        assert!(flood.iter_mut().all(|one| one.now_or_never().is_none()));
        let mut polite = Box::pin(threads.enter(client(2), 0));
        assert!((&mut polite).now_or_never().is_none());
        held.pop();
        let first = (&mut flood[0]).now_or_never();
        assert!(first.is_some());
        held.pop();
        assert!(polite.now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_is_given_up_gives_its_thread_back() {
        let threads = Threads::new(2, 10_000);
        let held: Vec<_> = (0..2).map(|_| threads.enter(client(1), 0).now_or_never().flatten()).collect();
        let mut waits = Box::pin(threads.enter(client(1), 0));
        assert!((&mut waits).now_or_never().is_none());
        // Given a thread, and dropped before it is looked at.
        drop(held);
        drop(waits);
        let free: Vec<_> = (0..2).map(|_| threads.enter(client(1), 0).now_or_never().flatten()).collect();
        assert!(free.iter().all(Option::is_some));
    }
}
