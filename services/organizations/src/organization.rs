//! The organization itself: its root, its policy types, the services it trusts.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};
use fogbank_identity::organizations::{
    self as rows, ACCOUNTS, Account, ORGANIZATIONS, Organization as Row, UNITS, Unit,
};
use fogbank_identity::rows::changed;

use crate::error::Error;
use crate::model::{
    CreateOrganizationInput, CreateOrganizationOutput, DeleteOrganizationInput,
    DeleteOrganizationOutput, DescribeOrganizationInput, DescribeOrganizationOutput,
    DisableAWSServiceAccessInput, DisableAWSServiceAccessOutput, DisablePolicyTypeInput,
    DisablePolicyTypeOutput, EnableAWSServiceAccessInput, EnableAWSServiceAccessOutput,
    EnablePolicyTypeInput, EnablePolicyTypeOutput, EnabledServicePrincipal,
    ListAWSServiceAccessForOrganizationInput, ListAWSServiceAccessForOrganizationOutput,
    ListRootsInput, ListRootsOutput, Organization, OrganizationFeatureSet, PolicyType,
    PolicyTypeSummary, Root,
};
use crate::rules;
use crate::store::{self, Found};

/// Makes the caller's account the management account of a new organization.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateOrganizationInput,
) -> Result<CreateOrganizationOutput, Error> {
    if ACCOUNTS.contains(tx, tx.account())? {
        return Err(Error::AlreadyInOrganizationException);
    }
    if input.feature_set.is_some_and(|set| set.as_str() != "ALL") {
        let what = "CreateOrganization with consolidated billing alone";
        return Err(fogbank_core::Fault::not_implemented("organizations", what).into());
    }
    let management = tx.account().to_owned();
    let id = format!("o-{}", tx.ids().lower(10));
    let root = format!("r-{}", tx.ids().lower(4));
    let row = Row {
        management: management.clone(),
        root: root.clone(),
        policy_types: Vec::new(),
        services: Vec::new(),
    };
    let found = Found { id, row };
    ORGANIZATIONS.put(tx, &found.id, &found.row)?;
    let unit = Unit { name: "Root".to_owned(), parent: String::new(), tags: Vec::new() };
    UNITS.put(tx, &(&*found.id, &*root), &unit)?;
    let account = Account {
        organization: found.id.clone(),
        parent: root,
        name: "management".to_owned(),
        // Nobody has told whose the account is; the address is reserved for examples.
        email: format!("{management}@example.com"),
        closed: false,
        invited: true,
        joined_secs: tx.now().secs(),
        tags: Vec::new(),
    };
    found.add_account(tx, &management, &account)?;
    Ok(CreateOrganizationOutput { organization: Some(shown(tx, &found)?) })
}

/// Shows the organization of the caller's account.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    _: DescribeOrganizationInput,
) -> Result<DescribeOrganizationOutput, Error> {
    let found = store::organization(tx)?;
    Ok(DescribeOrganizationOutput { organization: Some(shown(tx, &found)?) })
}

/// Removes the organization, once its management account is alone.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    _: DeleteOrganizationInput,
) -> Result<DeleteOrganizationOutput, Error> {
    let found = store::managed(tx)?;
    if found.accounts(tx)?.len() > 1 {
        return Err(Error::OrganizationNotEmptyException);
    }
    remove(tx, &found)?;
    Ok(DeleteOrganizationOutput {})
}

/// Removes all rows of an organization.
pub(crate) fn remove(tx: &mut WriteTx<'_>, found: &Found) -> Result<(), Error> {
    for number in found.accounts(tx)? {
        let account = found.account(tx, &number)?;
        found.remove_account(tx, &number, &account)?;
    }
    for unit in found.units(tx)? {
        found.detach_all(tx, &unit)?;
        for child in found.children(tx, &unit)? {
            rows::CHILDREN.delete(tx, &(&*found.id, &*unit, &*child))?;
        }
        UNITS.delete(tx, &(&*found.id, &*unit))?;
    }
    for policy in store::keys(tx, &rows::POLICIES, &*found.id, |(_, id)| id)? {
        rows::POLICIES.delete(tx, &(&*found.id, &*policy))?;
    }
    for request in store::keys(tx, &rows::CREATIONS, &*found.id, |(_, id)| id)? {
        rows::CREATIONS.delete(tx, &(&*found.id, &*request))?;
    }
    for id in store::keys(tx, &rows::PARTIES, &*found.id, |(_, id)| id)? {
        if let Some(handshake) = rows::HANDSHAKES.get(tx, &id)? {
            rows::PARTIES.delete(tx, &(&*handshake.account, &*id))?;
        }
        rows::HANDSHAKES.delete(tx, &id)?;
        rows::PARTIES.delete(tx, &(&*found.id, &*id))?;
    }
    ORGANIZATIONS.delete(tx, &found.id)?;
    Ok(changed(tx)?)
}

