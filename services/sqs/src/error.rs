//! What SQS refuses, in AWS's words.

fogbank_core::errors! {
    /// What SQS refuses.
    pub enum Error {
        #[error("Id {0} repeated.")]
        BatchEntryIdsNotDistinct(String),
        #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
        BatchRequestTooLong(usize),
        #[error("There should be at least one {0} in the request.")]
        EmptyBatchRequest(&'static str),
        #[error("The address {0} is not valid for this endpoint.")]
        InvalidAddress(String),
        #[error("{0}")]
        InvalidAttributeName(String),
        #[error("{0}")]
        InvalidAttributeValue(String),
        #[error(
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long."
        )]
        InvalidBatchEntryId,
        #[error(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
             #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
        )]
        InvalidMessageContents,
        #[error("{0}")]
        InvalidParameterValueException(String),
        #[error("{0}")]
        KmsAccessDenied(String),
        #[error("{0}")]
        KmsDisabled(String),
        #[error("{0}")]
        KmsInvalidKeyUsage(String),
        #[error("{0}")]
        KmsInvalidState(String),
        #[error("{0}")]
        KmsNotFound(String),
        #[error("The request must contain the parameter {0}.")]
        MissingRequiredParameterException(&'static str),
        #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
        PurgeQueueInProgress(String),
        #[error("The specified queue does not exist.")]
        QueueDoesNotExist,
        #[error("A queue already exists with the same name and a different value for attribute {0}")]
        QueueNameExists(String),
        #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
        ReceiptHandleIsInvalid(String),
        #[error("Maximum number of entries per request are 10. You have sent {0}.")]
        TooManyEntriesInBatchRequest(usize),
    }
}

impl Error {
    /// A parameter's value is wrong; the text names it and says why.
    pub(crate) fn parameter(text: impl Into<String>) -> Error {
        Error::InvalidParameterValueException(text.into())
    }

    /// AWS's usual sentence: which value of which parameter is wrong, and why.
    pub(crate) fn value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Error {
        Error::parameter(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    /// There is no attribute of this name.
    pub(crate) fn unknown_attribute(name: &str) -> Error {
        Error::InvalidAttributeName(format!("Unknown Attribute {name}."))
    }
}
