//! AWS Identity and Access Management: users, groups, roles, their policies, and all that they prove themselves with.
//!
//! Its rows lie in `fogbank_identity`, where the gateway and STS read them: a change counts for every call that begins
//! after it was acknowledged. Names are unique in an account whatever the case of their letters.
//!
//! Quotas are AWS's for a new account where they bound a user, group, role or policy; the number of users, groups, roles
//! and policies of an account is not bounded. Passwords, signing certificates, SSH keys and service-specific credentials
//! are checked, kept and shown, but nothing here takes them: there is no console and no service that would. Services
//! act as themselves and not in their service-linked roles, which are there with the policies that AWS gives them. Of the
//! versions of AWS's managed policies there is the one in force.
//!
//! What is missing: role templates, restrictions of roles by delegation requests, encrypted SAML assertions. Last accesses by action name those that
//! were seen, without their regions.

mod access;
mod access_keys;
mod account;
mod aliases;
mod attached_policies;
mod authorization_details;
mod boundaries;
mod delegation_requests;
mod error;
mod groups;
mod holders;
mod inline_policies;
mod instance_profiles;
mod last_accesses;
mod linked_roles;
mod mfa_devices;
mod model;
mod named;
mod oidc_providers;
mod organization_reports;
mod outbound_federation;
mod passwords;
mod policies;
mod reports;
mod reset;
mod roles;
mod root_features;
mod rules;
mod saml_providers;
mod server_certificates;
mod service_credentials;
mod signing_certificates;
mod simulations;
mod ssh_public_keys;
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
    read  ListInstanceProfilesForRole => instance_profiles::list_for_role, access::role;
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
    read  ListAccountAliases => aliases::list, access::account;
    write CreateAccountAlias => aliases::create, access::account;
    write DeleteAccountAlias => aliases::delete, access::account;
    write SetSecurityTokenServicePreferences => account::set_token_version, access::account;
    write UpdateGroup => groups::update, access::group;
    write UpdateRoleDescription => roles::update_description, access::role;
    write CreateInstanceProfile => instance_profiles::create, access::new_instance_profile;
    read  GetInstanceProfile => instance_profiles::get, access::instance_profile;
    read  ListInstanceProfiles => instance_profiles::list, access::instance_profiles;
    write DeleteInstanceProfile => instance_profiles::delete, access::instance_profile;
    write AddRoleToInstanceProfile => instance_profiles::add_role, access::instance_profile_and_role;
    write RemoveRoleFromInstanceProfile => instance_profiles::remove_role, access::instance_profile;
    task  CreateLoginProfile => passwords::create, access::user;
    read  GetLoginProfile => passwords::get, access::user;
    task  UpdateLoginProfile => passwords::update, access::user;
    write DeleteLoginProfile => passwords::delete, access::user;
    task  ChangePassword => passwords::change, access::own_password;
    read  GetAccountPasswordPolicy => passwords::get_policy, access::account;
    write UpdateAccountPasswordPolicy => passwords::put_policy, access::account;
    write DeleteAccountPasswordPolicy => passwords::delete_policy, access::account;
    write CreateVirtualMFADevice => mfa_devices::create, access::new_mfa_device;
    write DeleteVirtualMFADevice => mfa_devices::delete, access::mfa_device;
    write EnableMFADevice => mfa_devices::enable, access::user;
    write ResyncMFADevice => mfa_devices::resync, access::user;
    write DeactivateMFADevice => mfa_devices::deactivate, access::user;
    read  GetMFADevice => mfa_devices::get, access::user;
    read  ListMFADevices => mfa_devices::list, access::user;
    read  ListVirtualMFADevices => mfa_devices::list_virtual, access::account;
    write CreateOpenIDConnectProvider => oidc_providers::create, access::new_oidc_provider;
    read  GetOpenIDConnectProvider => oidc_providers::get, access::oidc_provider;
    read  ListOpenIDConnectProviders => oidc_providers::list, access::account;
    write AddClientIDToOpenIDConnectProvider => oidc_providers::add_client_id, access::oidc_provider;
    write RemoveClientIDFromOpenIDConnectProvider => oidc_providers::remove_client_id, access::oidc_provider;
    write UpdateOpenIDConnectProviderThumbprint => oidc_providers::update_thumbprint, access::oidc_provider;
    write DeleteOpenIDConnectProvider => oidc_providers::delete, access::oidc_provider;
    write CreateSAMLProvider => saml_providers::create, access::new_saml_provider;
    read  GetSAMLProvider => saml_providers::get, access::saml_provider;
    read  ListSAMLProviders => saml_providers::list, access::account;
    write UpdateSAMLProvider => saml_providers::update, access::saml_provider;
    write DeleteSAMLProvider => saml_providers::delete, access::saml_provider;
    write CreateServiceLinkedRole => linked_roles::create, access::new_linked_role;
    write DeleteServiceLinkedRole => linked_roles::delete, access::linked_role;
    read  GetServiceLinkedRoleDeletionStatus => linked_roles::get_deletion_status, access::linked_role;
    write UploadServerCertificate => server_certificates::upload, access::new_server_certificate;
    read  GetServerCertificate => server_certificates::get, access::server_certificate;
    read  ListServerCertificates => server_certificates::list, access::server_certificates;
    write UpdateServerCertificate => server_certificates::update, access::server_certificate;
    write DeleteServerCertificate => server_certificates::delete, access::server_certificate;
    write UploadSigningCertificate => signing_certificates::upload, access::user;
    read  ListSigningCertificates => signing_certificates::list, access::user;
    write UpdateSigningCertificate => signing_certificates::update, access::user;
    write DeleteSigningCertificate => signing_certificates::delete, access::user;
    write UploadSSHPublicKey => ssh_public_keys::upload, access::user;
    read  GetSSHPublicKey => ssh_public_keys::get, access::user;
    read  ListSSHPublicKeys => ssh_public_keys::list, access::user;
    write UpdateSSHPublicKey => ssh_public_keys::update, access::user;
    write DeleteSSHPublicKey => ssh_public_keys::delete, access::user;
    write CreateServiceSpecificCredential => service_credentials::create, access::new_service_credential;
    write ResetServiceSpecificCredential => service_credentials::reset, access::service_credential;
    read  ListServiceSpecificCredentials => service_credentials::list, access::user_or_all;
    write UpdateServiceSpecificCredential => service_credentials::update, access::service_credential;
    write DeleteServiceSpecificCredential => service_credentials::delete, access::service_credential;
    write TagPolicy => tags::tag_policy, access::tagged_policy;
    write UntagPolicy => tags::untag_policy, access::tagged_policy;
    read  ListPolicyTags => tags::list_policy, access::policy;
    write TagInstanceProfile => tags::tag_instance_profile, access::tagged_instance_profile;
    write UntagInstanceProfile => tags::untag_instance_profile, access::tagged_instance_profile;
    read  ListInstanceProfileTags => tags::list_instance_profile, access::instance_profile;
    write TagMFADevice => tags::tag_mfa_device, access::mfa_device;
    write UntagMFADevice => tags::untag_mfa_device, access::mfa_device;
    read  ListMFADeviceTags => tags::list_mfa_device, access::mfa_device;
    write TagOpenIDConnectProvider => tags::tag_oidc_provider, access::oidc_provider;
    write UntagOpenIDConnectProvider => tags::untag_oidc_provider, access::oidc_provider;
    read  ListOpenIDConnectProviderTags => tags::list_oidc_provider, access::oidc_provider;
    write TagSAMLProvider => tags::tag_saml_provider, access::saml_provider;
    write UntagSAMLProvider => tags::untag_saml_provider, access::saml_provider;
    read  ListSAMLProviderTags => tags::list_saml_provider, access::saml_provider;
    write TagServerCertificate => tags::tag_server_certificate, access::tagged_server_certificate;
    write UntagServerCertificate => tags::untag_server_certificate, access::tagged_server_certificate;
    read  ListServerCertificateTags => tags::list_server_certificate, access::server_certificate;
    write GenerateCredentialReport => reports::generate, access::account;
    read  GetCredentialReport => reports::get, access::account;
    read  GetAccountAuthorizationDetails => authorization_details::get, access::account;
    read  SimulateCustomPolicy => simulations::custom, access::account;
    read  SimulatePrincipalPolicy => simulations::principal, access::policy_source;
    read  GetContextKeysForCustomPolicy => simulations::custom_keys, access::account;
    read  GetContextKeysForPrincipalPolicy => simulations::principal_keys, access::policy_source;
    read  ListPoliciesGrantingServiceAccess => last_accesses::list_granting, access::by_arn;
    write GenerateServiceLastAccessedDetails => last_accesses::generate, access::by_arn;
    read  GetServiceLastAccessedDetails => last_accesses::get, access::account;
    read  GetServiceLastAccessedDetailsWithEntities => last_accesses::get_with_entities, access::account;
    write EnableOutboundWebIdentityFederation => outbound_federation::enable, access::account;
    write DisableOutboundWebIdentityFederation => outbound_federation::disable, access::account;
    read  GetOutboundWebIdentityFederationInfo => outbound_federation::get, access::account;
    write EnableOrganizationsRootCredentialsManagement => root_features::enable_credentials, access::account;
    write DisableOrganizationsRootCredentialsManagement => root_features::disable_credentials, access::account;
    write EnableOrganizationsRootSessions => root_features::enable_sessions, access::account;
    write DisableOrganizationsRootSessions => root_features::disable_sessions, access::account;
    read  ListOrganizationsFeatures => root_features::list, access::account;
    write GenerateOrganizationsAccessReport => organization_reports::generate, access::organization_report;
    read  GetOrganizationsAccessReport => organization_reports::get, access::account;
    write CreateDelegationRequest => delegation_requests::create, access::new_delegation;
    write AssociateDelegationRequest => delegation_requests::associate, access::delegation;
    read  GetDelegationRequest => delegation_requests::get, access::own_delegation;
    read  ListDelegationRequests => delegation_requests::list, access::delegations;
    write UpdateDelegationRequest => delegation_requests::update, access::own_delegation;
    write AcceptDelegationRequest => delegation_requests::accept, access::delegation;
    write RejectDelegationRequest => delegation_requests::reject, access::delegation;
    write SendDelegationToken => delegation_requests::send_token, access::delegation;
    read  GetHumanReadableSummary => delegation_requests::summary, access::own_delegation;
};

/// IAM.
pub static SERVICE: Service = Service {
    tasks: tasks::TASKS,
    tables: fogbank_identity::rows::IAM_TABLES,
    resource_policy: Some(|tx, check| access::policy_of_root(tx, &check.resource)),
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
