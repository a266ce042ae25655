//! What EventBridge refuses.

fogbank_core::errors! {
    /// What EventBridge refuses, with AWS's messages.
    pub enum Error {
        #[error("{0}")]
        ValidationException(String),
        #[error("Event pattern is not valid. Reason: {0}")]
        InvalidEventPatternException(String),
        #[error("{0}")]
        ResourceNotFoundException(String),
        #[error("{0}")]
        ResourceAlreadyExistsException(String),
        #[error("The requested resource exceeds the maximum number allowed.")]
        LimitExceededException,
        #[error("{0}")]
        ManagedRuleException(String),
        #[error("{0}")]
        PolicyLengthExceededException(String),
        #[error("{0}")]
        ConcurrentModificationException(String),
        #[error("{0}")]
        IllegalStatusException(String),
        #[error("{0}")]
        InvalidStateException(String),
    }
}

impl Error {
    /// A parameter breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::ValidationException(message.into())
    }

    /// The bus is not there.
    pub(crate) fn no_bus(name: &str) -> Error {
        Error::ResourceNotFoundException(format!("Event bus {name} does not exist."))
    }

    /// The rule is not there.
    pub(crate) fn no_rule(bus: &str, name: &str) -> Error {
        let message = format!("Rule {name} does not exist on EventBus {bus}.");
        Error::ResourceNotFoundException(message)
    }

    /// Something that is in EventBridge and not in Fogbank.
    pub(crate) fn not_implemented(what: &str) -> Error {
        fogbank_core::Fault::new(
            "NotImplemented",
            format!("Fogbank does not implement {what} yet; see COMPATIBILITY.md."),
        )
        .with_status(501)
        .into()
    }
}
