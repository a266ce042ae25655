//! The account: its numbers, and how its tokens look.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{
    ACCOUNTS, GROUPS, INSTANCE_PROFILES, MFA_DEVICES, MfaDevice, OIDC_PROVIDERS, POLICIES, ROLES,
    SAML_PROVIDERS, SERVER_CERTIFICATES, USER_DEVICES, USERS,
};

use crate::error::Error;
use crate::model::{
    GetAccountSummaryInput, GetAccountSummaryOutput, GlobalEndpointTokenVersion,
    SetSecurityTokenServicePreferencesInput, SetSecurityTokenServicePreferencesOutput,
};
use crate::store;

/// AWS's quotas as it sets them for a new account, and what cannot exist here yet.
const FIXED: [(&str, i32); 22] = [
    ("AccessKeysPerUserQuota", 2),
    ("AccountPasswordPresent", 0),
    ("AccountSigningCertificatesPresent", 0),
    ("AssumeRolePolicySizeQuota", 2048),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("GlobalEndpointTokenVersion", 2),
    ("GroupPolicySizeQuota", 5120),
    ("GroupsPerUserQuota", 10),
    ("GroupsQuota", 300),
    ("InstanceProfilesQuota", 1000),
    ("PoliciesQuota", 1500),
    ("PolicySizeQuota", 6144),
    ("PolicyVersionsInUseQuota", 10_000),
    ("RolePolicySizeQuota", 10_240),
    ("RolesQuota", 1000),
    ("ServerCertificatesQuota", 20),
    ("SigningCertificatesPerUserQuota", 2),
    ("UserPolicySizeQuota", 2048),
    ("UsersQuota", 5000),
    ("VersionsPerPolicyQuota", 5),
];

/// Counts what the account has, beside AWS's quotas.
pub(crate) fn get_summary(
    tx: &ReadTx<'_>,
    _: GetAccountSummaryInput,
) -> Result<GetAccountSummaryOutput, Error> {
    let policies = POLICIES.list(tx, &(tx.account(),))?;
    let versions: usize = policies.iter().map(|(_, policy)| policy.versions.len()).sum();
    let root = ACCOUNTS.get(tx, tx.account())?.unwrap_or_default();
    let has_device = USER_DEVICES.range(&(tx.account(),)).count(tx)? > 0;
    let (mut devices, mut in_use) = (0, 0);
    MFA_DEVICES.range(&(tx.account(),)).visit(tx, |_, device: MfaDevice| {
        devices += 1;
        in_use += i32::from(device.enabled.is_some());
        ControlFlow::Continue(())
    })?;
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let counted = [
        ("AccountAccessKeysPresent", i32::from(!root.root_access_keys.is_empty())),
        ("AccountMFAEnabled", i32::from(has_device)),
        ("InstanceProfiles", store::count(tx, &INSTANCE_PROFILES)?),
        ("MFADevices", devices),
        ("MFADevicesInUse", in_use),
        ("Providers", store::count(tx, &OIDC_PROVIDERS)? + store::count(tx, &SAML_PROVIDERS)?),
        ("ServerCertificates", store::count(tx, &SERVER_CERTIFICATES)?),
        ("Groups", store::count(tx, &GROUPS)?),
        ("Policies", number(policies.len())),
        ("PolicyVersionsInUse", number(versions)),
        ("Roles", store::count(tx, &ROLES)?),
        ("Users", store::count(tx, &USERS)?),
    ];
    let summary: BTreeMap<String, i32> =
        FIXED.into_iter().chain(counted).map(|(name, count)| (name.to_owned(), count)).collect();
    Ok(GetAccountSummaryOutput { summary_map: Some(summary) })
}

/// Sets the form of session tokens. Those of the second version, which all Regions take, are the only ones here.
pub(crate) fn set_token_version(
    _: &mut WriteTx<'_>,
    input: SetSecurityTokenServicePreferencesInput,
) -> Result<SetSecurityTokenServicePreferencesOutput, Error> {
    match input.global_endpoint_token_version {
        GlobalEndpointTokenVersion::V2Token => Ok(SetSecurityTokenServicePreferencesOutput {}),
        GlobalEndpointTokenVersion::V1Token => {
            let what = "SetSecurityTokenServicePreferences with v1Token";
            Err(Fault::not_implemented("iam", what).into())
        }
    }
}
