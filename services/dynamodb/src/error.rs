//! What DynamoDB refuses, by the names of the model's error shapes.

use fogbank_core::Fault;

use crate::attributes::Attributes;
use crate::encoding::Corrupt;
use crate::invalid::Invalid;
use crate::model;
use crate::value::Item;

fogbank_core::errors! {
    /// What DynamoDB refuses.
    pub enum Error {
        #[error("Requested resource not found")]
        ResourceNotFoundException,
        #[error("{0}")]
        ResourceInUseException(String),
        #[error("{0}")]
        LimitExceededException(String),
        #[error("{0}")]
        ValidationException(String),
    }
}

/// What handlers answer.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A broken rule, in DynamoDB's words.
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::ValidationException(message.into())
    }

    /// A broken rule of a parameter.
    pub(crate) fn parameter(detail: impl std::fmt::Display) -> Error {
        Invalid::parameter(detail).into()
    }

    /// What the operations on tables say of a table that does not exist.
    pub(crate) fn no_table(name: &str) -> Error {
        let message = format!("Requested resource not found: Table: {name} not found");
        Error::Fault(Fault::new("ResourceNotFoundException", message))
    }

    /// What the operations on tags say of a resource that does not exist; the word is AWS's.
    pub(crate) fn no_resource(arn: &str) -> Error {
        let message = format!("Requested resource not found: ResourcArn: {arn} not found");
        Error::Fault(Fault::new("ResourceNotFoundException", message))
    }

    /// A condition that does not hold, with the item if the request asks for it.
    pub(crate) fn condition_failed(item: Option<&Item>) -> Error {
        let item = item.map(|item| Attributes::from(item.clone()));
        let members = model::ConditionalCheckFailedException { message: None, item };
        let fault = Fault::new("ConditionalCheckFailedException", "The conditional request failed");
        Error::Fault(fault.with_members(members))
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error::ValidationException(invalid.message)
    }
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Error {
        Error::Fault(Fault::internal(corrupt))
    }
}
