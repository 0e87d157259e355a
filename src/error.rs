//! Expected errors, each with its exit code and the command to type next.

use serde_json::Value;

/// What a command ends with when it does not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the configuration is not usable: nothing was tried.
    #[error("{why}")]
    Usage {
        /// The cause.
        why: String,
        /// What to do about it.
        next: String,
    },
    /// It was tried, or looked at, and failed.
    #[error("{why}")]
    Failed {
        /// The cause, in the service's own words where it gave any.
        why: String,
        /// What exists now, as far as it was looked at.
        exists: Vec<String>,
        /// What may exist: it could not be read.
        may_exist: Vec<String>,
        /// What to do about it.
        next: String,
        /// What was found or done all the same: part of what `--json` ends with.
        found: Box<Value>,
    },
    /// The user stopped it.
    #[error("{why}")]
    Interrupted {
        /// Stopped when.
        why: String,
        /// What exists now, as far as it was looked at.
        exists: Vec<String>,
        /// What may exist: it could not be read.
        may_exist: Vec<String>,
        /// What to do about it.
        next: String,
        /// What was done until then: part of what `--json` ends with.
        found: Box<Value>,
    },
}

impl Error {
    /// A wrong command line or configuration.
    pub fn usage(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage { why: why.into(), next: next.into() }
    }

    /// A failure that changed nothing.
    pub fn failed(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), exists: Vec::new(), may_exist: Vec::new(), next: next.into(), found: Box::default() }
    }

    /// The user stopped it.
    pub fn interrupted(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Interrupted { why: why.into(), exists: Vec::new(), may_exist: Vec::new(), next: next.into(), found: Box::default() }
    }

    /// The user stopped it before anything was changed.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::interrupted("stopped; nothing was changed", "")
    }

    /// The same, with what was found or done all the same.
    #[must_use]
    pub fn with(mut self, value: Value) -> Self {
        if let Self::Failed { found, .. } | Self::Interrupted { found, .. } = &mut self {
            **found = value;
        }
        self
    }

    /// The same, after this had been made.
    #[must_use]
    pub fn after(mut self, made: Option<&str>) -> Self {
        if let Self::Failed { exists, .. } | Self::Interrupted { exists, .. } = &mut self {
            exists.extend(made.map(str::to_owned));
        }
        self
    }

    /// The same, with what exists now, and what may.
    #[must_use]
    pub fn with_existing(mut self, there: Vec<String>, unknown: Vec<String>) -> Self {
        if let Self::Failed { exists, may_exist, .. } | Self::Interrupted { exists, may_exist, .. } = &mut self {
            (*exists, *may_exist) = (there, unknown);
        }
        self
    }

    /// 1 failed, 2 usage or configuration, 130 interrupted (128 + SIGINT, as shells count).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Usage { .. } => 2,
            Self::Interrupted { .. } => 130,
        }
    }

    /// What to do about it; may be empty.
    #[must_use]
    pub fn next(&self) -> &str {
        match self {
            Self::Usage { next, .. } | Self::Failed { next, .. } | Self::Interrupted { next, .. } => next,
        }
    }

    /// What exists now, as far as it is known.
    #[must_use]
    pub fn exists(&self) -> &[String] {
        match self {
            Self::Usage { .. } => &[],
            Self::Failed { exists, .. } | Self::Interrupted { exists, .. } => exists,
        }
    }

    /// What may exist: it could not be read.
    #[must_use]
    pub fn may_exist(&self) -> &[String] {
        match self {
            Self::Usage { .. } => &[],
            Self::Failed { may_exist, .. } | Self::Interrupted { may_exist, .. } => may_exist,
        }
    }

    /// What was found or done all the same.
    #[must_use]
    pub fn found(&self) -> &Value {
        match self {
            Self::Usage { .. } => &Value::Null,
            Self::Failed { found, .. } | Self::Interrupted { found, .. } => found,
        }
    }
}
