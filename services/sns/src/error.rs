//! What SNS refuses, in AWS's words.

fogbank_core::errors! {
    /// What SNS refuses.
    pub enum Error {
        #[error("{0}")]
        AuthorizationErrorException(String),
        #[error("Two or more batch entries in the request have the same Id.")]
        BatchEntryIdsNotDistinctException,
        #[error("The length of all the messages put together is more than the limit.")]
        BatchRequestTooLongException,
        #[error("The batch request doesn't contain any entries.")]
        EmptyBatchRequestException,
        #[error("The Id of a batch entry in the batch request {0}")]
        InvalidBatchEntryIdException(String),
        #[error("{0}")]
        InvalidParameterException(String),
        #[error("{0}")]
        InvalidParameterValueException(String),
        #[error("{0}")]
        KMSAccessDeniedException(String),
        #[error("{0}")]
        KMSDisabledException(String),
        #[error("{0}")]
        KMSInvalidStateException(String),
        #[error("{0}")]
        KMSNotFoundException(String),
        #[error("{0} does not exist")]
        NotFoundException(&'static str),
        #[error("Resource does not exist")]
        ResourceNotFoundException,
        #[error("Could not complete request: tag quota of per resource exceeded")]
        TagLimitExceededException,
        #[error("The batch request contains more entries than permissible.")]
        TooManyEntriesInBatchRequestException,
    }
}

impl Error {
    /// AWS's usual sentence about a parameter; the text names it and may say why.
    pub(crate) fn invalid(text: impl std::fmt::Display) -> Error {
        Error::InvalidParameterException(format!("Invalid parameter: {text}"))
    }

    /// Something that is in SNS and not in Fogbank yet.
    pub(crate) fn not_implemented(what: &str) -> Error {
        fogbank_core::Fault::new(
            "NotImplemented",
            format!("Fogbank does not implement {what} yet; see COMPATIBILITY.md."),
        )
        .with_status(501)
        .into()
    }
}
