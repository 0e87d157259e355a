//! Where an SDK error becomes a [`Fault`]: nowhere else.
//!
//! Codes: EC2 "Error codes for the Amazon EC2 API", IAM, EKS, ECR, ELB and S3 API references, and
//! each service's "Common errors".

mod call;
mod clock;
mod codes;
mod others;

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use call::{call_of, permission};
use codes::{forbidden, in_use, is_quota, just_made, not_there_yet, not_yet, role_not_known_yet, throttled};
use others::{is_services, of_others};

use super::proxy::Proxy;
use crate::engine::{Fault, FaultKind, Origin};

/// Turns an SDK's answer into ours.
pub trait OrFault<T> {
    /// The answer, or what its error means to a walk.
    ///
    /// # Errors
    /// Throttling, "not consistent yet", "still in use" and an endpoint that was never reached are
    /// `TryAgain`; no answer, or an answer that does not tell whether the call was applied, is
    /// `Unsure`; credentials and permissions are `Denied`; all else is `Fatal`.
    fn fault(self) -> Result<T, Fault>;

    /// The same, where these error codes say that the thing is not there.
    ///
    /// # Errors
    /// As [`OrFault::fault`], for any other code.
    fn fault_or_absent(self, codes: &[&str]) -> Result<Option<T>, Fault>;
}

impl<T, E> OrFault<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn fault(self) -> Result<T, Fault> {
        self.map_err(|error| fault(&error))
    }

    fn fault_or_absent(self, codes: &[&str]) -> Result<Option<T>, Fault> {
        match self {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if code(&error).is_some_and(|code| codes.contains(&code)) => Ok(None),
            Err(error) => Err(fault(&error)),
        }
    }
}

/// What an answer shows, where it shows it: a service tells by a code that something is not there, and an answer without either
/// (a body that was cut, a proxy's own) tells nothing.
///
/// # Errors
/// `Unsure`, where it shows nothing.
pub fn shown<T>(thing: Option<T>, what: &str) -> Result<T, Fault> {
    thing.ok_or_else(|| Fault::unsure(format!("the answer tells nothing of the {what} that was asked for")))
}

/// Whether S3 says that a bucket is in another region. To a HEAD it answers without a body; a malformed signature has the same
/// code as one for another region.
pub fn in_another_region<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let expecting =
        || matches!(error, SdkError::ServiceError(error) if error.err().message().is_some_and(|told| told.contains("expecting")));
    match code(error) {
        Some("PermanentRedirect" | "MovedPermanently") => true,
        Some("AuthorizationHeaderMalformed") => expecting(),
        _ => false,
    }
}

/// The service's error code. What S3 answers to a HEAD has no body, and gets one from its status; what is not S3's has none: a
/// proxy that knows no such page does not tell that there is no such bucket.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    let told = match error {
        SdkError::ServiceError(service) => service.err().code(),
        _ => None,
    };
    let bare =
        || error.raw_response().filter(|response| is_services(response) && response.body().bytes().is_none_or(<[u8]>::is_empty));
    told.or_else(|| match bare()?.status().as_u16() {
        301 => Some("MovedPermanently"),
        404 => Some("NotFound"),
        403 => Some("Forbidden"),
        412 => Some("PreconditionFailed"),
        _ => None,
    })
}

fn fault<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(credentials) = cause::<CredentialsError, _>(error) {
        return Fault::denied(format!("no usable AWS credentials: {}", chain(credentials)));
    }
    match error {
        SdkError::ServiceError(service) => {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            let code = code(error).unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            let origin = Origin {
                call: call_of(std::any::type_name::<E>()).unwrap_or_default(),
                code: code.to_owned(),
                request_id: error.request_id().map(str::to_owned),
            };
            if code.is_empty() && !error.raw_response().is_some_and(is_services) {
                return of_others(status).from_origin(origin);
            }
            let told = told(code, status, message);
            let fault = clock::wrong_by_date(code, &told, error.raw_response()).unwrap_or_else(|| sorted(code, status, &told));
            with_step(fault, &origin, message).from_origin(origin)
        }
        SdkError::DispatchFailure(_) if never_connected(error) => {
            Fault::try_again(format!("the AWS endpoint was not reached: {}{}", chain(error), Proxy::hint()))
        }
        SdkError::ConstructionFailure(_) => Fault::fatal(format!("the call could not be made: {}", chain(error))),
        _ => Fault::unsure(chain(error)),
    }
}

