//! One look at one node, and what its calls get.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Walk, timing};
use crate::erased::{AnyNode, AnyObservation};
use crate::{Cx, Fault, Known};

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
        Err(_) => Some(Err(Fault::try_again(format!("no answer within {}", words(timing::LOOK))))),
    }
}

/// A duration as people say it.
pub(super) fn words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 120 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_seconds_up_to_two_minutes() {
        let words = |seconds: u64| words(Duration::from_millis(seconds * 1000 + 999));
        assert_eq!([0, 119, 120, 121].map(words), ["0 s", "119 s", "2 min", "3 min"]);
    }
}
