//! Where a Kubernetes error becomes a [`Fault`].
//!
//! Every write of ours is a server-side apply or a delete by name, so that doing it twice does no
//! harm: no answer is `TryAgain`, not `Unsure`. Status codes and reasons:
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>.

use kube::Error;
use kube::core::Status;

use crate::cloud::fault::{chain, innermost};
use crate::cloud::proxy::Proxy;
use crate::engine::{Fault, FaultKind, Origin};

/// Turns a Kubernetes answer into ours.
pub trait OrFault<T> {
    /// The answer, or what its error means to a walk.
    ///
    /// # Errors
    /// 401 and 403 are `Denied` (the walk waits where it has just made the access entry); conflicts,
    /// throttling, 5xx, 404 and everything about the connection are `TryAgain`; all else is `Fatal`.
    fn fault(self) -> Result<T, Fault>;

    /// The same, where 404 says that it is not there.
    ///
    /// # Errors
    /// As [`OrFault::fault`], but for 404.
    fn fault_or_absent(self) -> Result<Option<T>, Fault>;
}

impl<T> OrFault<T> for Result<T, Error> {
    fn fault(self) -> Result<T, Fault> {
        self.map_err(|error| fault(&error))
    }

    fn fault_or_absent(self) -> Result<Option<T>, Fault> {
        match self {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(fault(&error)),
        }
    }
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Api(status) => answered(status),
        Error::Auth(why) => Fault::denied(format!("Kubernetes: {why}")),
        Error::BuildRequest(_) | Error::SerdeError(_) | Error::HttpError(_) | Error::FromUtf8(_) | Error::RustlsTls(_) => {
            Fault::fatal(format!("Kubernetes: {}", chain(error)))
        }
        _ => Fault::try_again(format!("the Kubernetes API was not reached: {}{}", innermost(error), Proxy::hint())),
    }
}

fn answered(status: &Status) -> Fault {
    let reason = if status.reason.is_empty() { format!("HTTP {}", status.code) } else { status.reason.clone() };
    let mut told = format!("Kubernetes: {reason}: {}", status.message);
    // What is created in a namespace that is going is answered 403 with this cause.
    let ending =
        status.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"));
    let kind = match status.code {
        _ if ending => FaultKind::TryAgain,
        401 | 403 => FaultKind::Denied,
        404 | 408 | 409 | 429 | 500.. => FaultKind::TryAgain,
        _ => FaultKind::Fatal,
    };
    if status.code == 401 {
        told.push_str(" (the cluster has no access entry for us, it has no effect yet, or the AWS credentials have ended)");
    }
    Fault::new(kind, told).from_origin(Origin { code: reason, ..Origin::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str) -> Status {
        Status { code, reason: reason.to_owned(), ..Status::default() }
    }

    #[test]
    fn what_a_status_means_to_a_walk() {
        let kind = |code, reason| answered(&status(code, reason)).kind;
        assert_eq!(kind(401, "Unauthorized"), FaultKind::Denied);
        assert_eq!(kind(403, "Forbidden"), FaultKind::Denied);
        assert_eq!(kind(409, "Conflict"), FaultKind::TryAgain);
        assert_eq!(kind(503, "ServiceUnavailable"), FaultKind::TryAgain);
        assert_eq!(kind(422, "Invalid"), FaultKind::Fatal);
        assert_eq!(answered(&status(409, "Conflict")).code(), "Conflict");
    }

    #[test]
    fn a_namespace_that_is_going_is_waited_for() {
        let mut ending = status(403, "Forbidden");
        ending.details = serde_json::from_value(serde_json::json!({"causes": [{"reason": "NamespaceTerminating"}]})).unwrap();
        assert_eq!(answered(&ending).kind, FaultKind::TryAgain);
    }
}
