//! What the nodes of one walk share: who waits for whom, what is known, what came of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::look::View;
use super::{Outcome, Trouble, Walk};
use crate::erased::AnyNode;
use crate::graph::NodeId;
use crate::{Event, Fact, Known};

/// What came of a node.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It is where it should be. `acted`: this walk changed it, or something that it waited for.
    Done { acted: bool },
    /// It is not, because of these nodes (itself, or others before it).
    Stopped(Vec<usize>),
    /// The user stopped the walk first.
    Interrupted,
}

/// One walk.
pub(super) struct Tour<'a, W> {
    pub(super) walk: &'a Walk<W>,
    name: &'static str,
    begun: Instant,
    book: Mutex<Book>,
    fates: Vec<watch::Sender<Option<Fate>>>,
}

/// What has been learned and done so far.
#[derive(Default)]
pub(super) struct Book {
    pub(super) known: Known,
    pub(super) exists: Vec<bool>,
    /// Nobody knows whether they are there.
    pub(super) untold: Vec<bool>,
    /// When a node's last mutating call succeeded.
    pub(super) acted: Vec<Option<Instant>>,
    pub(super) troubles: Vec<Option<Trouble>>,
    pub(super) blocked: Vec<bool>,
    pub(super) facts: Vec<Vec<Fact>>,
    pub(super) changed: usize,
}

impl<'a, W: Send + Sync + 'static> Tour<'a, W> {
    pub(super) fn begin(walk: &'a Walk<W>, name: &'static str) -> Self {
        let nodes = walk.graph.nodes.len();
        walk.events.send(Event::Began { walk: name, nodes });
        Self {
            walk,
            name,
            begun: Instant::now(),
            book: Mutex::new(Book {
                exists: vec![false; nodes],
                untold: vec![false; nodes],
                acted: vec![None; nodes],
                troubles: vec![None; nodes],
                blocked: vec![false; nodes],
                facts: vec![Vec::new(); nodes],
                ..Book::default()
            }),
            fates: (0..nodes).map(|_| watch::Sender::new(None)).collect(),
        }
    }

    pub(super) fn node(&self, id: usize) -> &'a dyn AnyNode<W> {
        self.walk.graph.nodes[id].as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.fates.len()
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known(&self) -> Known {
        self.book().known.clone()
    }

    pub(super) fn cancelled(&self) -> bool {
        self.walk.cancel.is_cancelled()
    }

    /// What a node's creation waits for.
    pub(super) fn needs(&self, id: usize) -> Vec<usize> {
        let node = self.node(id);
        let mut needs: Vec<usize> = node.within().into_iter().chain(node.uses()).map(|NodeId(n)| n).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// For each node, what its deletion waits for.
    pub(super) fn dependents(&self) -> Vec<Vec<usize>> {
        let mut dependents = vec![Vec::new(); self.len()];
        for id in 0..self.len() {
            for need in self.needs(id) {
                dependents[need].push(id);
            }
        }
        dependents
    }

    pub(super) fn settle(&self, id: usize, fate: Fate) {
        self.fates[id].send_replace(Some(fate));
    }

    /// Waits for all of these, and says what came of them together.
    pub(super) async fn wait_for(&self, ids: &[usize]) -> Fate {
        let (mut any_acted, mut causes, mut interrupted) = (false, Vec::new(), false);
        for &id in ids {
            let mut told = self.fates[id].subscribe();
            let fate = told.wait_for(Option::is_some).await.ok().and_then(|fate| fate.clone());
            match fate {
                Some(Fate::Done { acted }) => any_acted |= acted,
                Some(Fate::Stopped(by)) => causes.extend(by),
                Some(Fate::Interrupted) | None => interrupted = true,
            }
        }
        causes.sort_unstable();
        causes.dedup();
        match (causes.is_empty(), interrupted) {
            (false, _) => Fate::Stopped(causes),
            (true, true) => Fate::Interrupted,
            (true, false) => Fate::Done { acted: any_acted },
        }
    }

    pub(super) fn block(&self, id: usize, causes: &[usize]) {
        self.book().blocked[id] = true;
        let node = self.node(id);
        let by = causes.iter().map(|&cause| self.node(cause).name().clone()).collect();
        self.walk.events.send(Event::Blocked { node: node.name().clone(), kind: node.kind(), by });
    }

    pub(super) fn trouble(&self, id: usize, why: String, evidence: Vec<String>) {
        let node = self.node(id);
        self.walk.events.send(Event::Failed {
            node: node.name().clone(),
            kind: node.kind(),
            why: why.clone(),
            evidence: evidence.clone(),
        });
        let trouble = Trouble { node: node.name().clone(), kind: node.kind(), why, evidence };
        self.book().troubles[id] = Some(trouble);
    }

    /// Notes what the first look found.
    pub(super) fn note(&self, seen: &View) {
        let mut book = self.book();
        book.known = seen.known.clone();
        for (id, looked) in seen.looked.iter().enumerate() {
            let passed_by = self.node(id).watched() || (self.name == "up" && self.node(id).swept());
            book.exists[id] = !passed_by && looked.there();
            book.untold[id] = !passed_by && looked.untold();
        }
    }

    pub(super) fn say(&self, id: usize, line: String) {
        self.walk.events.send(Event::Said { node: self.node(id).name().clone(), line });
    }

    /// Lets the nodes run, and tells when the user stops them.
    pub(super) async fn run(&self, nodes: impl Future<Output = ()>) {
        tokio::pin!(nodes);
        tokio::select! {
            biased;
            () = self.walk.cancel.cancelled() => {}
            () = &mut nodes => return,
        }
        self.walk.events.send(Event::Stopping);
        nodes.await;
    }

    pub(super) fn end(self) -> Outcome {
        let names = |of: Vec<bool>| -> Vec<Arc<str>> {
            let nodes = self.walk.graph.nodes.iter().zip(of);
            nodes.filter(|(_, is)| *is).map(|(node, _)| node.name().clone()).collect()
        };
        let book = self.book.into_inner().unwrap_or_else(PoisonError::into_inner);
        let facts = self.walk.graph.nodes.iter().zip(book.facts);
        let outcome = Outcome {
            troubles: book.troubles.into_iter().flatten().collect(),
            blocked: names(book.blocked),
            exists: names(book.exists),
            untold: names(book.untold),
            changed: book.changed,
            interrupted: self.fates.iter().any(|fate| matches!(*fate.borrow(), Some(Fate::Interrupted))),
            facts: facts.flat_map(|(node, facts)| facts.into_iter().map(|f| (node.name().clone(), f))).collect(),
            took: self.begun.elapsed(),
        };
        self.walk.events.send(Event::Ended { walk: self.name, ok: outcome.ok(), took: outcome.took });
        outcome
    }
}
