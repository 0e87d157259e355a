//! What goes wrong in the model cloud, each a sentence.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::object::name;

/// A mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Create,
    Update,
    Delete,
}

/// So often: it never stops.
pub const NEVER: u32 = u32::MAX;

/// One thing that goes wrong: seconds count from the beginning of the storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Its next calls, looks too, are refused for now.
    Throttled { at: usize, times: u32 },
    /// Its next acts of this kind have no answer; whether they were applied is told here alone.
    Lost { at: usize, act: Act, times: u32, applied: bool },
    /// Its next looks have no answer.
    LooksLost { at: usize, times: u32 },
    /// No look at it has an answer for a while.
    Blind { at: usize, from: u64, lasts: u64 },
    /// Looks at it tell what was so long ago.
    Late { at: usize, by: u64 },
    /// Its next deletions are accepted and fail: it is then broken, or (quietly) as it was.
    DeletionFails { at: usize, times: u32, quietly: bool },
    /// It and all that is within it are gone, from one moment to the next.
    Vanishes { at: usize, after: u64 },
    /// Somebody makes it and all that is within it theirs.
    TurnsForeign { at: usize, after: u64 },
    /// Another one just like it appears.
    Doubled { at: usize, after: u64 },
}

impl Mishap {
    /// What is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "a call is throttled",
            Self::Lost { .. } => "an answer is lost",
            Self::LooksLost { .. } => "a look is lost",
            Self::Blind { .. } => "no look is answered for a while",
            Self::Late { .. } => "a look tells what was",
            Self::DeletionFails { times: NEVER, .. } => "a deletion fails each time",
            Self::DeletionFails { .. } => "a deletion fails and then does not",
            Self::Vanishes { .. } => "something vanishes",
            Self::TurnsForeign { .. } => "something turns foreign",
            Self::Doubled { .. } => "a twin appears",
        }
    }

    /// Where, and how often at the most.
    fn reach(&self) -> (usize, u32) {
        match *self {
            Self::Throttled { at, times }
            | Self::Lost { at, times, .. }
            | Self::LooksLost { at, times }
            | Self::DeletionFails { at, times, .. } => (at, times),
            Self::Blind { at, .. } | Self::Late { at, .. } => (at, NEVER),
            Self::Vanishes { at, .. } | Self::TurnsForeign { at, .. } | Self::Doubled { at, .. } => (at, 1),
        }
    }

    /// Where.
    pub fn at(&self) -> usize {
        self.reach().0
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, times) = self.reach();
        let (object, times) = (name(at), format!("{times} times"));
        match self {
            Self::Throttled { .. } => write!(f, "{object}: its next calls are throttled {times}"),
            Self::Lost { act, applied, .. } => {
                let applied = if *applied { "applied" } else { "not applied" };
                write!(f, "{object}: the answer to {act:?} is lost {times}, {applied}")
            }
            Self::LooksLost { .. } => write!(f, "{object}: its next looks are lost {times}"),
            Self::Blind { from, lasts, .. } => write!(f, "{object}: no look is answered from {from} s on, for {lasts} s"),
            Self::Late { by, .. } => write!(f, "{object}: each look tells what was {by} s ago"),
            Self::DeletionFails { times: NEVER, .. } => write!(f, "{object}: each deletion is accepted and fails"),
            Self::DeletionFails { quietly, .. } => {
                let then = if *quietly { "and it stays as it was" } else { "and it is broken" };
                write!(f, "{object}: its deletion is accepted and fails {times}, {then}")
            }
            Self::Vanishes { after, .. } => write!(f, "{object}: it vanishes with all that is in it, after {after} s"),
            Self::TurnsForeign { after, .. } => write!(f, "{object}: somebody else takes it, after {after} s"),
            Self::Doubled { after, .. } => write!(f, "{object}: another one just like it appears, after {after} s"),
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lot {
    Well,
    Throttled,
    LostOnTheWay,
    LostOnTheWayBack,
}

/// What goes wrong, and how much of it has.
#[derive(Default)]
pub struct Storm {
    begun: Option<Instant>,
    mishaps: Vec<(Mishap, u32)>,
    /// The kinds of those that did go wrong.
    pub fired: BTreeSet<&'static str>,
}

impl Storm {
    pub fn begin(&mut self, mishaps: &[Mishap]) {
        self.begun = Some(Instant::now());
        self.mishaps = mishaps.iter().map(|&mishap| (mishap, 0)).collect();
    }

    /// Nothing goes wrong any more but what does each time.
    pub fn end(&mut self) {
        self.mishaps.retain(|(mishap, _)| matches!(mishap, Mishap::DeletionFails { times: NEVER, .. }));
    }

    /// The first that is due at this object and not used up; it is used once more.
    fn next(&mut self, at: usize, is_due: impl Fn(&Mishap) -> bool) -> Option<Mishap> {
        let due = |(mishap, used): &&mut (Mishap, u32)| mishap.reach().0 == at && *used < mishap.reach().1 && is_due(mishap);
        let (mishap, used) = self.mishaps.iter_mut().find(due)?;
        *used += 1;
        self.fired.insert(mishap.kind());
        Some(*mishap)
    }

    fn passed(&self) -> Duration {
        self.begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }

    pub fn lot(&mut self, at: usize, act: Option<Act>) -> Lot {
        let passed = self.passed().as_secs();
        let is_due = |mishap: &Mishap| match *mishap {
            Mishap::Throttled { .. } => true,
            Mishap::Lost { act: lost, .. } => act == Some(lost),
            Mishap::LooksLost { .. } => act.is_none(),
            Mishap::Blind { from, lasts, .. } => act.is_none() && (from..from.saturating_add(lasts)).contains(&passed),
            _ => false,
        };
        match self.next(at, is_due) {
            None => Lot::Well,
            Some(Mishap::Throttled { .. }) => Lot::Throttled,
            Some(Mishap::Lost { applied: true, .. }) => Lot::LostOnTheWayBack,
            Some(_) => Lot::LostOnTheWay,
        }
    }

    /// Something may still go wrong.
    pub fn rages(&self) -> bool {
        !self.mishaps.is_empty()
    }

    /// So late are looks at it.
    pub fn late(&self, at: usize) -> Duration {
        let by = |(mishap, _): &(Mishap, u32)| match *mishap {
            Mishap::Late { at: late, by } if late == at => Some(by),
            _ => None,
        };
        Duration::from_secs(self.mishaps.iter().find_map(by).unwrap_or(0))
    }

    /// Whether any look is late at all, so that what was must be kept.
    pub fn is_ever_late(&self) -> bool {
        self.mishaps.iter().any(|(mishap, _)| matches!(mishap, Mishap::Late { .. }))
    }

    /// A look told what was, and that is not what is.
    pub fn was_late(&mut self, at: usize) {
        self.next(at, |mishap| matches!(mishap, Mishap::Late { .. }));
    }

    /// Some: the deletion fails; whether quietly.
    pub fn fails(&mut self, at: usize) -> Option<bool> {
        match self.next(at, |mishap| matches!(mishap, Mishap::DeletionFails { .. })) {
            Some(Mishap::DeletionFails { quietly, .. }) => Some(quietly),
            _ => None,
        }
    }

    /// Those that happen now by themselves to one of these objects.
    pub fn happens(&mut self, there: &BTreeSet<usize>) -> Option<Mishap> {
        let passed = self.passed().as_secs();
        let is_due = |mishap: &Mishap| match *mishap {
            Mishap::Vanishes { after, .. } | Mishap::TurnsForeign { after, .. } | Mishap::Doubled { after, .. } => {
                after <= passed
            }
            _ => false,
        };
        there.iter().find_map(|&at| self.next(at, is_due))
    }
}
