//! Nodes without their types: what the walk works on.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::acts::Acts;
use super::id::NodeId;
use super::inputs::{Inputs, Known, Output};
use super::{Action, Change, Cx, Fact, Fault, Found, Observation, Observe, Remedy, Removal, Unwanted, UpdateMode, differences};

/// What was found, without its type.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) output: Output,
    pub(super) actual: Value,
    pub(super) twins: Vec<Output>,
    pub(super) ails: Vec<String>,
}

impl Finding {
    /// It and its twins.
    pub(super) fn all(self) -> Vec<Output> {
        std::iter::once(self.output).chain(self.twins).collect()
    }
}

/// What a look saw, without its type.
#[derive(Clone)]
pub(super) enum AnyObservation {
    Absent,
    Elsewhere(Vec<Output>),
    Foreign(String),
    Changing { why: String, found: Option<Finding> },
    Present(Finding),
    Broken { output: Output, why: String, remedy: Remedy },
}

impl AnyObservation {
    /// Duplicates of it.
    pub(super) fn twins(&self) -> &[Output] {
        match self {
            Self::Present(found) | Self::Changing { found: Some(found), .. } => &found.twins,
            Self::Elsewhere(twins) => twins,
            _ => &[],
        }
    }
}

/// A resource with its edges, without its type: what the walk works on.
pub(super) trait AnyNode<W>: Send + Sync {
    fn name(&self) -> &Arc<str>;
    fn kind(&self) -> &'static str;
    /// Only looked at.
    fn watched(&self) -> bool;
    /// Made and taken away by others: only looked at, or kept as it should be.
    fn made_by_others(&self) -> bool;
    /// Made by others, taken away by `down`.
    fn swept(&self) -> bool;
    /// Of an earlier configuration.
    fn unwanted(&self) -> Option<&Unwanted>;
    /// When `up` deletes it; None: it is wanted.
    fn removal(&self) -> Option<Removal> {
        self.unwanted().map(|unwanted| unwanted.removal)
    }
    fn ends_with_parent(&self) -> bool;
    /// What it can be found only inside of.
    fn within(&self) -> Vec<NodeId>;
    /// What it is looked for after, and found without.
    fn beside(&self) -> Vec<NodeId>;
    /// All that it is made from or after, but for what it is within.
    fn uses(&self) -> Vec<NodeId>;
    /// None: a parent is not known.
    fn look<'a>(&'a self, cx: &'a Cx<W>, known: &'a Known) -> BoxFuture<'a, Option<Result<AnyObservation, Fault>>>;
    fn wanted(&self, world: &W, known: &Known) -> Value;
    /// Every field of `wanted` that `actual` does not have just so, but for what is tolerated.
    fn differences(&self, wanted: &Value, actual: &Value) -> Vec<Change>;
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
    fn how(&self, change: &Change) -> UpdateMode;
    fn why_not(&self, change: &Change) -> Option<String>;
    fn patience(&self, action: Action) -> Duration;
    fn id(&self, output: &Output) -> Option<String>;
    fn facts(&self, output: &Output) -> Vec<Fact>;
}

/// What a walk does with a node.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Role {
    Made,
    Watched,
    Adjusted,
    Swept,
    Unwanted(Unwanted),
}

/// A resource with its edges, and what can be done with it.
pub(super) struct Typed<R: Observe, A> {
    pub(super) name: Arc<str>,
    pub(super) resource: R,
    pub(super) within: R::Within,
    pub(super) uses: R::Uses,
    pub(super) role: Role,
    pub(super) acts: A,
}

/// Why a call was made without its values: a mistake in the walk, never in the world.
fn not_known(name: &str) -> Fault {
    Fault::fatal(format!("{name} was asked for before what it needs was known (a mistake in tritondeploy)"))
}

fn typed<T: Clone + 'static>(output: &Output) -> Option<T> {
    output.downcast_ref::<T>().cloned()
}

fn finding<R: Observe>(found: Found<R>) -> Finding {
    Finding {
        actual: serde_json::to_value(&found.actual).unwrap_or_default(),
        output: Arc::new(found.output),
        twins: erased(found.twins),
        ails: found.ails,
    }
}

