//! Centralized root access: what an organization's management account does about the roots of its members.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::organizations::{ACCOUNTS, DELEGATIONS, ORGANIZATIONS};
use fogbank_identity::rows::{ROOT_FEATURES, RootFeatures};

use crate::error::Error;
use crate::model::{
    DisableOrganizationsRootCredentialsManagementInput,
    DisableOrganizationsRootCredentialsManagementOutput, DisableOrganizationsRootSessionsInput,
    DisableOrganizationsRootSessionsOutput, EnableOrganizationsRootCredentialsManagementInput,
    EnableOrganizationsRootCredentialsManagementOutput, EnableOrganizationsRootSessionsInput,
    EnableOrganizationsRootSessionsOutput, ListOrganizationsFeaturesInput,
    ListOrganizationsFeaturesOutput,
};

/// IAM as Organizations knows services.
const SERVICE: &str = "iam.amazonaws.com";

/// Lets the management account manage the credentials of its members' roots.
pub(crate) fn enable_credentials(
    tx: &mut WriteTx<'_>,
    _: EnableOrganizationsRootCredentialsManagementInput,
) -> Result<EnableOrganizationsRootCredentialsManagementOutput, Error> {
    let (organization_id, enabled_features) = enable(tx, |features| features.credentials = true)?;
    Ok(EnableOrganizationsRootCredentialsManagementOutput { organization_id, enabled_features })
}

/// No longer lets it.
pub(crate) fn disable_credentials(
    tx: &mut WriteTx<'_>,
    _: DisableOrganizationsRootCredentialsManagementInput,
) -> Result<DisableOrganizationsRootCredentialsManagementOutput, Error> {
    let (organization_id, enabled_features) = change(tx, |features| features.credentials = false)?;
    Ok(DisableOrganizationsRootCredentialsManagementOutput { organization_id, enabled_features })
}

/// Lets the management account act as its members' roots, by `sts:AssumeRoot`.
pub(crate) fn enable_sessions(
    tx: &mut WriteTx<'_>,
    _: EnableOrganizationsRootSessionsInput,
) -> Result<EnableOrganizationsRootSessionsOutput, Error> {
    let (organization_id, enabled_features) = enable(tx, |features| features.sessions = true)?;
    Ok(EnableOrganizationsRootSessionsOutput { organization_id, enabled_features })
}

/// No longer lets it.
pub(crate) fn disable_sessions(
    tx: &mut WriteTx<'_>,
    _: DisableOrganizationsRootSessionsInput,
) -> Result<DisableOrganizationsRootSessionsOutput, Error> {
    let (organization_id, enabled_features) = change(tx, |features| features.sessions = false)?;
    Ok(DisableOrganizationsRootSessionsOutput { organization_id, enabled_features })
}

/// Lists what is enabled.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    _: ListOrganizationsFeaturesInput,
) -> Result<ListOrganizationsFeaturesOutput, Error> {
    let Place { organization, .. } = place(tx)?;
    let features = ROOT_FEATURES.get(tx, &organization)?.unwrap_or_default();
    let (organization_id, enabled_features) = shown(organization, &features);
    Ok(ListOrganizationsFeaturesOutput { organization_id, enabled_features })
}

/// Where the caller stands.
struct Place {
    organization: String,
    is_management: bool,
}

/// The organization that the caller manages, or administers for IAM, and that lets IAM in.
fn place(tx: &impl Tx) -> Result<Place, Error> {
    let account = ACCOUNTS.get(tx, tx.account())?.ok_or(Error::OrganizationNotFoundException)?;
    let id = account.organization;
    let row = ORGANIZATIONS.get(tx, &id)?.ok_or(Error::OrganizationNotFoundException)?;
    let is_management = row.management == tx.account();
    if !is_management && !DELEGATIONS.contains(tx, &(&*id, tx.account(), SERVICE))? {
        return Err(Error::AccountNotManagementOrDelegatedAdministratorException);
    }
    if !row.services.iter().any(|(service, _)| service == SERVICE) {
        return Err(Error::ServiceAccessNotEnabledException);
    }
    Ok(Place { organization: id, is_management })
}

type Shown = (Option<String>, Option<Vec<String>>);

fn enable(tx: &mut WriteTx<'_>, of: impl Fn(&mut RootFeatures)) -> Result<Shown, Error> {
    if !place(tx)?.is_management {
        return Err(Error::CallerIsNotManagementAccountException);
    }
    change(tx, of)
}

fn change(tx: &mut WriteTx<'_>, of: impl Fn(&mut RootFeatures)) -> Result<Shown, Error> {
    let Place { organization, .. } = place(tx)?;
    let mut features = ROOT_FEATURES.get(tx, &organization)?.unwrap_or_default();
    of(&mut features);
    ROOT_FEATURES.put(tx, &organization, &features)?;
    Ok(shown(organization, &features))
}

fn shown(organization: String, features: &RootFeatures) -> Shown {
    let names =
        [("RootCredentialsManagement", features.credentials), ("RootSessions", features.sessions)];
    let enabled = names.iter().filter(|(_, enabled)| *enabled);
    (Some(organization), Some(enabled.map(|(name, _)| (*name).to_owned()).collect()))
}
