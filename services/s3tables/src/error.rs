//! What S3 Tables refuses.

fogbank_core::errors! {
    /// What S3 Tables refuses. AWS documents the names; the words are guesses where nothing else is said.
    pub enum Error {
        #[error("{0}")]
        BadRequestException(String),
        #[error("{0}")]
        ConflictException(String),
        #[error("{0}")]
        ForbiddenException(String),
        #[error("{0}")]
        NotFoundException(String),
    }
}

impl Error {
    /// There is no such table bucket.
    pub(crate) fn no_bucket() -> Error {
        Error::NotFoundException("The specified bucket does not exist.".to_owned())
    }

    /// There is no such namespace.
    pub(crate) fn no_namespace() -> Error {
        Error::NotFoundException("The specified namespace does not exist.".to_owned())
    }

    /// There is no such table.
    pub(crate) fn no_table() -> Error {
        Error::NotFoundException("The specified table does not exist.".to_owned())
    }

    /// A configuration or policy is not there.
    pub(crate) fn no_such(what: &str) -> Error {
        Error::NotFoundException(format!("The specified {what} does not exist."))
    }

    /// Something about the request is wrong.
    pub(crate) fn bad(message: impl Into<String>) -> Error {
        Error::BadRequestException(message.into())
    }

    /// Something is there already, or was changed meanwhile.
    pub(crate) fn conflict(message: impl Into<String>) -> Error {
        Error::ConflictException(message.into())
    }

    /// What a service of AWS manages is changed by it alone.
    pub(crate) fn managed() -> Error {
        let message = "This operation is not allowed on a resource that is managed by AWS.";
        Error::ForbiddenException(message.to_owned())
    }

    /// No metadata of the table lies here. AWS has these words for a place outside of the warehouse, and for a table without
    /// metadata; that a file which is not there is refused alike is a guess.
    pub(crate) fn bad_location() -> Error {
        Error::bad("The specified metadata location is not valid.")
    }

    /// A token that is none of ours.
    pub(crate) fn bad_token() -> Error {
        Error::bad("The continuation token is not valid.")
    }
}
