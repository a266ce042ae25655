//! What KMS refuses.

fogbank_core::errors! {
    /// What KMS refuses, with AWS's messages where they are known.
    pub enum Error {
        #[error("{0}")]
        AccessDeniedException(String),
        #[error("An alias with the name {0} already exists")]
        AlreadyExistsException(String),
        #[error("{0}")]
        ConflictException(String),
        #[error("{0}")]
        CustomKeyStoreNotFoundException(String),
        #[error("{0} is disabled.")]
        DisabledException(String),
        #[error("The request would have succeeded, but the DryRun option is set.")]
        DryRunOperationException,
        #[error("{0}")]
        ExpiredImportTokenException(String),
        #[error("{0}")]
        IncorrectKeyMaterialException(String),
        #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
        IncorrectKeyException,
        #[error("{0}")]
        InvalidAliasNameException(String),
        #[error("{0}")]
        InvalidArnException(String),
        #[error("")]
        InvalidCiphertextException,
        #[error("{0}")]
        InvalidGrantIdException(String),
        #[error("{0}")]
        InvalidGrantTokenException(String),
        #[error("{0}")]
        InvalidImportTokenException(String),
        #[error("{0}")]
        InvalidKeyUsageException(String),
        #[error("{0}")]
        InvalidMarkerException(String),
        #[error("")]
        KMSInvalidMacException,
        #[error("")]
        KMSInvalidSignatureException,
        #[error("{0}")]
        KMSInvalidStateException(String),
        #[error("{0}")]
        KeyUnavailableException(String),
        #[error("{0}")]
        LimitExceededException(String),
        #[error("{0}")]
        MalformedPolicyDocumentException(String),
        #[error("{0}")]
        NotFoundException(String),
        #[error("{0}")]
        TagException(String),
        #[error("{0}")]
        UnsupportedOperationException(String),
        #[error("{0}")]
        ValidationException(String),
    }
}

impl Error {
    /// There is no key with this ARN.
    pub(crate) fn no_key(arn: &str) -> Error {
        Error::NotFoundException(format!("Key '{arn}' does not exist"))
    }

    /// The text names no key.
    pub(crate) fn no_key_id(text: &str) -> Error {
        Error::NotFoundException(format!("Invalid keyId '{text}'"))
    }

    /// There is no alias with this ARN.
    pub(crate) fn no_alias(arn: &str) -> Error {
        Error::NotFoundException(format!("Alias {arn} is not found."))
    }

    /// A member breaks a rule that the model does not know.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::ValidationException(message.into())
    }

    /// The operation is not for such keys.
    pub(crate) fn unsupported(message: impl Into<String>) -> Error {
        Error::UnsupportedOperationException(message.into())
    }

    /// The ciphertext names a key that is not here. AWS does not tell it from one that may not be used.
    pub(crate) fn stranger() -> Error {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                       region, or you are not allowed to access.";
        Error::AccessDeniedException(message.to_owned())
    }
}
