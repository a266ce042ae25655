//! The one way a rule refuses its input: AWS's own sentence.
//!
//! Every rule of this crate answers with the text that DynamoDB would put in a `ValidationException`.

use std::fmt;

/// A refusal in DynamoDB's words; the service turns it into a `ValidationException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The message as AWS writes it.
    pub message: String,
}

impl Invalid {
    /// Wraps a message that is already complete.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// Prefixes "One or more parameter values were invalid: ", as most value rules do.
    pub fn parameter(detail: impl fmt::Display) -> Self {
        Self { message: format!("One or more parameter values were invalid: {detail}") }
    }
}
