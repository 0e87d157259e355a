//! What happens in the model cloud by itself, and what is seen of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_engine::{Found, Observation};

use super::{State, Thing};
use crate::ledger::Sight;
use crate::mishap::Mishap;
use crate::object::{Object, State as Fields};
use crate::spec::{Fate, Role, Spec};

impl State {
    /// Time goes by: what was asked to go goes, and takes along what ends with it.
    pub(super) fn pass(&mut self, specs: &[Spec]) {
        let now = Instant::now();
        while let Some(gone) = self.things.iter().position(|t| t.ends.is_some_and(|ends| ends <= now)) {
            let gone = self.things.remove(gone);
            self.ledger.gone(gone.at, gone.id);
            let lingers = Duration::from_secs(specs[gone.at].lingers);
            self.ghosts.push((gone.at, gone.ends.unwrap_or(now) + lingers));
            for child in self.things.iter_mut().filter(|t| t.parents.contains(&gone.id)) {
                if specs[child.at].ends_with_parent {
                    child.ends = Some(now);
                }
            }
        }
        self.ghosts.retain(|(_, until)| now < *until);
        let there: BTreeSet<usize> = self.things.iter().filter(|t| t.foreign.is_none()).map(|t| t.at).collect();
        while let Some(mishap) = self.storm.happens(&there) {
            self.happens(mishap);
        }
    }

    /// Something happens by itself.
    fn happens(&mut self, mishap: Mishap) {
        let (Mishap::Vanishes { at, .. } | Mishap::TurnsForeign { at, .. } | Mishap::Doubled { at, .. }) = mishap else { return };
        let Some(thing) = self.things.iter().find(|t| t.at == at && t.foreign.is_none()).cloned() else { return };
        self.lawless = true;
        let tree = self.tree(thing.id);
        match mishap {
            Mishap::Vanishes { .. } => {
                for gone in self.things.extract_if(.., |t| tree.contains(&t.id)) {
                    self.ledger.gone(gone.at, gone.id);
                }
            }
            Mishap::TurnsForeign { .. } => {
                let taken = self.things.iter_mut().filter(|t| tree.contains(&t.id));
                taken.for_each(|t| t.foreign = Some(BTreeSet::new()));
            }
            _ => {
                self.next += 1;
                let now = Instant::now();
                self.things.push(Thing { id: self.next, seen_from: now, ready: now, breaks: None, ends: None, ..thing });
            }
        }
    }

    /// This one and all that is within it.
    pub(super) fn tree(&self, id: u64) -> Vec<u64> {
        let mut tree = vec![id];
        // What is within something was made after it.
        for thing in &self.things {
            if thing.parents.iter().any(|parent| tree.contains(parent)) {
                tree.push(thing.id);
            }
        }
        tree
    }

    /// It is gone or on its way out, or what it ends with is.
    pub(super) fn goes(&self, specs: &[Spec], id: u64) -> bool {
        let Some(thing) = self.things.iter().find(|t| t.id == id) else { return true };
        let with_parent = specs[thing.at].ends_with_parent;
        thing.ends.is_some() || with_parent && thing.parents.iter().any(|parent| self.goes(specs, *parent))
    }

    /// Keeps what is there, where a look may tell it late.
    pub(super) fn remember(&mut self) {
        if self.storm.is_ever_late() && self.history.last().is_none_or(|(_, things)| *things != self.things) {
            self.history.push((Instant::now(), self.things.clone()));
        }
    }

    /// What was there then.
    pub(super) fn things_at(&self, then: Instant) -> &[Thing] {
        let now = Instant::now();
        if then >= now {
            return &self.things;
        }
        self.history.iter().rev().find(|(since, _)| *since <= then).or(self.history.first()).map_or(&[], |(_, things)| things)
    }

    /// What is seen of these at that time.
    pub(super) fn sight<const E: bool>(
        &self,
        spec: &Spec,
        was: Vec<Thing>,
        now: Instant,
        told: &mut Sight,
    ) -> Observation<Object<E>> {
        let is_seen = |t: &&Thing| t.seen_from <= now && t.foreign.is_none() && t.ends.is_none_or(|ends| now < ends);
        let mut found: Vec<&Thing> = was.iter().filter(is_seen).collect();
        // The one with most that hangs from it is kept.
        let hangs = |id| self.things.iter().filter(|t| t.parents.contains(&id) || t.from.contains(&id)).count();
        found.sort_by_key(|t| (t.ends.is_some(), Reverse(hangs(t.id)), t.id));
        let Some((&thing, twins)) = found.split_first() else { return Observation::Absent };
        let seen = Found {
            output: thing.id,
            actual: thing.fields(),
            twins: twins.iter().filter(|t| t.ends.is_none()).map(|t| t.id).collect(),
            ails: Vec::new(),
        };
        told.kept = Some(thing.id);
        match thing.breaks {
            _ if thing.ends.is_some() => Observation::Changing { why: "deleting".to_owned(), found: None },
            Some((remedy, until)) if thing.ready <= now && until.is_none_or(|until| now < until) => {
                Observation::Broken { output: thing.id, why: "it broke".to_owned(), remedy }
            }
            _ if now < thing.ready => {
                if spec.early {
                    told.twins.clone_from(&seen.twins);
                }
                Observation::Changing { why: "on its way".to_owned(), found: spec.early.then_some(seen) }
            }
            _ => {
                told.twins.clone_from(&seen.twins);
                Observation::Present(seen)
            }
        }
    }

    pub(super) fn watched<const E: bool>(&self, specs: &[Spec], spec: &Spec, now: Instant) -> Observation<Object<E>> {
        let late = Duration::from_secs(spec.appears);
        let ready = |need| self.things.iter().any(|t| t.at == need && t.works(now) && t.ready + late <= now);
        if !spec.needs().filter(|&need| specs[need].role == Role::Made).all(ready) {
            return Observation::Absent;
        }
        if spec.fate == Fate::Hopeless {
            return Observation::Changing { why: "nobody is well".to_owned(), found: None };
        }
        let fields = Fields { size: 0, steps: BTreeMap::new(), made_from: Vec::new(), zone: None };
        Observation::Present(Found::one(0, fields))
    }
}
