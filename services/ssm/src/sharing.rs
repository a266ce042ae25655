//! Resource policies: which other accounts may read a parameter.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_core::policy::{
    Attached, Call, Caller, Document, Kind, Policies, ResourceSide, evaluate,
};
use fogbank_core::store::Read;
use fogbank_core::{Arn, Check, Fault, ReadTx, ResourcePolicy, Tx, WriteTx, page};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    DeleteResourcePolicyInput, DeleteResourcePolicyOutput, GetResourcePoliciesInput,
    GetResourcePoliciesOutput, GetResourcePoliciesResponseEntry, PutResourcePolicyInput,
    PutResourcePolicyOutput,
};
use crate::rules::names::Named;
use crate::store::{self, POLICIES, Parameter, ParameterKey, PolicyKey, ResourcePolicyRow};

/// How many policies a page has when it is not told.
const PAGE: i32 = 50;

fn policy_key(key: &ParameterKey, id: &str) -> PolicyKey {
    (key.0.clone(), key.1.clone(), key.2.clone(), id.to_owned())
}

/// The parameter with an ARN; AWS's words for refusals of this file are not known.
fn parameter(tx: &impl Tx, arn: &str) -> Result<(ParameterKey, store::Parameter), Error> {
    let is_parameter = Arn::parse(arn)
        .is_some_and(|arn| arn.service == "ssm" && arn.resource.starts_with("parameter/"));
    if !is_parameter {
        let message = format!("The resource {arn} doesn't support resource policies here.");
        return Err(Error::ResourcePolicyInvalidParameterException(message));
    }
    let named = Named::parse(arn, tx.account(), tx.region());
    store::look_up(tx, &named)?.ok_or_else(|| {
        let message = "The specified parameter to be shared could not be found.";
        Error::ResourceNotFoundException(message.to_owned())
    })
}

/// Creates or replaces a policy.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, Error> {
    let (key, parameter) = parameter(tx, &input.resource_arn)?;
    if !store::latest(tx, &key, &parameter)?.is_advanced {
        let message = "To share a parameter, it must be in the advanced parameter tier.";
        return Err(Error::ResourcePolicyInvalidParameterException(message.to_owned()));
    }
    Document::parse(&input.policy, Kind::Resource)
        .map_err(|fault| Error::MalformedResourcePolicyDocumentException(fault.to_string()))?;
    let id = match &input.policy_id {
        Some(id) => {
            require(tx, &key, id, input.policy_hash.as_deref())?;
            id.clone()
        }
        None => tx.ids().uuid(),
    };
    let hash = tx.ids().hex(64);
    let row = ResourcePolicyRow { document: input.policy, hash: hash.clone() };
    POLICIES.put(tx, &policy_key(&key, &id), &row)?;
    Ok(PutResourcePolicyOutput { policy_id: Some(id), policy_hash: Some(hash) })
}

/// Refuses a policy that is not there, or not as the caller knows it.
fn require(
    rows: &(impl Read + ?Sized),
    key: &ParameterKey,
    id: &str,
    hash: Option<&str>,
) -> Result<(), Error> {
    let row = POLICIES.get(rows, &policy_key(key, id))?.ok_or_else(|| {
        let message = "No policies with the specified policy ID and hash could be found.";
        Error::ResourcePolicyNotFoundException(message.to_owned())
    })?;
    if hash == Some(row.hash.as_str()) {
        return Ok(());
    }
    let message = "The hash provided in the call doesn't match the stored hash.";
    Err(Error::ResourcePolicyConflictException(message.to_owned()))
}

/// Lists the policies of a parameter.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: GetResourcePoliciesInput,
) -> Result<GetResourcePoliciesOutput, Error> {
    let (key, _) = parameter(tx, &input.resource_arn)?;
    let limit = usize::try_from(input.max_results.unwrap_or(PAGE)).unwrap_or(1);
    let after = match &input.next_token {
        Some(token) => Some(page::parse_text(token).ok_or(Error::InvalidNextToken)?),
        None => None,
    };
    let after = after.map(|id| policy_key(&key, &id));
    let (policies, has_more) = POLICIES.page(tx, &key, after.as_ref(), limit)?;
    let next_token = policies.last().filter(|_| has_more).map(|(key, _)| page::text_token(&key.3));
    let shown = |(key, row): (PolicyKey, ResourcePolicyRow)| GetResourcePoliciesResponseEntry {
        policy_id: Some(key.3),
        policy_hash: Some(row.hash),
        policy: Some(row.document),
    };
    Ok(GetResourcePoliciesOutput {
        policies: Some(policies.into_iter().map(shown).collect()),
        next_token,
    })
}

