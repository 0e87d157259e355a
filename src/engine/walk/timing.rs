//! When the next look or the next try is due: all timing of the walks is here.

use std::time::Duration;

/// A look that takes longer has no answer.
pub(super) const LOOK: Duration = Duration::from_secs(60);

/// A mutating call may take as long as its resource's patience, and never less than this: long
/// local work (an image build, an upload) is one call. The clients have time-outs of their own.
pub(super) const CALL_AT_LEAST: Duration = Duration::from_secs(600);

/// Evidence is nice to have.
pub(super) const EVIDENCE: Duration = Duration::from_secs(20);

/// How long a service may hide something that a call without an answer has made.
pub(super) const HIDDEN: Duration = Duration::from_secs(30);

/// How long the same difference is looked at after an update before the update fails, and how
/// long a deletion may go unnoticed before it is asked for again.
pub(super) const SETTLE: Duration = Duration::from_secs(15);

/// How often an act is asked for that was accepted before and has not begun to show.
pub(super) const ASKED: u32 = 3;

/// How long a permission that was just given may take to arrive where it is checked.
pub(super) const PERMISSION: Duration = Duration::from_secs(120);

/// How long the look at everything goes on asking for one node that does not answer.
pub(super) const SURVEY: Duration = Duration::from_secs(15);

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// The next look: 5 % of the time since the act, so that quick things are seen quickly and slow
/// things are not asked for all the time.
pub(super) fn next_look(since_act: Duration) -> Duration {
    jittered(since_act / 20)
}

/// The next try of a call that failed so many times before.
pub(super) fn back_off(tries: u32) -> Duration {
    jittered(SHORTEST * 2_u32.saturating_pow(tries.min(10)))
}

/// Up to a tenth more or less, so that nodes do not ask in step.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.2 * fastrand::f64()).clamp(SHORTEST, LONGEST)
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
        spread(4.5, 5.5, || next_look(Duration::from_secs(100)));
        assert_eq!(next_look(Duration::ZERO), SHORTEST);
        assert_eq!(next_look(Duration::from_secs(1000)), LONGEST);
    }

    #[test]
    fn each_try_waits_twice_as_long_as_the_one_before() {
        spread(0.9, 1.1, || back_off(2));
        spread(1.8, 2.2, || back_off(3));
        assert_eq!([10, u32::MAX].map(back_off), [LONGEST; 2]);
    }
}
