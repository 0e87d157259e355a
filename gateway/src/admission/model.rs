//! How many requests one model may have in flight: as many as it answers without a growing queue.
//!
//! A crowd is let in, and waits its turn in Triton: so few that nobody waits long. When more come than a crowd, counted
//! with those that were refused meanwhile, waiting only makes it worse, and TCP Vegas' rule holds: with the quickest
//! answer of late as the model's own time, what a request takes more is queueing, and `limit * (1 - quickest / usual)` of
//! the requests in flight are in a queue. A few keep the model busy; the others are told at once to come back.
//!
//! Clients of protocol v0 cannot be told so: they wait here, and as few of them as may be stand in Triton's own queue, which
//! knows no clients, while somebody of protocol v1 wants the model too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::demand::{Demand, RECENT};
use super::fair_queue::FairQueue;
use crate::peer::{Client, Version};

/// With fewer in a queue than this, one more may be let in.
const FEW: f64 = 2.0;

/// With more than this, one less.
const MANY: f64 = 4.0;

/// Requests at once, in flight and refused, that are no flood yet; or so many times what the model works on at once.
const CROWD: (f64, f64) = (32.0, 4.0);

/// In a flood, the quickest answer is looked for anew after so many, or after so long, so that a model that became slower is not
/// starved: with half the limit for a moment, for in a queue no answer is quick.
const MEMORY: (u32, Duration) = (5000, Duration::from_secs(10));

/// Places beyond the limit for clients that have none: what others have ends soon, and they need not be refused until then.
const SPARE: f64 = 4.0;

/// How often it is looked who shares a model.
const LOOK: Duration = Duration::from_millis(100);

/// The weight of the newest answer in the usual time.
const WEIGHT: f64 = 0.1;

/// The limits of all models.
#[derive(Debug)]
pub(crate) struct Models {
    least: usize,
    most: usize,
    models: Mutex<HashMap<String, Arc<Limit>>>,
}

impl Models {
    /// Every model's limit stays between the two.
    pub(crate) fn new(least: usize, most: usize) -> Self {
        Self { least, most: most.max(least), models: Mutex::default() }
    }

    /// The limit of a model that exists; names that clients make up must not come here.
    pub(crate) fn of(&self, model: &str) -> Arc<Limit> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = models.get(model) {
            return limit.clone();
        }
        let limit = Arc::new(Limit::new(self.least, self.most));
        models.insert(model.to_owned(), limit.clone());
        limit
    }
}

/// One model's limit.
#[derive(Debug)]
pub(crate) struct Limit {
    least: usize,
    most: usize,
    state: Mutex<State>,
}

/// What one client of protocol v1 has in flight, and when it last asked.
#[derive(Debug)]
struct Asker {
    running: usize,
    asked: Instant,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// Of each protocol.
    v0: usize,
    v1: usize,
    demand: Demand,
    /// Of protocol v1.
    clients: HashMap<Client, Asker>,
    /// How many of these want the model, as of when.
    sharers: (usize, Instant),
    /// Requests of protocol v0.
    waiting: FairQueue<Client, (), Running>,
    usual: Option<f64>,
    quickest: f64,
    /// Since the quickest was last forgotten.
    answers: u32,
    remembers: Instant,
    /// Answers until the limit may change: what a change does must be seen before the next.
    until_change: f64,
    /// Refused since then.
    refused: usize,
}

impl State {
    fn new(least: usize, most: usize) -> Self {
        let limit = CROWD.0.clamp(least as f64, most as f64);
        Self {
            limit,
            v0: 0,
            v1: 0,
            demand: Demand::default(),
            clients: HashMap::new(),
            sharers: (0, Instant::now()),
            waiting: FairQueue::default(),
            usual: None,
            quickest: f64::INFINITY,
            answers: 0,
            remembers: Instant::now(),
            until_change: limit,
            refused: 0,
        }
    }

