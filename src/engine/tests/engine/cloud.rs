//! A model of a cloud: it knows its own rules, takes its time, hides what is new, throttles,
//! loses answers, breaks things, and can stop the world at any call.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tritondeploy_engine::{Fault, Found, Given, Observation, Remedy};

use crate::object::{Object, State as Fields, name};
use crate::spec::{Fate, Role, Spec};

/// What goes wrong by chance, in percent of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub throttled: u8,
    pub lost: u8,
}

/// One object that is there.
#[derive(Clone, Debug)]
pub struct Thing {
    pub id: u64,
    pub at: usize,
    pub parents: Vec<u64>,
    pub size: u64,
    token: String,
    from: Vec<u64>,
    taken: BTreeMap<String, bool>,
    seen_from: Instant,
    ready: Instant,
    breaks: Option<(Remedy, Option<Instant>)>,
    ends: Option<Instant>,
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
}

pub struct Cloud {
    pub specs: Vec<Spec>,
    pub cut: Notify,
    weather: Weather,
    state: Mutex<State>,
    rng: Mutex<fastrand::Rng>,
}

impl Cloud {
    pub fn new(specs: Vec<Spec>, seed: u64, weather: Weather) -> Self {
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        Self { specs, cut: Notify::new(), weather, state: Mutex::default(), rng }
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
        let (token, breaks, ends) = (String::new(), None, None);
        state.things.push(Thing { id, at, parents, size, token, from, taken, seen_from: now, ready: now, breaks, ends });
        id
    }

    /// The walk is over or was cut off: no call of it is under way.
    pub fn rest(&self) {
        let mut state = self.state();
        (state.in_flight, state.quiet_since, state.cut, state.cancel_at) = (0, None, None, None);
    }

    fn chance(&self, percent: u8) -> bool {
        self.rng.lock().unwrap().u8(0..100) < percent
    }

    async fn latency(&self) {
        let millis = self.rng.lock().unwrap().u64(2..60);
        sleep(Duration::from_millis(millis)).await;
    }

    /// A call: a way there, the cloud's doing, a way back; each way can be lost.
    async fn call<T>(&self, mutates: Option<String>, doing: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, Fault> {
        let mutating = mutates.is_some();
        let (number, cut) = {
            let mut state = self.state();
            state.calls += 1;
            state.in_flight += 1;
            if let Some(quiet) = state.quiet_since.take() {
                state.longest_gap = state.longest_gap.max(quiet.elapsed());
            }
            let cancelled = state.cancel.as_ref().is_some_and(CancellationToken::is_cancelled);
            if let Some(what) = mutates {
                if cancelled {
                    state.violations.push(format!("{what} after the user asked to stop"));
                }
                state.mutations.push(what);
            }
            (state.calls, state.cut)
        };
        let stop = async |after: bool| {
            if cut == Some((number, after)) {
                self.cut.notify_one();
                std::future::pending::<()>().await;
            }
        };
        stop(false).await;
        self.latency().await;
        if self.state().cancel_at == Some(number) {
            self.state().cancel.as_ref().unwrap().cancel();
        }
        let answer = if self.chance(self.weather.throttled) {
            Err(Fault::try_again("throttled".to_owned()))
        } else if mutating && self.chance(self.weather.lost) {
            Err(Fault::unsure("connection reset".to_owned()))
        } else {
            let answer = doing(&mut self.state());
            let lost = mutating && self.chance(self.weather.lost);
            if lost { Err(Fault::unsure("connection reset".to_owned())) } else { answer }
        };
        stop(true).await;
        self.latency().await;
        let mut state = self.state();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.quiet_since = Some(Instant::now());
        }
        answer
    }

    pub async fn look<const E: bool>(&self, at: usize, parents: &[u64]) -> Result<Observation<Object<E>>, Fault> {
        let spec = &self.specs[at];
        self.call(None, |state| {
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
            let mine = |t: &&Thing| t.at == at && t.parents == parents && t.seen_from <= now;
            let mut found: Vec<&Thing> = state.things.iter().filter(mine).collect();
            // The one with most that hangs from it is kept.
            let hangs = |id| state.things.iter().filter(|t| t.parents.contains(&id) || t.from.contains(&id)).count();
            found.sort_by_key(|t| (t.ends.is_some(), Reverse(hangs(t.id)), t.id));
            let Some((&thing, twins)) = found.split_first() else { return Ok(Observation::Absent) };
            let seen = Found {
                output: thing.id,
                actual: thing.fields(),
                twins: twins.iter().filter(|t| t.ends.is_none()).map(|t| t.id).collect(),
            };
            Ok(match thing.breaks {
                _ if thing.ends.is_some() => Observation::Changing { why: "deleting".to_owned(), found: None },
                Some((remedy, until)) if thing.ready <= now && until.is_none_or(|until| now < until) => {
                    Observation::Broken { output: thing.id, why: "it broke".to_owned(), remedy }
                }
                _ if now < thing.ready => {
                    Observation::Changing { why: "on its way".to_owned(), found: spec.early.then_some(seen) }
                }
                _ => Observation::Present(seen),
            })
        })
        .await
    }

