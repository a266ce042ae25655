//! The account: its numbers and aliases.

use std::collections::BTreeMap;

use fogbank_core::{ReadTx, Tx};
use fogbank_identity::rows::{ACCOUNTS, GROUPS, POLICIES, ROLES, USERS};

use crate::error::Error;
use crate::model::{
    GetAccountSummaryInput, GetAccountSummaryOutput, ListAccountAliasesInput,
    ListAccountAliasesOutput,
};
use crate::store;

/// AWS's quotas as it sets them for a new account, and what cannot exist here yet.
const FIXED: [(&str, i32); 28] = [
    ("AccessKeysPerUserQuota", 2),
    ("AccountMFAEnabled", 0),
    ("AccountPasswordPresent", 0),
    ("AccountSigningCertificatesPresent", 0),
    ("AssumeRolePolicySizeQuota", 2048),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("GlobalEndpointTokenVersion", 1),
    ("GroupPolicySizeQuota", 5120),
    ("GroupsPerUserQuota", 10),
    ("GroupsQuota", 300),
    ("InstanceProfiles", 0),
    ("InstanceProfilesQuota", 1000),
    ("MFADevices", 0),
    ("MFADevicesInUse", 0),
    ("PoliciesQuota", 1500),
    ("PolicySizeQuota", 6144),
    ("PolicyVersionsInUseQuota", 10_000),
    ("Providers", 0),
    ("RolePolicySizeQuota", 10_240),
    ("RolesQuota", 1000),
    ("ServerCertificates", 0),
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
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let counted = [
        ("AccountAccessKeysPresent", i32::from(!root.root_access_keys.is_empty())),
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

/// Lists the account's aliases, which cannot be made yet.
pub(crate) fn list_aliases(
    _: &ReadTx<'_>,
    _: ListAccountAliasesInput,
) -> Result<ListAccountAliasesOutput, Error> {
    Ok(ListAccountAliasesOutput {
        account_aliases: Some(Vec::new()),
        is_truncated: Some(false),
        marker: None,
    })
}
