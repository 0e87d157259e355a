//! The graph: nodes that exist only once added, so a cycle cannot be written and insertion order
//! is already an order of creation.

use std::marker::PhantomData;
use std::sync::Arc;

use super::acts::{Acts, Delete, Own, Update, Watch};
use super::erased::{AnyNode, Role, Typed};
use super::id::NodeId;
use super::inputs::{Given, Inputs, Known};
use super::resource::{Adjust, Observe, Removal, Resource, Sweep, Unwanted};

/// A typed handle: whoever holds it may use the resource's output.
pub struct Node<R> {
    pub(super) id: NodeId,
    pub(super) name: Arc<str>,
    of: PhantomData<fn() -> R>,
}

impl<R> Clone for Node<R> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), of: PhantomData }
    }
}

/// An order that carries no value.
#[derive(Clone, Debug, Default)]
pub struct After(pub(super) Vec<NodeId>);

impl After {
    /// After each of these nodes.
    #[must_use]
    pub fn of(nodes: impl Inputs) -> Self {
        let mut edges = Vec::new();
        nodes.edges(&mut edges);
        Self(edges)
    }
}

impl<R: Observe> Inputs for Node<R> {
    type Values = R::Output;
    type Givens = Given<R::Output>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        into.push(self.id);
    }
    fn values(&self, known: &Known) -> Option<R::Output> {
        known.get(self.id)
    }
    fn givens(&self, known: &Known) -> Given<R::Output> {
        known.get(self.id).map_or_else(|| Given::Unknown { until: self.name.clone() }, Given::Known)
    }
    fn given(values: &R::Output) -> Given<R::Output> {
        Given::Known(values.clone())
    }
}

impl Inputs for After {
    type Values = ();
    type Givens = ();
    fn edges(&self, into: &mut Vec<NodeId>) {
        into.extend(&self.0);
    }
    fn values(&self, _: &Known) -> Option<()> {
        Some(())
    }
    fn givens(&self, _: &Known) {}
    fn given((): &()) {}
}

/// The graph of a deployment.
pub struct Graph<W> {
    pub(super) nodes: Vec<Box<dyn AnyNode<W>>>,
    /// What `down` leaves, with all that is within it.
    spared: Vec<NodeId>,
    /// What `down` deletes after all else.
    pub(super) last: Option<usize>,
}

impl<W: Send + Sync + 'static> Default for Graph<W> {
    fn default() -> Self {
        Self { nodes: Vec::new(), spared: Vec::new(), last: None }
    }
}

