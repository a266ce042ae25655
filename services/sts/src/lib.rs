//! AWS Security Token Service: who calls, and temporary credentials of roles, users and the root.
//!
//! A session is a row of `fogbank_identity`; it ends by the cloud's clock and is forgotten a day later. On a developer's
//! machine the root may assume roles that trust it, which AWS refuses, as a server here does.
//!
//! Tokens of OpenID Connect providers and responses of SAML providers are proven: signatures with the provider's keys,
//! which are fetched from it or stand in its metadata, issuer, audience and times. Signatures with SHA-1, RSA keys below
//! 2,048 bits, the curve P-521 and encrypted assertions are refused.
//!
//! Outbound tokens are signed by keys of the account, which are made once and not rotated. Encoded
//! authorization messages, which only EC2 makes on AWS, are decoded if one has them. The packed size of policies is that of their plain text, because AWS's packing is not known.

mod access;
mod callers;
mod delegations;
mod error;
mod federated_users;
mod federation;
mod key_sets;
mod messages;
mod mfa;
mod model;
mod outbound;
mod reset;
mod roots;
mod rules;
mod saml;
mod sessions;
mod store;
mod tasks;
mod web_identities;

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
    task  AssumeRoleWithWebIdentity => web_identities::assume_role, access::everybody;
    task  AssumeRoleWithSAML => saml::assume_role, access::everybody;
    write GetFederationToken => federated_users::get_token, access::federated_user;
    write AssumeRoot => roots::assume, access::root;
    read  DecodeAuthorizationMessage => messages::decode, access::all;
    write GetDelegatedAccessToken => delegations::get_token, access::all;
    task  GetWebIdentityToken => outbound::get_token, access::web_identity_token;
};

/// STS.
pub static SERVICE: Service = Service {
    quick: &["GetCallerIdentity"],
    tasks: tasks::TASKS,
    data_planes: &[outbound::PLANE],
    tables: fogbank_identity::rows::STS_TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "ValidationError", ..Style::DEFAULT },
        OPERATIONS,
    )
};
