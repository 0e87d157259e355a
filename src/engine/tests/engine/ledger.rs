//! What was done and told in the model cloud, and whether the ending of a walk tells it as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use tritondeploy_engine::{FaultKind, Outcome};

use crate::cloud::Cloud;
use crate::mishap::Act;
use crate::names;
use crate::object::name;

/// What a look told of a node.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    pub parents: Vec<u64>,
    pub kept: Option<u64>,
    pub twins: Vec<u64>,
}

/// One mutating call of a walk.
#[derive(Debug)]
struct Done {
    who: usize,
    at: usize,
    act: Act,
    /// When the walk had its answer; none: it had none, since it is no more.
    ended: Option<Instant>,
    failed: Option<FaultKind>,
}

impl Done {
    fn is_accepted(&self) -> bool {
        self.ended.is_some() && self.failed.is_none()
    }

    fn may_be_accepted(&self) -> bool {
        self.ended.is_some() && self.failed.is_none_or(|kind| kind == FaultKind::Unsure)
    }
}

/// What was done and told since each walk began.
#[derive(Debug, Default)]
pub struct Ledger {
    done: Vec<Done>,
    /// The last look of a walk at a node: when, and whether it had an answer.
    looks: BTreeMap<(usize, usize), (Instant, bool)>,
    sights: BTreeMap<(usize, usize), Sight>,
    made: Vec<(usize, usize, u64)>,
    gone: Vec<(usize, u64, Instant)>,
    /// How many twins a look saw of a node at the most.
    twins: BTreeMap<usize, usize>,
    begun: BTreeMap<usize, Instant>,
}

impl Ledger {
    /// A walk begins.
    pub fn begin(&mut self, who: usize) {
        self.done.retain(|done| done.who != who);
        self.looks.retain(|(walker, _), _| *walker != who);
        self.sights.retain(|(walker, _), _| *walker != who);
        self.made.retain(|(walker, ..)| *walker != who);
        self.begun.insert(who, Instant::now());
    }

    pub fn began(&mut self, who: usize, at: usize, act: Act) {
        self.done.push(Done { who, at, act, ended: None, failed: None });
    }

    pub fn answered(&mut self, who: usize, at: usize, act: Option<Act>, failed: Option<FaultKind>) {
        let now = Instant::now();
        let Some(act) = act else {
            self.looks.insert((who, at), (now, failed.is_none()));
            return;
        };
        let mine = |done: &&mut Done| (done.who, done.at, done.act) == (who, at, act) && done.ended.is_none();
        if let Some(done) = self.done.iter_mut().rev().find(mine) {
            (done.ended, done.failed) = (Some(now), failed);
        }
    }

    pub fn saw(&mut self, who: usize, at: usize, sight: Sight) {
        let most = self.twins.entry(at).or_default();
        *most = sight.twins.len().max(*most);
        self.sights.insert((who, at), sight);
    }

    pub fn made(&mut self, who: usize, at: usize, id: u64) {
        self.made.push((who, at, id));
    }

    pub fn gone(&mut self, at: usize, id: u64) {
        self.gone.push((at, id, Instant::now()));
    }

    /// How many acts of a walk were begun.
    pub fn acts(&self, who: usize) -> usize {
        self.done.iter().filter(|done| done.who == who).count()
    }
}

/// So long ago something may have gone of which a walk tells that it is there: it was not looked at again since.
const UNSEEN: Duration = Duration::from_secs(90);

