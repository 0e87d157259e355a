//! Durations, sizes and doings as people say them.

use std::time::Duration;

use crate::engine::Doing;

/// `48 s`, `9:30 min`.
pub(super) fn took(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() > 0 => format!("{} ms", duration.as_millis()),
        seconds if seconds < 100 => format!("{seconds} s"),
        seconds => format!("{}:{:02} min", seconds / 60, seconds % 60),
    }
}

/// What is being done, while it is.
pub(super) fn doing(doing: Doing) -> &'static str {
    match doing {
        Doing::Create => "creating",
        Doing::Update => "updating",
        Doing::Delete => "deleting",
        Doing::Watch => "waiting",
    }
}

/// What was done.
pub(super) fn did(did: Doing) -> &'static str {
    match did {
        Doing::Create => "created",
        Doing::Update => "updated",
        Doing::Delete => "deleted",
        Doing::Watch => "ready",
    }
}

/// How far it is, in the work's own units.
pub(super) fn progress(what: &str, done: u64, total: u64) -> String {
    match total {
        0 => what.to_owned(),
        total => format!("{what} {} %", done.min(total) * 100 / total),
    }
}
