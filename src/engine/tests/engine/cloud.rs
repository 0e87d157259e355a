//! A model of a cloud: it knows its own rules, takes its time, hides what is new, breaks things, suffers mishaps, and can
//! stop the world, the walk or its leave to act at any call.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tritondeploy_engine::{Fault, Given, Observation, Remedy};

use crate::ledger::{Ledger, Sight};
use crate::mishap::{Act, Lot, Mishap, Storm};
use crate::object::{Object, State as Fields, name};
use crate::spec::{Fate, Role, Spec};

mod time;

tokio::task_local! {
    /// Which of several walks at the same time makes a call; outside of it, the only one: 0.
    pub static WALKER: usize;
}

/// One object that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    pub id: u64,
    pub at: usize,
    pub parents: Vec<u64>,
    pub size: u64,
    pub token: String,
    pub from: Vec<u64>,
    taken: BTreeMap<String, bool>,
    pub seen_from: Instant,
    ready: Instant,
    pub breaks: Option<(Remedy, Option<Instant>)>,
    pub ends: Option<Instant>,
    /// Somebody else has taken it, and these walks have seen that.
    pub foreign: Option<BTreeSet<usize>>,
}

#[derive(Default)]
pub struct State {
    pub things: Vec<Thing>,
    /// Every mutating call that began.
    pub mutations: Vec<String>,
    /// Rules that a call has broken.
    pub violations: Vec<String>,
    pub calls: usize,
    /// The world stops at this call: before it is applied, or after.
    pub cut: Option<(usize, bool)>,
    /// The user stops the walk during this call.
    pub cancel_at: Option<usize>,
    pub cancel: Option<CancellationToken>,
    /// The leave to act goes to this walk with this call.
    pub handed_over: Option<(usize, usize)>,
    /// Only this walk may act; none: every one.
    pub leader: Option<usize>,
    /// What goes wrong.
    pub storm: Storm,
    /// What was done and told.
    pub ledger: Ledger,
    /// Nobody can say any more what should be there, or in which order.
    pub lawless: bool,
    pub longest_gap: Duration,
    /// The answers of creations that make something are lost.
    pub lose: bool,
    /// So many deletions get lost on their way.
    pub lose_deletions: usize,
    /// When each was first asked for.
    asked: BTreeMap<usize, Instant>,
    in_flight: usize,
    quiet_since: Option<Instant>,
    ghosts: Vec<(usize, Instant)>,
    broke: HashSet<usize>,
    next: u64,
    /// What was there from when on, where that may be told late.
    history: Vec<(Instant, Vec<Thing>)>,
}

pub struct Cloud {
    pub specs: Vec<Spec>,
    pub cut: Notify,
    state: Mutex<State>,
    rng: Mutex<fastrand::Rng>,
}

impl Cloud {
    pub fn new(specs: Vec<Spec>, seed: u64) -> Self {
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        Self { specs, cut: Notify::new(), state: Mutex::default(), rng }
    }

