//! Federated users: sessions that a user, or the root, makes for others, which may what both sides allow.

use fogbank_core::{Access, Principal, PrincipalKind, Session, Tx, WriteTx};

use crate::error::Error;
use crate::model::{FederatedUser, GetFederationTokenInput, GetFederationTokenOutput};
use crate::store::{self, NewSession};
use crate::{rules, sessions};

/// Makes credentials of a federated user.
pub(crate) fn get_token(
    tx: &mut WriteTx<'_>,
    input: GetFederationTokenInput,
) -> Result<GetFederationTokenOutput, Error> {
    let caller = Principal::clone(&tx.request().principal);
    let is_root = caller.kind == PrincipalKind::Root;
    let is_user = matches!(caller.kind, PrincipalKind::User { .. });
    if caller.session.is_some() || !(is_root || is_user) {
        return Err(Error::denied("Cannot call GetFederationToken with session credentials"));
    }
    let (policies, policy_arns) = rules::policies(input.policy, input.policy_arns)?;
    let (tags, _) = rules::tags(input.tags, None, Vec::new())?;
    let packed_policy_size = rules::packed_percent(&policies, &policy_arns, &tags)?;
    sessions::check_managed(tx, &caller.account, &policy_arns)?;
    let arn = rules::federated_arn(&caller.account, &input.name);
    if !tags.is_empty() {
        let mut access = Access::to("sts:TagSession", &arn);
        for (key, value) in sessions::keys_of_tags(&tags, &[]) {
            access = access.with(key, value);
        }
        tx.cx().authorise(&access)?;
    }
    let session =
        Session { policies, policy_arns, tags, issued_secs: tx.now().secs(), ..Session::default() };
    let principal = Principal {
        kind: PrincipalKind::Federated {
            name: input.name.clone(),
            user_arn: caller.arn,
            user_id: caller.id,
        },
        id: format!("{}:{}", caller.account, input.name),
        account: caller.account,
        arn: arn.clone(),
        access_key_id: None,
        session: Some(Box::new(session)),
    };
    let federated_user =
        FederatedUser { federated_user_id: Some(principal.id.clone()), arn: Some(arn) };
    let session = NewSession {
        principal,
        secs: rules::user_session_secs(input.duration_seconds, is_root),
        transitive_tags: Vec::new(),
        token_bytes: input.minimum_session_token_size,
    };
    let credentials = store::create(tx, session)?;
    let (session_token_size, session_token_utilization) = sessions::token_size(&credentials);
    Ok(GetFederationTokenOutput {
        credentials: Some(credentials),
        federated_user: Some(federated_user),
        packed_policy_size,
        session_token_size,
        session_token_utilization,
    })
}
