//! How many requests run at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::cli::Concurrency;

/// What `auto` begins with.
const FIRST: f64 = 5.0;

/// What is left of it when the server has too much.
const BACK: f64 = 0.7;

/// Requests at once: a fixed number, or one that grows with each answer until the server has too much, and from then on by
/// one for each round of answers (TCP's slow start and congestion avoidance).
pub(crate) struct Pace {
    state: Mutex<State>,
    changed: Notify,
    most: f64,
    is_fixed: bool,
}

struct State {
    limit: f64,
    running: usize,
    /// It was too much once: grow slowly.
    is_careful: bool,
    /// Answers and refusals until the limit may shrink again: those that were under way when it shrank say nothing new.
    settling: usize,
}

impl Pace {
    /// `most`: what the server allows.
    pub(crate) fn new(wanted: Concurrency, most: u32) -> Self {
        let most = f64::from(most.max(1));
        let (limit, is_fixed) = match wanted {
            Concurrency::Auto => (FIRST.min(most), false),
            Concurrency::Fixed(number) => (f64::from(number), true),
        };
        let state = State { limit, running: 0, is_careful: false, settling: 0 };
        Self { state: Mutex::new(state), changed: Notify::new(), most, is_fixed }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests at once, just now.
    pub(crate) fn limit(&self) -> usize {
        self.lock().limit as usize
    }

    /// Requests that run.
    pub(crate) fn running(&self) -> usize {
        self.lock().running
    }

    /// Waits until one more may run; it runs until the turn is dropped.
    pub(crate) async fn turn(self: &Arc<Self>) -> Turn {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if state.running < state.limit as usize {
                    state.running += 1;
                    return Turn(self.clone());
                }
            }
            changed.await;
        }
    }

    /// The server answered.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        state.settling = state.settling.saturating_sub(1);
        if self.is_fixed {
            return;
        }
        // One of which less than half is used need not grow.
        if 2 * state.running >= state.limit as usize {
            let more = if state.is_careful { 1.0 / state.limit } else { 1.0 };
            state.limit = (state.limit + more).min(self.most);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// The server had too much.
    pub(crate) fn overloaded(&self) {
        let mut state = self.lock();
        if self.is_fixed || state.settling > 0 {
            state.settling = state.settling.saturating_sub(1);
            return;
        }
        state.is_careful = true;
        state.settling = state.running;
        state.limit = (state.limit * BACK).max(1.0);
    }
}

/// One request that may run.
pub(crate) struct Turn(Arc<Pace>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn full(pace: &Arc<Pace>) -> Vec<Turn> {
        let mut turns = Vec::new();
        while turns.len() < pace.limit() {
            turns.push(pace.turn().await);
        }
        turns
    }

    #[tokio::test]
    async fn auto_begins_with_five_and_grows_to_what_the_server_allows() {
        let pace = Arc::new(Pace::new(Concurrency::Auto, 64));
        assert_eq!(pace.limit(), 5);
        for _ in 0..10 {
            let turns = full(&pace).await;
            turns.iter().for_each(|_| pace.answered());
        }
        assert_eq!(pace.limit(), 64);
    }

    #[tokio::test]
    async fn it_backs_off_once_for_each_round_and_grows_slowly_afterwards() {
        let pace = Arc::new(Pace::new(Concurrency::Auto, 100));
        while pace.limit() < 40 {
            let turns = full(&pace).await;
            turns.iter().for_each(|_| pace.answered());
        }
        let before = pace.limit();
        let turns = full(&pace).await;
        turns.iter().for_each(|_| pace.overloaded());
        let after = pace.limit();
        assert_eq!(after, (before as f64 * BACK) as usize, "one round of refusals is one refusal");
        drop(turns);
        let turns = full(&pace).await;
        turns.iter().for_each(|_| pace.answered());
        assert!((after..=after + 1).contains(&pace.limit()), "{after} -> {}", pace.limit());
    }

    #[tokio::test]
    async fn what_few_requests_do_not_use_does_not_grow_and_a_fixed_number_stays() {
        let pace = Arc::new(Pace::new(Concurrency::Auto, 64));
        for _ in 0..100 {
            let _one = pace.turn().await;
            pace.answered();
        }
        assert_eq!(pace.limit(), 5);
        let fixed = Arc::new(Pace::new(Concurrency::Fixed(7), 5));
        let turns = full(&fixed).await;
        fixed.answered();
        fixed.overloaded();
        assert_eq!((turns.len(), fixed.limit()), (7, 7));
    }
}
