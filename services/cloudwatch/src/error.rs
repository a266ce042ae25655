//! What CloudWatch refuses.

fogbank_core::errors! {
    /// What CloudWatch refuses, with AWS's messages.
    pub enum Error {
        #[error("{0}")]
        InvalidParameterValueException(String),
        #[error("{0}")]
        InvalidParameterCombinationException(String),
        #[error("{0}")]
        MissingRequiredParameterException(String),
        #[error("{0}")]
        ValidationException(String),
        #[error("{0}")]
        InvalidNextToken(&'static str),
        #[error("{0}")]
        InvalidFormatFault(String),
        #[error("{0}")]
        ResourceNotFound(String),
        #[error("{0}")]
        LimitExceededFault(String),
    }
}

impl Error {
    /// A parameter's value is wrong.
    pub(crate) fn value(message: impl Into<String>) -> Error {
        Error::InvalidParameterValueException(message.into())
    }

    /// Parameters do not go together.
    pub(crate) fn combination(message: impl Into<String>) -> Error {
        Error::InvalidParameterCombinationException(message.into())
    }

    /// A parameter is missing.
    pub(crate) fn missing(name: &str) -> Error {
        Error::MissingRequiredParameterException(format!("The parameter {name} is required."))
    }

    /// The input breaks a rule.
    pub(crate) fn validation(message: impl Into<String>) -> Error {
        Error::ValidationException(message.into())
    }

    /// Nobody got this token from us.
    pub(crate) fn token() -> Error {
        Error::InvalidNextToken("The specified next token is invalid.")
    }
}