/// Deletes a policy.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, Error> {
    let (key, _) = parameter(tx, &input.resource_arn)?;
    require(tx, &key, &input.policy_id, Some(&input.policy_hash))?;
    POLICIES.delete(tx, &policy_key(&key, &input.policy_id))?;
    Ok(DeleteResourcePolicyOutput {})
}

/// The policies and owner of the parameter with this ARN, for the gateway.
pub(crate) fn resource_policy(
    tx: &ReadTx<'_>,
    resource: &str,
) -> Result<Option<ResourcePolicy>, Fault> {
    let named = Named::parse(resource, "", "");
    if named.account.is_empty() {
        return Ok(None);
    }
    let mut statements: Vec<Value> = Vec::new();
    if let Some((key, _)) = store::look_up(tx, &named)? {
        for (_, row) in POLICIES.list(tx, &key)? {
            let document: Value = serde_json::from_str(&row.document).unwrap_or_default();
            match &document["Statement"] {
                Value::Array(all) => statements.extend(all.iter().cloned()),
                Value::Null => {}
                one => statements.push(one.clone()),
            }
        }
    }
    let document = match statements.is_empty() {
        true => None,
        false => {
            // Ids need be unique only within each of the policies.
            for statement in statements.iter_mut().filter_map(Value::as_object_mut) {
                statement.remove("Sid");
            }
            let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
            Some(Document::parse(&text, Kind::Resource).map(Arc::new).map_err(Fault::internal)?)
        }
    };
    Ok(Some(ResourcePolicy::new(named.account, document)))
}

/// Stands for what the caller's own policies allow: whether they do does not make a parameter shared.
const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The actions of which one must be allowed to the caller for a parameter to be shared with it.
const SHARES: [&str; 4] =
    ["ssm:DescribeParameters", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParameterHistory"];

/// The parameters of other accounts in the caller's region that a policy shares with the caller, by their ARNs.
pub(crate) fn shared(tx: &ReadTx<'_>) -> Result<Vec<(String, ParameterKey, Parameter)>, Error> {
    let mut keys = BTreeSet::new();
    POLICIES.range(&()).visit_keys(tx, |(account, region, name, _)| {
        if region == tx.region() && account != tx.account() {
            keys.insert((account, region, name));
        }
        ControlFlow::Continue(())
    })?;
    let caller = tx.request().principal.caller();
    let anything = Document::parse(ANYTHING, Kind::Identity).map_err(Fault::internal)?;
    let mut shared = Vec::new();
    for key in keys {
        let arn = store::arn_of(&key);
        let policy = resource_policy(tx, &arn)?.and_then(|policy| policy.document);
        if policy.is_some_and(|policy| is_shared(&caller, (&key.0, &arn), &policy, &anything))
            && let Some((_, parameter)) = store::look_up(tx, &Named::parse(&arn, "", ""))?
        {
            shared.push((arn, key, parameter));
        }
    }
    Ok(shared)
}

/// Whether a policy allows the caller to read the parameter of another account.
fn is_shared(
    caller: &Caller,
    (owner, arn): (&str, &str),
    policy: &Document,
    anything: &Document,
) -> bool {
    let policies = Policies {
        identity: &[Attached { source: "any", document: anything }],
        resource: Some(ResourceSide {
            owner,
            policy: Some(Attached { source: arn, document: policy }),
            grants: &[],
        }),
        ..Policies::default()
    };
    SHARES.iter().any(|action| {
        let call = Call { action, resource: arn, principal: caller, context: &() };
        evaluate(&call, &policies).is_allowed()
    })
}

/// The tags of the parameter with this ARN, for calls that are not its own.
pub(crate) fn resource_tags(
    tx: &ReadTx<'_>,
    check: &Check,
) -> Result<Vec<(String, String)>, Fault> {
    let found = store::look_up(tx, &Named::parse(&check.resource, "", ""))?;
    Ok(found.map(|(_, parameter)| parameter.tags).unwrap_or_default())
}
