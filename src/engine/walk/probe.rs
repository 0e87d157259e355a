//! One look at one node, and what its calls get.

use std::time::Duration;

use tokio::time::timeout;

use super::Walk;
use crate::erased::{AnyNode, AnyObservation};
use crate::{Cx, Fault, Known, format_duration};

/// What calls of this node get.
pub(super) fn cx<W: Send + Sync + 'static>(walk: &Walk<W>, node: &dyn AnyNode<W>) -> Cx<W> {
    let (cancel, events) = (walk.cancel.clone(), walk.events.clone());
    Cx { cancel, events, cause_every: walk.timing.cause, ..Cx::new(walk.world.clone(), node.name()) }
}

/// One look, never longer than `limit`. None: a parent is not known.
pub(super) async fn look<W>(
    limit: Duration,
    node: &dyn AnyNode<W>,
    cx: &Cx<W>,
    known: &Known,
) -> Option<Result<AnyObservation, Fault>> {
    match timeout(limit, node.look(cx, known)).await {
        Ok(told) => told,
        Err(_) => Some(Err(Fault::try_again(format!("no answer within {}", format_duration(limit))))),
    }
}
