//! The graph: nodes that exist only once added, so a cycle cannot be written and insertion order
//! is already an order of creation.

use std::any::Any;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Change, Cure, Cx, Doing, Fact, Fault, Found, How, Resource, Seen};

/// The key under which a value that is not known yet stands in a serialized state.
pub(super) const KNOWN_AFTER: &str = "known after";

/// A node's place in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) usize);

/// A typed handle: whoever holds it may use the resource's output.
pub struct Node<R> {
    id: NodeId,
    name: Arc<str>,
    of: PhantomData<fn() -> R>,
}

impl<R> Clone for Node<R> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: self.name.clone(), of: PhantomData }
    }
}

impl<R> Node<R> {
    /// An edge without a value: order only.
    #[must_use]
    pub fn after(&self) -> After {
        After(vec![self.id])
    }
}

/// An order that carries no value.
#[derive(Clone, Debug, Default)]
pub struct After(Vec<NodeId>);

impl After {
    /// After each of these.
    #[must_use]
    pub fn all(edges: impl IntoIterator<Item = After>) -> Self {
        Self(edges.into_iter().flat_map(|edge| edge.0).collect())
    }
}

/// A value, or the name of the node after which it will be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    /// The value.
    Known(T),
    /// Known once this node is there.
    After(Arc<str>),
}

impl<T> Given<T> {
    /// Applies `f` to the value, where it is known.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Given<U> {
        match self {
            Self::Known(value) => Given::Known(f(value)),
            Self::After(node) => Given::After(node.clone()),
        }
    }

    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::After(_) => None,
        }
    }
}

impl<T: Serialize> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::After(node) => HashMap::from([(KNOWN_AFTER, node.as_ref())]).serialize(serializer),
        }
    }
}

/// Outputs that are known so far.
#[derive(Clone, Default)]
pub struct Known(HashMap<NodeId, Arc<dyn Any + Send + Sync>>);

impl Known {
    pub(super) fn insert(&mut self, id: NodeId, output: Output) {
        self.0.insert(id, output);
    }

    pub(super) fn remove(&mut self, id: NodeId) {
        self.0.remove(&id);
    }

    fn get<T: Clone + 'static>(&self, id: NodeId) -> Option<T> {
        self.0.get(&id).and_then(|output| output.downcast_ref::<T>()).cloned()
    }
}

/// What a resource may hang from or be made of: nodes, orders, lists, options and tuples of them.
pub trait Needs: Clone + Send + Sync + 'static {
    /// All of them known.
    type Values: Clone + Send + Sync + 'static;
    /// Each of them known or not yet.
    type Givens: Clone + Send + Sync + 'static;
    /// Which nodes are meant.
    fn edges(&self, into: &mut Vec<NodeId>);
    /// The values, when all are known.
    fn values(&self, known: &Known) -> Option<Self::Values>;
    /// The values as far as they are known.
    fn givens(&self, known: &Known) -> Self::Givens;
}

impl<R: Resource> Needs for Node<R> {
    type Values = R::Output;
    type Givens = Given<R::Output>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        into.push(self.id);
    }
    fn values(&self, known: &Known) -> Option<R::Output> {
        known.get(self.id)
    }
    fn givens(&self, known: &Known) -> Given<R::Output> {
        known.get(self.id).map_or_else(|| Given::After(self.name.clone()), Given::Known)
    }
}

impl Needs for After {
    type Values = ();
    type Givens = ();
    fn edges(&self, into: &mut Vec<NodeId>) {
        into.extend(&self.0);
    }
    fn values(&self, _: &Known) -> Option<()> {
        Some(())
    }
    fn givens(&self, _: &Known) {}
}

impl<N: Needs> Needs for Vec<N> {
    type Values = Vec<N::Values>;
    type Givens = Vec<N::Givens>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.edges(into));
    }
    fn values(&self, known: &Known) -> Option<Self::Values> {
        self.iter().map(|need| need.values(known)).collect()
    }
    fn givens(&self, known: &Known) -> Self::Givens {
        self.iter().map(|need| need.givens(known)).collect()
    }
}

impl<N: Needs> Needs for Option<N> {
    type Values = Option<N::Values>;
    type Givens = Option<N::Givens>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.edges(into));
    }
    fn values(&self, known: &Known) -> Option<Self::Values> {
        match self {
            None => Some(None),
            Some(need) => need.values(known).map(Some),
        }
    }
    fn givens(&self, known: &Known) -> Self::Givens {
        self.as_ref().map(|need| need.givens(known))
    }
}