fn shown(tx: &impl Tx, found: &Found) -> Result<Organization, Error> {
    let management = &found.row.management;
    let account = found.account(tx, management)?;
    Ok(Organization {
        id: Some(found.id.clone()),
        arn: Some(format!("arn:aws:organizations::{management}:organization/{}", found.id)),
        feature_set: OrganizationFeatureSet::from_name("ALL"),
        master_account_arn: Some(format!(
            "arn:aws:organizations::{management}:account/{}/{management}",
            found.id
        )),
        master_account_id: Some(management.clone()),
        master_account_email: Some(account.email),
        // AWS shows this one type always, whatever the root says.
        available_policy_types: Some(vec![enabled(rows::SERVICE_CONTROL)]),
    })
}

fn enabled(kind: &str) -> PolicyTypeSummary {
    PolicyTypeSummary { r#type: PolicyType::from_name(kind), status: Some("ENABLED".to_owned()) }
}

/// Lists the one root.
pub(crate) fn list_roots(tx: &ReadTx<'_>, _: ListRootsInput) -> Result<ListRootsOutput, Error> {
    let found = store::visible(tx)?;
    Ok(ListRootsOutput { roots: Some(vec![root(&found)]), next_token: None })
}

fn root(found: &Found) -> Root {
    let Row { management, root, policy_types, .. } = &found.row;
    Root {
        id: Some(root.clone()),
        arn: Some(format!("arn:aws:organizations::{management}:root/{}/{root}", found.id)),
        name: Some("Root".to_owned()),
        policy_types: Some(policy_types.iter().map(|kind| enabled(kind)).collect()),
    }
}

/// Lets policies of a type count, and gives AWS's own one to everything.
pub(crate) fn enable_policy_type(
    tx: &mut WriteTx<'_>,
    input: EnablePolicyTypeInput,
) -> Result<EnablePolicyTypeOutput, Error> {
    let mut found = with_root(tx, &input.root_id)?;
    let kind = rules::kind(input.policy_type)?;
    if found.row.policy_types.iter().any(|known| known == kind) {
        return Err(Error::PolicyTypeAlreadyEnabledException);
    }
    found.row.policy_types.push(kind.to_owned());
    found.put(tx)?;
    if let Some(managed) = rows::MANAGED.iter().find(|managed| managed.kind == kind) {
        for target in found.units(tx)?.into_iter().chain(found.accounts(tx)?) {
            found.attach(tx, managed.id, &target)?;
        }
    }
    Ok(EnablePolicyTypeOutput { root: Some(root(&found)) })
}

/// Ends that policies of a type count, and detaches all of them.
pub(crate) fn disable_policy_type(
    tx: &mut WriteTx<'_>,
    input: DisablePolicyTypeInput,
) -> Result<DisablePolicyTypeOutput, Error> {
    let mut found = with_root(tx, &input.root_id)?;
    let kind = rules::kind(input.policy_type)?;
    if !found.row.policy_types.iter().any(|known| known == kind) {
        return Err(Error::PolicyTypeNotEnabledException);
    }
    found.row.policy_types.retain(|known| known != kind);
    found.put(tx)?;
    for target in found.units(tx)?.into_iter().chain(found.accounts(tx)?) {
        for policy in found.attached(tx, &target, kind)? {
            found.detach(tx, &policy, &target)?;
        }
    }
    Ok(DisablePolicyTypeOutput { root: Some(root(&found)) })
}

fn with_root(tx: &impl Tx, id: &str) -> Result<Found, Error> {
    let found = store::managed(tx)?;
    if found.row.root == id { Ok(found) } else { Err(Error::RootNotFoundException) }
}

/// Lets a service act in the organization.
pub(crate) fn enable_service(
    tx: &mut WriteTx<'_>,
    input: EnableAWSServiceAccessInput,
) -> Result<EnableAWSServiceAccessOutput, Error> {
    let mut found = store::managed(tx)?;
    let service = input.service_principal;
    if !found.row.services.iter().any(|(known, _)| *known == service) {
        found.row.services.push((service, tx.now().secs()));
        found.row.services.sort();
        found.put(tx)?;
    }
    Ok(EnableAWSServiceAccessOutput {})
}

/// Ends that a service may act in the organization.
pub(crate) fn disable_service(
    tx: &mut WriteTx<'_>,
    input: DisableAWSServiceAccessInput,
) -> Result<DisableAWSServiceAccessOutput, Error> {
    let mut found = store::managed(tx)?;
    found.row.services.retain(|(known, _)| *known != input.service_principal);
    found.put(tx)?;
    Ok(DisableAWSServiceAccessOutput {})
}

/// Lists the services that may act in the organization.
pub(crate) fn list_services(
    tx: &ReadTx<'_>,
    input: ListAWSServiceAccessForOrganizationInput,
) -> Result<ListAWSServiceAccessForOrganizationOutput, Error> {
    let found = store::visible(tx)?;
    let names = found.row.services.iter().map(|(name, _)| name.clone()).collect();
    let (names, next_token) = rules::page(names, input.next_token.as_deref(), input.max_results)?;
    let of = |name: String| {
        let since = found.row.services.iter().find(|(known, _)| *known == name);
        EnabledServicePrincipal {
            date_enabled: since.map(|(_, secs)| Timestamp::from_secs(*secs)),
            service_principal: Some(name),
        }
    };
    let shown = names.into_iter().map(of).collect();
    Ok(ListAWSServiceAccessForOrganizationOutput {
        enabled_service_principals: Some(shown),
        next_token,
    })
}
