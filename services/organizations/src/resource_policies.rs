//! The organization's own policy: which members may do what only its management account may do otherwise.
//!
//! The gateway decides over calls that name something of the organization, as over any call across accounts; calls that
//! name nothing are decided here, since a policy on `*` belongs to no resource.

use std::sync::Arc;

use fogbank_core::policy::{
    Attached, Call, ContextMap, Document, Kind, Policies, ResourceSide, evaluate,
};
use fogbank_core::{Arn, Fault, ParsedPolicies, ReadTx, ResourcePolicy, Tx, WriteTx};
use fogbank_identity::organizations::{ACCOUNTS, DELEGATIONS, ORGANIZATIONS, POLICIES, Policy};
use serde_json::Value;

use crate::error::Error;
use crate::model::{
    self, DeleteResourcePolicyInput, DeleteResourcePolicyOutput, DescribeResourcePolicyInput,
    DescribeResourcePolicyOutput, PutResourcePolicyInput, PutResourcePolicyOutput,
    ResourcePolicySummary,
};
use crate::rules;
use crate::store::{self, Found};

/// The type under which the row lies among the organization's policies.
const KIND: &str = "RESOURCE_POLICY";
/// What its ids begin with.
pub(crate) const PREFIX: &str = "rp-";
/// How many parsed policies are kept.
const CACHED: usize = 64;
/// Stands for what the caller's own policies allow, which the gateway has looked at.
const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What can be left to members: looking at the organization, and its policies.
const DELEGABLE: [&str; 27] = [
    "AttachPolicy",
    "CreatePolicy",
    "DeletePolicy",
    "DescribeAccount",
    "DescribeCreateAccountStatus",
    "DescribeEffectivePolicy",
    "DescribeOrganizationalUnit",
    "DescribePolicy",
    "DescribeResourcePolicy",
    "DetachPolicy",
    "DisablePolicyType",
    "EnablePolicyType",
    "ListAWSServiceAccessForOrganization",
    "ListAccounts",
    "ListAccountsForParent",
    "ListChildren",
    "ListCreateAccountStatus",
    "ListDelegatedAdministrators",
    "ListOrganizationalUnitsForParent",
    "ListParents",
    "ListPolicies",
    "ListPoliciesForTarget",
    "ListRoots",
    "ListTagsForResource",
    "ListTargetsForPolicy",
    "TagResource",
    "UntagResource",
];

/// Those of them that name nothing of the organization.
const ON_ALL: [&str; 9] = [
    "CreatePolicy",
    "DescribeCreateAccountStatus",
    "DescribeResourcePolicy",
    "ListAWSServiceAccessForOrganization",
    "ListAccounts",
    "ListCreateAccountStatus",
    "ListDelegatedAdministrators",
    "ListPolicies",
    "ListRoots",
];

/// Parsed policies by their text.
struct Parsed(ParsedPolicies);

/// The policy of an organization with its id.
fn find(tx: &impl Tx, organization: &str) -> Result<Option<(String, Policy)>, Error> {
    let ids = store::keys(tx, &POLICIES, organization, |(_, id)| id)?;
    let Some(id) = ids.into_iter().find(|id| id.starts_with(PREFIX)) else { return Ok(None) };
    let row = POLICIES.get(tx, &(organization, &*id))?;
    Ok(row.map(|row| (id, row)))
}

fn shown(found: &Found, id: &str, row: Policy) -> model::ResourcePolicy {
    let management = &found.row.management;
    let arn = format!("arn:aws:organizations::{management}:resourcepolicy/{}/{id}", found.id);
    model::ResourcePolicy {
        resource_policy_summary: Some(ResourcePolicySummary {
            id: Some(id.to_owned()),
            arn: Some(arn),
        }),
        content: Some(row.content),
    }
}

/// The organization, if the caller's account manages it: nobody else changes its policy.
fn own(tx: &impl Tx) -> Result<Found, Error> {
    let found = store::organization(tx)?;
    if found.row.management == tx.account() { Ok(found) } else { Err(Error::AccessDeniedException) }
}

/// Creates or replaces the policy.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, Error> {
    let found = own(tx)?;
    check(&input.content)?;
    let tags = input.tags.filter(|tags| !tags.is_empty());
    let (id, tags) = match find(tx, &found.id)? {
        // AWS's reason and words are not known for this one.
        Some(_) if tags.is_some() => {
            let message = "You can add tags only when you create the resource policy.";
            return Err(Error::invalid("INVALID_PATTERN", message));
        }
        Some((id, row)) => (id, row.tags),
        None => (format!("{PREFIX}{}", tx.ids().lower(8)), rules::tags(tags)?),
    };
    let row = Policy {
        name: String::new(),
        description: String::new(),
        kind: KIND.to_owned(),
        content: input.content,
        tags,
    };
    POLICIES.put(tx, &(&*found.id, &*id), &row)?;
    Ok(PutResourcePolicyOutput { resource_policy: Some(shown(&found, &id, row)) })
}

