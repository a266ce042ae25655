//! Sessions of members' roots: an organization's management account does one of a few tasks as the root of a member.

use fogbank_core::{Principal, PrincipalKind, ReadTx, Session, Tx, WriteTx};
use fogbank_identity::managed;
use fogbank_identity::organizations::{self, ACCOUNTS, DELEGATIONS};
use fogbank_identity::rows::ROOT_FEATURES;

use crate::error::Error;
use crate::model::{AssumeRootInput, AssumeRootOutput};
use crate::sessions;
use crate::store::{self, NewSession};

/// The path of the policies that limit such sessions, each to one task.
const TASKS: &str = "/root-task/";
/// The task's policies deny what is not their task, and allow nothing: that is the root's.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
/// The longest session, in seconds.
const SESSION_SECS: i32 = 900;
/// The service whose delegated administrators may do what the management account may.
const SERVICE: &str = "iam.amazonaws.com";

/// Makes credentials of a member's root for one task.
pub(crate) fn assume(
    tx: &mut WriteTx<'_>,
    input: AssumeRootInput,
) -> Result<AssumeRootOutput, Error> {
    let task = input.task_policy_arn.arn.unwrap_or_default();
    let policy = managed::find(&task).filter(|policy| policy.path == TASKS);
    if policy.is_none() {
        return Err(Error::validation(format!("Policy {task} is not a task policy of AWS.")));
    }
    let account = account(&input.target_principal)
        .ok_or_else(|| Error::validation("The target principal is invalid"))?;
    check(&tx.as_read(), account)?;
    let caller = &tx.request().principal;
    let source_identity =
        caller.session.as_ref().and_then(|session| session.source_identity.clone());
    let session = Session {
        policies: vec![EVERYTHING.to_owned()],
        policy_arns: vec![task],
        issued_secs: tx.now().secs(),
        source_identity: source_identity.clone(),
        keys: vec![("aws:AssumedRoot".to_owned(), vec!["true".to_owned()])],
        ..Session::default()
    };
    let secs = input.duration_seconds.filter(|secs| *secs > 0).unwrap_or(SESSION_SECS);
    let session = NewSession {
        principal: Principal { session: Some(Box::new(session)), ..Principal::root(account) },
        secs: i64::from(secs),
        transitive_tags: Vec::new(),
        token_bytes: input.minimum_session_token_size,
    };
    let credentials = store::create(tx, session)?;
    let (session_token_size, session_token_utilization) = sessions::token_size(&credentials);
    Ok(AssumeRootOutput {
        credentials: Some(credentials),
        source_identity,
        session_token_size,
        session_token_utilization,
    })
}

/// The account that a target names: by its number or its root's ARN.
pub(crate) fn account(target: &str) -> Option<&str> {
    let account = match target.strip_prefix("arn:aws:iam::") {
        Some(rest) => rest.strip_suffix(":root")?,
        None => target,
    };
    let is_number = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(account)
}

/// Refuses whoever may not act as the root of this account. AWS's words are not known.
fn check(tx: &ReadTx<'_>, target: &str) -> Result<(), Error> {
    let denied = || {
        let who = &tx.request().principal.arn;
        Error::denied(&format!(
            "User: {who} is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::{target}:root"
        ))
    };
    if tx.request().principal.kind == PrincipalKind::Root {
        return Err(Error::denied("AssumeRoot cannot be called with root user credentials."));
    }
    let own = organizations::membership(tx, tx.account())?.ok_or_else(denied)?;
    let organization = &own.organization_id;
    let is_delegate = DELEGATIONS.contains(tx, &(&**organization, tx.account(), SERVICE))?;
    let features = ROOT_FEATURES.get(tx, organization)?.unwrap_or_default();
    let member = ACCOUNTS.get(tx, target)?.ok_or_else(denied)?;
    let is_management =
        organizations::membership(tx, target)?.is_none_or(|membership| membership.is_management);
    let may = (own.is_management || is_delegate)
        && features.sessions
        && member.organization == *organization
        && !member.closed
        && !is_management;
    if may { Ok(()) } else { Err(denied()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_accounts() {
        assert_eq!(account("111122223333"), Some("111122223333"));
        assert_eq!(account("arn:aws:iam::111122223333:root"), Some("111122223333"));
        for target in ["11112222333", "arn:aws:iam::111122223333:user/x", "arn:aws:iam:::root"] {
            assert_eq!(account(target), None, "{target}");
        }
    }
}
