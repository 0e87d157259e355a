//! One look at one node, and what its calls get.

use tokio::time::timeout;

use super::{Walk, timing};
use crate::erased::{AnyNode, AnyObservation};
use crate::{Cx, Fault, Known, format_duration};

/// What calls of this node get.
pub(super) fn cx<W: Send + Sync + 'static>(walk: &Walk<W>, node: &dyn AnyNode<W>) -> Cx<W> {
    Cx { cancel: walk.cancel.clone(), events: walk.events.clone(), ..Cx::new(walk.world.clone(), node.name()) }
}

/// One look, never longer than a time-out. None: a parent is not known.
pub(super) async fn look<W>(node: &dyn AnyNode<W>, cx: &Cx<W>, known: &Known) -> Option<Result<AnyObservation, Fault>> {
    match timeout(timing::LOOK, node.look(cx, known)).await {
        Ok(told) => told,
        Err(_) => Some(Err(Fault::try_again(format!("no answer within {}", format_duration(timing::LOOK))))),
    }
}
