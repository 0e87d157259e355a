//! What can be done with a node, by how it was added to the graph.

use std::future::Future;

use super::inputs::Inputs;
use super::{Adjust, Change, Cx, Fault, Observe, Resource, Sweep, UpdateMode};

type Within<R> = <<R as Observe>::Within as Inputs>::Values;
type Uses<R> = <<R as Observe>::Uses as Inputs>::Values;

/// The acts on a resource. The walk never asks for one that is not meant; the answer is then a fault.
pub(super) trait Acts<R: Observe>: Send + Sync + 'static {
    fn create(&self, _: &R, _: &Cx<R::World>, _: &Within<R>, _: &Uses<R>) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Err(not_meant::<R>()) }
    }
    fn update(
        &self,
        _: &R,
        _: &Cx<R::World>,
        _: &Within<R>,
        _: &Uses<R>,
        _: (&R::Output, &[Change]),
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Err(not_meant::<R>()) }
    }
    fn delete(&self, _: &R, _: &Cx<R::World>, _: &Within<R>, _: &R::Output) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Err(not_meant::<R>()) }
    }
    fn how(&self, _: &R, _: &Change) -> UpdateMode {
        UpdateMode::Refuse
    }
    fn why_not(&self, _: &R, _: &Change) -> Option<String> {
        None
    }
}

fn not_meant<R: Observe>() -> Fault {
    Fault::fatal(format!("a {} is not for this (a mistake in tritondeploy)", R::KIND))
}

/// All of a resource's own.
pub(super) struct Own;

impl<R: Resource> Acts<R> for Own {
    async fn create(&self, resource: &R, cx: &Cx<R::World>, within: &Within<R>, uses: &Uses<R>) -> Result<(), Fault> {
        resource.create(cx, within, uses).await
    }
    async fn update(
        &self,
        resource: &R,
        cx: &Cx<R::World>,
        within: &Within<R>,
        uses: &Uses<R>,
        (found, changes): (&R::Output, &[Change]),
    ) -> Result<(), Fault> {
        resource.update(cx, within, uses, found, changes).await
    }
    async fn delete(&self, resource: &R, cx: &Cx<R::World>, within: &Within<R>, found: &R::Output) -> Result<(), Fault> {
        Resource::delete(resource, cx, within, found).await
    }
    fn how(&self, resource: &R, change: &Change) -> UpdateMode {
        resource.how(change)
    }
    fn why_not(&self, resource: &R, change: &Change) -> Option<String> {
        resource.why_not(change)
    }
}

/// None.
pub(super) struct Watch;

impl<R: Observe> Acts<R> for Watch {}

/// The update alone, in place.
pub(super) struct Update;

impl<R: Adjust> Acts<R> for Update {
    async fn update(
        &self,
        resource: &R,
        cx: &Cx<R::World>,
        within: &Within<R>,
        uses: &Uses<R>,
        (found, changes): (&R::Output, &[Change]),
    ) -> Result<(), Fault> {
        resource.update(cx, within, uses, found, changes).await
    }
    fn how(&self, _: &R, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}

/// The deletion alone.
pub(super) struct Delete;

impl<R: Sweep> Acts<R> for Delete {
    async fn delete(&self, resource: &R, cx: &Cx<R::World>, within: &Within<R>, found: &R::Output) -> Result<(), Fault> {
        resource.delete(cx, within, found).await
    }
}
