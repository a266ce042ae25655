//! AWS Identity and Access Management: users, groups, roles, their policies and access keys.
//!
//! Its rows lie in `fogbank_identity`, where the gateway reads them for every call: a change counts for every call that
//! begins after it was acknowledged. Names are unique in an account whatever the case of their letters.
//!
//! Quotas are AWS's for a new account where they bound a user, group, role or policy; the number of users, groups, roles
//! and policies of an account is not bounded. What is missing: instance profiles, login profiles and passwords, MFA
//! devices, identity providers, service-linked roles, server certificates, account aliases, the policy simulator and the
//! reports.

mod access;
mod access_keys;
mod account;
mod attached_policies;
mod boundaries;
mod error;
mod groups;
mod inline_policies;
mod model;
mod policies;
mod reset;
mod roles;
mod rules;
mod store;
mod tags;
mod tasks;
mod users;

#[cfg(test)]
mod tests;

pub use error::Error;
use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    write CreateUser => users::create, access::new_user;
    read  GetUser => users::get, access::user;
    read  ListUsers => users::list, access::users;
    write UpdateUser => users::update, access::user;
    write DeleteUser => users::delete, access::user;
    write CreateAccessKey => access_keys::create, access::user;
    read  ListAccessKeys => access_keys::list, access::user;
    write UpdateAccessKey => access_keys::update, access::user;
    write DeleteAccessKey => access_keys::delete, access::user;
    read  GetAccessKeyLastUsed => access_keys::get_last_used, access::access_key;
    write CreateRole => roles::create, access::new_role;
    read  GetRole => roles::get, access::role;
    read  ListRoles => roles::list, access::roles;
    write UpdateRole => roles::update, access::role;
    write DeleteRole => roles::delete, access::role;
    write UpdateAssumeRolePolicy => roles::update_trust, access::role;
    read  ListInstanceProfilesForRole => roles::list_instance_profiles, access::role;
    write CreateGroup => groups::create, access::new_group;
    read  GetGroup => groups::get, access::group;
    read  ListGroups => groups::list, access::groups;
    write DeleteGroup => groups::delete, access::group;
    write AddUserToGroup => groups::add_user, access::group;
    write RemoveUserFromGroup => groups::remove_user, access::group;
    read  ListGroupsForUser => groups::list_for_user, access::user;
    write PutUserPolicy => inline_policies::put_user, access::user;
    read  GetUserPolicy => inline_policies::get_user, access::user;
    read  ListUserPolicies => inline_policies::list_user, access::user;
    write DeleteUserPolicy => inline_policies::delete_user, access::user;
    write PutGroupPolicy => inline_policies::put_group, access::group;
    read  GetGroupPolicy => inline_policies::get_group, access::group;
    read  ListGroupPolicies => inline_policies::list_group, access::group;
    write DeleteGroupPolicy => inline_policies::delete_group, access::group;
    write PutRolePolicy => inline_policies::put_role, access::role;
    read  GetRolePolicy => inline_policies::get_role, access::role;
    read  ListRolePolicies => inline_policies::list_role, access::role;
    write DeleteRolePolicy => inline_policies::delete_role, access::role;
    write CreatePolicy => policies::create, access::new_policy;
    read  GetPolicy => policies::get, access::policy;
    read  ListPolicies => policies::list, access::policies;
    write DeletePolicy => policies::delete, access::policy;
    write CreatePolicyVersion => policies::create_version, access::policy;
    read  GetPolicyVersion => policies::get_version, access::policy;
    read  ListPolicyVersions => policies::list_versions, access::policy;
    write DeletePolicyVersion => policies::delete_version, access::policy;
    write SetDefaultPolicyVersion => policies::set_default_version, access::policy;
    write AttachUserPolicy => attached_policies::attach_user, access::user_and_policy;
    write DetachUserPolicy => attached_policies::detach_user, access::user_and_policy;
    read  ListAttachedUserPolicies => attached_policies::list_user, access::user;
    write AttachGroupPolicy => attached_policies::attach_group, access::group_and_policy;
    write DetachGroupPolicy => attached_policies::detach_group, access::group_and_policy;
    read  ListAttachedGroupPolicies => attached_policies::list_group, access::group;
    write AttachRolePolicy => attached_policies::attach_role, access::role_and_policy;
    write DetachRolePolicy => attached_policies::detach_role, access::role_and_policy;
    read  ListAttachedRolePolicies => attached_policies::list_role, access::role;
    read  ListEntitiesForPolicy => attached_policies::list_entities, access::policy;
    write PutUserPermissionsBoundary => boundaries::put_user, access::user_and_boundary;
    write DeleteUserPermissionsBoundary => boundaries::delete_user, access::user;
    write PutRolePermissionsBoundary => boundaries::put_role, access::role_and_boundary;
    write DeleteRolePermissionsBoundary => boundaries::delete_role, access::role;
    write TagUser => tags::tag_user, access::tagged_user;
    write UntagUser => tags::untag_user, access::tagged_user;
    read  ListUserTags => tags::list_user, access::user;
    write TagRole => tags::tag_role, access::tagged_role;
    write UntagRole => tags::untag_role, access::tagged_role;
    read  ListRoleTags => tags::list_role, access::role;
    read  GetAccountSummary => account::get_summary, access::account;
    read  ListAccountAliases => account::list_aliases, access::account;
};

/// IAM.
pub static SERVICE: Service = Service {
    tasks: tasks::TASKS,
    tables: fogbank_identity::rows::IAM_TABLES,
    reset: Some(reset::reset),
    stop: Some(|cx| {
        Box::pin(async move {
            if let Err(fault) = tasks::write_decisions(cx).await {
                fogbank_core::tracing::warn!(%fault, "the last decisions are not written down");
            }
        })
    }),
    ..Service::new(
        &model::SERVICE,
        Style { validation_code: "ValidationError", ..Style::DEFAULT },
        OPERATIONS,
    )
};
