//! One look at one node, and what its calls get.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::{Walk, timing};
use crate::erased::{AnyNode, AnyObservation};
use crate::{Cx, Fault, Known, format_duration};

/// What calls of this node get.
pub(super) fn cx<W: Send + Sync + 'static>(walk: &Walk<W>, node: &dyn AnyNode<W>) -> Cx<W> {
    Cx {
        world: walk.world.clone(),
        node: node.name().clone(),
        cancel: walk.cancel.clone(),
        events: walk.events.clone(),
        token: token(),
    }
}

/// 128 random bits: the standard library keys its hashers from the system's randomness.
pub(super) fn token() -> Arc<str> {
    let bits = || RandomState::new().hash_one(Instant::now());
    format!("{:016x}{:016x}", bits(), bits()).into()
}

/// One look, never longer than a time-out. None: a parent is not known.
pub(super) async fn look<W>(node: &dyn AnyNode<W>, cx: &Cx<W>, known: &Known) -> Option<Result<AnyObservation, Fault>> {
    match timeout(timing::LOOK, node.look(cx, known)).await {
        Ok(told) => told,
        Err(_) => Some(Err(Fault::try_again(format!("no answer within {}", format_duration(timing::LOOK))))),
    }
}
