//! The one error that crosses crate boundaries, and the macro that declares a service's own.

use std::borrow::Cow;
use std::fmt;

use fogbank_wire::{BodyError, Struct};

/// Why an operation failed, in the model's terms: a shape's name, a message and the shape's members.
///
/// The wire's code, the HTTP status and who is at fault are looked up in the model by the name.
pub struct Fault(Box<Inner>);

struct Inner {
    name: Cow<'static, str>,
    message: String,
    members: Option<Box<dyn Struct + Sync>>,
    extra: Vec<(&'static str, String)>,
    status: Option<u16>,
    cause: Option<String>,
}

impl Fault {
    /// A fault with the model's (or a common) error name and the message for the caller.
    pub fn new(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Fault {
        Fault(Box::new(Inner {
            name: name.into(),
            message: message.into(),
            members: None,
            extra: Vec::new(),
            status: None,
            cause: None,
        }))
    }

    /// A fault of ours. The caller learns nothing of `cause`; the log has it.
    pub fn internal(cause: impl fmt::Display) -> Fault {
        let mut fault = Fault::new(
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        );
        fault.0.cause = Some(cause.to_string());
        fault
    }

    /// Why a body could not be read: AWS's own error if the gateway found it wrong (a bad chunk
    /// signature, a broken promise), else `otherwise`, such as `IncompleteBody`.
    pub fn of_body(error: BodyError, otherwise: &'static str, message: &str) -> Fault {
        match error.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(error) => Fault::new(otherwise, message).because(error).with_status(400),
        }
    }

    /// The caller may not do this; `message` is AWS's, word for word.
    pub fn access_denied(message: impl Into<String>) -> Fault {
        Fault::new("AccessDenied", message)
    }

    /// The input breaks a rule; rendered with the service's validation code.
    pub fn validation(message: impl Into<String>) -> Fault {
        Fault::new("ValidationException", message)
    }

    /// The operation stands in the model and has no handler.
    pub fn not_implemented(service: &str, operation: &str) -> Fault {
        Fault::new(
            "NotImplemented",
            format!("Fogbank does not implement {service}:{operation} yet; see COMPATIBILITY.md."),
        )
    }

    /// Adds the members of the error's shape beyond its message.
    pub fn with_members(mut self, members: impl Struct + Sync) -> Fault {
        self.0.members = Some(Box::new(members));
        self
    }

    /// Adds an element that AWS sends though the model does not list it (S3's `BucketName`).
    pub fn with(mut self, element: &'static str, value: impl Into<String>) -> Fault {
        self.0.extra.push((element, value.into()));
        self
    }

    /// Sets a status other than the model's.
    pub fn with_status(mut self, status: u16) -> Fault {
        self.0.status = Some(status);
        self
    }

    /// Adds a cause for the log.
    pub fn because(mut self, cause: impl fmt::Display) -> Fault {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The error's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The members of the error's shape beyond its message.
    pub fn members(&self) -> Option<&dyn Struct> {
        self.0.members.as_deref().map(|members| members as &dyn Struct)
    }

    /// The elements that AWS sends though the model does not list them.
    pub fn extra(&self) -> &[(&'static str, String)] {
        &self.0.extra
    }

    /// The status, where it is not the model's.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the log should say and the caller must not know.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name, self.0.message)?;
        self.0.cause.as_ref().map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name, self.0.message)
    }
}

impl std::error::Error for Fault {}

impl From<fogbank_store::Error> for Fault {
    fn from(error: fogbank_store::Error) -> Fault {
        use fogbank_store::Error;
        let message = match &error {
            error if error.is_disk_full() => {
                "The disk of this Fogbank is full: nothing new is stored until there is space again. \
                 The log and `fogbank doctor` say more."
            }
            Error::ReadOnly { .. } => {
                "The disk of this Fogbank failed: nothing is stored until it is started again. \
                 The log and `fogbank doctor` say more."
            }
            _ => return Fault::internal(error),
        };
        // The code and status that AWS's services have in common, and that its SDKs ask again after.
        Fault::new("ServiceUnavailable", message).with_status(503).because(error)
    }
}

/// Declares a service's errors: an enum whose variants are the model's error shapes.
///
/// ```
/// fogbank_core::errors! {
///     /// What SQS refuses.
///     pub enum Error {
///         #[error("The specified queue does not exist.")]
///         QueueDoesNotExist,
///         #[error("{0}")]
///         InvalidAttributeValue(String),
///     }
/// }
/// ```
///
/// A variant holds nothing or values for its message (a tuple). `Fault(Fault)` is added: what comes
/// from elsewhere, such as the store or another service, passes through `?`.
#[macro_export]
macro_rules! errors {
    ($(#[$meta:meta])* pub enum $name:ident {
        $( $(#[$attribute:meta])+ $variant:ident $(( $($field:ty),+ $(,)? ))? ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, ::thiserror::Error)]
        #[allow(missing_docs)]
        pub enum $name {
            $( $(#[$attribute])+ $variant $(( $($field),+ ))?, )*
            #[error("{0}")]
            Fault($crate::Fault),
        }

        impl $name {
            /// The names of all error shapes that this service raises.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($variant)),*];

            /// The error shape's name in the model.
            pub fn name(&self) -> &str {
                match self {
                    $( $crate::errors!(@pattern $variant $(( $($field),+ ))?) => stringify!($variant), )*
                    Self::Fault(fault) => fault.name(),
                }
            }
        }

        impl From<$name> for $crate::Fault {
            fn from(error: $name) -> $crate::Fault {
                let message = error.to_string();
                match error {
                    $name::Fault(fault) => fault,
                    $( $crate::errors!(@pattern_of $name $variant $(( $($field),+ ))?) =>
                        $crate::Fault::new(stringify!($variant), message), )*
                }
            }
        }

        impl From<$crate::Fault> for $name {
            fn from(fault: $crate::Fault) -> Self {
                Self::Fault(fault)
            }
        }

        impl From<$crate::store::Error> for $name {
            fn from(error: $crate::store::Error) -> Self {
                Self::Fault(error.into())
            }
        }
    };
    (@pattern $variant:ident) => { Self::$variant };
    (@pattern $variant:ident ( $($field:ty),+ )) => { Self::$variant(..) };
    (@pattern_of $name:ident $variant:ident) => { $name::$variant };
    (@pattern_of $name:ident $variant:ident ( $($field:ty),+ )) => { $name::$variant(..) };
}
