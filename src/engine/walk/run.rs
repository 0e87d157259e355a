//! What the nodes of one walk share: who waits for whom, what is known, what came of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::refusal::Refusal;
use super::snapshot::Snapshot;
use super::tree::Tree;
use super::{Failure, Outcome, Walk};
use crate::erased::AnyNode;
use crate::fault::Origin;
use crate::id::NodeId;
use crate::inputs::Output;
use crate::{Event, Fact, Fault, Known, Removal};

/// What came of a node.
#[derive(Clone, Debug)]
pub(super) enum Completion {
    /// It is where it should be. `acted`: this walk changed it, or something that it waited for.
    Done { acted: bool },
    /// It is not, because of these nodes (itself, or others before it).
    Stopped(Vec<usize>),
    /// The user stopped the walk first.
    Interrupted,
}

/// Why a node is not where it should be.
pub(super) struct Reason {
    pub(super) why: String,
    /// Who said so last.
    pub(super) origin: Option<Box<Origin>>,
    /// What a user can do about it.
    pub(super) next: Option<Arc<str>>,
    pub(super) evidence: Vec<String>,
}

impl Reason {
    /// A call that failed.
    pub(super) fn of(fault: &Fault) -> Self {
        Self { why: fault.cause(), origin: fault.origin.clone(), next: fault.next.clone(), evidence: Vec::new() }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self { next: refusal.next, ..refusal.why.into() }
    }
}

impl From<String> for Reason {
    fn from(why: String) -> Self {
        Self { why, origin: None, next: None, evidence: Vec::new() }
    }
}

/// One walk.
pub(super) struct Run<'a, W> {
    pub(super) walk: &'a Walk<W>,
    name: &'static str,
    begun: Instant,
    /// Those with which this walk does nothing.
    passed_by: Vec<bool>,
    state: Mutex<RunState>,
    /// Why the gate stopped it, where it was not the user.
    shut: OnceLock<Arc<str>>,
    completions: Vec<watch::Sender<Option<Completion>>>,
}

/// What has been learned and done so far.
#[derive(Default)]
pub(super) struct RunState {
    pub(super) known: Known,
    pub(super) exists: Vec<bool>,
    /// Nobody knows whether they are there.
    pub(super) unknown: Vec<bool>,
    /// When it was decided what came of a node.
    settled: Vec<Option<Instant>>,
    /// When a node's last mutating call succeeded.
    pub(super) acted: Vec<Option<Instant>>,
    pub(super) failures: Vec<Option<Failure>>,
    pub(super) blocked: Vec<bool>,
    /// Others just like each node, as last seen.
    pub(super) twins: Vec<Vec<Output>>,
    /// A creation of it had no answer, so that there may be a twin.
    pub(super) lost: Vec<bool>,
    /// What came of twins, and what is in them.
    pub(super) deleting: Deleting,
    pub(super) facts: Vec<Vec<Fact>>,
    pub(super) changed: usize,
}

/// What came of twins that are deleted, by what they are called.
#[derive(Default)]
pub(super) struct Deleting {
    pub(super) exists: BTreeSet<Arc<str>>,
    pub(super) failures: Vec<Failure>,
    pub(super) blocked: Vec<Arc<str>>,
    pub(super) unshown: Vec<Arc<str>>,
    pub(super) interrupted: bool,
}

