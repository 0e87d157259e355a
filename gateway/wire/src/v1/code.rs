//! What went wrong, in words that programs read.

use serde::{Deserialize, Serialize};

/// The codes of errors. Whether another try may help is fixed for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The message or what it asks for makes no sense.
    BadRequest,
    /// More bytes or pixels than the limits allow.
    TooLarge,
    /// The bytes are no image that is read, or a damaged one.
    UnsupportedImage,
    /// The object is missing, or may not be read by us or for the asker: all the same answer.
    NotFoundOrForbidden,
    /// No such model, pipeline or preset.
    UnknownModel,
    /// Whoever asks did not say who they are.
    Unauthenticated,
    /// This client asks too often.
    RateLimited,
    /// Everybody together asks for more than can be done.
    Overloaded,
    /// The deadline passed.
    Deadline,
    /// The gateway stops; another connection will be answered.
    Draining,
    /// More at once than the connection's window.
    FlowControl,
    /// The model or Triton is not there just now.
    ModelUnavailable,
    /// The model failed, or answered something that cannot be used.
    ModelError,
    /// A fault of the gateway; its log tells more.
    Internal,
    /// One of a newer gateway: whether another try may help, its message says.
    #[serde(other)]
    Other,
}

impl Code {
    /// All that are known.
    pub const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::TooLarge,
        Self::UnsupportedImage,
        Self::NotFoundOrForbidden,
        Self::UnknownModel,
        Self::Unauthenticated,
        Self::RateLimited,
        Self::Overloaded,
        Self::Deadline,
        Self::Draining,
        Self::FlowControl,
        Self::ModelUnavailable,
        Self::ModelError,
        Self::Internal,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::UnsupportedImage => "unsupported_image",
            Self::NotFoundOrForbidden => "not_found_or_forbidden",
            Self::UnknownModel => "unknown_model",
            Self::Unauthenticated => "unauthenticated",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Deadline => "deadline",
            Self::Draining => "draining",
            Self::FlowControl => "flow_control",
            Self::ModelUnavailable => "model_unavailable",
            Self::ModelError => "model_error",
            Self::Internal => "internal",
            Self::Other => "other",
        }
    }

    /// Whether the same request may succeed when sent again.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::Draining | Self::FlowControl | Self::ModelUnavailable)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_wire_is_the_word_in_json() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_code_of_a_newer_gateway_is_read() {
        let failure = r#"{"code":"quota","message":"m","retryable":true}"#;
        let failure: super::super::Failure = serde_json::from_str(failure).unwrap();
        assert_eq!((failure.code, failure.retryable), (Code::Other, true));
    }
}
