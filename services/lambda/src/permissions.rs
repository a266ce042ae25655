//! Resource policies: who else may call a function, a version or an alias.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Fault, ReadTx, ResourcePolicy, Tx, WriteTx};
use parking_lot::Mutex;

use crate::aliases;
use crate::error::{Error, function_not_found, invalid};
use crate::functions::{STALE_REVISION, touch};
use crate::model::{
    AddPermissionInput, AddPermissionOutput, GetPolicyInput, GetPolicyOutput,
    RemovePermissionInput, RemovePermissionOutput,
};
use crate::rules::principal::Permission;
use crate::rules::target::Target;
use crate::store::{self, POLICIES, Policy};

/// The largest policy, in bytes.
const MAX_BYTES: usize = 20_480;

/// Adds a statement to the policy of a function, a version or an alias.
pub(crate) fn add(
    tx: &mut WriteTx<'_>,
    input: AddPermissionInput,
) -> Result<AddPermissionOutput, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let arn = target.arn();
    if target.qualifier.is_some() && target.version() == Some(0) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    require_existence(tx, &target)?;
    let statement = statement(&input, &arn)?;
    let mut policy = policy(tx, &target)?.unwrap_or_default();
    require_revision(tx, &target, &policy, input.revision_id.as_deref())?;
    let id = &input.statement_id;
    if policy.statements.iter().any(|(known, _)| known == id) {
        return Err(Error::ResourceConflictException(format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the \
             existing statement."
        )));
    }
    policy.statements.push((id.clone(), statement.clone()));
    let size = policy.document().len();
    if size > MAX_BYTES {
        return Err(Error::PolicyLengthExceededException(size));
    }
    write(tx, &target, policy)?;
    Ok(AddPermissionOutput { statement: Some(statement) })
}

/// The statement that the members ask for.
fn statement(input: &AddPermissionInput, arn: &str) -> Result<String, Error> {
    let mut conditions = Vec::new();
    let mut add = |operator, key, value: Option<&str>| {
        if let Some(value) = value {
            conditions.push((operator, key, value.to_owned()));
        }
    };
    add("StringEquals", "AWS:SourceAccount", input.source_account.as_deref());
    add("StringEquals", "lambda:EventSourceToken", input.event_source_token.as_deref());
    let auth_type = input.function_url_auth_type.map(|it| it.as_str());
    add("StringEquals", "lambda:FunctionUrlAuthType", auth_type);
    add("StringEquals", "aws:PrincipalOrgID", input.principal_org_id.as_deref());
    add("ArnLike", "AWS:SourceArn", input.source_arn.as_deref());
    let via_url = input.invoked_via_function_url.map(|it| if it { "true" } else { "false" });
    add("Bool", "lambda:InvokedViaFunctionUrl", via_url);
    let permission = Permission {
        statement_id: &input.statement_id,
        action: &input.action,
        principal: &input.principal,
        resource: arn,
        conditions,
    };
    permission.statement()
}

/// Removes a statement.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemovePermissionInput,
) -> Result<RemovePermissionOutput, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    if !store::FUNCTIONS.contains(tx, &target.key())? {
        let message = format!("No policy found for: {}", target.function_arn());
        return Err(Error::ResourceNotFoundException(message));
    }
    require_existence(tx, &target)?;
    let none = || "No policy is associated with the given resource.".to_owned();
    let mut policy =
        policy(tx, &target)?.ok_or_else(|| Error::ResourceNotFoundException(none()))?;
    let id = &input.statement_id;
    let Some(index) = policy.statements.iter().position(|(known, _)| known == id) else {
        let message = format!("Statement {id} is not found in resource policy.");
        return Err(Error::ResourceNotFoundException(message));
    };
    require_revision(tx, &target, &policy, input.revision_id.as_deref())?;
    policy.statements.remove(index);
    write(tx, &target, policy)?;
    Ok(RemovePermissionOutput {})
}

/// Shows the policy.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetPolicyInput) -> Result<GetPolicyOutput, Error> {
    let target = target(tx, &input.function_name, input.qualifier.as_deref())?;
    let none = || "The resource you requested does not exist.".to_owned();
    let policy = policy(tx, &target)?.ok_or_else(|| Error::ResourceNotFoundException(none()))?;
    Ok(GetPolicyOutput {
        policy: Some(policy.document()),
        revision_id: Some(revision(tx, &target)?.unwrap_or(policy.revision_id)),
    })
}

fn target(tx: &impl Tx, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    Target::parse(name, qualifier, tx.account(), tx.region())
}

