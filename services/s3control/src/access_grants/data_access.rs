//! Data access: credentials for what is granted to the caller.

use std::ops::ControlFlow;

use fogbank_accesspoints::{Grant, Granted, LOCATIONS};
use fogbank_core::{Cx, Fault, Principal, PrincipalKind, ReadTx, Request, Timestamp, Tx, page};
use serde_json::{Value, json};

use super::grants::of_grantee;
use super::scopes::Scope;
use super::{SERVICE, find_instance, paged, permission, permits};
use crate::error::Error;
use crate::model::*;

/// How long credentials are good, in seconds, unless the caller says.
const SECS: i32 = 3600;
/// The longest name of a source identity.
const MAX_IDENTITY: usize = 64;

/// The user or role that calls, as grants name it.
fn caller(request: &Request) -> &str {
    match &request.principal.kind {
        PrincipalKind::Role { role_arn, .. } => role_arn,
        _ => &request.principal.arn,
    }
}

/// What was found for a caller who asks for data.
struct Found {
    grant: Grant,
    scope: Scope,
    role_arn: String,
}

/// Gives the caller credentials for data that is granted to it.
pub(crate) async fn get(cx: &Cx, input: GetDataAccessInput) -> Result<GetDataAccessOutput, Error> {
    let is_object = input.target_type == Some(S3PrefixType::Object);
    let found = cx.read(|tx| find(tx, &input, is_object))?;
    let is_minimal = input.privilege == Some(Privilege::Minimal);
    let scope = match Scope::parse(&input.target, is_object) {
        Some(target) if is_minimal => target,
        _ => found.scope,
    };
    let secs = input.duration_seconds.unwrap_or(SECS);
    let policy = scope.policy(permits(input.permission)).to_string();
    let instance_arn = Granted::Instance.arn(&input.account_id, cx.region());
    let asked = json!({
        "RoleArn": found.role_arn,
        "RoleSessionName": format!("access-grants-{}", cx.ids().uuid()),
        "DurationSeconds": secs,
        "Policy": policy,
        "SourceIdentity": identity(&cx.request().principal),
    });
    let credentials = assume(cx, asked, (&instance_arn, &input.account_id)).await?;
    Ok(GetDataAccessOutput {
        credentials: Some(credentials),
        matched_grant_target: Some(scope.shown()),
        grantee: Some(Grantee {
            grantee_type: Some(GranteeType::Iam),
            grantee_identifier: Some(found.grant.grantee),
        }),
        matched_instance_arn: Some(instance_arn),
    })
}

/// The narrowest of the caller's grants that has the data and the permission.
fn find(tx: &ReadTx<'_>, input: &GetDataAccessInput, is_object: bool) -> Result<Found, Error> {
    let account = &*input.account_id;
    find_instance(tx, account)?;
    let asked = input.permission.as_str();
    let denied = || {
        let target = &input.target;
        let words =
            format!("You do not have {asked} permissions to the requested S3 Prefix: {target}");
        Error::Fault(Fault::new("AccessDenied", words).with_status(403))
    };
    let target = Scope::parse(&input.target, is_object).ok_or_else(denied)?;
    let (reads, writes) = permits(input.permission);
    let mut best: Option<(Grant, Scope)> = None;
    of_grantee(tx, (account, tx.region(), caller(tx.request())), None, |_, grant| {
        let permits = (!reads || grant.reads) && (!writes || grant.writes);
        if let Some(scope) = Scope::parse(&grant.scope, grant.is_object)
            && permits
            && scope.has(&target)
            && best.as_ref().is_none_or(|(_, best)| best.has(&scope))
        {
            best = Some((grant, scope));
        }
        ControlFlow::Continue(())
    })?;
    let (grant, scope) = best.ok_or_else(denied)?;
    let location = LOCATIONS.get(tx, &(account, tx.region(), &*grant.location))?;
    let role_arn = location.ok_or_else(denied)?.role_arn;
    Ok(Found { grant, scope, role_arn })
}

/// What tells in the session who asked for it: the unique id of the user or role, with what a source identity may have.
fn identity(principal: &Principal) -> String {
    let id = principal.id.split(':').next().unwrap_or_default();
    let is_good = |char: &char| char.is_ascii_alphanumeric() || "_+=,.@-".contains(*char);
    id.chars().filter(is_good).take(MAX_IDENTITY).collect()
}

/// Assumes a location's role on behalf of an instance.
async fn assume(
    cx: &Cx,
    asked: Value,
    (instance_arn, account): (&str, &str),
) -> Result<Credentials, Error> {
    let role_arn = asked["RoleArn"].as_str().unwrap_or_default().to_owned();
    let mut call = cx.prepare(Principal::service(SERVICE), "sts:AssumeRole", asked);
    call.source = Some((instance_arn.to_owned(), account.to_owned()));
    let output = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) => return Err(refused(fault, &role_arn)),
    };
    let given = &output["Credentials"];
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let expiration = &given["Expiration"];
    Ok(Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: text("SessionToken"),
        expiration: expiration.as_f64().map(|secs| Timestamp::from_millis((secs * 1000.0) as i64)),
    })
}

/// What Access Grants say of what STS refuses.
fn refused(fault: Fault, role_arn: &str) -> Error {
    let (name, status, message) = match fault.name() {
        "AccessDenied" | "AccessDeniedException" => (
            "StsNotAuthorizedError",
            403,
            format!(
                "User: {SERVICE} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            ),
        ),
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => (
            "StsPackedPolicyTooLargeError",
            400,
            "Serialized token too large for session".to_owned(),
        ),
        "ValidationError" | "ValidationException" | "MalformedPolicyDocument" => {
            ("StsValidationError", 400, fault.message().to_owned())
        }
        _ => return fault.into(),
    };
    Error::Fault(Fault::new(name, message).with_status(status))
}

/// What is granted to the caller, by the grants' ids.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListCallerAccessGrantsInput,
) -> Result<ListCallerAccessGrantsOutput, Error> {
    let (account, region) = (&*input.account_id, tx.region());
    find_instance(tx, account)?;
    let (limit, after) = paged(input.max_results, input.next_token.as_deref())?;
    let is_meant =
        |row: &Grant| input.grant_scope.as_ref().is_none_or(|start| row.scope.starts_with(start));
    let (mut found, mut last, mut next_token) = (Vec::new(), None, None);
    let grantee = caller(tx.request());
    of_grantee(tx, (account, region, grantee), after.as_deref(), |id, row| {
        if !is_meant(&row) {
            return ControlFlow::Continue(());
        }
        if found.len() == limit {
            next_token = last.as_deref().map(page::text_token);
            return ControlFlow::Break(());
        }
        found.push(ListCallerAccessGrantsEntry {
            permission: Some(permission((row.reads, row.writes))),
            grant_scope: Some(row.scope),
            application_arn: None,
            access_grants_instance_arn: Some(Granted::Instance.arn(account, region)),
        });
        last = Some(id);
        ControlFlow::Continue(())
    })?;
    Ok(ListCallerAccessGrantsOutput { next_token, caller_access_grants_list: Some(found) })
}
