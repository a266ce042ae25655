//! Sessions: of roles, users and the root.

use std::borrow::Cow;

use fogbank_core::{Cx, Principal, PrincipalKind, ReadTx, Request, Session, Tx, WriteTx};
use fogbank_identity::rows::{self, Role};
use fogbank_identity::{Identities, keys, managed, trust};

use crate::error::Error;
use crate::mfa::Shown;
use crate::model::{
    AssumeRoleInput, AssumeRoleOutput, AssumedRoleUser, Credentials, GetSessionTokenInput,
    GetSessionTokenOutput,
};
use crate::rules;
use crate::store::{self, NewSession};

/// Condition keys and their values.
pub(crate) type Keys = Vec<(Cow<'static, str>, Vec<String>)>;

/// Makes credentials of a role's session, if the role's trust policy and the caller's own policies allow it.
pub(crate) async fn assume_role(
    cx: &Cx,
    input: AssumeRoleInput,
) -> Result<AssumeRoleOutput, Error> {
    if !rules::is_role_arn(&input.role_arn) {
        return Err(Error::validation("Request ARN is invalid"));
    }
    if let PrincipalKind::Federated { .. } = cx.request().principal.kind {
        return Err(Error::denied("Cannot call AssumeRole with federated user credentials"));
    }
    let factor = Shown::of(input.serial_number.clone(), input.token_code.clone())?;
    let asked = cx.read(|tx| {
        if let Some(factor) = &factor {
            factor.check(tx)?;
        }
        decide(tx, input, factor.is_some())
    })?;
    let user = AssumedRoleUser {
        assumed_role_id: Some(asked.principal.id.clone()),
        arn: Some(asked.principal.arn.clone()),
    };
    let source_identity =
        asked.principal.session.as_ref().and_then(|session| session.source_identity.clone());
    let packed_policy_size = asked.packed_percent;
    let credentials = cx
        .write(|tx| {
            if let Some(factor) = &factor {
                factor.take(tx)?;
            }
            let session = NewSession {
                principal: asked.principal.clone(),
                secs: asked.secs,
                transitive_tags: asked.transitive_tags.clone(),
                token_bytes: asked.token_bytes,
            };
            store::create(tx, session)
        })
        .await?;
    let (session_token_size, session_token_utilization) = token_size(&credentials);
    Ok(AssumeRoleOutput {
        credentials: Some(credentials),
        assumed_role_user: Some(user),
        packed_policy_size,
        source_identity,
        session_token_size,
        session_token_utilization,
    })
}

/// Makes temporary credentials of the calling user or root.
pub(crate) fn get_session_token(
    tx: &mut WriteTx<'_>,
    input: GetSessionTokenInput,
) -> Result<GetSessionTokenOutput, Error> {
    let caller = Principal::clone(&tx.request().principal);
    let is_root = caller.kind == PrincipalKind::Root;
    let is_user = matches!(caller.kind, PrincipalKind::User { .. });
    if caller.session.is_some() || !(is_root || is_user) {
        return Err(Error::denied("Cannot call GetSessionToken with session credentials"));
    }
    let factor = Shown::of(input.serial_number, input.token_code)?;
    if let Some(factor) = &factor {
        factor.take(tx)?;
    }
    let issued_secs = tx.now().secs();
    let session = Session { issued_secs, mfa: factor.is_some(), ..Session::default() };
    let session = NewSession {
        principal: Principal { session: Some(Box::new(session)), ..caller },
        secs: rules::user_session_secs(input.duration_seconds, is_root),
        transitive_tags: Vec::new(),
        token_bytes: input.minimum_session_token_size,
    };
    let credentials = store::create(tx, session)?;
    let (session_token_size, session_token_utilization) = token_size(&credentials);
    Ok(GetSessionTokenOutput {
        credentials: Some(credentials),
        session_token_size,
        session_token_utilization,
    })
}

/// A session that may begin.
struct Asked {
    principal: Principal,
    secs: i64,
    transitive_tags: Vec<String>,
    packed_percent: Option<i32>,
    token_bytes: Option<i32>,
}

fn decide(tx: &ReadTx<'_>, input: AssumeRoleInput, has_factor: bool) -> Result<Asked, Error> {
    let request = tx.request();
    let AssumeRoleInput { role_arn, role_session_name, .. } = input;
    let (policies, policy_arns) = rules::policies(input.policy, input.policy_arns)?;
    let caller = store::of_caller(tx)?;
    let inherited = caller.as_ref().map(|caller| {
        let tags = caller.principal.session.iter().flat_map(|session| &session.tags);
        let passes = |tag: &&(String, String)| caller.transitive_tags.contains(&tag.0);
        tags.filter(passes).cloned().collect()
    });
    let (tags, transitive_tags) =
        rules::tags(input.tags, input.transitive_tag_keys, inherited.unwrap_or_default())?;
    let packed_percent = rules::packed_percent(&policies, &policy_arns, &tags)?;
    let Some((account, role)) = rows::role_by_arn(tx, &role_arn)? else {
        return Err(trust::refusal(request, "sts:AssumeRole", &role_arn).into());
    };
    let own_identity =
        request.principal.session.as_ref().and_then(|session| session.source_identity.clone());
    let source_identity = own_identity.clone().or_else(|| input.source_identity.clone());
    let mut keys = keys_of(
        &role_session_name,
        input.external_id,
        input.duration_seconds,
        &source_identity,
        (&tags, &transitive_tags),
    );
    if has_factor {
        // The trust policy sees the factor that comes with the call; the session, as AWS has it, does not.
        keys.push(("aws:MultiFactorAuthPresent".into(), vec!["true".to_owned()]));
        keys.push(("aws:MultiFactorAuthAge".into(), vec!["0".to_owned()]));
    }
    let identities = Identities::of(tx.cx().cloud());
    let allowed =
        |action: &str| trust::decide(&identities, tx, request, action, (&account, &role), &keys);
    allowed("sts:AssumeRole")?;
    if !tags.is_empty() {
        allowed("sts:TagSession")?;
    }
    if source_identity.is_some() {
        allowed("sts:SetSourceIdentity")?;
    }
    if own_identity.is_some()
        && input.source_identity.is_some_and(|asked| Some(asked) != own_identity)
    {
        return Err(trust::refusal(request, "sts:SetSourceIdentity", &role_arn).into());
    }
    check_managed(tx, &account, &policy_arns)?;
    let is_chained = rules::is_role_session(&request.principal);
    let secs = rules::role_session_secs(input.duration_seconds, role.max_session_secs, is_chained)?;
    let session = Session {
        policies,
        policy_arns,
        tags,
        mfa: false,
        issued_secs: tx.now().secs(),
        source_identity,
        keys: keys_of_source(request),
    };
    Ok(Asked {
        principal: role_principal(&account, &role, role_session_name, session),
        secs,
        transitive_tags,
        packed_percent,
        token_bytes: input.minimum_session_token_size,
    })
}

/// What the session tells of the resource on whose behalf a service of AWS asks for it: the function whose environment gets the
/// credentials, or the instance of S3 Access Grants that hands them out.
fn keys_of_source(request: &Request) -> Vec<(String, Vec<String>)> {
    let PrincipalKind::Service { name } = &request.principal.kind else { return Vec::new() };
    let key = match &**name {
        "lambda.amazonaws.com" => "lambda:SourceFunctionArn",
        "access-grants.s3.amazonaws.com" => "s3:AccessGrantsInstanceArn",
        _ => return Vec::new(),
    };
    request.source.iter().map(|(arn, _)| (key.to_owned(), vec![arn.clone()])).collect()
}

fn keys_of(
    session_name: &str,
    external_id: Option<String>,
    duration_secs: Option<i32>,
    source_identity: &Option<String>,
    (tags, transitive): (&[(String, String)], &[String]),
) -> Keys {
    let mut keys: Keys = vec![("sts:RoleSessionName".into(), vec![session_name.to_owned()])];
    keys.extend(external_id.map(|id| ("sts:ExternalId".into(), vec![id])));
    keys.extend(duration_secs.map(|secs| ("sts:DurationSeconds".into(), vec![secs.to_string()])));
    keys.extend(source_identity.clone().map(|name| ("sts:SourceIdentity".into(), vec![name])));
    keys.extend(keys_of_tags(tags, transitive));
    keys
}

/// The condition keys of session tags.
pub(crate) fn keys_of_tags(tags: &[(String, String)], transitive: &[String]) -> Keys {
    let mut keys = Keys::new();
    if !tags.is_empty() {
        let names = tags.iter().map(|(key, _)| key.clone()).collect();
        keys.push(("aws:TagKeys".into(), names));
        keys.extend(
            tags.iter()
                .map(|(key, value)| (format!("aws:RequestTag/{key}").into(), vec![value.clone()])),
        );
    }
    if !transitive.is_empty() {
        keys.push(("sts:TransitiveTagKeys".into(), transitive.to_vec()));
    }
    keys
}

/// Managed session policies must exist in the role's account.
pub(crate) fn check_managed(tx: &impl Tx, account: &str, arns: &[String]) -> Result<(), Error> {
    for arn in arns {
        let is_ours = arn.split(':').nth(4) == Some(account);
        let exists =
            managed::find(arn).is_some() || (is_ours && rows::policy_by_arn(tx, arn)?.is_some());
        if !exists {
            let message = format!("Policy {arn} does not exist or is not attachable.");
            return Err(Error::validation(message));
        }
    }
    Ok(())
}

/// The principal of a role's session.
pub(crate) fn role_principal(
    account: &str,
    role: &Role,
    name: String,
    session: Session,
) -> Principal {
    Principal {
        account: account.to_owned(),
        arn: rules::session_arn(account, &role.name, &name),
        id: format!("{}:{name}", role.id),
        access_key_id: None,
        session: Some(Box::new(session)),
        kind: PrincipalKind::Role {
            name: role.name.clone(),
            role_arn: role.arn(account),
            session: name,
        },
    }
}

/// The length of a session token, and how much of the longest it is in percent.
pub(crate) fn token_size(credentials: &Credentials) -> (Option<i32>, Option<i32>) {
    let size = credentials.session_token.as_ref().map_or(0, String::len);
    let number = |size: usize| i32::try_from(size).ok();
    (number(size), number((size * 100).div_ceil(keys::MAX_SESSION_TOKEN)))
}
