//! Roles of targets: EventBridge assumes them, and IAM decides as for any session of theirs.

use std::collections::HashMap;

use fogbank_core::{Arn, Cx, Fault, Principal, PrincipalKind, Session};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::delivery::SERVICE;

const SESSION_SECS: i64 = 3600;
/// For how long a session is used again, in milliseconds.
const REUSE_MILLIS: i64 = 5 * 60 * 1000;
const MAX_SESSIONS: usize = 1024;

/// Sessions by the role and the rule, and when they began.
#[derive(Default)]
struct Sessions(Mutex<HashMap<(String, String), (Principal, i64)>>);

/// A session of a role, on behalf of the resource with an ARN.
pub(crate) async fn assume(cx: &Cx, role: &str, source_arn: &str) -> Result<Principal, Fault> {
    let key = (role.to_owned(), source_arn.to_owned());
    let now = cx.now();
    let sessions = cx.state(Sessions::default);
    let known = sessions.0.lock().get(&key).cloned();
    if let Some((principal, began)) = known
        && (0..REUSE_MILLIS).contains(&(now.millis() - began))
    {
        return Ok(principal);
    }
    let account = Arn::parse(source_arn).map_or("", |arn| arn.account).to_owned();
    // AWS's name is the request's id.
    let name = cx.ids().hex(32);
    let input =
        json!({ "RoleArn": role, "RoleSessionName": name, "DurationSeconds": SESSION_SECS });
    let mut call = cx.prepare(Principal::service(SERVICE), "sts:AssumeRole", input);
    call.source = Some((source_arn.to_owned(), account));
    let output = cx.cloud().call(call).await?.output;
    let principal = session(&output, role, now.secs())
        .ok_or_else(|| Fault::internal("AssumeRole's answer is incomplete"))?;
    let mut sessions = sessions.0.lock();
    if sessions.len() >= MAX_SESSIONS {
        sessions.clear();
    }
    sessions.insert(key, (principal.clone(), now.millis()));
    Ok(principal)
}

fn session(output: &Value, role: &str, now_secs: i64) -> Option<Principal> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let user = &output["AssumedRoleUser"];
    let arn = text(&user["Arn"])?;
    Some(Principal {
        kind: PrincipalKind::Role {
            name: role.rsplit('/').next()?.to_owned(),
            role_arn: role.to_owned(),
            session: arn.rsplit('/').next()?.to_owned(),
        },
        account: Arn::parse(role)?.account.to_owned(),
        id: text(&user["AssumedRoleId"])?,
        arn,
        access_key_id: text(&output["Credentials"]["AccessKeyId"]),
        session: Some(Box::new(Session { issued_secs: now_secs, ..Session::default() })),
    })
}
