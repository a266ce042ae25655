//! What API Gateway refuses.

fogbank_core::errors! {
    /// What API Gateway refuses, with AWS's messages.
    pub enum Error {
        #[error("Invalid {0} identifier specified {1}")]
        NotFoundException(&'static str, String),
        #[error("{0}")]
        BadRequestException(String),
        #[error("{0}")]
        ConflictException(String),
    }
}

impl Error {
    /// A parameter breaks a rule.
    pub(crate) fn bad(message: impl Into<String>) -> Error {
        Error::BadRequestException(message.into())
    }

    /// A part of API Gateway that is not there yet.
    pub(crate) fn missing(what: &str) -> Error {
        Error::Fault(fogbank_core::Fault::not_implemented("apigatewayv2", what))
    }
}
