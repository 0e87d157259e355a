//! Who waits for a place: first come, first served within each queue, and the queues one after another. However many one
//! client sends, another waits for one of them at most before each of its own.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use tokio::sync::oneshot;

/// Waiters by queue. `P` is the place that they wait for, `D` what they need of it.
#[derive(Debug)]
pub(super) struct FairQueue<K, D, P> {
    queues: HashMap<K, VecDeque<(D, oneshot::Sender<P>)>>,
    /// The queues that are not empty; the first is next.
    order: VecDeque<K>,
}

impl<K, D, P> Default for FairQueue<K, D, P> {
    fn default() -> Self {
        Self { queues: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, D: Copy, P> FairQueue<K, D, P> {
    /// Queues one more. It hears of its place by the receiver; whoever drops that has given up.
    pub(super) fn push(&mut self, queue: K, demand: D) -> oneshot::Receiver<P> {
        let (place, hears) = oneshot::channel();
        let waiters = self.queues.entry(queue).or_default();
        if waiters.is_empty() {
            self.order.push_back(queue);
        }
        waiters.push_back((demand, place));
        hears
    }

    /// Whether nobody waits. Those who gave up may still count for a while.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The next whose demand `fits`, in turn.
    pub(super) fn next(&mut self, mut fits: impl FnMut(K, D) -> bool) -> Option<(K, D, oneshot::Sender<P>)> {
        let mut at = 0;
        while let Some(&queue) = self.order.get(at) {
            let waiters = self.queues.entry(queue).or_default();
            while waiters.front().is_some_and(|(_, place)| place.is_closed()) {
                waiters.pop_front();
            }
            match waiters.front() {
                None => {
                    self.order.remove(at);
                    self.queues.remove(&queue);
                }
                Some((demand, _)) if fits(queue, *demand) => {
                    let (demand, place) = waiters.pop_front()?;
                    self.order.remove(at);
                    if waiters.is_empty() {
                        self.queues.remove(&queue);
                    } else {
                        self.order.push_back(queue);
                    }
                    return Some((queue, demand, place));
                }
                Some(_) => at += 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(queue: &mut FairQueue<char, u32, ()>) -> Vec<(char, u32)> {
        std::iter::from_fn(|| queue.next(|_, _| true).map(|(queue, demand, _)| (queue, demand))).collect()
    }

    #[test]
    fn queues_take_turns_and_each_keeps_its_order() {
        let mut queue = FairQueue::default();
        let waiting: Vec<_> = [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)].map(|(q, d)| queue.push(q, d)).into();
        assert_eq!(names(&mut queue), [('a', 1), ('b', 4), ('c', 5), ('a', 2), ('b', 6), ('a', 3)]);
        assert!(queue.is_empty() && waiting.len() == 6);
    }

    #[test]
    fn who_does_not_fit_is_passed_by_and_keeps_its_place() {
        let mut queue = FairQueue::<_, u32, ()>::default();
        let _waiting = [('a', 9), ('b', 1), ('a', 2)].map(|(q, d)| queue.push(q, d));
        assert_eq!(queue.next(|_, demand| demand < 5).map(|(queue, demand, _)| (queue, demand)), Some(('b', 1)));
        assert!(queue.next(|_, demand| demand < 5).is_none());
        assert_eq!(names(&mut queue), [('a', 9), ('a', 2)]);
    }

    #[test]
    fn who_gave_up_is_forgotten() {
        let mut queue = FairQueue::<_, u32, ()>::default();
        let given_up = [queue.push('a', 1), queue.push('b', 2)];
        let _waits = queue.push('a', 3);
        drop(given_up);
        assert_eq!(names(&mut queue), [('a', 3)]);
        assert!(queue.is_empty() && queue.queues.is_empty());
    }
}
