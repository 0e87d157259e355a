//! The walk: plan, status, up and down are one way of going through the graph.
//!
//! [`look`] looks at everything once, [`up`] and [`down`] begin with the same look. Every node is
//! a [`task`] of its own and runs as soon as the nodes it waits for are done ([`run`]); how
//! long anything waits is said in [`timing`] and nowhere else.

mod down;
mod gate;
mod look;
mod probe;
mod refusal;
mod run;
mod snapshot;
mod task;
mod timing;
mod tree;
mod twins;
mod up;

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio_util::sync::CancellationToken;

pub use gate::Gate;
pub use timing::Timing;

use snapshot::Snapshot;

use super::{Change, Events, Fact, Graph, Origin, Remedy, Removal, Unwanted, UpdateMode};

/// A way through a graph.
pub struct Walk<W> {
    /// The graph.
    pub graph: Arc<Graph<W>>,
    /// What resources get.
    pub world: Arc<W>,
    /// Who is told.
    pub events: Events,
    /// Cancelled by the user's first Ctrl-C, and by the walk itself where its gate shuts: give each walk a child of its own.
    pub cancel: CancellationToken,
    /// What every act passes.
    pub gate: Gate,
    /// How long it waits for what.
    pub timing: Timing,
}

/// What a look at everything found, in order of creation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One a node.
    pub nodes: Vec<NodeReport>,
}

/// What a look at everything found, for the walk that follows it at once.
pub struct Seen(Snapshot);

/// What a look at one node found.
#[derive(Clone, Debug, Serialize)]
pub struct NodeReport {
    /// Its name in the graph.
    pub node: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// Watched, adjusted or swept: never made by us.
    pub watched: bool,
    /// Its status.
    pub status: Status,
    /// What differs from what is wanted, and how it could be changed; empty unless Present.
    #[serde(serialize_with = "changes")]
    pub changes: Vec<(Change, UpdateMode)>,
    /// An earlier configuration made it, and this one does not want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwanted: Option<Unwanted>,
    /// `down` leaves it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spared: bool,
    /// Why `up` would not begin: this must be put right first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What a user can do about that, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Arc<str>>,
    /// Others just like it, made by an answer that was lost or by another run at the same time: `up` deletes them last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub twins: Vec<Twin>,
    /// What a user reads of it.
    pub facts: Vec<Fact>,
    /// Why it changes or is broken, or what its service says is wrong with it though it is there.
    pub evidence: Vec<String>,
}

/// Each field that differs, with how it could be changed.
fn changes<S: Serializer>(changes: &[(Change, UpdateMode)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Planned<'a> {
        #[serde(flatten)]
        change: &'a Change,
        mode: UpdateMode,
    }
    serializer.collect_seq(changes.iter().map(|(change, mode)| Planned { change, mode: *mode }))
}

impl NodeReport {
    /// An earlier configuration made it, and `up` does not delete it.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.unwanted.as_ref().is_some_and(|unwanted| unwanted.removal == Removal::Never)
    }
}

/// Another one just like a node's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// What the service calls it; none: it has a name, is of an earlier configuration, and `up` leaves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the service calls the one that is kept, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// What a user reads of it.
    pub facts: Vec<Fact>,
    /// What is in it, and goes with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Held>,
}

/// Something in a twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The node whose twin it is.
    pub node: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// What the service calls it, where it gives ids and they can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What a user reads of it.
    pub facts: Vec<Fact>,
}

/// The node's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Status {
    Absent,
    Present,
    Changing {
        why: String,
    },
    Broken {
        why: String,
        remedy: Remedy,
    },
    Foreign {
        why: String,
    },
    /// It could not be told (denied, unreachable): never taken for absent.
    Unknown {
        why: String,
        #[serde(flatten)]
        origin: Option<Box<Origin>>,
    },
}

impl Status {
    fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into(), origin: None }
    }
}

/// Why a node did not get where it should.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Its name.
    pub node: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// The cause, in the service's own words where it gave any.
    pub why: String,
    /// Who said so last.
    #[serde(flatten)]
    pub origin: Option<Box<Origin>>,
    /// What a user can do about it, where more than trying again is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Arc<str>>,
    /// What else is known.
    pub evidence: Vec<String>,
}

/// How a walk ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What went wrong; empty when all went well.
    pub failures: Vec<Failure>,
    /// Not tried because of failures.
    pub blocked: Vec<Arc<str>>,
    /// Nodes that exist now (up: in whatever state; down: what is left), and their twins as `NODE (ID)`.
    pub exists: Vec<Arc<str>>,
    /// Twins that the shown plan did not have, and that `up` left for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unshown: Vec<Arc<str>>,
    /// Nodes of which nobody knows: their last look failed, or none was made.
    pub unknown: Vec<Arc<str>>,
    /// Mutating calls that were accepted, or may have been.
    pub changed: usize,
    /// The user stopped it.
    pub interrupted: bool,
    /// Why its gate shut and left something undone.
    #[serde(rename = "stopped_because", skip_serializing_if = "Option::is_none")]
    pub shut: Option<Arc<str>>,
    /// What a user reads at the end.
    #[serde(skip)]
    pub facts: Vec<(Arc<str>, Fact)>,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl Outcome {
    /// Nothing went wrong and nobody stopped it.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && self.blocked.is_empty() && !self.interrupted && self.shut.is_none()
    }
}

impl<W: Send + Sync + 'static> Walk<W> {
    /// Looks at everything once, changing nothing: what `plan` and `status` show.
    pub async fn look(&self) -> Report {
        self.look_to_act().await.0
    }

    /// The same, and keeps what was seen for [`Self::up_as_seen`].
    pub async fn look_to_act(&self) -> (Report, Seen) {
        let (report, snapshot) = look::show(self, &vec![true; self.graph.nodes.len()]).await;
        (report, Seen(snapshot))
    }

    /// Looks at one node, and for that at what it is within; None where the graph has none of this name.
    pub async fn look_at(&self, name: &str) -> Option<NodeReport> {
        let id = self.graph.nodes.iter().position(|node| node.name().as_ref() == name)?;
        look::show(self, &self.graph.around(id)).await.0.nodes.into_iter().nth(id)
    }

    /// Brings everything to what is wanted. Before the first change everything is looked at, and
    /// what is foreign, denied or cannot be changed in place is refused. When all that is wanted stands, the twins go that this
    /// first look found.
    ///
    /// Dropping the future is like a crash: the next `up` or `down` goes on from what is there.
    pub async fn up(&self) -> Outcome {
        up::up(self, None, None).await
    }

    /// The same, but of twins only those go that the user was shown.
    pub async fn up_as_shown(&self, shown: &Report) -> Outcome {
        up::up(self, Some(shown), None).await
    }

    /// The same, by that look instead of one more: for a walk that has nothing to change and follows the look at once.
    pub async fn up_as_seen(&self, shown: &Report, seen: Seen) -> Outcome {
        up::up(self, Some(shown), Some(seen.0)).await
    }

    /// Takes everything away, in reverse order, and looks until it is gone. What others make is
    /// passed by, foreign things are left alone and said.
    ///
    /// Dropping the future is like a crash: the next `down` goes on from what is there.
    pub async fn down(&self) -> Outcome {
        down::down(self).await
    }
}