/// The ending tells what is there, what nobody knows and how much was changed; and nothing took longer than it may.
pub fn is_true(cloud: &Cloud, who: usize, outcome: &Outcome) -> Result<(), TestCaseError> {
    let state = cloud.state();
    let ledger = &state.ledger;
    let (exists, unknown) = (names(&outcome.exists), names(&outcome.unknown));
    let begun = ledger.begun[&who];

    let changed = ledger.done.iter().filter(|done| done.who == who && done.may_be_accepted()).count();
    prop_assert_eq!(outcome.changed, changed, "changed: {:?}", outcome);

    // What it made, and what it saw last, is told where it is still there.
    let is_there = |id: u64| state.things.iter().any(|thing| thing.id == id && thing.foreign.is_none());
    let is_told = |at: usize| {
        let (plain, twin) = (name(at), format!("{} (", name(at)));
        exists.iter().chain(&unknown).any(|told| *told == plain || told.starts_with(&twin))
    };
    for &(walker, at, id) in &ledger.made {
        prop_assert!(walker != who || !is_there(id) || is_told(at), "{} was made and is not told: {outcome:?}", name(at));
    }
    for (&(walker, at), sight) in &ledger.sights {
        let seen = sight.kept.iter().chain(&sight.twins).any(|id| is_there(*id));
        prop_assert!(walker != who || !seen || is_told(at), "{} was seen and is not told: {outcome:?}", name(at));
        let is_main = sight.parents.iter().all(|parent| ledger.is_kept(who, *parent));
        for twin in sight.twins.iter().filter(|id| walker == who && is_main && is_there(**id)) {
            let called = format!("{} ({twin})", name(at));
            prop_assert!(exists.iter().any(|told| *told == called), "{called} was seen and is not told: {outcome:?}");
        }
    }

    // What is told is there, or was until a moment ago.
    let since = if state.lawless { begun } else { Instant::now().checked_sub(UNSEEN).unwrap_or(begun).max(begun) };
    for told in &exists {
        let mut ids = state.things.iter().map(|thing| (thing.at, thing.id));
        let mut gone = ledger.gone.iter().filter(|(.., when)| *when >= since).map(|(at, id, _)| (*at, *id));
        let is_it = |(at, id): (usize, u64)| {
            let plain = name(at);
            *told == plain || *told == format!("{plain} ({id})") || told.starts_with(&format!("{plain} (in "))
        };
        prop_assert!(ids.any(is_it) || gone.any(is_it), "{told} is told and not there: {outcome:?}");
    }

    // Nobody knows: the last look at it had no answer, there was none, or what was made since was not seen.
    for at in (0..cloud.specs.len()).filter(|at| unknown.contains(&name(*at).as_str())) {
        let Some((last, true)) = ledger.looks.get(&(who, at)) else { continue };
        let makes = |done: &Done| (done.who, done.at, done.act) == (who, at, Act::Create) && done.may_be_accepted();
        let made = ledger.done.iter().any(makes);
        prop_assert!(made, "{} was seen {:?} ago, and is told as not known: {outcome:?}", name(at), last.elapsed());
    }
    ledger.took_no_longer_than_it_may(cloud, who, outcome)
}

impl Ledger {
    /// Whether this one is the one that the walk took for the node's own.
    fn is_kept(&self, who: usize, id: u64) -> bool {
        self.sights.iter().any(|((walker, _), sight)| *walker == who && sight.kept == Some(id))
    }

    /// There was never another one of it or of what it is within, nor may have been.
    fn is_alone(&self, cloud: &Cloud, who: usize, at: usize) -> bool {
        let lost = |done: &Done| done.act == Act::Create && done.failed == Some(FaultKind::Unsure);
        let lost = self.done.iter().any(|done| (done.who, done.at) == (who, at) && lost(done));
        let made = self.made.iter().filter(|(_, made, _)| *made == at).count();
        let within = &cloud.specs[at].within;
        !lost
            && made <= 1
            && self.twins.get(&at).is_none_or(|most| *most == 0)
            && within.iter().all(|&parent| self.is_alone(cloud, who, parent))
    }

    fn took_no_longer_than_it_may(&self, cloud: &Cloud, who: usize, outcome: &Outcome) -> Result<(), TestCaseError> {
        for (at, spec) in cloud.specs.iter().enumerate() {
            let done: Vec<&Done> = self.done.iter().filter(|done| (done.who, done.at) == (who, at)).collect();
            let accepted = |act: Act| done.iter().filter(|done| done.act == act && done.is_accepted()).count();
            let twins =
                self.made.iter().filter(|(_, made, _)| *made == at).count().max(self.twins.get(&at).map_or(0, |most| most + 1));
            prop_assert!(accepted(Act::Create) <= 2, "{} was made {} times", name(at), accepted(Act::Create));
            let most = 3 * (1 + twins.max(1));
            let deleted = accepted(Act::Delete);
            prop_assert!(deleted <= most, "the deletion of {} was accepted {deleted} times", name(at));
            // Where there was never another one, nor may have been, nothing looks at it once it is where it should be.
            let is_alone = self.is_alone(cloud, who, at);
            let Some(last) = done.last().map(|done| done.act).filter(|act| is_alone && *act != Act::Update) else { continue };
            let of_last = done.iter().rev().take_while(|done| done.act == last);
            let first = of_last.filter(|done| done.is_accepted()).filter_map(|done| done.ended).last();
            let (Some(first), Some((ended, _))) = (first, self.looks.get(&(who, at))) else { continue };
            let took = ended.saturating_duration_since(first);
            let may = spec.patience() + Duration::from_secs(20);
            prop_assert!(took <= may, "{last:?} of {} took {took:?}, not {may:?}", name(at));
        }
        // One after the other along the longest way: made, seen broken, deleted, made anew; each with its calls that fail.
        let mut until: Vec<Duration> = Vec::new();
        for spec in &cloud.specs {
            let before = spec.needs().map(|need| until[need]).max().unwrap_or_default();
            until.push(before + 6 * (spec.patience() + Duration::from_secs(60)));
        }
        let most = until.into_iter().max().unwrap_or_default();
        prop_assert!(outcome.took <= most, "it took {:?}, not {most:?}", outcome.took);
        Ok(())
    }
}
