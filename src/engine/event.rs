//! What a walk tells while it goes; reporters draw it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use super::Failure;

/// What is being done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Being made.
    Create,
    /// Being changed.
    Update,
    /// Being taken away.
    Delete,
    /// Being waited for (watched nodes, and things that change by themselves).
    Watch,
}

/// What is asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Call {
    Look,
    Create,
    Update,
    Delete,
}

/// A value that a user reads at the end of `up` and in `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Stable key for scripts, e.g. `vpc_id`.
    pub key: &'static str,
    /// The value as text.
    pub value: String,
}

/// One thing that happened. Times are as long as they took, not dates.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields' names say it: node names, reasons, durations")]
pub enum Event {
    /// A walk begins over so many nodes.
    Began { walk: &'static str, nodes: usize },
    /// Everything that the node waits for is done; `after` was the last of it. For the log: where a walk's time goes.
    Ready {
        node: Arc<str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Arc<str>>,
    },
    /// A call for the node has ended, well or not. For the log, as well.
    Called { node: Arc<str>, call: Call, ok: bool, took: Duration },
    /// A mutating call is about to be made.
    Started { node: Arc<str>, kind: &'static str, doing: Action },
    /// It is not there yet (or still there), and why.
    Waiting { node: Arc<str>, kind: &'static str, doing: Action, why: String },
    /// Long local work tells how far it is.
    Progress { node: Arc<str>, what: String, done: u64, total: u64 },
    /// A line worth reading.
    Said { node: Arc<str>, line: String },
    /// A call failed and is made again after `wait`.
    Retrying { node: Arc<str>, kind: &'static str, why: String, wait: Duration },
    /// The node is as wanted (up) or gone (down). `did` is None when nothing had to be done.
    Finished { node: Arc<str>, kind: &'static str, did: Option<Action>, took: Duration, facts: Vec<Fact> },
    /// The node could not be brought there.
    Failed(Failure),
    /// It was not tried, because of others.
    Blocked { node: Arc<str>, kind: &'static str, by: Vec<Arc<str>> },
    /// The user asked to stop, or the walk lost its leave to act (`why`); calls in flight are being finished.
    Stopping {
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<Arc<str>>,
    },
    /// The walk is over.
    Ended { walk: &'static str, ok: bool, took: Duration },
}

impl Event {
    /// It says where the time goes, and nothing of what becomes of a node: nobody reads it while it happens.
    #[must_use]
    pub fn is_timing(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Called { .. })
    }
}

/// Where events go. Cloned freely; a closed receiver is no error.
#[derive(Clone)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    /// Events go to this channel.
    #[must_use]
    pub fn to(sender: UnboundedSender<Event>) -> Self {
        Self(Some(sender))
    }

    /// Nobody listens.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Sends one.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(event);
        }
    }
}
