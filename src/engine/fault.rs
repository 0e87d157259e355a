//! A call that failed, and what that means to a walk.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What a walk does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The same call may succeed a little later (throttling, not consistent yet, a dependent that is still going).
    TryAgain,
    /// The call may have been applied: no answer came.
    Unsure,
    /// Not allowed.
    Denied,
    /// It will not get better by itself.
    Fatal,
}

/// Who answered so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The service and the operation in IAM's notation, e.g. `ec2:CreateVpc`; empty where they are not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// The service's error code; empty where it gave none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// Under which the service's support finds the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request_id.as_ref().map(|id| format!("request {id}"));
        let told = [Some(&self.call).filter(|call| !call.is_empty()), request.as_ref()];
        f.write_str(&told.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What a walk does about it.
    pub kind: FaultKind,
    /// The cause on one line, in the service's own words and with its code where it gave any, without the request's id.
    pub message: String,
    /// Who answered so; None where nobody did.
    pub origin: Option<Box<Origin>>,
    /// What a user can do about it, where more than trying again is known.
    pub next: Option<Arc<str>>,
    /// The error below, for the log.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A failure of this kind that no service answered.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), origin: None, next: None, source: None }
    }

    /// The same call may succeed a little later.
    pub fn try_again(message: impl Into<String>) -> Self {
        Self::new(FaultKind::TryAgain, message)
    }

    /// The call may have been applied.
    pub fn unsure(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unsure, message)
    }

    /// Not allowed.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Denied, message)
    }

    /// It will not get better by itself.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Fatal, message)
    }

    /// With whoever answered so.
    #[must_use]
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(Box::new(origin));
        self
    }

    /// With what a user can do about it.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<Arc<str>>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// With the error below it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same answer, which means something else here.
    #[must_use]
    pub fn taken_as(mut self, kind: FaultKind) -> Self {
        self.kind = kind;
        self
    }

    /// With what was being done, or to what, before the cause.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// With more that is known after the cause.
    #[must_use]
    pub fn and(mut self, more: impl fmt::Display) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// The service's error code; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.origin.as_ref().map_or("", |origin| &origin.code)
    }

    /// The same call may succeed later, or has been applied: nobody needs to do anything first.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, FaultKind::TryAgain | FaultKind::Unsure)
    }

    /// The cause on one line, without the request's id: the same for every call that failed for it.
    #[must_use]
    pub fn cause(&self) -> String {
        match self.kind {
            FaultKind::Unsure => format!("no usable answer: {}", self.message),
            FaultKind::Denied => format!("denied: {}", self.message),
            FaultKind::TryAgain | FaultKind::Fatal => self.message.clone(),
        }
    }
}

/// A cause, with the call and the id under which the service's support finds it.
#[must_use]
pub fn with_origin(why: &str, origin: Option<&Origin>) -> String {
    let told = origin.map(ToString::to_string).filter(|told| !told.is_empty());
    told.map_or_else(|| why.to_owned(), |told| format!("{why} ({told})"))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_origin(&self.cause(), self.origin.as_deref()))
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_the_same_under_another_request() {
        let of = |id: &str| {
            let origin = Origin { call: "ec2:CreateVpc".into(), code: "Expired".into(), request_id: Some(id.into()) };
            Fault::denied("Expired: gone").from_origin(origin)
        };
        assert_eq!(of("a").cause(), of("b").cause());
        assert_eq!(of("a").about("vpc").to_string(), "denied: vpc: Expired: gone (ec2:CreateVpc, request a)");
        assert_eq!(of("a").code(), "Expired");
    }

    #[test]
    fn what_is_known_more_comes_after_the_cause_and_the_error_below_is_kept() {
        let fault = Fault::fatal("gone").and("asked twice").caused_by(fmt::Error).taken_as(FaultKind::TryAgain);
        assert_eq!((fault.to_string(), fault.may_pass()), ("gone; asked twice".to_owned(), true));
        assert_eq!(fault.source().map(ToString::to_string), Some(fmt::Error.to_string()));
        assert_eq!((fault.code(), Fault::unsure("lost").to_string().as_str()), ("", "no usable answer: lost"));
    }
}
