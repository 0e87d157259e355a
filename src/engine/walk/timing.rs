//! When the next look or the next try is due: all timing of the walks is here.

use std::time::Duration;

use crate::Action;
use crate::erased::AnyNode;

/// How long a walk waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// So many times as fast as AWS is what is waited for: of each node's patience a walk has that part.
    pub speed: u32,
    /// A look that takes longer has no answer.
    pub look: Duration,
    /// A mutating call may take as long as its resource's patience, and never less than this: long
    /// local work (an image build, an upload) is one call. The clients have time-outs of their own.
    pub call_at_least: Duration,
    /// Evidence is nice to have.
    pub evidence: Duration,
    /// Between two searches for the cause of what is still changing, where one takes many calls.
    pub cause: Duration,
    /// How long a service may hide something that a call without an answer has made.
    pub hidden: Duration,
    /// How long the same difference is looked at after an update before the update fails, and how
    /// long a deletion may go unnoticed before it is asked for again.
    pub settle: Duration,
    /// How often an act is asked for that was accepted before and has not begun to show.
    pub asked: u32,
    /// How long a permission that was just given may take to arrive where it is checked.
    pub permission: Duration,
    /// How long the look at everything goes on asking for one node that does not answer.
    pub survey: Duration,
    /// Between two looks, or two tries.
    pub shortest: Duration,
    /// The same.
    pub longest: Duration,
}

impl Default for Timing {
    /// As AWS and Kubernetes need it.
    fn default() -> Self {
        Self {
            speed: 1,
            look: Duration::from_secs(60),
            call_at_least: Duration::from_secs(600),
            evidence: Duration::from_secs(20),
            cause: Duration::from_secs(60),
            hidden: Duration::from_secs(30),
            settle: Duration::from_secs(15),
            asked: 3,
            permission: Duration::from_secs(120),
            survey: Duration::from_secs(15),
            shortest: Duration::from_millis(250),
            longest: Duration::from_secs(15),
        }
    }
}

impl Timing {
    /// How long this walk waits for a node.
    pub(super) fn patience<W>(&self, node: &dyn AnyNode<W>, action: Action) -> Duration {
        node.patience(action) / self.speed
    }

    /// The next look: 5 % of the time since the act, so that quick things are seen quickly and slow
    /// things are not asked for all the time.
    pub(super) fn next_look(&self, since_act: Duration) -> Duration {
        self.jittered(since_act / 20)
    }

    /// The next try of a call that failed so many times before.
    pub(super) fn back_off(&self, tries: u32) -> Duration {
        self.jittered(self.shortest * 2_u32.saturating_pow(tries.min(10)))
    }

    /// Up to a tenth more or less, so that nodes do not ask in step.
    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.9 + 0.2 * fastrand::f64()).clamp(self.shortest, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many draws lie between these, and go near both.
    fn spread(least: f64, most: f64, mut draw: impl FnMut() -> Duration) {
        let drawn: Vec<f64> = (0..1000).map(|_| draw().as_secs_f64()).collect();
        let (first, last) = drawn.iter().fold((f64::MAX, 0.0_f64), |(first, last), one| (first.min(*one), last.max(*one)));
        let near = (most - least) / 20.0;
        assert!(least <= first && first < least + near && most - near < last && last <= most, "{first} to {last}");
    }

    #[test]
    fn the_next_look_is_due_after_a_twentieth_of_the_time_and_a_tenth_of_that_more_or_less() {
        let timing = Timing::default();
        spread(4.5, 5.5, || timing.next_look(Duration::from_secs(100)));
        assert_eq!(timing.next_look(Duration::ZERO), timing.shortest);
        assert_eq!(timing.next_look(Duration::from_secs(1000)), timing.longest);
    }

    #[test]
    fn each_try_waits_twice_as_long_as_the_one_before() {
        let timing = Timing::default();
        spread(0.9, 1.1, || timing.back_off(2));
        spread(1.8, 2.2, || timing.back_off(3));
        assert_eq!([10, u32::MAX].map(|tries| timing.back_off(tries)), [timing.longest; 2]);
    }
}