    pub async fn create(&self, at: usize, parents: Vec<u64>, from: Vec<u64>, token: &str) -> Result<(), Fault> {
        let (spec, now) = (&self.specs[at], Instant::now());
        let what = format!("create {}", name(at));
        self.call(Some(what.clone()), |state| {
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
            for need in spec.needs().filter(|&need| self.specs[need].role == Role::Made) {
                if !state.things.iter().any(|t| t.at == need && t.works(now)) {
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
            }
            let first = state.broke.insert(at);
            let ready = now + Duration::from_secs(spec.making);
            let breaks = match spec.fate {
                Fate::BreaksOnce if first => Some((Remedy::Recreate, None)),
                Fate::Breaks => Some((Remedy::Recreate, None)),
                Fate::Ails if first => Some((Remedy::Wait, Some(ready + Duration::from_secs(30)))),
                Fate::Hopeless => Some((Remedy::User, None)),
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
            });
            if state.lose { Err(Fault::unsure("connection reset".to_owned())) } else { Ok(()) }
        })
        .await
    }

    pub async fn update(&self, at: usize, id: u64, field: &str, from: Vec<u64>) -> Result<(), Fault> {
        let (spec, now) = (&self.specs[at], Instant::now());
        self.call(Some(format!("update {} {field}", name(at))), |state| {
            let Some(thing) = state.things.iter_mut().find(|t| t.id == id) else {
                return Err(Fault::fatal("not found".to_owned()));
            };
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
        self.call(Some(what.clone()), |state| {
            if state.lose_deletions > 0 {
                state.lose_deletions -= 1;
                return Err(Fault::unsure("connection reset".to_owned()));
            }
            if spec.delete_fatal {
                return Err(Fault::fatal("cannot be deleted".to_owned()));
            }
            let Some(thing) = state.things.iter().find(|t| t.id == id) else { return Ok(()) };
            if now < thing.ready {
                return Err(Fault::try_again("it is still being made".to_owned()));
            }
            let in_the_way = |other: usize| self.specs[other].needs().any(|need| need == at);
            let recreated = thing.breaks.is_some();
            let is_only = state.things.iter().filter(|t| t.at == at).count() == 1;
            let there = |t: &&Thing| {
                let spec = &self.specs[t.at];
                let goes_along = spec.ends_with_parent && (spec.look_denied || spec.delete_fatal);
                let hangs = t.parents.contains(&id) || t.from.contains(&id) || (is_only && in_the_way(t.at));
                hangs && t.seen_from <= now && !goes_along
            };
            if let Some(other) = state.things.iter().find(there)
                && !recreated
            {
                let line = format!("{what} before {} is gone", name(other.at));
                state.violations.push(line);
            }
            if state.ghosts.iter().any(|&(ghost, _)| in_the_way(ghost)) {
                return Err(Fault::try_again("has a dependency".to_owned()));
            }
            let ends = now + Duration::from_secs(spec.ending);
            if spec.sticks {
                let mine = state.things.iter_mut().filter(|t| t.id == id);
                mine.for_each(|t| (t.ready, t.breaks) = (ends, Some((Remedy::Recreate, None))));
                return Ok(());
            }
            state.things.iter_mut().filter(|t| t.id == id).for_each(|t| t.ends = t.ends.or(Some(ends)));
            Ok(())
        })
        .await
    }
}

impl Thing {
    fn works(&self, now: Instant) -> bool {
        let broken = self.breaks.is_some_and(|(_, until)| until.is_none_or(|until| now < until));
        self.ready <= now && self.ends.is_none() && !broken
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

impl State {
    /// Time goes by: what was asked to go goes, and takes along what ends with it.
    fn pass(&mut self, specs: &[Spec]) {
        let now = Instant::now();
        while let Some(gone) = self.things.iter().position(|t| t.ends.is_some_and(|ends| ends <= now)) {
            let gone = self.things.remove(gone);
            let lingers = Duration::from_secs(specs[gone.at].lingers);
            self.ghosts.push((gone.at, gone.ends.unwrap_or(now) + lingers));
            for child in self.things.iter_mut().filter(|t| t.parents.contains(&gone.id)) {
                if specs[child.at].ends_with_parent {
                    child.ends = Some(now);
                }
            }
        }
        self.ghosts.retain(|(_, until)| now < *until);
    }

    fn watched<const E: bool>(&self, specs: &[Spec], spec: &Spec, now: Instant) -> Observation<Object<E>> {
        let late = Duration::from_secs(spec.appears);
        let ready = |need| self.things.iter().any(|t| t.at == need && t.works(now) && t.ready + late <= now);
        if !spec.needs().filter(|&need| specs[need].role == Role::Made).all(ready) {
            return Observation::Absent;
        }
        let fields = Fields { size: 0, steps: BTreeMap::new(), made_from: Vec::new(), zone: None };
        Observation::Present(Found::one(0, fields))
    }
}
