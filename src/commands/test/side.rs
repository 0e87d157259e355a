//! Whose server is tested.

use crate::config::{Config, Workload};

/// Whose server it is: that decides what a failure means and what to do about it.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// The configuration's own deployment.
    Ours(Box<Deployment>),
    /// Named by `--url`.
    Any,
}

/// What is known of our own deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    /// Who may reach it, and what it opens.
    pub(super) workload: Workload,
    /// `tritondeploy up`, with the flags that lead to the same deployment.
    pub(super) up: String,
    /// `tritondeploy status`.
    pub(super) status: String,
    /// `tritondeploy test`.
    pub(super) test: String,
    /// `tritondeploy logs`.
    pub(super) logs: String,
}

impl Deployment {
    pub(super) fn new(config: &Config, again: impl Fn(&str) -> String) -> Self {
        let [up, status, test, logs] = ["up", "status", "test", "logs"].map(again);
        Self { workload: config.workload.clone(), up, status, test, logs }
    }

    /// Who may reach it, in words.
    pub(super) fn ranges(&self) -> String {
        match self.workload.source_ranges.as_slice() {
            [] => "anybody (workload.public_without_auth)".to_owned(),
            ranges => format!("only {} (workload.source_ranges)", ranges.join(", ")),
        }
    }
}

impl Side {
    pub(super) fn ours(&self) -> Option<&Deployment> {
        match self {
            Self::Ours(deployment) => Some(deployment),
            Self::Any => None,
        }
    }

    /// What to do: this of our own deployment, that of any server.
    pub(super) fn next<'a>(&'a self, ours: impl FnOnce(&'a Deployment) -> &'a str, any: &'a str) -> &'a str {
        self.ours().map_or(any, ours)
    }
}