fn erased<T: Clone + Send + Sync + 'static>(outputs: Vec<T>) -> Vec<Output> {
    outputs.into_iter().map(|output| Arc::new(output) as Output).collect()
}

impl<R: Observe, A: Acts<R>> AnyNode<R::World> for Typed<R, A> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }
    fn kind(&self) -> &'static str {
        R::KIND
    }
    fn watched(&self) -> bool {
        self.role == Role::Watched
    }
    fn made_by_others(&self) -> bool {
        matches!(self.role, Role::Watched | Role::Adjusted)
    }
    fn swept(&self) -> bool {
        self.role == Role::Swept
    }
    fn unwanted(&self) -> Option<&Unwanted> {
        match &self.role {
            Role::Unwanted(unwanted) => Some(unwanted),
            Role::Made | Role::Watched | Role::Adjusted | Role::Swept => None,
        }
    }
    fn ends_with_parent(&self) -> bool {
        R::ENDS_WITH_PARENT
    }
    fn within(&self) -> Vec<NodeId> {
        let mut edges = Vec::new();
        self.within.parents(&mut edges);
        edges
    }
    fn beside(&self) -> Vec<NodeId> {
        let (mut edges, parents) = (Vec::new(), self.within());
        self.within.edges(&mut edges);
        edges.retain(|edge| !parents.contains(edge));
        edges
    }
    fn uses(&self) -> Vec<NodeId> {
        let mut edges = self.beside();
        self.uses.edges(&mut edges);
        edges
    }
    fn look<'a>(&'a self, cx: &'a Cx<R::World>, known: &'a Known) -> BoxFuture<'a, Option<Result<AnyObservation, Fault>>> {
        async move {
            let within = self.within.values(known)?;
            Some(self.resource.observe(cx, &within).await.map(|seen| match seen {
                Observation::Absent => AnyObservation::Absent,
                Observation::Elsewhere(twins) => AnyObservation::Elsewhere(erased(twins)),
                Observation::Foreign(why) => AnyObservation::Foreign(why),
                Observation::Changing { why, found } => AnyObservation::Changing { why, found: found.map(finding) },
                Observation::Present(found) => AnyObservation::Present(finding(found)),
                Observation::Broken { output, why, remedy } => AnyObservation::Broken { output: Arc::new(output), why, remedy },
            }))
        }
        .boxed()
    }
    fn wanted(&self, world: &R::World, known: &Known) -> Value {
        let state = self.resource.want(world, &self.within.givens(known), &self.uses.givens(known));
        serde_json::to_value(&state).unwrap_or_default()
    }
    fn differences(&self, wanted: &Value, actual: &Value) -> Vec<Change> {
        let mut changes = differences(wanted, actual);
        changes.retain(|change| !self.resource.tolerates(change));
        changes
    }
    fn create<'a>(&'a self, cx: &'a Cx<R::World>, known: &'a Known) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let within = self.within.values(known).ok_or_else(|| not_known(&self.name))?;
            let uses = self.uses.values(known).ok_or_else(|| not_known(&self.name))?;
            self.acts.create(&self.resource, cx, &within, &uses).await
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
            self.acts.update(&self.resource, cx, &within, &uses, (&output, changes)).await
        }
        .boxed()
    }
    fn delete<'a>(&'a self, cx: &'a Cx<R::World>, known: &'a Known, output: &'a Output) -> BoxFuture<'a, Result<(), Fault>> {
        async move {
            let within = self.within.values(known).ok_or_else(|| not_known(&self.name))?;
            let output = typed::<R::Output>(output).ok_or_else(|| not_known(&self.name))?;
            self.acts.delete(&self.resource, cx, &within, &output).await
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
    fn how(&self, change: &Change) -> UpdateMode {
        self.acts.how(&self.resource, change)
    }
    fn why_not(&self, change: &Change) -> Option<String> {
        self.acts.why_not(&self.resource, change)
    }
    fn patience(&self, action: Action) -> Duration {
        self.resource.patience(action)
    }
    fn id(&self, output: &Output) -> Option<String> {
        typed::<R::Output>(output).and_then(|output| self.resource.id(&output))
    }
    fn facts(&self, output: &Output) -> Vec<Fact> {
        typed::<R::Output>(output).map(|output| self.resource.facts(&output)).unwrap_or_default()
    }
}