macro_rules! tuple {
    ($($name:ident . $index:tt),*) => {
        impl<$($name: Needs),*> Needs for ($($name,)*) {
            type Values = ($($name::Values,)*);
            type Givens = ($($name::Givens,)*);
            fn edges(&self, _into: &mut Vec<NodeId>) { $(self.$index.edges(_into);)* }
            fn values(&self, _known: &Known) -> Option<Self::Values> { Some(($(self.$index.values(_known)?,)*)) }
            #[allow(clippy::unused_unit, reason = "the empty tuple is one of the cases")]
            fn givens(&self, _known: &Known) -> Self::Givens { ($(self.$index.givens(_known),)*) }
        }
    };
}
tuple!();
tuple!(A.0);
tuple!(A.0, B.1);
tuple!(A.0, B.1, C.2);
tuple!(A.0, B.1, C.2, D.3);
tuple!(A.0, B.1, C.2, D.3, E.4);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);

/// An output without its type.
pub(super) type Output = Arc<dyn Any + Send + Sync>;

/// What was found, without its type.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) output: Output,
    pub(super) actual: Value,
    pub(super) twins: Vec<Output>,
}

impl Finding {
    /// It and its twins.
    pub(super) fn all(self) -> Vec<Output> {
        std::iter::once(self.output).chain(self.twins).collect()
    }
}

/// What a look saw, without its type.
#[derive(Clone)]
pub(super) enum Sight {
    Absent,
    Foreign(String),
    Changing { why: String, found: Option<Finding> },
    Present(Finding),
    Broken { output: Output, why: String, cure: Cure },
}

/// A resource with its edges, without its type: what the walk works on.
pub(super) trait AnyNode<W>: Send + Sync {
    fn name(&self) -> &Arc<str>;
    fn kind(&self) -> &'static str;
    /// Only looked at.
    fn watched(&self) -> bool;
    /// Made by others, taken away by `down`.
    fn swept(&self) -> bool;
    fn ends_with_parent(&self) -> bool;
    fn within(&self) -> Vec<NodeId>;
    fn uses(&self) -> Vec<NodeId>;
    /// None: a parent is not known.
    fn look<'a>(&'a self, cx: &'a Cx<W>, known: &'a Known) -> BoxFuture<'a, Option<Result<Sight, Fault>>>;
    fn wanted(&self, known: &Known) -> Value;
    fn create<'a>(&'a self, cx: &'a Cx<W>, known: &'a Known) -> BoxFuture<'a, Result<(), Fault>>;
    fn update<'a>(
        &'a self,
        cx: &'a Cx<W>,
        known: &'a Known,
        output: &'a Output,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), Fault>>;
    fn delete<'a>(&'a self, cx: &'a Cx<W>, known: &'a Known, output: &'a Output) -> BoxFuture<'a, Result<(), Fault>>;
    fn evidence<'a>(&'a self, cx: &'a Cx<W>, known: &'a Known) -> BoxFuture<'a, Vec<String>>;
    fn how(&self, change: &Change) -> How;
    fn patience(&self, doing: Doing) -> Duration;
    fn facts(&self, output: &Output) -> Vec<Fact>;
}

/// The graph of a deployment.
pub struct Graph<W> {
    pub(super) nodes: Vec<Box<dyn AnyNode<W>>>,
}

impl<W: Send + Sync + 'static> Default for Graph<W> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
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
        self.insert(name.into(), resource, within, uses, Role::Made)
    }

    /// Adds something that is only looked at: `up` waits until it is Present, `down` passes by.
    pub fn watch<R: Resource<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, Role::Watched)
    }

    /// Adds what others leave behind (balancers, interfaces, rules made by what we run): `up` passes
    /// by it without a look, `down` deletes it until it is Absent, after all that was added after
    /// it and before all that it hangs from. Its output is never known during `up`.
    pub fn sweep<R: Resource<World = W>>(
        &mut self,
        name: impl Into<String>,
        resource: R,
        within: R::Within,
        uses: R::Uses,
    ) -> Node<R> {
        self.insert(name.into(), resource, within, uses, Role::Swept)
    }

    fn insert<R: Resource<World = W>>(
        &mut self,
        name: String,
        resource: R,
        within: R::Within,
        uses: R::Uses,
        role: Role,
    ) -> Node<R> {
        debug_assert!(self.nodes.iter().all(|n| n.name().as_ref() != name), "two nodes named {name}");
        let id = NodeId(self.nodes.len());
        let name: Arc<str> = name.into();
        self.nodes.push(Box::new(Typed { name: name.clone(), resource, within, uses, role }));
        Node { id, name, of: PhantomData }
    }

    /// Names and kinds in order of creation.
    pub fn names(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.nodes.iter().map(|n| (n.name().as_ref(), n.kind()))
    }
}

