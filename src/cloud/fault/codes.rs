//! Error codes, by what they say of the call.

/// Who asks is known, and has not got the permission.
pub(super) fn forbidden(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "Blocked"
            | "Client.UnauthorizedOperation"
            | "Forbidden"
            | "UnauthorizedAccess"
            | "UnauthorizedException"
            | "UnauthorizedOperation"
    )
}

/// The account has as many of them as it may. Asked of what is no throttling, which some codes of it are called like.
pub(super) fn is_quota(code: &str) -> bool {
    code.ends_with("LimitExceeded") || code.ends_with("LimitExceededException") || code.starts_with("TooMany")
}

pub(super) fn throttled(code: &str) -> bool {
    matches!(
        code,
        "BandwidthLimitExceeded"
            | "EC2ThrottledException"
            | "PriorRequestNotComplete"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            // S3 has waited for the rest of a body, with 400.
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "SlowDown"
            | "ThrottledException"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "Unavailable"
    )
}

/// Something else is being done to it, or it is on its way.
pub(super) fn not_yet(code: &str) -> bool {
    matches!(
        code,
        "ConcurrentModification"
            | "ConditionalRequestConflict"
            | "ConcurrentModificationException"
            | "ConcurrentTagAccess"
            | "EntityTemporarilyUnmodifiable"
            | "IncorrectState"
            | "InvalidState"
            // IAM has not reached the issuer of a cluster that was just made.
            | "OpenIdIdpCommunicationError"
            | "OpenIdIdpCommunicationErrorException"
            | "OperationAborted"
            | "Resource.AlreadyAssociated"
    )
}

/// It was not there at the last look: made by another run, or by a call whose answer was lost. The next look tells whose it is.
pub(super) fn just_made(code: &str) -> bool {
    matches!(
        code,
        "EntityAlreadyExists"
            | "InvalidLaunchTemplateName.AlreadyExistsException"
            | "InvalidSubnet.Conflict"
            | "RepositoryAlreadyExistsException"
            | "RouteAlreadyExists"
    )
}

/// Something that hangs from it is still there.
pub(super) fn in_use(code: &str) -> bool {
    matches!(
        code,
        "BucketNotEmpty"
            | "DeleteConflict"
            | "DependencyViolation"
            | "InvalidIPAddress.InUse"
            | "InvalidNetworkInterface.InUse"
            | "InvalidGroup.InUse"
            | "ResourceInUse"
            | "ResourceInUseException"
    )
}

/// What it is made from was made a moment ago, and is not to be seen everywhere.
pub(super) fn not_there_yet(code: &str) -> bool {
    code.ends_with("NotFound")
        || code.ends_with("NotFoundException")
        || matches!(code, "NoSuchBucket" | "NoSuchEntity" | "InvalidGatewayID.NotAttached")
}

/// EKS about a role or policy that IAM has not spread yet.
pub(super) fn role_not_known_yet(told: &str) -> bool {
    [
        "does not exist",
        "Error in role params",
        "trusted entity is not correct",
        "IAM role's policy must include",
        "doesn't have the Amazon EKS Managed Policies",
        "The role with name",
        "not found in the trust relationships",
        // Of an access entry's role, or user.
        "invalid principal",
    ]
    .iter()
    .any(|known| told.contains(known))
}
