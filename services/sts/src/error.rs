//! What STS refuses, in AWS's words.

use fogbank_core::Fault;
use fogbank_core::policy::Malformed;

fogbank_core::errors! {
    /// What STS refuses.
    pub enum Error {
        #[error("{0}")]
        ExpiredTokenException(String),
        #[error("The request could not be fulfilled because the identity provider could not be reached.")]
        IDPCommunicationErrorException,
        #[error("{0}")]
        IDPRejectedClaimException(String),
        #[error("The trade-in token has expired and can no longer be exchanged for credentials. Request a new token.")]
        ExpiredTradeInTokenException,
        // The texts of these and the one above are the documentation's, or a guess after it.
        #[error("The error returned if the message passed to DecodeAuthorizationMessage was invalid.")]
        InvalidAuthorizationMessageException,
        #[error("The requested token payload size exceeds the maximum allowed size. Reduce the number of request tags included in the GetWebIdentityToken API call to reduce the token payload size.")]
        JWTPayloadSizeExceededException,
        #[error("The outbound web identity federation feature is not enabled for this account. To use this feature, you must first enable it through the AWS Management Console or API.")]
        OutboundWebIdentityFederationDisabledException,
        #[error("The requested token duration would extend the session beyond its original expiration time. You cannot use this operation to extend the lifetime of a session beyond what was granted when the session was originally created.")]
        SessionDurationEscalationException,
        #[error("{0}")]
        InvalidIdentityTokenException(String),
        #[error("{0}")]
        MalformedPolicyDocumentException(String),
        #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
        PackedPolicyTooLargeException(usize),
    }
}

impl Error {
    /// The input breaks a rule that the model does not state.
    pub(crate) fn validation(message: impl Into<String>) -> Error {
        Error::Fault(Fault::validation(message))
    }

    /// A parameter contradicts another; the model has no shape for it.
    pub(crate) fn parameter(message: &str) -> Error {
        Error::Fault(Fault::new("InvalidParameterValue", message))
    }

    /// The caller may not do this.
    pub(crate) fn denied(message: &str) -> Error {
        Error::Fault(Fault::access_denied(message))
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        Error::MalformedPolicyDocumentException(malformed.to_string())
    }
}
