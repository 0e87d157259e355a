//! A task on a twin of a node, or on what is in one.

use std::sync::Arc;

use super::{NodeTask, Stop};
use crate::Action;
use crate::erased::AnyObservation;
use crate::id::NodeId;
use crate::inputs::Output;
use crate::walk::run::Run;

/// A twin's part of a task.
pub(in crate::walk) enum Twinned {
    /// The node's own twins, seen by the same look as the node.
    Own,
    /// What is in another one's twin; that one must still be a twin (its node, its id) before anything in it goes, where
    /// it is given.
    Within(Option<(usize, String)>),
}

impl<'a, W: Send + Sync + 'static> NodeTask<'a, W> {
    /// Takes a twin of the node, or something in one, which is found by what is `known` there.
    pub(in crate::walk) fn of_twin(run: &'a Run<'a, W>, id: usize, called: Arc<str>, twin: Twinned) -> Self {
        Self { called_as: called, twin: Some(twin), action: Action::Delete, ..Self::new(run, id) }
    }

    /// Whether what it is in is still a twin, and not the one that is kept.
    pub(in crate::walk) async fn may_go(&self) -> Result<bool, Stop> {
        let Some(Twinned::Within(Some((root, twin)))) = &self.twin else { return Ok(true) };
        let mut root = NodeTask::new(self.run, *root);
        let sight = root.look().await?;
        Ok(root.kept(&sight) && sight.twins().iter().any(|other| root.node.id(other).as_ref() == Some(twin)))
    }

    /// Whether the one that is kept is the one that all else of this walk was made from.
    pub(in crate::walk) fn kept(&self, sight: &AnyObservation) -> bool {
        let id = |output: &Output| self.node.id(output);
        match sight {
            AnyObservation::Present(found) | AnyObservation::Changing { found: Some(found), .. } => {
                self.known.output(NodeId(self.id)).and_then(id) == id(&found.output)
            }
            _ => false,
        }
    }
}
