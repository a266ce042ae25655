//! The role as which a job works: IAM decides as for any session of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fogbank_core::{Cx, Fault, Principal, PrincipalKind, Session};
use serde_json::{Value, json};

use super::{Running, SERVICE, Trouble, may_heal};

/// What sessions are called.
const SESSION_NAME: &str = "s3-batch-operations";
const SESSION_SECS: i64 = 3600;
/// For how long a session is used again, in milliseconds.
const REUSE_MILLIS: i64 = 60 * 1000;
const MAX_SESSIONS: usize = 1024;

/// Sessions by the job's ARN, and since when they are used.
#[derive(Default)]
struct Sessions(Mutex<HashMap<String, (Principal, i64)>>);

/// A session of the job's role.
pub(super) async fn assume(running: &Running<'_>) -> Result<Principal, Trouble> {
    let (cx, arn) = (running.cx, running.arn());
    let now = cx.now();
    let known = cx.state(Sessions::default);
    let found = known.0.lock().unwrap_or_else(PoisonError::into_inner).get(&arn).cloned();
    if let Some((principal, since)) = found
        && (0..REUSE_MILLIS).contains(&(now.millis() - since))
    {
        return Ok(principal);
    }
    let role = &*running.asked.role_arn;
    let principal = ask(cx, role, &arn).await?;
    let mut sessions = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    if sessions.len() >= MAX_SESSIONS {
        sessions.clear();
    }
    sessions.insert(arn, (principal.clone(), now.millis()));
    Ok(principal)
}

async fn ask(cx: &Cx, role: &str, job_arn: &str) -> Result<Principal, Trouble> {
    let input = json!({
        "RoleArn": role, "RoleSessionName": SESSION_NAME, "DurationSeconds": SESSION_SECS,
    });
    let mut call = cx.prepare(Principal::service(SERVICE), "sts:AssumeRole", input);
    call.source = Some((job_arn.to_owned(), cx.account().to_owned()));
    let output = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) if may_heal(&fault) => return Err(Trouble::Broken(fault)),
        Err(fault) => {
            let reason = format!("The role {role} cannot be assumed: {}", fault.message());
            return Err(Trouble::Failed(("AssumeRoleNotPermitted", reason)));
        }
    };
    session(&output, role, cx)
        .ok_or_else(|| Trouble::Broken(Fault::internal("AssumeRole's answer is incomplete")))
}

fn session(output: &Value, role: &str, cx: &Cx) -> Option<Principal> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let user = &output["AssumedRoleUser"];
    Some(Principal {
        kind: PrincipalKind::Role {
            name: role.rsplit('/').next()?.to_owned(),
            role_arn: role.to_owned(),
            session: SESSION_NAME.to_owned(),
        },
        account: role.split(':').nth(4)?.to_owned(),
        id: text(&user["AssumedRoleId"])?,
        arn: text(&user["Arn"])?,
        access_key_id: text(&output["Credentials"]["AccessKeyId"]),
        session: Some(Box::new(Session { issued_secs: cx.now().secs(), ..Session::default() })),
    })
}
