//! Plain lines, for logs and CI.

use std::collections::HashSet;

use super::words;
use crate::engine::{Event, Failure, format_duration, with_origin};

/// What was said, so that a cause that stops many nodes is said once.
#[derive(Default)]
pub(super) struct Lines {
    causes: HashSet<String>,
}

impl Lines {
    /// What is worth a line of an event; the evidence of a failure is told at the end.
    pub(super) fn of(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Failed(failure) if !self.causes.insert(failure.why.clone()) => None,
            event => of(event),
        }
    }
}

fn of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Began { .. } | Event::Progress { .. } | Event::Blocked { .. } => return None,
        Event::Ready { .. } | Event::Called { .. } => return None,
        Event::Started { node, action, .. } => format!("  {node}: {}", words::doing(*action)),
        Event::Waiting { node, why, .. } => format!("  {node}: waiting: {why}"),
        Event::Said { node, line } => format!("  {node}: {line}"),
        Event::Retrying { node, why, wait, .. } => {
            format!("  {node}: retrying in {}: {why}", format_duration(*wait))
        }
        Event::Finished { did: None, .. } => return None,
        Event::Finished { node, did: Some(did), took, .. } => {
            format!("  {node}: {} in {}", words::did(*did), format_duration(*took))
        }
        Event::Failed(Failure { node, why, origin, next, .. }) => {
            let next = next.as_ref().map(|next| format!("; next: {next}")).unwrap_or_default();
            format!("  {node}: FAILED: {}{next}", with_origin(why, origin.as_deref()))
        }
        Event::Stopping { why } => {
            let why = why.as_ref().map(|why| format!("{why}; ")).unwrap_or_default();
            format!("  stopping: {why}finishing the calls in flight (Ctrl-C again: exit at once)")
        }
        Event::Ended { walk, ok, took } => {
            format!("  {walk} {} after {}", if *ok { "done" } else { "ended" }, format_duration(*took))
        }
    })
}