    /// The state as it is now.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        state.pass(&self.specs);
        state
    }

    /// How many of each are there.
    pub fn count(&self) -> Vec<usize> {
        let state = self.state();
        (0..self.specs.len()).map(|at| state.things.iter().filter(|t| t.at == at).count()).collect()
    }

    /// Puts an object there without a walk, ready since a while; for the beginning of a story.
    pub fn put(&self, at: usize, parents: &[usize], used: &[usize], size: u64) -> u64 {
        let state = self.state();
        let ids = |list: &[usize]| list.iter().map(|&p| state.things.iter().find(|t| t.at == p).unwrap().id).collect();
        let (parents, from) = (ids(parents), ids(used));
        drop(state);
        self.put_in(at, parents, from, size)
    }

    /// The same, in these and made from these.
    pub fn put_in(&self, at: usize, parents: Vec<u64>, from: Vec<u64>, size: u64) -> u64 {
        let now = Instant::now();
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        let taken = (0..self.specs[at].steps).map(|step| (step.to_string(), true)).collect();
        let (token, breaks, ends, foreign) = (String::new(), None, None, None);
        let thing = Thing { id, at, parents, size, token, from, taken, seen_from: now, ready: now, breaks, ends, foreign };
        state.things.push(thing);
        id
    }

    /// The walk is over or was cut off: no call of it is under way.
    pub fn rest(&self) {
        let mut state = self.state();
        (state.in_flight, state.quiet_since) = (0, None);
        (state.cut, state.cancel_at, state.handed_over, state.leader) = (None, None, None, None);
    }

    /// From now on these go wrong.
    pub fn befall(&self, mishaps: &[Mishap]) {
        let mut state = self.state();
        state.storm.begin(mishaps);
        state.remember();
    }

    /// The storm is over, and whoever took something takes it away.
    pub fn calm(&self) {
        self.rest();
        let mut state = self.state();
        state.storm.end();
        state.lawless = false;
        state.history.clear();
        while let Some(id) = state.things.iter().find(|thing| thing.foreign.is_some()).map(|thing| thing.id) {
            let tree = state.tree(id);
            state.things.retain(|thing| !tree.contains(&thing.id));
        }
    }

    async fn latency(&self) {
        let millis = self.rng.lock().unwrap().u64(2..60);
        sleep(Duration::from_millis(millis)).await;
    }

    /// A call: a way there, the cloud's doing, a way back; each way can be lost.
    async fn call<T>(
        &self,
        at: usize,
        act: Option<(Act, String)>,
        doing: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let who = WALKER.try_with(|who| *who).unwrap_or(0);
        let kind = act.as_ref().map(|(act, _)| *act);
        let (number, cut) = {
            let mut state = self.state();
            state.calls += 1;
            if let Some(quiet) = state.quiet_since.take() {
                state.longest_gap = state.longest_gap.max(quiet.elapsed());
            }
            let cancelled = state.cancel.as_ref().is_some_and(CancellationToken::is_cancelled);
            if let Some((act, what)) = act {
                if cancelled {
                    state.violations.push(format!("{what} after the user asked to stop"));
                }
                if state.leader.is_some_and(|leader| leader != who) {
                    state.violations.push(format!("{what} without leave to act"));
                }
                state.ledger.began(who, at, act);
                state.mutations.push(what);
            }
            (state.calls, state.cut)
        };
        let flight = Flight::begin(self);
        let stop = async |after: bool| {
            if cut == Some((number, after)) {
                self.state().storm.fired.insert("a walk is killed");
                self.cut.notify_one();
                std::future::pending::<()>().await;
            }
        };
        stop(false).await;
        self.latency().await;
        if self.state().cancel_at == Some(number) {
            self.state().storm.fired.insert("the user stops a walk");
            self.state().cancel.as_ref().unwrap().cancel();
        }
        let answer = {
            let mut state = self.state();
            if let Some((_, to)) = state.handed_over.filter(|(at, _)| *at == number) {
                state.storm.fired.insert("the leave to act is lost");
                state.leader = Some(to);
            }
            let lot = state.storm.lot(at, kind);
            let answer = match lot {
                Lot::Throttled => Err(Fault::try_again("throttled")),
                Lot::LostOnTheWay => Err(Fault::unsure("connection reset")),
                Lot::Well | Lot::LostOnTheWayBack => doing(&mut state),
            };
            state.remember();
            if lot == Lot::LostOnTheWayBack { Err(Fault::unsure("connection reset")) } else { answer }
        };
        stop(true).await;
        self.latency().await;
        drop(flight);
        let failed = answer.as_ref().err().map(|fault| fault.kind);
        self.state().ledger.answered(who, at, kind, failed);
        answer
    }

    pub async fn look<const E: bool>(&self, at: usize, parents: &[u64]) -> Result<Observation<Object<E>>, Fault> {
        let spec = &self.specs[at];
        let who = WALKER.try_with(|who| *who).unwrap_or(0);
        let mut told = Sight::default();
        let seen = self
            .call(at, None, |state| {
                let now = Instant::now();
                if let Some((by, late)) = spec.look_allowed_by {
                    let allowed = |t: &Thing| t.at == by && now >= t.ready + Duration::from_secs(late);
                    if !state.things.iter().any(allowed) {
                        return Err(Fault::denied("not allowed yet".to_owned()));
                    }
                }
                if spec.look_denied {
                    return Err(Fault::denied("not allowed to look".to_owned()));
                }
                if spec.look_fatal {
                    return Err(Fault::fatal("cannot be looked at".to_owned()));
                }
                if spec.foreign {
                    return Ok(Observation::Foreign("made by somebody else".to_owned()));
                }
                if spec.role == Role::Watched {
                    return Ok(state.watched(&self.specs, spec, now));
                }
                let mine = |t: &&Thing| t.at == at && t.parents == parents;
                let then = now - state.storm.late(at);
                let was: Vec<Thing> = state.things_at(then).iter().filter(mine).cloned().collect();
                if then < now && !state.things.iter().filter(mine).eq(&was) {
                    state.storm.was_late(at);
                }
                if then == now {
                    let told = |t: &mut Thing| t.foreign.as_mut().map(|told| told.insert(who));
                    state.things.iter_mut().filter(|t| mine(&&**t)).for_each(|t| _ = told(t));
                }
                if spec.named && was.iter().any(|thing| thing.foreign.is_some()) {
                    return Ok(Observation::Foreign("taken by somebody else".to_owned()));
                }
                told = Sight { parents: parents.to_vec(), ..Sight::default() };
                Ok(state.sight(spec, was, then, &mut told))
            })
            .await;
        if seen.is_ok() {
            self.state().ledger.saw(who, at, told);
        }
        seen
    }

    pub async fn create(&self, at: usize, parents: Vec<u64>, from: Vec<u64>, token: &str) -> Result<(), Fault> {
        let (spec, now) = (&self.specs[at], Instant::now());
        let what = format!("create {}", name(at));
        let who = WALKER.try_with(|who| *who).unwrap_or(0);
        self.call(at, Some((Act::Create, what.clone())), |state| {
            let first = *state.asked.entry(at).or_insert(now);
            if now < first + Duration::from_secs(spec.refused) {
                return Err(Fault::try_again("throttled".to_owned()));
            }
            if spec.create_lost {
                return Err(Fault::unsure("500 InternalError".to_owned()));
            }
            if spec.create_fatal {
                return Err(Fault::fatal("cannot be made".to_owned()));
            }
            if let Some(gone) = parents.iter().chain(&from).find(|id| state.goes(&self.specs, **id)) {
                let why = format!("what it needs is not found: {gone}");
                if !state.lawless {
                    state.violations.push(format!("{what}: {why}"));
                }
                return Err(Fault::fatal(why));
            }
            for need in spec.needs().filter(|&need| self.specs[need].role == Role::Made) {
                if !state.lawless && !state.things.iter().any(|t| t.at == need && t.works(now)) {
                    state.violations.push(format!("{what} before {} works", name(need)));
                }
            }
            if let Some(twin) = state.things.iter().find(|t| t.at == at && t.parents == parents) {
                if spec.tokens && twin.token == token {
                    return Ok(());
                }
                if spec.named || twin.ends.is_some() {
                    return Err(Fault::try_again("there is one of that name".to_owned()));
                }
                state.storm.fired.insert("a twin is made");
            }
            let first = state.broke.insert(at);
            let ready = now + Duration::from_secs(spec.making);
            let breaks = match spec.fate {
                Fate::BreaksOnce if first => Some((Remedy::Recreate, None)),
                Fate::Breaks => Some((Remedy::Recreate, None)),
                Fate::Ails if first => Some((Remedy::Wait, Some(ready + Duration::from_secs(30)))),
                Fate::Hopeless => Some((Remedy::User, None)),
                Fate::BreaksForLack => Some((Remedy::RecreateLater, None)),
                _ => None,
            };
            state.next += 1;
            state.things.push(Thing {
                id: state.next,
                at,
                parents,
                size: spec.size,
                token: token.to_owned(),
                from,
                taken: (0..spec.steps).map(|step| (step.to_string(), false)).collect(),
                seen_from: now + Duration::from_secs(spec.hidden),
                ready,
                breaks,
                ends: None,
                foreign: None,
            });
            state.ledger.made(who, at, state.next);
            if state.lose { Err(Fault::unsure("connection reset".to_owned())) } else { Ok(()) }
        })
        .await
    }

    pub async fn update(&self, at: usize, id: u64, field: &str, from: Vec<u64>) -> Result<(), Fault> {
        let (spec, now) = (&self.specs[at], Instant::now());
        let what = format!("update {} {field}", name(at));
        let who = WALKER.try_with(|who| *who).unwrap_or(0);
        self.call(at, Some((Act::Update, what.clone())), |state| {
            let Some(thing) = state.things.iter_mut().find(|t| t.id == id) else {
                return Err(Fault::fatal("not found".to_owned()));
            };
            if thing.foreign.as_ref().is_some_and(|told| told.contains(&who)) {
                state.violations.push(format!("{what}, which is not ours"));
                return Err(Fault::denied("not yours".to_owned()));
            }
            if now < thing.ready {
                return Err(Fault::try_again("another change is under way".to_owned()));
            }
            match field.strip_prefix("steps.") {
                _ if spec.stubborn => {}
                Some(step) => drop(thing.taken.insert(step.to_owned(), true)),
                None if field == "size" => thing.size = spec.size,
                None => thing.from = from,
            }
            thing.ready = now + Duration::from_secs(spec.changing);
            Ok(())
        })
        .await
    }

    pub async fn delete(&self, at: usize, id: u64) -> Result<(), Fault> {
        let (spec, now) = (&self.specs[at], Instant::now());
        let what = format!("delete {}", name(at));
        let who = WALKER.try_with(|who| *who).unwrap_or(0);
        self.call(at, Some((Act::Delete, what.clone())), |state| {
            if state.lose_deletions > 0 {
                state.lose_deletions -= 1;
                return Err(Fault::unsure("connection reset".to_owned()));
            }
            if spec.delete_fatal {
                return Err(Fault::fatal("cannot be deleted".to_owned()));
            }
            let Some(thing) = state.things.iter().find(|t| t.id == id) else { return Ok(()) };
            if thing.foreign.as_ref().is_some_and(|told| told.contains(&who)) {
                state.violations.push(format!("{what}, which is not ours"));
                return Err(Fault::denied("not yours".to_owned()));
            }
            if now < thing.ready {
                return Err(Fault::try_again("it is still being made".to_owned()));
            }
            let in_the_way = |other: usize| self.specs[other].needs().any(|need| need == at);
            let is_broken = !thing.works(now);
            let is_only = state.things.iter().filter(|t| t.at == at).count() == 1;
            // What could not be looked at is left to go with what it is within.
            let left_alone = |t: &Thing| {
                let spec = &self.specs[t.at];
                let cannot = spec.look_denied || spec.delete_fatal || state.storm.rages() || state.lawless;
                spec.ends_with_parent && cannot
            };
            // With all that is in it, or not at all: nothing could be found in it afterwards.
            let goes_along = |t: &Thing| {
                let tree = state.tree(t.id);
                let mut inside = state.things.iter().filter(|t| tree.contains(&t.id));
                t.parents.contains(&id) && left_alone(t) && inside.all(|t| self.specs[t.at].ends_with_parent)
            };
            let hangs = |t: &Thing| (t.parents.contains(&id) || t.from.contains(&id)) && !goes_along(t);
            let needs = |t: &&Thing| t.seen_from <= now && !left_alone(t) && (hangs(t) || (is_only && in_the_way(t.at)));
            let first = state.things.iter().find(needs).map(|thing| name(thing.at));
            let refused = state.things.iter().any(hangs) || state.ghosts.iter().any(|&(ghost, _)| in_the_way(ghost));
            if let Some(other) = first.filter(|_| !is_broken && !state.lawless) {
                state.violations.push(format!("{what} before {other} is gone"));
            }
            if refused {
                return Err(Fault::try_again("has a dependency".to_owned()));
            }
            let ends = now + Duration::from_secs(spec.ending);
            let fails = if spec.sticks { Some(false) } else { state.storm.fails(at) };
            if let Some(quietly) = fails {
                let mine = state.things.iter_mut().filter(|t| t.id == id);
                let broken = (!quietly).then_some((Remedy::Recreate, None));
                mine.for_each(|t| (t.ready, t.breaks) = (ends, broken.or(t.breaks)));
                return Ok(());
            }
            state.things.iter_mut().filter(|t| t.id == id).for_each(|t| t.ends = t.ends.or(Some(ends)));
            Ok(())
        })
        .await
    }
}

/// A call that is under way, however it ends.
struct Flight<'a>(&'a Cloud);

impl<'a> Flight<'a> {
    fn begin(cloud: &'a Cloud) -> Self {
        cloud.state().in_flight += 1;
        Self(cloud)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if state.in_flight == 0 {
            state.quiet_since = Some(Instant::now());
        }
    }
}

impl Thing {
    pub fn works(&self, now: Instant) -> bool {
        let broken = self.breaks.is_some_and(|(_, until)| until.is_none_or(|until| now < until));
        self.ready <= now && self.ends.is_none() && !broken
    }

    /// Its fields are as wanted.
    pub fn is_configured(&self, spec: &Spec) -> bool {
        self.size == spec.size && self.taken.values().all(|taken| *taken)
    }

    fn fields(&self) -> Fields {
        Fields {
            size: self.size,
            steps: self.taken.clone(),
            made_from: self.from.iter().copied().map(Given::Known).collect(),
            zone: Some(self.id),
        }
    }
}
