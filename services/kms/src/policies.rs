//! Key policies: who may do what with a key. Every key has exactly one, named `default`.

use std::sync::Arc;

use fogbank_core::policy::{
    Attached, Call, Caller, Document, Kind, Policies, ResourcePolicyMode, ResourceSide, evaluate,
};
use fogbank_core::{
    Arn, Cx, Fault, ParsedPolicies, Principal, PrincipalKind, ReadTx, ResourcePolicy, Tx,
};

use crate::error::Error;
use crate::model::{
    GetKeyPolicyInput, GetKeyPolicyOutput, ListKeyPoliciesInput, ListKeyPoliciesOutput,
    PutKeyPolicyInput, PutKeyPolicyOutput,
};
use crate::rules::names::{self, Named};
use crate::rules::policy;
use crate::store::{self, ALIASES, Grant, KEYS, Key};
use crate::{grants, keys, lookup};

/// The only name that a policy can have.
const NAME: &str = "default";
/// How many parsed policies are kept.
const CACHED: usize = 4096;
/// The longest policy, in bytes.
const LONGEST: usize = 32 * 1024;
/// Stands for what the caller's own policies may allow, where only the key's policy is in question.
const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Parsed policies by their text, for they are needed with every call.
struct Parsed(ParsedPolicies);

/// The policy and owner of the key with this ARN, and the grants to the caller, for the gateway.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(arn) = Arn::parse(resource) else { return Ok(None) };
    let (account, id) = match names::parse(resource, arn.account, arn.region) {
        Ok(Named::Key(account, id)) => (account, id),
        Ok(Named::Alias(account, name)) => return unused_managed(tx, &arn, &account, &name),
        Err(_) => return Ok(None),
    };
    let at = (account, arn.region.to_owned(), id);
    let Some(key) = KEYS.get(tx, &at)? else { return Ok(None) };
    let mut policy = ResourcePolicy::of_key(at.0.clone(), Some(parsed(tx, &key.policy)?));
    policy.is_managed_by_aws = key.managed_by.is_some();
    for (id, grant) in grants::of_caller(tx, &at)? {
        policy = policy.with_grant(format!("grant {id}"), parsed(tx, &granted(&grant))?);
    }
    Ok(Some(policy))
}

/// The policy of an AWS-managed key that its first use makes: its alias stands for nothing yet.
fn unused_managed(
    tx: &ReadTx<'_>,
    arn: &Arn<'_>,
    account: &str,
    name: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let Some(service) = policy::managed_service(name) else { return Ok(None) };
    // Operations on the alias itself ask its account, as for any other.
    if tx.request().operation.ends_with("Alias") {
        return Ok(None);
    }
    if ALIASES.contains(tx, &(account, arn.region, name))? {
        return Ok(None);
    }
    let text = policy::managed(service, account, arn.region);
    let policy = ResourcePolicy::of_key(account, Some(parsed(tx, &text)?));
    Ok(Some(ResourcePolicy { is_managed_by_aws: true, ..policy }))
}

fn granted(grant: &Grant) -> String {
    policy::of_grant(&policy::Granted {
        grantee: &grant.grantee,
        operations: &grant.operations,
        equals: grant.context_equals.as_ref(),
        subset: grant.context_subset.as_ref(),
        source_arn: grant.source_arn.as_deref(),
    })
}

fn parsed(tx: &ReadTx<'_>, text: &str) -> Result<Arc<Document>, Fault> {
    tx.cx().state(|| Parsed(ParsedPolicies::new(CACHED))).0.get(text)
}

/// Refuses what is no key policy, and one that locks the caller out.
pub(crate) fn check(cx: &Cx, key_arn: &str, text: &str, bypass: bool) -> Result<(), Error> {
    if text.len() > LONGEST {
        let message = "Policy exceeds the size limit of 32 KB".to_owned();
        return Err(Error::LimitExceededException(message));
    }
    let malformed = |why: String| Error::MalformedPolicyDocumentException(why);
    let document =
        Document::parse(text, Kind::Resource).map_err(|error| malformed(error.to_string()))?;
    if document.lacks_resources() {
        return Err(malformed("Policy contains a statement with no resource.".to_owned()));
    }
    if bypass || may_put_again(&cx.request().principal, key_arn, &document) {
        return Ok(());
    }
    let message = "The new key policy will not allow you to update the key policy in the future.";
    Err(malformed(message.to_owned()))
}

/// Whether the caller could replace the policy again. What an administrator may allow later with an identity policy
/// counts where the key policy lets such policies count.
fn may_put_again(principal: &Principal, key_arn: &str, document: &Document) -> bool {
    let Principal { account, arn, id, .. } = principal;
    let caller = match &principal.kind {
        PrincipalKind::Root => Caller::root(account),
        PrincipalKind::User { .. } => Caller::user(account, arn, id),
        PrincipalKind::Role { role_arn, .. } => Caller::assumed_role(account, role_arn, arn, id),
        _ => return true,
    };
    let Ok(anything) = Document::parse(ANYTHING, Kind::Identity) else { return false };
    let owner = key_arn.split(':').nth(4).unwrap_or_default();
    let policies = Policies {
        identity: &[Attached { source: "any", document: &anything }],
        resource: Some(ResourceSide {
            owner,
            policy: Some(Attached { source: key_arn, document }),
            grants: &[],
        }),
        mode: ResourcePolicyMode::KmsKey,
        ..Policies::default()
    };
    let call =
        Call { action: "kms:PutKeyPolicy", resource: key_arn, principal: &caller, context: &() };
    evaluate(&call, &policies).is_allowed()
}

fn check_name(name: Option<&str>) -> Result<(), Error> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(Error::NotFoundException("No such policy exists".to_owned())),
    }
}

/// The policy as it was put.
pub(crate) fn get(tx: &ReadTx<'_>, input: GetKeyPolicyInput) -> Result<GetKeyPolicyOutput, Error> {
    let found = lookup::own(tx, &input.key_id)?;
    check_name(input.policy_name.as_deref())?;
    Ok(GetKeyPolicyOutput { policy: Some(found.key.policy), policy_name: Some(NAME.to_owned()) })
}

/// Replaces the policy.
pub(crate) async fn put(cx: &Cx, input: PutKeyPolicyInput) -> Result<PutKeyPolicyOutput, Error> {
    if input.policy_name.as_deref().is_some_and(|name| name != NAME) {
        // The only valid name is documented; these words are a guess.
        return Err(Error::invalid("The only valid value for PolicyName is default."));
    }
    let found = cx.read(|tx| lookup::own(tx, &input.key_id))?;
    let bypass = input.bypass_policy_lockout_safety_check.unwrap_or_default();
    check(cx, &found.arn, &input.policy, bypass)?;
    cx.write(|tx| {
        let found = lookup::own(tx, &input.key_id)?;
        keys::check_customer(&found)?;
        found.check_not_pending_deletion()?;
        store::put(tx, &found.at, Key { policy: input.policy.clone(), ..found.key })
    })
    .await?;
    Ok(PutKeyPolicyOutput {})
}

/// The names of the policies: one.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListKeyPoliciesInput,
) -> Result<ListKeyPoliciesOutput, Error> {
    lookup::own(tx, &input.key_id)?;
    lookup::after(input.marker.as_deref())?;
    Ok(ListKeyPoliciesOutput {
        policy_names: Some(vec![NAME.to_owned()]),
        truncated: Some(false),
        next_marker: None,
    })
}
