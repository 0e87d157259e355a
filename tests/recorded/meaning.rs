//! What AWS means by an error: written from its references, and not from our code.
//!
//! EC2 "Error codes", S3 "Error responses", EKS, ECR, ELB and IAM API references, each service's "Common errors", and what the
//! recordings themselves say.

use tritondeploy::engine::FaultKind;

use crate::corpus::Recording;

/// What a walk must do about it, where the call itself has no better word for it.
pub(crate) fn meaning(of: &Recording) -> FaultKind {
    let (code, status, message) = (of.code(), of.status, of.message());
    match code {
        _ if is_refusal(code, message) => FaultKind::Denied,
        _ if is_throttling(code, status) || in_the_way(code) || may_pass(code, message) => FaultKind::TryAgain,
        // What was asked for does not exist in S3: nothing was applied.
        "NotImplemented" => FaultKind::Fatal,
        _ if status >= 500 => FaultKind::Unsure,
        _ if is_absence(of) => FaultKind::TryAgain,
        _ => FaultKind::Fatal,
    }
}

/// Who asks may not, is not known, or signed at another time.
fn is_refusal(code: &str, message: &str) -> bool {
    let credentials = ["AuthFailure", "ExpiredToken", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken"];
    let permission =
        ["AccessDenied", "UnauthorizedOperation", "UnauthorizedAccess", "NotAuthorized", "Forbidden", "OptInRequired"];
    let signature = ["SignatureDoesNotMatch", "InvalidSignature", "UnrecognizedClient", "MissingAuthentication", "TimeTooSkewed"];
    let known = credentials.iter().chain(&permission).chain(&signature).any(|known| code.contains(known));
    known || code == "403" || message.contains("is not authorized to perform")
}

fn is_throttling(code: &str, status: u16) -> bool {
    let known = ["Throttl", "SlowDown", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded", "RequestTimeout"];
    status == 429 || status == 503 || known.iter().any(|known| code.contains(known))
}

/// Something that ends by itself, or by what a walk does beside it.
fn in_the_way(code: &str) -> bool {
    let held = ["DependencyViolation", "DeleteConflict", "BucketNotEmpty", "ResourceInUse"];
    let busy = ["ConcurrentModification", "ConditionalRequestConflict", "OperationAborted", "TemporarilyUnmodifiable"];
    let state = ["IncorrectState", "InvalidState", "IncorrectInstanceState", "Resource.AlreadyAssociated"];
    held.iter().chain(&busy).chain(&state).any(|known| code.contains(known)) || code.ends_with(".InUse")
}

/// What has no code of its own, and passes: what EC2 and IAM have not told all of their own yet.
fn may_pass(code: &str, message: &str) -> bool {
    let said = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match code {
        "InvalidParameterValue" => said(&["is currently in use", "belong to different networks"]),
        // EKS about a role that IAM has just made.
        "InvalidParameterException" => {
            said(&[
                "trust relationships",
                "trusted entity",
                "Error in role params",
                "The role with name",
                "IAM role's policy must",
            ]) || (message.contains("ole") && message.contains("does not exist"))
        }
        "MalformedPolicyDocument" => said(&["Invalid principal in policy"]),
        "InvalidGatewayID.NotAttached" => true,
        // Whoever made it since the last look: the next one tells whose it is. A bucket's name is everybody's.
        _ if code.contains("AlreadyExists") => !code.starts_with("Bucket") && code != "RouteAlreadyExists",
        _ => false,
    }
}

/// The thing asked about, or one that is named with it, is not there.
pub(crate) fn is_absence(of: &Recording) -> bool {
    let code = of.code();
    let known = code.ends_with("NotFound") || code.ends_with("NotFoundException") || code.starts_with("NoSuch");
    // An image without a policy is there.
    let of_part = ["NoSuchTagSet", "NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration"].contains(&code);
    (known || ["404", "NotAttached", "Gateway.NotAttached"].contains(&code)) && !of_part
}

/// The thing to be made is there, and ours.
pub(crate) fn is_there_already(of: &Recording) -> bool {
    ["BucketAlreadyOwnedByYou", "RouteAlreadyExists"].contains(&of.code())
}

/// The account has as many of them as it may.
pub(crate) fn is_quota(of: &Recording) -> bool {
    let code = of.code();
    code.contains("LimitExceeded") && !is_throttling(code, of.status) || code.starts_with("TooMany")
}

/// S3's bucket is in another region than the one that was asked.
pub(crate) fn is_elsewhere(of: &Recording) -> bool {
    let of_signature = of.code() == "AuthorizationHeaderMalformed" && of.message().contains("expecting '");
    of.service == "s3" && (of.status == 301 || of_signature)
}