    /// Whether there is no room for one more of a client of protocol v1, which is refused then. Half of the limit is v1's,
    /// however much of v0 runs, and its clients share what is v1's.
    fn refuses(&mut self, client: Client) -> bool {
        self.demand.asked();
        let now = Instant::now();
        let before = self.clients.get(&client).map(|asker| asker.running);
        let running = before.unwrap_or_default();
        self.clients.insert(client, Asker { running, asked: now });
        if before.is_none() || now - self.sharers.1 >= LOOK {
            self.clients.retain(|_, asker| asker.running > 0 || now - asker.asked < RECENT);
            self.sharers = (self.clients.len(), now);
        }
        let most = f64::max(self.limit - self.v0 as f64, (self.limit / 2.0).ceil());
        let share = (most / self.sharers.0.max(1) as f64).ceil().max(1.0);
        let spare = if running == 0 && self.sharers.0 > 1 { SPARE } else { 0.0 };
        let full = running as f64 + 1.0 > share || self.v1 as f64 + 1.0 > most + spare;
        self.refused += usize::from(full);
        full
    }

    /// One of protocol v1 more, or less, in flight.
    fn count(&mut self, client: Client, more: bool) {
        let Some(asker) = self.clients.get_mut(&client) else { return };
        if more {
            (self.v1, asker.running) = (self.v1 + 1, asker.running + 1);
        } else {
            (self.v1, asker.running) = (self.v1 - 1, asker.running - 1);
        }
    }

    /// How many of protocol v0 may be in flight.
    fn share_of_v0(&self, least: usize) -> usize {
        let limit = self.limit as usize;
        if self.v1 > 0 || self.demand.is_recent() { least.min(limit.div_ceil(2)) } else { limit }
    }

    /// What the limit should be, told after as many answers as were in flight: the time that one took.
    fn better(&mut self, usual: f64) -> f64 {
        let busy = (self.v0 + self.v1) as f64 + 1.0;
        let wanted = busy + std::mem::take(&mut self.refused) as f64;
        let working = busy * self.quickest / usual;
        if wanted <= f64::max(CROWD.0, CROWD.1 * working) {
            (self.answers, self.remembers) = (0, Instant::now());
            return self.limit + f64::from(u8::from(wanted >= self.limit));
        }
        if self.answers >= MEMORY.0 || self.remembers.elapsed() >= MEMORY.1 {
            (self.quickest, self.usual) = (f64::INFINITY, None);
            (self.answers, self.remembers) = (0, Instant::now());
            return (self.limit / 2.0).floor();
        }
        let queued = self.limit * (1.0 - self.quickest / usual);
        if queued < FEW {
            self.limit + 1.0
        } else if queued > MANY {
            // All that is too much at once: each answer until then waits in that queue.
            (self.limit - (queued - MANY)).min(self.limit - 1.0).floor()
        } else {
            self.limit
        }
    }
}

impl Limit {
    fn new(least: usize, most: usize) -> Self {
        Self { least, most, state: Mutex::new(State::new(least, most)) }
    }

    /// Whether one more of protocol v1 is refused just now.
    pub(crate) fn is_full(&self, client: Client) -> bool {
        self.state().refuses(client)
    }

    /// Counts one more of protocol v1, at once; None: it is too many.
    pub(crate) fn enter(self: &Arc<Self>, client: Client) -> Option<Running> {
        let mut state = self.state();
        if state.refuses(client) {
            return None;
        }
        state.count(client, true);
        drop(state);
        Some(self.running(client))
    }

    /// Waits until one more of protocol v0 may be counted. None: never in practice, the limit does not end.
    pub(crate) async fn wait(self: &Arc<Self>, client: Client) -> Option<Running> {
        let place = {
            let mut state = self.state();
            let place = state.waiting.push(client, ());
            self.admit(&mut state);
            place
        };
        let mut running = place.await.ok()?;
        running.since = Instant::now();
        Some(running)
    }

    fn running(self: &Arc<Self>, client: Client) -> Running {
        Running { limit: Some(self.clone()), client, since: Instant::now() }
    }

