//! What CloudWatch Logs refuses.

fogbank_core::errors! {
    /// What CloudWatch Logs refuses, with AWS's messages.
    pub enum Error {
        #[error("{0}")]
        ResourceNotFoundException(&'static str),
        #[error("{0}")]
        ResourceAlreadyExistsException(&'static str),
        #[error("{0}")]
        InvalidParameterException(String),
        #[error("{0}")]
        ValidationException(String),
    }
}

impl Error {
    /// The group is not there.
    pub(crate) fn no_group() -> Error {
        Error::ResourceNotFoundException("The specified log group does not exist.")
    }

    /// The stream is not there.
    pub(crate) fn no_stream() -> Error {
        Error::ResourceNotFoundException("The specified log stream does not exist.")
    }

    /// A parameter breaks a rule.
    pub(crate) fn invalid(message: &str) -> Error {
        Error::InvalidParameterException(message.to_owned())
    }
}
