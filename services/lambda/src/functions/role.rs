//! Execution roles: whether Lambda may assume them, and the credentials that it gets.

use fogbank_core::{Arn, Cx, Fault, Principal, PrincipalKind, Session};
use serde_json::{Value, json};

use crate::error::{Error, invalid};
use crate::rules::target::Target;

/// The life of the credentials of an execution environment, in seconds: what every role allows.
const CREDENTIALS_SECS: i64 = 3600;

const NOT_ASSUMABLE: &str = "The role defined for the function cannot be assumed by Lambda.";

/// The credentials of a role's session.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    /// The session as a caller.
    pub(crate) principal: Principal,
}

/// Refuses a role that Lambda could not assume for the function.
pub(super) async fn check(cx: &Cx, target: &Target, role: &str) -> Result<(), Error> {
    if Arn::parse(role).is_none_or(|arn| arn.account != target.account) {
        let message = "Cross-account pass role is not allowed.";
        return Err(Error::AccessDeniedException(message.to_owned()));
    }
    assume(cx, target, role).await.map(drop).map_err(|error| match error {
        Error::AccessDeniedException(message) => invalid(message),
        other => other,
    })
}

/// Assumes a role for a function.
pub(crate) async fn assume(cx: &Cx, target: &Target, role: &str) -> Result<Credentials, Error> {
    let input = json!({
        "RoleArn": role,
        "RoleSessionName": session_name(&target.name),
        "DurationSeconds": CREDENTIALS_SECS,
    });
    let cx = cx.located(&target.account, &target.region);
    let mut call = cx.prepare(Principal::service("lambda.amazonaws.com"), "sts:AssumeRole", input);
    call.source = Some((target.function_arn(), target.account.clone()));
    let output = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) if matches!(fault.name(), "InternalFailure" | "NotImplemented") => {
            return Err(Error::Fault(fault));
        }
        Err(_) => return Err(Error::AccessDeniedException(NOT_ASSUMABLE.to_owned())),
    };
    credentials(&output, role, &target.account, cx.now().secs())
        .ok_or_else(|| Error::Fault(Fault::internal("AssumeRole's answer is incomplete")))
}

/// The session's name is the function's, but STS takes none of one letter.
fn session_name(function: &str) -> String {
    if function.len() < 2 { format!("lambda-{function}") } else { function.to_owned() }
}

fn credentials(output: &Value, role: &str, account: &str, now: i64) -> Option<Credentials> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let credentials = &output["Credentials"];
    let user = &output["AssumedRoleUser"];
    let arn = text(&user["Arn"])?;
    let access_key_id = text(&credentials["AccessKeyId"])?;
    let principal = Principal {
        kind: PrincipalKind::Role {
            name: role.rsplit('/').next()?.to_owned(),
            role_arn: role.to_owned(),
            session: arn.rsplit('/').next()?.to_owned(),
        },
        account: account.to_owned(),
        id: text(&user["AssumedRoleId"])?,
        arn,
        access_key_id: Some(access_key_id.clone()),
        session: Some(Box::new(Session { issued_secs: now, ..Session::default() })),
    };
    Some(Credentials {
        access_key_id,
        secret_access_key: text(&credentials["SecretAccessKey"])?,
        session_token: text(&credentials["SessionToken"])?,
        principal,
    })
}
