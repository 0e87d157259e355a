//! How many requests run at once, of all connections. Each protocol has half of them while both want them: v0 waits for a
//! permit, v1 is told at once that there is none, and neither may keep the other out by that.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::demand::Demand;
use super::fair_queue::FairQueue;
use crate::peer::{Client, Version};

/// One in so many permits is for clients of v1 that have few: requests may run for a minute, and whoever else comes finds
/// these.
const KEPT: usize = 8;

/// The permits of all requests.
#[derive(Debug)]
pub(crate) struct RunPermits {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    v0: usize,
    v1: usize,
    /// Ever given.
    given: u64,
    /// Of v1, by client.
    clients: HashMap<Client, usize>,
    demand: Demand,
    waiting: FairQueue<Client, (), RunPermit>,
}

/// A request may run for as long as it has this.
#[derive(Debug)]
pub struct RunPermit {
    /// None: it has been given back already.
    permits: Option<Arc<RunPermits>>,
    client: Client,
}

impl RunPermits {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let state =
            State { v0: 0, v1: 0, given: 0, clients: HashMap::new(), demand: Demand::default(), waiting: FairQueue::default() };
        Arc::new(Self { most, state: Mutex::new(state) })
    }

    /// A permit for a client of protocol v1 at once, or None.
    pub(crate) fn now(self: &Arc<Self>, client: Client) -> Option<RunPermit> {
        let mut state = self.state();
        state.demand.asked();
        let has = state.clients.get(&client).copied().unwrap_or_default();
        let is_half_taken = state.v1 >= self.half() && !state.waiting.is_empty();
        // Who has few is not refused for what others have.
        let (most, may_have_more) = if has < self.most / KEPT { (self.most, true) } else { (self.lent(), !is_half_taken) };
        if state.v0 + state.v1 >= most || !may_have_more {
            return None;
        }
        state.v1 += 1;
        state.given += 1;
        *state.clients.entry(client).or_default() += 1;
        Some(RunPermit { permits: Some(self.clone()), client })
    }

    /// Waits for a permit for a client of protocol v0. None: never in practice, the permits do not end.
    pub(crate) async fn wait(self: &Arc<Self>, client: Client) -> Option<RunPermit> {
        let place = {
            let mut state = self.state();
            let place = state.waiting.push(client, ());
            self.admit(&mut state);
            place
        };
        place.await.ok()
    }

    /// How many were ever given.
    pub(crate) fn begun(&self) -> u64 {
        self.state().given
    }

    /// Whether nobody has one.
    pub(crate) fn are_free(&self) -> bool {
        let state = self.state();
        state.v0 + state.v1 == 0
    }

    fn half(&self) -> usize {
        self.most.div_ceil(2)
    }

    fn lent(&self) -> usize {
        self.most - self.most / KEPT
    }

    fn admit(self: &Arc<Self>, state: &mut State) {
        let share = if state.v1 > 0 || state.demand.is_recent() { self.half() } else { self.lent() };
        while state.v0 < share && state.v0 + state.v1 < self.lent() {
            let Some((client, (), place)) = state.waiting.next(|_, ()| true) else { return };
            state.v0 += 1;
            state.given += 1;
            if let Err(mut permit) = place.send(RunPermit { permits: Some(self.clone()), client }) {
                // Its receiver has just given up; giving back by dropping would lock again.
                permit.permits = None;
                state.v0 -= 1;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunPermit {
    fn drop(&mut self) {
        let Some(permits) = self.permits.take() else { return };
        let mut state = permits.state();
        match self.client.version() {
            Version::V0 => state.v0 -= 1,
            Version::V1 => {
                state.v1 -= 1;
                if let Entry::Occupied(mut permits) = state.clients.entry(self.client) {
                    *permits.get_mut() -= 1;
                    if *permits.get() == 0 {
                        permits.remove();
                    }
                }
            }
        }
        permits.admit(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures::FutureExt;

    use super::super::demand::RECENT;
    use super::*;

    fn v0(number: u8) -> Client {
        Client::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)), Version::V0)
    }

    fn v1(number: u8) -> Client {
        Client::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)), Version::V1)
    }

    fn waits(permits: &Arc<RunPermits>, number: u8) -> Option<RunPermit> {
        permits.wait(v0(number)).now_or_never().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn each_protocol_has_its_half_while_both_want_it() {
        let permits = RunPermits::new(16);
        let first = permits.now(v1(1));
        assert!(first.is_some());
        let held: Vec<_> = (0..16).map(|_| Box::pin(permits.wait(v0(1)))).collect();
        let mut held: Vec<_> = held.into_iter().map(|mut permit| ((&mut permit).now_or_never().flatten(), permit)).collect();
        assert_eq!(held.iter().filter(|(permit, _)| permit.is_some()).count(), 8);
        // However many of v0 wait, v1 has its half, and no more: one client all but what is kept for others.
        let more: Vec<_> = (0..16).map_while(|_| permits.now(v1(1))).collect();
        let others: Vec<_> = (0..16).map_while(|_| permits.now(v1(2))).collect();
        assert_eq!((more.len(), others.len()), (5, 2));
        // What v0 gives back is v0's again.
        held[0].0 = None;
        drop(others);
        assert!(permits.now(v1(1)).is_none());
        assert!((&mut held[8].1).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_protocol_alone_has_nearly_all_and_gives_back_what_the_other_wants() {
        let permits = RunPermits::new(16);
        let mut lent: Vec<_> = (0..16).map_while(|_| waits(&permits, 1)).collect();
        assert_eq!(lent.len(), 14);
        let mut more: Vec<_> = (0..4).map_while(|_| permits.now(v1(1))).collect();
        assert_eq!(more.len(), 2);
        // Of v0, more than its half runs: what ends goes to v1.
        lent.truncate(10);
        assert!(waits(&permits, 1).is_none());
        more.extend((0..16).map_while(|_| permits.now(v1(1))));
        assert_eq!(more.len(), 4);
        drop((lent, more));
        // All of it, where nobody of v0 waits; but one client leaves something to the others.
        let one: Vec<_> = (0..20).map_while(|_| permits.now(v1(1))).collect();
        let other: Vec<_> = (0..20).map_while(|_| permits.now(v1(2))).collect();
        assert_eq!((one.len(), other.len()), (14, 2));
        drop((one, other));
        assert!(permits.state().clients.is_empty());
        tokio::time::advance(RECENT * 2).await;
        assert_eq!((0..16).map_while(|_| waits(&permits, 1)).collect::<Vec<_>>().len(), 14);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_permit_is_everybody_s() {
        let permits = RunPermits::new(1);
        let one = waits(&permits, 1);
        assert!(one.is_some() && permits.now(v1(1)).is_none());
        drop(one);
        let one = permits.now(v1(1));
        assert!(one.is_some() && waits(&permits, 1).is_none());
        drop(one);
        assert!(waits(&permits, 1).is_some());
    }

    #[tokio::test]
    async fn clients_of_v0_take_turns() {
        let permits = RunPermits::new(2);
        let held = (waits(&permits, 1), permits.now(v1(1)));
        let mut flood: Vec<_> = (0..9).map(|_| Box::pin(permits.wait(v0(1)))).collect();
        assert!(flood.iter_mut().all(|one| one.now_or_never().is_none()));
        let mut polite = Box::pin(permits.wait(v0(2)));
        assert!((&mut polite).now_or_never().is_none());
        drop(held.0);
        drop((&mut flood[0]).now_or_never());
        assert!(polite.now_or_never().is_some());
    }
}
