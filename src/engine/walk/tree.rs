//! A twin and all that is in it: what is within a node is within its twin, too.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::Held;
use super::snapshot::Lookup;
use crate::Graph;
use crate::erased::AnyObservation;
use crate::id::NodeId;
use crate::inputs::{Known, Output};

/// One twin, and what was seen in it.
pub(super) struct Tree {
    /// The outermost twin: this one, or the one that this one is in. Node, and what the service calls it.
    pub(super) root: (usize, Option<String>),
    /// By what the nodes inside are found there.
    pub(super) known: Known,
    /// The nodes inside, in order of creation.
    pub(super) inside: Vec<usize>,
    /// What is there of them; none: it is changing, or unknown.
    pub(super) held: Vec<(usize, Option<Output>)>,
}

impl Tree {
    /// What a node inside is called.
    pub(super) fn called<W>(&self, graph: &Graph<W>, id: usize) -> Arc<str> {
        let (root, twin) = (graph.nodes[self.root.0].name(), self.root.1.as_deref().unwrap_or("a twin"));
        format!("{} (in {root} {twin})", graph.nodes[id].name()).into()
    }
}

/// These twins and those within them, each with what is in it.
pub(super) async fn grow<'a, W: Send + Sync + 'static>(
    graph: &Graph<W>,
    twins: Vec<(usize, Output)>,
    known: &Known,
    look: impl Fn(usize, Known) -> BoxFuture<'a, Lookup>,
) -> Vec<Tree> {
    let root = |(at, twin): (usize, Output)| {
        let root = (at, graph.nodes[at].id(&twin));
        (at, twin, root, known.clone())
    };
    let mut pending: Vec<_> = twins.into_iter().map(root).collect();
    let mut trees = Vec::new();
    while let Some((at, twin, root, mut known)) = pending.pop() {
        let inside: Vec<usize> = graph.inside(at).into_iter().filter(|&id| !graph.nodes[id].made_by_others()).collect();
        inside.iter().for_each(|&id| known.remove(NodeId(id)));
        known.insert(NodeId(at), twin);
        let mut held = Vec::new();
        for &id in &inside {
            let sight = match look(id, known.clone()).await {
                Lookup::Saw(sight) => sight,
                Lookup::Fault(_) => {
                    held.push((id, None));
                    continue;
                }
                Lookup::NoParent | Lookup::Parent(_) | Lookup::No => continue,
            };
            for twin in sight.twins() {
                held.push((id, Some(twin.clone())));
                pending.push((id, twin.clone(), root.clone(), known.clone()));
            }
            let output = match sight {
                AnyObservation::Present(found) | AnyObservation::Changing { found: Some(found), .. } => Some(found.output),
                AnyObservation::Broken { output, .. } => Some(output),
                AnyObservation::Changing { found: None, .. } => None,
                AnyObservation::Absent | AnyObservation::Elsewhere(_) | AnyObservation::Foreign(_) => continue,
            };
            if let Some(output) = &output {
                known.insert(NodeId(id), output.clone());
            }
            held.push((id, output));
        }
        trees.push(Tree { root, known, inside, held });
    }
    trees
}

/// What users are told of what is in them: what goes with its parent by itself is no matter.
pub(super) fn held<W: Send + Sync + 'static>(graph: &Graph<W>, trees: &[Tree]) -> Vec<Held> {
    let all = trees.iter().flat_map(|tree| &tree.held).filter(|(id, _)| !graph.nodes[*id].ends_with_parent());
    let one = |(id, output): &(usize, Option<Output>)| {
        let node = graph.nodes[*id].as_ref();
        Held {
            node: node.name().clone(),
            kind: node.kind(),
            id: output.as_ref().and_then(|output| node.id(output)),
            facts: output.as_ref().map(|output| node.facts(output)).unwrap_or_default(),
        }
    };
    all.map(one).collect()
}
