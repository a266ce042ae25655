//! AWS Security Token Service: who calls, and temporary credentials of roles, users and the root.
//!
//! A session is a row of `fogbank_identity`; it ends by the cloud's clock and is forgotten a day later. On a developer's
//! machine the root may assume roles that trust it, which AWS refuses, as a server here does.
//!
//! What is missing: web identities and SAML, federation tokens, MFA devices, decoding of authorization messages. The
//! packed size of policies is that of their plain text, because AWS's packing is not known.

mod access;
mod callers;
mod error;
mod model;
mod reset;
mod rules;
mod sessions;
mod store;
mod tasks;

#[cfg(test)]
mod tests;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    read  GetCallerIdentity => callers::get_identity, access::everybody;
    read  GetAccessKeyInfo => callers::get_access_key_info, access::all;
    write GetSessionToken => sessions::get_session_token, access::everybody;
    task  AssumeRole => sessions::assume_role, access::everybody;
};

/// STS.
pub static SERVICE: Service = Service {
    tasks: tasks::TASKS,
    tables: fogbank_identity::rows::STS_TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "ValidationError", ..Style::DEFAULT },
        OPERATIONS,
    )
};