struct Typed<R: Resource> {
    name: Arc<str>,
    resource: R,
    within: R::Within,
    uses: R::Uses,
    role: Role,
}

/// What a walk does with a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Made,
    Watched,
    Swept,
}

/// Why a call was made without its values: a mistake in the walk, never in the world.
fn not_known(name: &str) -> Fault {
    Fault::Fatal(format!("{name} was asked for before what it needs was known (a mistake in tritondeploy)"))
}

fn typed<T: Clone + 'static>(output: &Output) -> Option<T> {
    output.downcast_ref::<T>().cloned()
}

fn finding<R: Resource>(found: Found<R>) -> Finding {
    Finding {
        actual: serde_json::to_value(&found.actual).unwrap_or_default(),
        output: Arc::new(found.output),
        twins: found.twins.into_iter().map(|twin| Arc::new(twin) as Output).collect(),
    }
}

impl<R: Resource> AnyNode<R::World> for Typed<R> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }
    fn kind(&self) -> &'static str {
        R::KIND
    }
    fn watched(&self) -> bool {
        self.role == Role::Watched
    }
    fn swept(&self) -> bool {
        self.role == Role::Swept
    }
    fn ends_with_parent(&self) -> bool {
        R::ENDS_WITH_PARENT
    }
    fn within(&self) -> Vec<NodeId> {
        let mut edges = Vec::new();
        self.within.edges(&mut edges);
        edges
    }
    fn uses(&self) -> Vec<NodeId> {
        let mut edges = Vec::new();
        self.uses.edges(&mut edges);
        edges
    }
    fn look<'a>(
        &'a self,
        cx: &'a Cx<R::World>,
        known: &'a Known,
    ) -> BoxFuture<'a, Option<Result<Sight, Fault>>> {
        async move {
            let within = self.within.values(known)?;
            Some(self.resource.observe(cx, &within).await.map(|seen| match seen {
                Seen::Absent => Sight::Absent,
                Seen::Foreign(why) => Sight::Foreign(why),
                Seen::Changing { why, found } => Sight::Changing { why, found: found.map(finding) },
                Seen::Present(found) => Sight::Present(finding(found)),
                Seen::Broken { output, why, cure } => Sight::Broken { output: Arc::new(output), why, cure },
            }))
        }
        .boxed()
    }
    fn wanted(&self, known: &Known) -> Value {
        let state = self.resource.want(&self.within.givens(known), &self.uses.givens(known));
        serde_json::to_value(&state).unwrap_or_default()
    }
    fn create<'a>(&'a self, cx: &'a Cx<R::World>, known: &'a Known) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let within = self.within.values(known).ok_or_else(|| not_known(&self.name))?;
            let uses = self.uses.values(known).ok_or_else(|| not_known(&self.name))?;
            self.resource.create(cx, &within, &uses).await
        }
        .boxed()
    }
    fn update<'a>(
        &'a self,
        cx: &'a Cx<R::World>,
        known: &'a Known,
        output: &'a Output,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let within = self.within.values(known).ok_or_else(|| not_known(&self.name))?;
            let uses = self.uses.values(known).ok_or_else(|| not_known(&self.name))?;
            let output = typed::<R::Output>(output).ok_or_else(|| not_known(&self.name))?;
            self.resource.update(cx, &within, &uses, &output, changes).await
        }
        .boxed()
    }
    fn delete<'a>(
        &'a self,
        cx: &'a Cx<R::World>,
        known: &'a Known,
        output: &'a Output,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let within = self.within.values(known).ok_or_else(|| not_known(&self.name))?;
            let output = typed::<R::Output>(output).ok_or_else(|| not_known(&self.name))?;
            self.resource.delete(cx, &within, &output).await
        }
        .boxed()
    }
    fn evidence<'a>(&'a self, cx: &'a Cx<R::World>, known: &'a Known) -> BoxFuture<'a, Vec<String>> {
        async move {
            match self.within.values(known) {
                Some(within) => self.resource.evidence(cx, &within).await,
                None => Vec::new(),
            }
        }
        .boxed()
    }
    fn how(&self, change: &Change) -> How {
        self.resource.how(change)
    }
    fn patience(&self, doing: Doing) -> Duration {
        self.resource.patience(doing)
    }
    fn facts(&self, output: &Output) -> Vec<Fact> {
        typed::<R::Output>(output).map(|output| self.resource.facts(&output)).unwrap_or_default()
    }
}