/// With what a user can do about a refusal, where nothing better is known.
fn with_step(fault: Fault, origin: &Origin, message: &str) -> Fault {
    match fault.kind {
        _ if fault.next.is_some() || origin.call.is_empty() => fault,
        FaultKind::Denied if origin.code == "Blocked" => fault.with_next("ask AWS Support why the account is blocked"),
        FaultKind::Denied if forbidden(&origin.code) => {
            let action = refused_action(message).unwrap_or_else(|| permission(&origin.call));
            if message.contains("explicit deny") {
                return fault.with_next(format!("ask whoever wrote that policy to allow {action}: no other policy can"));
            }
            fault.with_next(format!("allow {action} for these credentials, or use others"))
        }
        FaultKind::Fatal if matches!(&*origin.code, "TagLimitExceeded" | "TooManyTags" | "TooManyTagsException") => {
            fault.with_next("set fewer tags: AWS takes 50 for each thing")
        }
        FaultKind::Fatal if is_quota(&origin.code) => {
            fault.with_next("delete what is no longer needed, or ask AWS for more of it (Service Quotas)")
        }
        _ => fault,
    }
}

/// The action that a refusal names, which may be another one than the call's: `iam:PassRole`, `ec2:CreateTags`.
fn refused_action(message: &str) -> Option<&str> {
    let action = message.split_once("to perform: ")?.1.split([' ', ',', '.']).next()?;
    action.contains(':').then_some(action)
}

/// The fault of an error that came inside an answer.
#[must_use]
pub fn fault_of(code: &str, message: &str) -> Fault {
    let origin = Origin { code: code.to_owned(), ..Origin::default() };
    let status = if code.starts_with("Internal") { 500 } else { 400 };
    sorted(code, status, &told(code, status, message)).from_origin(origin)
}

/// So many characters of what a service said.
const LONGEST: usize = 600;

/// What the service said, on one line.
fn told(code: &str, status: u16, message: &str) -> String {
    let cut = message.char_indices().nth(LONGEST).map(|(end, _)| format!("{} [...]", &message[..end]));
    let message = cut.as_deref().unwrap_or(message);
    match (code, message) {
        ("", "") => format!("HTTP {status}"),
        ("", message) => message.to_owned(),
        (code, "") => format!("{code} (HTTP {status})"),
        (code, message) => format!("{code}: {message}"),
    }
}

/// The signature is refused for the region that it is for. No code of its own says so.
pub(super) fn no_such_region(fault: &Fault) -> bool {
    let of_signature = ["AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"].contains(&fault.code());
    of_signature && fault.message.contains(NO_REGION)
}

const NO_REGION: &str = "scoped to a valid region";

fn sorted(code: &str, status: u16, told: &str) -> Fault {
    if let Some(fault) = clock::wrong_by_words(code, told) {
        return fault;
    }
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            Fault::denied(told).about("the AWS credentials have expired")
        }
        "OptInRequired" => Fault::denied(told).about("the service or the region is not activated for this AWS account"),
        "AuthFailure" | "InvalidSignatureException" | "SignatureDoesNotMatch" if told.contains(NO_REGION) => {
            Fault::denied(told).about("AWS does not accept the region")
        }
        "AuthFailure"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Fault::denied(told).about("AWS does not accept the credentials"),
        code if forbidden(code) => Fault::denied(told),
        // Not applied, and it may be a little later.
        code if throttled(code) || not_yet(code) || in_use(code) || just_made(code) || not_there_yet(code) => {
            Fault::try_again(told)
        }
        // What IAM has just made is not known everywhere at once.
        "InvalidParameterException" if role_not_known_yet(told) => Fault::try_again(told),
        "MalformedPolicyDocument" if told.contains("Invalid principal in policy") => Fault::try_again(told),
        // EC2 has no code of its own for these two, which pass: an interface that was just detached, and a gateway whose
        // attachment has not spread.
        "InvalidParameterValue" if told.contains("is currently in use") || told.contains("belong to different networks") => {
            Fault::try_again(told)
        }
        _ if status == 429 || status == 503 => Fault::try_again(told),
        // EC2 has no more of something just now, with 500.
        code if code.starts_with("Insufficient") && status >= 500 => Fault::try_again(told),
        // S3 about a condition that it does not know, with 501: it has refused the call.
        "NotImplemented" => Fault::fatal(told),
        // It broke somewhere inside the service: before or after it was applied, nobody knows.
        _ if status >= 500 => Fault::unsure(told),
        _ => Fault::fatal(told),
    }
}

/// The connection was refused or never came about, so that nothing can have been applied.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| {
        error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(hyper_util::client::legacy::Error::is_connect)
            || error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
    })
}