impl<'a, W: Send + Sync + 'static> Run<'a, W> {
    pub(super) fn begin(walk: &'a Walk<W>, name: &'static str) -> Self {
        let nodes = walk.graph.nodes.len();
        walk.events.send(Event::Began { walk: name, nodes });
        let spared = walk.graph.spared();
        let passed_by = walk.graph.nodes.iter().zip(spared).map(|(node, spared)| match name {
            "up" => node.made_by_others() || node.swept() || node.removal() == Some(Removal::Never),
            _ => node.made_by_others() || spared,
        });
        Self {
            passed_by: passed_by.collect(),
            walk,
            name,
            begun: Instant::now(),
            state: Mutex::new(RunState {
                exists: vec![false; nodes],
                unknown: vec![false; nodes],
                settled: vec![None; nodes],
                acted: vec![None; nodes],
                failures: vec![None; nodes],
                blocked: vec![false; nodes],
                twins: vec![Vec::new(); nodes],
                lost: vec![false; nodes],
                facts: vec![Vec::new(); nodes],
                ..RunState::default()
            }),
            shut: OnceLock::new(),
            completions: (0..nodes).map(|_| watch::Sender::new(None)).collect(),
        }
    }

    pub(super) fn node(&self, id: usize) -> &'a dyn AnyNode<W> {
        self.walk.graph.nodes[id].as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.completions.len()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known(&self) -> Known {
        self.state().known.clone()
    }

    /// What is known of a node and of all that it needs.
    pub(super) fn known_to(&self, id: usize) -> Known {
        let inputs = self.inputs(id);
        self.state().known.of(inputs.into_iter().chain([id]).map(NodeId))
    }

    pub(super) fn cancelled(&self) -> bool {
        self.walk.cancel.is_cancelled()
    }

    /// Whether an act may begin. Without leave to act, the walk stops as if the user had asked for it.
    pub(super) fn may_act(&self) -> bool {
        if self.cancelled() {
            return false;
        }
        let refusal = self.walk.gate.refusal();
        if let Some(why) = refusal.clone() {
            self.shut.get_or_init(|| why);
            self.walk.cancel.cancel();
        }
        refusal.is_none()
    }

    /// What a node's creation waits for.
    pub(super) fn inputs(&self, id: usize) -> Vec<usize> {
        let node = self.node(id);
        let mut inputs: Vec<usize> = node.within().into_iter().chain(node.uses()).map(|NodeId(n)| n).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// Nothing is done with it in this walk.
    pub(super) fn passes_by(&self, id: usize) -> bool {
        self.passed_by[id]
    }

    /// What a node waits for during `up`: its inputs, but for those that go last; and what goes last itself, for all that
    /// does not, and for those of its kind that need it.
    pub(super) fn before(&self, id: usize) -> Vec<usize> {
        let goes_last = |other: usize| self.node(other).removal() == Some(Removal::Last);
        if !goes_last(id) {
            return self.inputs(id).into_iter().filter(|other| !goes_last(*other)).collect();
        }
        (0..self.len()).filter(|other| !goes_last(*other) || self.inputs(*other).contains(&id)).collect()
    }

    /// For each node, what its deletion waits for.
    pub(super) fn dependents(&self) -> Vec<Vec<usize>> {
        let mut dependents = vec![Vec::new(); self.len()];
        for id in 0..self.len() {
            for need in self.inputs(id) {
                dependents[need].push(id);
            }
        }
        if let Some(last) = self.walk.graph.last {
            dependents[last] = (0..self.len()).filter(|&id| id != last).collect();
        }
        dependents
    }

    pub(super) fn settle(&self, id: usize, completion: Completion) {
        self.state().settled[id] = Some(Instant::now());
        self.completions[id].send_replace(Some(completion));
    }

    /// Waits for all that a node's turn comes after, and says what came of them together.
    pub(super) async fn turn(&self, id: usize, ids: &[usize]) -> Completion {
        let completion = self.wait_for(ids).await;
        if matches!(completion, Completion::Done { .. }) {
            let settled = |other: &usize| self.state().settled[*other];
            let after = ids.iter().copied().max_by_key(settled).map(|last| self.node(last).name().clone());
            self.walk.events.send(Event::Ready { node: self.node(id).name().clone(), after });
        }
        completion
    }

    /// Waits for all of these, and says what came of them together.
    pub(super) async fn wait_for(&self, ids: &[usize]) -> Completion {
        let (mut any_acted, mut causes, mut interrupted) = (false, Vec::new(), false);
        for &id in ids {
            let mut told = self.completions[id].subscribe();
            let completion = told.wait_for(Option::is_some).await.ok().and_then(|completion| completion.clone());
            match completion {
                Some(Completion::Done { acted }) => any_acted |= acted,
                Some(Completion::Stopped(by)) => causes.extend(by),
                Some(Completion::Interrupted) | None => interrupted = true,
            }
        }
        causes.sort_unstable();
        causes.dedup();
        match (causes.is_empty(), interrupted) {
            (false, _) => Completion::Stopped(causes),
            (true, true) => Completion::Interrupted,
            (true, false) => Completion::Done { acted: any_acted },
        }
    }

    /// Every node is where it should be.
    pub(super) fn stands(&self) -> bool {
        self.completions.iter().all(|completion| matches!(*completion.borrow(), Some(Completion::Done { .. })))
    }

    /// What a twin of this node is called.
    pub(super) fn twin(&self, id: usize, output: &Output) -> Arc<str> {
        let node = self.node(id);
        node.id(output).map_or_else(|| node.name().clone(), |twin| format!("{} ({twin})", node.name()).into())
    }

    pub(super) fn block(&self, id: usize, causes: &[usize]) {
        self.state().blocked[id] = true;
        let node = self.node(id);
        let by = causes.iter().map(|&cause| self.node(cause).name().clone()).collect();
        self.walk.events.send(Event::Blocked { node: node.name().clone(), kind: node.kind(), by });
    }

    pub(super) fn failure(&self, id: usize, reason: Reason) {
        let failure = self.told(id, self.node(id).name(), reason);
        self.state().failures[id] = Some(failure);
    }

    /// A twin of this node, or something in one, is not gone.
    pub(super) fn twin_failure(&self, id: usize, called: &Arc<str>, reason: Reason) {
        let failure = self.told(id, called, reason);
        self.state().deleting.failures.push(failure);
    }

    fn told(&self, id: usize, called: &Arc<str>, reason: Reason) -> Failure {
        let Reason { why, origin, next, evidence } = reason;
        let failure = Failure { node: called.clone(), kind: self.node(id).kind(), why, origin, next, evidence };
        self.walk.events.send(Event::Failed(failure.clone()));
        failure
    }

    /// Notes what the first look found.
    pub(super) fn note(&self, seen: &Snapshot) {
        let mut state = self.state();
        state.known = seen.known.clone();
        for (id, looked) in seen.looked.iter().enumerate() {
            state.exists[id] = !self.passed_by[id] && looked.there();
            state.unknown[id] = !self.passed_by[id] && looked.unknown();
            state.twins[id] = looked.twins().to_vec();
        }
    }

    /// Notes what is in twins.
    pub(super) fn note_trees(&self, trees: &[Tree]) {
        let called = |tree: &Tree| tree.held.iter().map(|(id, _)| tree.called(&self.walk.graph, *id)).collect::<Vec<_>>();
        self.state().deleting.exists.extend(trees.iter().flat_map(called));
    }

    pub(super) fn say(&self, id: usize, line: String) {
        self.walk.events.send(Event::Said { node: self.node(id).name().clone(), line });
    }

    /// Lets the nodes run, and tells when the user or the gate stops them.
    pub(super) async fn run(&self, nodes: impl Future<Output = ()>) {
        tokio::pin!(nodes);
        tokio::select! {
            biased;
            () = self.walk.cancel.cancelled() => {}
            () = self.walk.gate.until_shut() => drop(self.may_act()),
            () = &mut nodes => return,
        }
        self.walk.events.send(Event::Stopping { why: self.shut.get().cloned() });
        nodes.await;
    }

    pub(super) fn end(self) -> Outcome {
        let names = |of: Vec<bool>, twins: Vec<Arc<str>>| -> Vec<Arc<str>> {
            let nodes = self.walk.graph.nodes.iter().zip(of);
            nodes.filter(|(_, is)| *is).map(|(node, _)| node.name().clone()).chain(twins).collect()
        };
        let mut twins = std::mem::take(&mut self.state().deleting);
        let seen = std::mem::take(&mut self.state().twins);
        for (id, seen) in seen.iter().enumerate() {
            twins.exists.extend(seen.iter().map(|twin| self.twin(id, twin)));
        }
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let facts = self.walk.graph.nodes.iter().zip(state.facts);
        let undone = twins.interrupted
            || self.completions.iter().any(|completion| matches!(*completion.borrow(), Some(Completion::Interrupted)));
        let shut = self.shut.into_inner().filter(|_| undone);
        let outcome = Outcome {
            failures: state.failures.into_iter().flatten().chain(twins.failures).collect(),
            blocked: names(state.blocked, twins.blocked),
            exists: names(state.exists, twins.exists.into_iter().collect()),
            unshown: twins.unshown,
            unknown: names(state.unknown, Vec::new()),
            changed: state.changed,
            interrupted: undone && shut.is_none(),
            shut,
            facts: facts.flat_map(|(node, facts)| facts.into_iter().map(|f| (node.name().clone(), f))).collect(),
            took: self.begun.elapsed(),
        };
        self.walk.events.send(Event::Ended { walk: self.name, ok: outcome.ok(), took: outcome.took });
        outcome
    }
}
