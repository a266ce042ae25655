//! AWS Organizations: accounts in a tree of units, and the policies that limit what they may do.
//!
//! Its rows lie in `fogbank_identity`, where the gateway reads them for every call: a policy that is attached counts for
//! every call that begins after it was acknowledged. Service and resource control policies decide calls; tag policies
//! are merged and shown, and no service obeys them. A created account is a number like any other, with a role in it that the management account may
//! assume.
//!
//! The organization's own policy lets members look at it and manage policies; other operations it can't let them do.
//!
//! What is missing: consolidated billing alone, invitations by email, other types of policies, transfers of billing. A
//! closed account stays `SUSPENDED`; AWS forgets it after 90 days. Delegated administrators and trusted services are kept
//! and may read, but no service acts on them.

mod access;
mod accounts;
mod delegations;
mod effective;
mod error;
mod handshakes;
mod inheritance;
mod model;
mod organization;
mod policies;
mod reset;
mod resource_policies;
mod rules;
mod store;
mod tags;
mod units;

#[cfg(test)]
mod tests;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Job, Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    read  DescribeEffectivePolicy => effective::describe, access::effective;
    read  ListAccountsWithInvalidEffectivePolicy => effective::list_invalid, access::all;
    read  ListEffectivePolicyValidationErrors => effective::list_errors, access::account;
    write EnableAllFeatures => effective::enable_all_features, access::all;
    write CreateOrganization => organization::create, access::all;
    read  DescribeOrganization => organization::describe, access::all;
    write DeleteOrganization => organization::delete, access::all;
    write LeaveOrganization => accounts::leave, access::all;
    read  ListRoots => organization::list_roots, access::all;
    write CreateOrganizationalUnit => units::create, access::parent;
    write UpdateOrganizationalUnit => units::update, access::unit;
    write DeleteOrganizationalUnit => units::delete, access::unit;
    read  DescribeOrganizationalUnit => units::describe, access::unit;
    read  ListOrganizationalUnitsForParent => units::list, access::parent;
    read  ListParents => units::list_parents, access::child;
    read  ListChildren => units::list_children, access::parent;
    write CreateAccount => accounts::create, access::all;
    read  DescribeCreateAccountStatus => accounts::describe_creation, access::all;
    read  ListCreateAccountStatus => accounts::list_creations, access::all;
    read  DescribeAccount => accounts::describe, access::account;
    read  ListAccounts => accounts::list, access::all;
    read  ListAccountsForParent => accounts::list_for_parent, access::parent;
    write MoveAccount => accounts::move_to, access::moved;
    write CloseAccount => accounts::close, access::account;
    write RemoveAccountFromOrganization => accounts::remove, access::account;
    write CreatePolicy => policies::create, access::all;
    write UpdatePolicy => policies::update, access::policy;
    read  DescribePolicy => policies::describe, access::policy;
    write DeletePolicy => policies::delete, access::policy;
    read  ListPolicies => policies::list, access::all;
    write AttachPolicy => policies::attach, access::attachment;
    write DetachPolicy => policies::detach, access::attachment;
    read  ListTargetsForPolicy => policies::list_targets, access::policy;
    read  ListPoliciesForTarget => policies::list_for_target, access::target;
    write EnablePolicyType => organization::enable_policy_type, access::root;
    write DisablePolicyType => organization::disable_policy_type, access::root;
    write PutResourcePolicy => resource_policies::put, access::resource_policy;
    read  DescribeResourcePolicy => resource_policies::describe, access::all;
    write DeleteResourcePolicy => resource_policies::delete, access::all;
    write TagResource => tags::tag, access::resource;
    write UntagResource => tags::untag, access::resource;
    read  ListTagsForResource => tags::list, access::resource;
    write EnableAWSServiceAccess => organization::enable_service, access::all;
    write DisableAWSServiceAccess => organization::disable_service, access::all;
    read  ListAWSServiceAccessForOrganization => organization::list_services, access::all;
    write RegisterDelegatedAdministrator => delegations::register, access::account;
    write DeregisterDelegatedAdministrator => delegations::deregister, access::account;
    read  ListDelegatedAdministrators => delegations::list, access::all;
    read  ListDelegatedServicesForAccount => delegations::list_services, access::account;
    write InviteAccountToOrganization => handshakes::invite, access::invited;
    read  DescribeHandshake => handshakes::describe, access::handshake;
    write AcceptHandshake => handshakes::accept, access::handshake;
    write DeclineHandshake => handshakes::decline, access::handshake;
    write CancelHandshake => handshakes::cancel, access::handshake;
    read  ListHandshakesForAccount => handshakes::list_for_account, access::all;
    read  ListHandshakesForOrganization => handshakes::list_for_organization, access::all;
};

/// Organizations.
pub static SERVICE: Service = Service {
    jobs: &[Job { name: "create-account", run: accounts::perform }],
    resource_policy: Some(|tx, check| resource_policies::of_resource(tx, &check.resource)),
    resource_tags: Some(tags::of_resource),
    tables: fogbank_identity::organizations::TABLES,
    reset: Some(reset::reset),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "InvalidInputException", ..Style::DEFAULT },
        OPERATIONS,
    )
};