/// The policy of the target, if it has a statement.
fn policy(tx: &impl Tx, target: &Target) -> Result<Option<Policy>, Error> {
    let qualifier = target.qualifier.as_deref().unwrap_or_default();
    Ok(POLICIES.get(tx, &store::qualified_key(target, qualifier))?)
}

fn write(tx: &mut WriteTx<'_>, target: &Target, mut policy: Policy) -> Result<(), Error> {
    policy.revision_id = touch(tx, target)?;
    let key = store::qualified_key(target, target.qualifier.as_deref().unwrap_or_default());
    if policy.statements.is_empty() {
        POLICIES.delete(tx, &key)?;
    } else {
        POLICIES.put(tx, &key, &policy)?;
    }
    Ok(())
}

/// Whom a statement of the target's policy lets call, as AddPermission was told.
pub(crate) fn principal(tx: &impl Tx, target: &Target, id: &str) -> Result<Option<String>, Error> {
    let Some(policy) = policy(tx, target)? else { return Ok(None) };
    let found = policy.statements.iter().find(|(known, _)| known == id);
    let statement = found.and_then(|(_, text)| serde_json::from_str(text).ok());
    let Some(statement): Option<serde_json::Value> = statement else { return Ok(None) };
    let principal = &statement["Principal"];
    let named =
        ["Service", "AWS", "Federated"].into_iter().find_map(|kind| principal[kind].as_str());
    Ok(named.or(principal.as_str()).map(str::to_owned))
}

/// Refuses functions, versions and aliases that do not exist.
fn require_existence(tx: &impl Tx, target: &Target) -> Result<(), Error> {
    store::function(tx, target)?;
    let exists = match (&target.qualifier, target.version()) {
        (None, _) => true,
        (_, Some(number)) => store::version(tx, target, number)?.is_some(),
        (Some(name), None) if name.contains('$') => false,
        (Some(name), None) => {
            store::alias(tx, target, name)?.ok_or_else(|| aliases::cannot_find(&target.arn()))?;
            true
        }
    };
    if exists { Ok(()) } else { Err(function_not_found(&target.arn())) }
}

/// The revision of what the policy is on, which AWS shows as the policy's.
fn revision(tx: &impl Tx, target: &Target) -> Result<Option<String>, Error> {
    Ok(match target.version() {
        Some(number) => store::version(tx, target, number)?.map(|version| version.revision_id),
        None => {
            store::alias(tx, target, target.qualifier_or_latest())?.map(|alias| alias.revision_id)
        }
    })
}

fn require_revision(
    tx: &impl Tx,
    target: &Target,
    policy: &Policy,
    given: Option<&str>,
) -> Result<(), Error> {
    let Some(given) = given else { return Ok(()) };
    if revision(tx, target)?.as_deref() == Some(given) {
        return Ok(());
    }
    // Observed: AWS names the operation that shows the revision, which is GetPolicy only where there is a policy.
    let message = match policy.statements.is_empty() {
        true => STALE_REVISION.to_owned(),
        false => STALE_REVISION.replace("GetFunction/GetAlias", "GetPolicy"),
    };
    Err(Error::PreconditionFailedException(message))
}

/// Policies in compiled form, by ARN and revision.
#[derive(Default)]
struct Compiled(Mutex<HashMap<String, (String, Arc<Document>)>>);

/// So many compiled policies are kept.
const MAX_COMPILED: usize = 1024;

/// The policy and owner of a function, version or alias.
pub(crate) fn resource_policy(tx: &ReadTx<'_>, arn: &str) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(target) = Target::of_arn(arn) else { return Ok(None) };
    let policy = policy(tx, &target)?;
    let document = policy.map(|policy| compiled(tx, arn, &policy)).transpose()?;
    Ok(Some(ResourcePolicy::new(target.account, document)))
}

fn compiled(tx: &ReadTx<'_>, arn: &str, policy: &Policy) -> Result<Arc<Document>, Fault> {
    let compiled = tx.cx().state(Compiled::default);
    if let Some((revision, document)) = compiled.0.lock().get(arn)
        && *revision == policy.revision_id
    {
        return Ok(Arc::clone(document));
    }
    let document = Document::parse(&policy.document(), Kind::Resource).map_err(Fault::internal)?;
    let document = Arc::new(document);
    let mut known = compiled.0.lock();
    if known.len() >= MAX_COMPILED {
        known.clear();
    }
    known.insert(arn.to_owned(), (policy.revision_id.clone(), Arc::clone(&document)));
    Ok(document)
}
