//! What a walk tells while it goes; reporters draw it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
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
    Called {
        node: Arc<str>,
        call: Call,
        ok: bool,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
    /// A mutating call is about to be made.
    Started { node: Arc<str>, kind: &'static str, action: Action },
    /// It is not there yet (or still there), and why.
    Waiting { node: Arc<str>, kind: &'static str, action: Action, why: String },
    /// Long local work tells how far it is.
    Progress { node: Arc<str>, what: String, done: u64, total: u64 },
    /// A line worth reading.
    Said { node: Arc<str>, line: String },
    /// A call failed and is made again after `wait`.
    Retrying {
        node: Arc<str>,
        kind: &'static str,
        why: String,
        #[serde(rename = "wait_seconds", serialize_with = "seconds")]
        wait: Duration,
    },
    /// The node is as wanted (up) or gone (down). `did` is None when nothing had to be done.
    Finished {
        node: Arc<str>,
        kind: &'static str,
        #[serde(rename = "action")]
        did: Option<Action>,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        facts: Vec<Fact>,
    },
    /// The node could not be brought there.
    Failed(Failure),
    /// It was skipped because of failures of others.
    Blocked { node: Arc<str>, kind: &'static str, by: Vec<Arc<str>> },
    /// The user asked to stop, or the walk lost its leave to act (`why`); calls in flight are being finished.
    Stopping {
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<Arc<str>>,
    },
    /// The walk is over.
    Ended {
        walk: &'static str,
        ok: bool,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
}

/// `120 ms`, `48 s`, `9:30 min`: as every message says a duration.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() > 0 => format!("{} ms", duration.as_millis()),
        seconds if seconds < 100 => format!("{seconds} s"),
        seconds => format!("{}:{:02} min", seconds / 60, seconds % 60),
    }
}

/// Rounded to milliseconds.
fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e3).round() / 1e3)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_milliseconds_seconds_or_minutes() {
        let told = |millis: &u64| format_duration(Duration::from_millis(*millis));
        let wanted = ["0 s", "999 ms", "1 s", "99 s", "1:40 min", "61:01 min"];
        assert_eq!([0, 999, 1999, 99_999, 100_000, 3_661_000].iter().map(told).collect::<Vec<_>>(), wanted);
    }
}