impl<W: Send + Sync + 'static> Graph<W> {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource. Its name is unique in the graph, is shown to the user and is its tag.
    pub fn add<R: Resource<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, (Role::Made, Own))
    }

    /// Adds several of one kind: name, resource, within and uses of each.
    pub fn each<R: Resource<World = W>>(
        &mut self,
        all: impl IntoIterator<Item = (String, R, R::Within, R::Uses)>,
    ) -> Vec<Node<R>> {
        all.into_iter().map(|(name, resource, within, uses)| self.add(name, resource, within, uses)).collect()
    }

    /// Adds something that is only looked at: `up` waits until it is Present, `down` passes by.
    pub fn watch<R: Observe<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, (Role::Watched, Watch))
    }

    /// Adds something that others make and take away: `up` waits until it is Present, and updates what differs; `down` passes
    /// by.
    pub fn adjust<R: Adjust<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, (Role::Adjusted, Update))
    }

    /// Adds what others leave behind (balancers, interfaces, rules made by what we run): `up` passes
    /// by it without a look, `down` deletes it until it is Absent: after the nodes that name it among
    /// their needs (`After` is enough) and all that needs those, before what it is within and uses.
    /// Nodes without such an edge do not wait for it. Its output is never known during `up`.
    pub fn sweep<R: Sweep<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, (Role::Swept, Delete))
    }

    /// Adds what an earlier configuration made and this one does not want: `down` deletes it until it is Absent, and `up`
    /// as `unwanted` says. What is there and not ours is left alone and not shown. What goes last goes after those that go
    /// last and name it among their needs; nothing that is wanted may name it. Its output is never known during `up`.
    pub fn remove<R: Sweep<World = W>>(
        &mut self,
        name: impl Into<String>,
        unwanted: Unwanted,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, (Role::Unwanted(unwanted), Delete))
    }

    /// `down` leaves this node, and all that is within it.
    pub fn spare<R>(&mut self, node: &Node<R>) {
        self.spared.push(node.id);
    }

    /// `down` deletes this one when all else is gone, whatever uses it. It must be made from nothing.
    pub fn delete_last<R: Resource<World = W>>(&mut self, node: &Node<R>) {
        let NodeId(id) = node.id;
        let made_from = &self.nodes[id];
        debug_assert!(made_from.within().is_empty() && made_from.uses().is_empty(), "{} would wait for itself", node.name);
        self.last = Some(id);
    }

    fn insert<R: Observe<World = W>, A: Acts<R>>(
        &mut self,
        name: String,
        resource: R,
        within: R::Within,
        uses: R::Uses,
        (role, acts): (Role, A),
    ) -> Node<R> {
        debug_assert!(self.nodes.iter().all(|n| n.name().as_ref() != name), "two nodes named {name}");
        let id = NodeId(self.nodes.len());
        let name: Arc<str> = name.into();
        let node = Box::new(Typed { name: name.clone(), resource, within, uses, role, acts });
        let is_wanted = node.unwanted().is_none() && !node.swept();
        let mut needs = node.within().into_iter().chain(node.uses());
        debug_assert!(
            !is_wanted || needs.all(|NodeId(need)| self.nodes[need].removal() != Some(Removal::Last)),
            "{name} is wanted, and needs what is deleted after it"
        );
        self.nodes.push(node);
        Node { id, name, of: PhantomData }
    }

    /// The graph up to and with the node of this name: insertion is an order of creation, so what comes first stands alone.
    #[must_use]
    pub fn up_to(mut self, name: &str) -> Self {
        let last = self.nodes.iter().position(|node| node.name().as_ref() == name);
        debug_assert!(last.is_some(), "no node named {name}");
        self.nodes.truncate(last.map_or(0, |last| last + 1));
        self.last = self.last.filter(|last| *last < self.nodes.len());
        self
    }

    /// Which nodes `down` leaves.
    pub(super) fn spared(&self) -> Vec<bool> {
        let mut spared = vec![false; self.nodes.len()];
        for id in 0..self.nodes.len() {
            // What a node is within was added before it.
            let within = self.nodes[id].within().into_iter().any(|NodeId(parent)| spared[parent]);
            spared[id] = within || self.spared.contains(&NodeId(id));
        }
        spared
    }

    /// Which nodes this one can be found through: itself, and all that it is within.
    pub(super) fn around(&self, id: usize) -> Vec<bool> {
        let mut around = vec![false; self.nodes.len()];
        around[id] = true;
        // What a node is within was added before it.
        for id in (0..=id).rev() {
            if around[id] {
                let node = &self.nodes[id];
                node.within().into_iter().chain(node.beside()).for_each(|NodeId(parent)| around[parent] = true);
            }
        }
        around
    }

    /// Which nodes can be found only through this one.
    pub(super) fn inside(&self, id: usize) -> Vec<usize> {
        let mut inside = vec![id];
        for (at, node) in self.nodes.iter().enumerate() {
            if node.within().iter().any(|NodeId(parent)| inside.contains(parent)) {
                inside.push(at);
            }
        }
        inside.remove(0);
        inside
    }

    /// Names and kinds in order of creation.
    pub fn names(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.nodes.iter().map(|n| (n.name().as_ref(), n.kind()))
    }
}
