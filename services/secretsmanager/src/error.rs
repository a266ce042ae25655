//! What Secrets Manager refuses.

fogbank_core::errors! {
    /// What Secrets Manager refuses, with AWS's messages.
    pub enum Error {
        #[error("{0}")]
        ResourceNotFoundException(String),
        #[error("{0}")]
        ResourceExistsException(String),
        #[error("{0}")]
        InvalidParameterException(String),
        #[error("{0}")]
        InvalidRequestException(String),
        #[error("{0}")]
        ValidationException(String),
        #[error("{0}")]
        MalformedPolicyDocumentException(String),
        #[error("{0}")]
        PublicPolicyException(String),
        #[error("{0}")]
        LimitExceededException(String),
        #[error("{0}")]
        AccessDeniedException(String),
        #[error("{0}")]
        InvalidNextTokenException(String),
        #[error("{0}")]
        EncryptionFailure(String),
        #[error("{0}")]
        DecryptionFailure(String),
    }
}

impl Error {
    /// There is no such secret.
    pub(crate) fn no_secret() -> Error {
        Error::ResourceNotFoundException(
            "Secrets Manager can't find the specified secret.".to_owned(),
        )
    }

    /// No version with a value has this staging label.
    pub(crate) fn no_stage(stage: &str) -> Error {
        Error::ResourceNotFoundException(format!(
            "Secrets Manager can't find the specified secret value for staging label: {stage}"
        ))
    }

    /// There is no version with this id that has a value.
    pub(crate) fn no_version(version_id: &str) -> Error {
        Error::ResourceNotFoundException(format!(
            "Secrets Manager can't find the specified secret value for VersionId: {version_id}"
        ))
    }

    /// The secret waits to be deleted.
    pub(crate) fn doomed() -> Error {
        Error::InvalidRequestException(
            "You can't perform this operation on the secret because it was marked for deletion."
                .to_owned(),
        )
    }

    /// The operation belongs to the primary.
    pub(crate) fn is_replica() -> Error {
        Error::InvalidParameterException(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region."
                .to_owned(),
        )
    }

    /// A client's token is that of another version.
    pub(crate) fn token_in_use(token: &str, arn: &str) -> Error {
        Error::ResourceExistsException(format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret \
             {arn}."
        ))
    }

    /// A parameter breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::InvalidParameterException(message.into())
    }
}