    fn admit(self: &Arc<Self>, state: &mut State) {
        while state.v0 < state.share_of_v0(self.least) {
            let Some((client, (), place)) = state.waiting.next(|_, ()| true) else { return };
            state.v0 += 1;
            if let Err(mut running) = place.send(self.running(client)) {
                // Its receiver has just given up; giving back by dropping would lock again.
                running.limit = None;
                state.v0 -= 1;
            }
        }
    }

    /// When it is worth trying again.
    pub(crate) fn usual(&self) -> Option<Duration> {
        self.state().usual.map(Duration::from_secs_f64)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, took: f64) {
        let mut state = self.state();
        state.quickest = state.quickest.min(took);
        state.answers += 1;
        let usual = state.usual.map_or(took, |usual| usual + WEIGHT * (took - usual));
        state.usual = Some(usual);
        state.until_change -= 1.0;
        if state.until_change > 0.0 {
            return;
        }
        let before = state.limit;
        state.limit = state.better(usual).clamp(self.least as f64, self.most as f64);
        // After less, the answers to those that are in flight already say nothing of it.
        state.until_change = if state.limit < before { before + state.limit } else { state.limit };
    }
}

/// One request in flight; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Running {
    /// None: it is not counted any more.
    limit: Option<Arc<Limit>>,
    client: Client,
    since: Instant,
}

