//! Plain lines, for logs and CI.

use super::words;
use crate::engine::Event;

/// What is worth a line (or several) of an event.
pub(super) fn of(event: &Event) -> Vec<String> {
    match event {
        Event::Began { .. } | Event::Progress { .. } | Event::Blocked { .. } => Vec::new(),
        Event::Started { node, doing, .. } => vec![format!("  {node}: {}", words::doing(*doing))],
        Event::Waiting { node, why, .. } => vec![format!("  {node}: waiting: {why}")],
        Event::Said { node, line } => vec![format!("  {node}: {line}")],
        Event::Retrying { node, why, wait, .. } => {
            vec![format!("  {node}: again in {}: {why}", words::took(*wait))]
        }
        Event::Finished { did: None, .. } => Vec::new(),
        Event::Finished { node, did: Some(did), took, .. } => {
            vec![format!("  {node}: {} in {}", words::did(*did), words::took(*took))]
        }
        Event::Failed { node, why, evidence, .. } => {
            let first = format!("  {node}: FAILED: {why}");
            std::iter::once(first).chain(evidence.iter().map(|line| format!("      {line}"))).collect()
        }
        Event::Stopping => vec!["  stopping: finishing the calls in flight (Ctrl-C again: exit at once)".to_owned()],
        Event::Ended { walk, ok, took } => {
            vec![format!("  {walk} {} after {}", if *ok { "done" } else { "ended" }, words::took(*took))]
        }
    }
}
