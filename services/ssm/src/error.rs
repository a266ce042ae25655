//! What Parameter Store refuses.

fogbank_core::errors! {
    /// What Parameter Store refuses, with AWS's messages.
    #[expect(clippy::enum_variant_names, reason = "the model's names")]
    pub enum Error {
        // AWS sends no message with it.
        #[error("")]
        ParameterNotFound,
        #[error(
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
        )]
        ParameterAlreadyExists,
        #[error("Systems Manager could not find version {0} of {1}. Verify the version and try again.")]
        ParameterVersionNotFound(String, String),
        #[error(
            "A parameter version can have maximum 10 labels.Move one or more labels to another version and try again."
        )]
        ParameterVersionLabelLimitExceeded,
        #[error(
            "You attempted to create a new version of {0} by calling the PutParameter API with the overwrite flag. \
             Version {1}, the oldest version, can't be deleted because it has a label associated with it. Move the \
             label to another version of the parameter, and try again."
        )]
        ParameterMaxVersionLimitExceeded(String, i64),
        #[error("Parameter value, cannot be validated against allowedPattern: {0}")]
        ParameterPatternMismatchException(String),
        #[error("{0}")]
        ParameterLimitExceeded(String),
        #[error("{0}")]
        HierarchyLevelLimitExceededException(String),
        #[error("{0}")]
        InvalidAllowedPatternException(String),
        #[error("{0}")]
        PoliciesLimitExceededException(String),
        #[error("{0}")]
        InvalidPolicyTypeException(String),
        #[error("{0}")]
        InvalidPolicyAttributeException(String),
        #[error("{0}")]
        IncompatiblePolicyException(String),
        #[error("{0}")]
        InvalidKeyId(String),
        #[error("{0}")]
        InvalidFilterKey(String),
        #[error("{0}")]
        InvalidFilterOption(String),
        #[error("{0}")]
        InvalidFilterValue(String),
        #[error("The specified token isn't valid.")]
        InvalidNextToken,
        #[error("")]
        InvalidResourceId,
        #[error("")]
        TooManyTagsError,
        #[error("{0}")]
        ServiceSettingNotFound(String),
        #[error("{0}")]
        ResourceNotFoundException(String),
        #[error("{0}")]
        ResourcePolicyInvalidParameterException(String),
        #[error("{0}")]
        ResourcePolicyConflictException(String),
        #[error("{0}")]
        ResourcePolicyNotFoundException(String),
        #[error("{0}")]
        MalformedResourcePolicyDocumentException(String),
        #[error("{0}")]
        AccessDeniedException(String),
        #[error("{0}")]
        ValidationException(String),
    }
}

impl Error {
    /// The input breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::ValidationException(message.into())
    }
}