fn cause<C: Error + 'static, E: Error + 'static>(error: &E) -> Option<&C> {
    sources(error).find_map(|error| error.downcast_ref::<C>())
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// What an error comes from at last: all around it is libraries' own.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    sources(error).last().map_or_else(String::new, ToString::to_string)
}

/// An error and its causes on one line, without saying the same twice.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for error in sources(error) {
        let words = error.to_string();
        if line.contains(&words) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_code_means_to_a_walk() {
        let kind = |code: &str, status| sorted(code, status, code).kind;
        assert_eq!(kind("DependencyViolation", 400), FaultKind::TryAgain);
        assert_eq!(kind("InvalidVpcID.NotFound", 400), FaultKind::TryAgain);
        assert_eq!(kind("RequestLimitExceeded", 503), FaultKind::TryAgain);
        assert_eq!(kind("RequestTimeout", 400), FaultKind::TryAgain);
        assert_eq!(kind("InternalError", 500), FaultKind::Unsure);
        assert_eq!(kind("UnauthorizedOperation", 403), FaultKind::Denied);
        assert_eq!(kind("VpcLimitExceeded", 400), FaultKind::Fatal);
        assert_eq!(kind("EntityAlreadyExists", 409), FaultKind::TryAgain);
        assert_eq!(kind("BucketAlreadyExists", 409), FaultKind::Fatal);
        let expired = sorted("ExpiredToken", 400, "ExpiredToken");
        assert!(expired.kind == FaultKind::Denied && expired.message.contains("expired"), "{expired}");
        let early = "The specified principalArn is invalid: invalid principal.";
        for eks in ["Role arn:x does not exist", early] {
            assert_eq!(sorted("InvalidParameterException", 400, eks).kind, FaultKind::TryAgain, "{eks}");
        }
        assert!(sorted("OptInRequired", 403, "OptInRequired").message.contains("not activated"));
        for (code, message) in [
            ("InvalidParameterValue", "Network interface 'eni-0a1b' is currently in use."),
            ("InvalidParameterValue", "route table rtb-1 and network gateway igw-1 belong to different networks"),
            ("MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"arn:aws:iam::1:role/r\""),
        ] {
            assert_eq!(sorted(code, 400, &told(code, 400, message)).kind, FaultKind::TryAgain, "{message}");
        }
        assert_eq!(sorted("InvalidParameterValue", 400, "Value (x) for parameter y is invalid").kind, FaultKind::Fatal);
        assert_eq!(sorted("MalformedPolicyDocument", 400, "Syntax errors in policy.").kind, FaultKind::Fatal);
    }

    #[test]
    fn a_refusal_names_what_a_policy_must_allow() {
        let next = |call: &str| {
            let origin = Origin { call: call.to_owned(), code: "AccessDenied".to_owned(), request_id: None };
            with_step(Fault::denied("AccessDenied"), &origin, "").next.unwrap_or_default().to_string()
        };
        assert!(next("s3:ListObjectsV2").starts_with("allow s3:ListBucket for "), "{}", next("s3:ListObjectsV2"));
        assert!(next("s3:HeadObject").starts_with("allow s3:GetObject for "));
        assert!(next("ec2:CreateVpc").starts_with("allow ec2:CreateVpc for "));
        let told = |message: &str| {
            let origin =
                Origin { call: "eks:CreateCluster".to_owned(), code: "AccessDeniedException".to_owned(), request_id: None };
            with_step(Fault::denied(message), &origin, message).next.unwrap_or_default().to_string()
        };
        let passes = "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r";
        assert_eq!(told(passes), "allow iam:PassRole for these credentials, or use others");
        let denied = told(&format!("{passes} with an explicit deny in a service control policy"));
        assert!(denied.contains("allow iam:PassRole: no other policy can"), "{denied}");
    }

    #[test]
    fn a_quota_names_where_more_of_it_is_asked_for() {
        for code in ["VpcLimitExceeded", "ResourceLimitExceededException", "LimitExceeded", "TooManyBuckets"] {
            let origin = Origin { call: "eks:CreateCluster".to_owned(), code: code.to_owned(), request_id: None };
            assert!(
                with_step(sorted(code, 400, code), &origin, code).next.is_some_and(|next| next.contains("Service Quotas")),
                "{code}"
            );
        }
    }

    #[test]
    fn what_s3_does_not_implement_is_refused_and_what_broke_inside_an_answer_is_not() {
        assert_eq!(sorted("NotImplemented", 501, "NotImplemented").kind, FaultKind::Fatal);
        assert_eq!(fault_of("InternalError", "We encountered an internal error.").kind, FaultKind::Unsure);
    }
}