impl Running {
    /// The model answered: what it took counts. Failures and cancels say nothing of the model's time.
    pub(crate) fn answered(self) {
        if let Some(limit) = &self.limit {
            limit.answered(self.since.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(limit) = self.limit.take() else { return };
        let mut state = limit.state();
        match self.client.version() {
            Version::V0 => state.v0 -= 1,
            Version::V1 => state.count(self.client, false),
        }
        limit.admit(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use futures::FutureExt;

    use super::*;

    /// A model of some instances that each take the same time, asked by clients that ask again when they are answered, and
    /// a while after they were refused; microseconds. What was answered in the last half, the slowest of it, and the limit
    /// at the end.
    async fn ask(limit: &Arc<Limit>, instances: usize, took: u64, clients: usize, retry: u64, time: u64) -> (u64, u64, f64) {
        let mut free: Vec<u64> = vec![0; instances];
        let mut done: BinaryHeap<Reverse<(u64, u64, usize)>> = BinaryHeap::new();
        let mut running: Vec<Option<Running>> = Vec::new();
        let (mut now, mut again, mut answered, mut slowest) = (0, 0, 0, 0);
        while now < time {
            let without = clients - done.len();
            let asking = if now >= again { without } else { without.min(1) };
            again = if now >= again { now + retry } else { again };
            for _ in 0..asking {
                let Some(one) = limit.enter(v1(1)) else { continue };
                let instance = free.iter_mut().min().unwrap();
                *instance = (*instance).max(now) + took;
                done.push(Reverse((*instance, now, running.len())));
                running.push(Some(one));
            }
            let Reverse((end, start, which)) = done.pop().unwrap();
            tokio::time::advance(Duration::from_micros(end - now)).await;
            now = end;
            running[which].take().unwrap().answered();
            if now > time / 2 {
                answered += 1;
                slowest = slowest.max(now - start);
            }
        }
        (answered, slowest, limit.state().limit)
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_is_kept_busy_and_its_queue_short() {
        for (instances, took) in [(4, 10_000), (8, 50_000), (16, 2_000)] {
            let limit = Models::new(4, 256).of("m");
            let time = 20_000_000;
            let (answered, slowest, end) = ask(&limit, instances, took, 1000, took, time).await;
            let capacity = instances as u64 * time / took / 2;
            assert!(answered * 100 >= capacity * 97, "{instances}: {answered} of {capacity}, limit {end}");
            assert!(slowest <= 2 * took, "{instances}: {slowest} us, limit {end}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_let_in_after_a_flood_too() {
        let limit = Models::new(4, 256).of("m");
        ask(&limit, 4, 10_000, 1000, 10_000, 5_000_000).await;
        assert!(limit.state().limit < 12.0, "{}", limit.state().limit);
        ask(&limit, 4, 10_000, 16, 20_000, 5_000_000).await;
        limit.state().refused = 0;
        let (answered, slowest, _) = ask(&limit, 4, 10_000, 16, 20_000, 5_000_000).await;
        assert_eq!(limit.state().refused, 0);
        assert!(answered >= 990 && slowest <= 40_000, "{answered} {slowest}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_becomes_slower_is_not_starved() {
        let limit = Models::new(4, 256).of("m");
        ask(&limit, 8, 5_000, 1000, 5_000, 10_000_000).await;
        let (answered, _, end) = ask(&limit, 8, 50_000, 1000, 50_000, 60_000_000).await;
        assert!(answered * 100 >= 8 * 20 * 30 * 97, "{answered}, limit {end}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_or_is_cancelled_gives_its_place_back() {
        let limit = Models::new(2, 2).of("m");
        let one = limit.enter(v1(1)).unwrap();
        let two = limit.enter(v1(1)).unwrap();
        assert!(limit.enter(v1(1)).is_none() && limit.is_full(v1(1)));
        drop(one);
        assert!(!limit.is_full(v1(1)));
        two.answered();
        assert!(limit.enter(v1(1)).is_some());
    }

    fn v1(number: u8) -> Client {
        Client::new(std::net::IpAddr::from([127, 0, 0, number]), Version::V1)
    }

    fn v0(number: u8) -> Client {
        Client::new(std::net::IpAddr::from([127, 0, 0, number]), Version::V0)
    }

    /// As many of protocol v0 as are let in at once.
    fn crowd(limit: &Arc<Limit>) -> Vec<Running> {
        (0..100).map_while(|_| limit.wait(v0(1)).now_or_never().flatten()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_v0_waits_and_leaves_v1_its_half() {
        let limit = Models::new(4, 256).of("m");
        let running = crowd(&limit);
        assert_eq!(running.len() as f64, CROWD.0);
        // However many of v0 run and wait, v1 is not refused.
        let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(limit.wait(v0(1)))).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        let polite: Vec<_> = (0..100).map_while(|_| limit.enter(v1(1))).collect();
        assert_eq!(polite.len() as f64, CROWD.0 / 2.0);
        // And from now on, few of v0 stand before it.
        drop(running);
        let few: Vec<_> = waiting.iter_mut().filter_map(|one| one.now_or_never().flatten()).collect();
        assert_eq!(few.len(), 4);
        drop((polite, few, waiting));
        tokio::time::advance(RECENT).await;
        assert_eq!(crowd(&limit).len() as f64, CROWD.0);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_v0_take_turns_at_a_model() {
        let limit = Models::new(1, 1).of("m");
        let held = limit.wait(v0(1)).await;
        let mut flood: Vec<_> = (0..9).map(|_| Box::pin(limit.wait(v0(1)))).collect();
        assert!(flood.iter_mut().all(|one| one.now_or_never().is_none()));
        let mut polite = Box::pin(limit.wait(v0(2)));
        assert!((&mut polite).now_or_never().is_none());
        drop(held);
        drop((&mut flood[0]).now_or_never());
        assert!(polite.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_v1_share_a_model_and_who_comes_is_let_in_at_once() {
        let limit = Models::new(4, 256).of("m");
        let mut flood: Vec<_> = (0..100).map_while(|_| limit.enter(v1(1))).collect();
        assert_eq!(flood.len() as f64, CROWD.0);
        // All is taken, and yet: somebody else is not refused, now or while the flood is there.
        for _ in 0..16 {
            let polite = limit.enter(v1(2));
            assert!(polite.is_some());
            assert!(limit.enter(v1(1)).is_none());
            flood.pop();
            tokio::time::advance(Duration::from_millis(30)).await;
        }
        // The flood has its half, and all of it when the other has gone.
        drop(flood);
        assert_eq!((0..100).map_while(|_| limit.enter(v1(1))).collect::<Vec<_>>().len() as f64, CROWD.0 / 2.0);
        tokio::time::advance(RECENT * 2).await;
        assert_eq!((0..100).map_while(|_| limit.enter(v1(1))).collect::<Vec<_>>().len() as f64, CROWD.0);
        assert!(limit.state().clients.len() <= 1);
    }
}
