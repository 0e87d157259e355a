//! What a look at everything found, with its types still on.

use crate::erased::{AnyNode, AnyObservation};
use crate::inputs::Output;
use crate::{Change, Fault, Known, Removal, UpdateMode};

/// What a first look found out about a node.
#[derive(Clone)]
pub(super) enum Lookup {
    /// Seen, or seen to be absent.
    Saw(AnyObservation),
    /// What it is within is not there, so that it is not there either.
    NoParent,
    /// Unknown, because its parent (the first unknown one) is.
    Parent(usize),
    /// Unknown.
    Fault(Fault),
    /// Nobody wanted to know, or the user stopped.
    No,
}

impl Lookup {
    /// It is not known whether something is there.
    pub(super) fn unknown(&self) -> bool {
        matches!(self, Self::Parent(_) | Self::Fault(_) | Self::No)
    }

    /// Duplicates of it.
    pub(super) fn twins(&self) -> &[Output] {
        if let Self::Saw(sight) = self { sight.twins() } else { &[] }
    }

    /// Something is there, in whatever state, if only a twin.
    pub(super) fn there(&self) -> bool {
        matches!(self, Self::Saw(sight) if !matches!(sight, AnyObservation::Absent | AnyObservation::Foreign(_)))
    }
}

/// Everything that was looked at.
pub(super) struct Snapshot {
    pub(super) looked: Vec<Lookup>,
    pub(super) known: Known,
}

/// What differs from what is wanted, as far as it can be told, and how it could be changed.
/// What is only watched is not compared.
pub(super) fn changes<W>(node: &dyn AnyNode<W>, world: &W, known: &Known, sight: &AnyObservation) -> Vec<(Change, UpdateMode)> {
    match sight {
        AnyObservation::Present(_) if node.removal() == Some(Removal::Never) => Vec::new(),
        AnyObservation::Present(_) if node.unwanted().is_some() => vec![(Change::removal(), UpdateMode::InPlace)],
        AnyObservation::Present(found) if !node.watched() && !node.swept() => node
            .differences(&node.wanted(world, known), &found.actual)
            .into_iter()
            .map(|change| (change.clone(), node.how(&change)))
            .collect(),
        _ => Vec::new(),
    }
}