/// Refuses what is no policy of a resource. Since June 2026 AWS takes no `NotAction` and no `NotResource` here; its
/// words are not known.
fn check(content: &str) -> Result<(), Error> {
    let invalid = |message: &str| Error::invalid("INVALID_RESOURCE_POLICY_JSON", message);
    Document::parse(content, Kind::Resource).map_err(|fault| invalid(&fault.to_string()))?;
    let document: Value = serde_json::from_str(content).unwrap_or_default();
    let statements = match &document["Statement"] {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    if let Some(action) = statements.iter().flat_map(actions).find(|action| !is_delegable(action)) {
        // AWS's words are not known.
        let message = format!("The resource policy contains the unsupported action {action}.");
        return Err(Error::invalid("UNSUPPORTED_ACTION_IN_RESOURCE_POLICY", &message));
    }
    for element in ["NotAction", "NotResource"] {
        if statements.iter().any(|statement| statement.get(element).is_some()) {
            let message = format!("The resource policy must not contain the {element} element.");
            return Err(invalid(&message));
        }
    }
    Ok(())
}

/// The actions of a statement, as written.
fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(action) => vec![action],
        Value::Array(actions) => actions.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether an action can be left to members; of a pattern only those count that can.
fn is_delegable(action: &str) -> bool {
    let Some(operation) = action.strip_prefix("organizations:") else { return false };
    let is_look = ["Describe", "List"].iter().any(|verb| operation.starts_with(verb));
    is_look || operation.contains(['*', '?']) || DELEGABLE.contains(&operation)
}

/// Shows the policy.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    _: DescribeResourcePolicyInput,
) -> Result<DescribeResourcePolicyOutput, Error> {
    let found = store::visible(tx)?;
    let (id, row) = find(tx, &found.id)?.ok_or(Error::ResourcePolicyNotFoundException)?;
    Ok(DescribeResourcePolicyOutput { resource_policy: Some(shown(&found, &id, row)) })
}

/// Removes the policy.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    _: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, Error> {
    let found = own(tx)?;
    let (id, _) = find(tx, &found.id)?.ok_or(Error::ResourcePolicyNotFoundException)?;
    POLICIES.delete(tx, &(&*found.id, &*id))?;
    Ok(DeleteResourcePolicyOutput {})
}

/// The organization's policy, if it decides over the caller's operation: where a member calls that administers nothing.
fn deciding(tx: &impl Tx, organization: &str, management: &str) -> Result<Option<Policy>, Error> {
    if management == tx.account() || !DELEGABLE.contains(&tx.request().operation) {
        return Ok(None);
    }
    let is_delegate =
        !store::keys(tx, &DELEGATIONS, &(organization, tx.account()), |key| key)?.is_empty();
    if is_delegate {
        return Ok(None);
    }
    Ok(find(tx, organization)?.map(|(_, row)| row))
}

/// The account that owns what a call names: the management account where the organization's policy decides, else the
/// caller's.
pub(crate) fn owner(tx: &ReadTx<'_>) -> Result<String, Fault> {
    let Some(account) = ACCOUNTS.get(tx, tx.account())? else { return Ok(tx.account().to_owned()) };
    let Some(row) = ORGANIZATIONS.get(tx, &account.organization)? else {
        return Ok(tx.account().to_owned());
    };
    let policy = deciding(tx, &account.organization, &row.management)?;
    Ok(if policy.is_some() { row.management } else { tx.account().to_owned() })
}

/// The policy and owner of something of an organization, for the gateway.
pub(crate) fn of_resource(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(arn) = Arn::parse(resource).filter(|arn| arn.account != tx.account()) else {
        return Ok(None);
    };
    let Some(account) = ACCOUNTS.get(tx, tx.account())? else { return Ok(None) };
    let Some(row) = ORGANIZATIONS.get(tx, &account.organization)? else { return Ok(None) };
    if row.management != arn.account {
        return Ok(None);
    }
    let policy = deciding(tx, &account.organization, &row.management)?;
    let document = policy.map(|policy| parsed(tx, &policy.content)).transpose()?;
    Ok(Some(ResourcePolicy::new(row.management, document)))
}

fn parsed(tx: &impl Tx, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

/// Whether the organization's policy lets the caller's account do this. What the call names, the gateway has looked at.
pub(crate) fn allows(tx: &impl Tx, found: &Found, kind: Option<&str>) -> Result<bool, Error> {
    let Some(policy) = deciding(tx, &found.id, &found.row.management)? else { return Ok(false) };
    let operation = tx.request().operation;
    if !ON_ALL.contains(&operation) {
        return Ok(true);
    }
    let document = parsed(tx, &policy.content)?;
    let caller = tx.request().principal.caller();
    let anything = Document::parse(ANYTHING, Kind::Identity).map_err(Fault::internal)?;
    let mut keys = ContextMap::new();
    if let Some(kind) = kind {
        keys.set("organizations:PolicyType", kind);
    }
    let policies = Policies {
        identity: &[Attached { source: "any", document: &anything }],
        resource: Some(ResourceSide {
            owner: &found.row.management,
            policy: Some(Attached { source: "organization", document: &document }),
            grants: &[],
        }),
        ..Policies::default()
    };
    let action = format!("organizations:{operation}");
    let call = Call { action: &action, resource: "*", principal: &caller, context: &keys };
    Ok(evaluate(&call, &policies).is_allowed())
}
