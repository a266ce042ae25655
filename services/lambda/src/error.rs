//! What Lambda refuses.

use fogbank_core::Fault;

use crate::model;

fogbank_core::errors! {
    /// What Lambda refuses, with AWS's messages.
    pub enum Error {
        #[error("{0}")]
        AccessDeniedException(String),
        #[error("{0}")]
        InvalidParameterValueException(String),
        #[error("Could not parse request body into json: {0}")]
        InvalidRequestContentException(String),
        #[error("{0}")]
        InvalidRuntimeException(String),
        #[error("The final policy size ({0}) is bigger than the limit (20480).")]
        PolicyLengthExceededException(usize),
        #[error("{0}")]
        PreconditionFailedException(String),
        #[error("{0}")]
        RequestEntityTooLargeException(String),
        #[error("{0}")]
        ResourceConflictException(String),
        #[error("{0}")]
        ResourceInUseException(String),
        #[error("{0}")]
        ResourceNotFoundException(String),
        #[error("{0}")]
        ServiceException(String),
    }
}

/// An `InvalidParameterValueException`.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::InvalidParameterValueException(message.into())
}

/// A `ResourceNotFoundException` for the function with this ARN.
pub(crate) fn function_not_found(arn: &str) -> Error {
    Error::ResourceNotFoundException(format!("Function not found: {arn}"))
}

/// What the caller asks for is in AWS, but not here.
pub(crate) fn unsupported(what: &str) -> Error {
    invalid(format!("Fogbank does not support {what} yet."))
}

/// The function or the account runs as often at one time as it may.
pub(crate) fn too_many_requests(reason: &str) -> Error {
    let message = "Rate Exceeded.";
    let members = model::TooManyRequestsException {
        r#type: Some("User".to_owned()),
        message: Some(message.to_owned()),
        reason: Some(reason.to_owned()),
        ..Default::default()
    };
    Error::Fault(Fault::new("TooManyRequestsException", message).with_members(members))
}
