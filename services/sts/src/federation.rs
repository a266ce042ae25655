//! What sessions of web identities and of SAML have in common: somebody without credentials, for whom an identity
//! provider vouches, asks for a role.

use std::borrow::Cow;

use fogbank_core::{Cx, ReadTx, Session, Tx};
use fogbank_identity::rows::{self, Tags};
use fogbank_identity::{Identities, trust};

use crate::error::Error;
use crate::model::{AssumedRoleUser, Credentials, PolicyDescriptorType};
use crate::store::{self, NewSession};
use crate::{rules, sessions};

/// Condition keys and their values.
pub(crate) type Keys = Vec<(String, Vec<String>)>;

/// What the caller asks for, and what the provider says of it.
pub(crate) struct Asked {
    /// The action, such as `sts:AssumeRoleWithSAML`.
    pub(crate) action: &'static str,
    /// The role's ARN.
    pub(crate) role_arn: String,
    /// The session's name.
    pub(crate) session_name: String,
    /// The provider's ARN.
    pub(crate) provider_arn: String,
    /// The inline session policy.
    pub(crate) policy: Option<String>,
    /// Managed session policies.
    pub(crate) policy_arns: Option<Vec<PolicyDescriptorType>>,
    /// How long the session is to last, in seconds.
    pub(crate) duration_secs: Option<i32>,
    /// When it ends at the latest, in seconds since 1970.
    pub(crate) ends_secs: Option<i64>,
    /// The session tags that the provider gives.
    pub(crate) tags: Tags,
    /// The keys of those that pass on.
    pub(crate) transitive: Vec<String>,
    /// The source identity that the provider gives.
    pub(crate) source_identity: Option<String>,
    /// The provider's condition keys, such as `saml:sub`.
    pub(crate) keys: Keys,
    /// The least length of the session token.
    pub(crate) token_bytes: Option<i32>,
}

/// A session that was made.
pub(crate) struct Made {
    pub(crate) credentials: Credentials,
    pub(crate) user: AssumedRoleUser,
    pub(crate) packed_policy_size: Option<i32>,
    pub(crate) source_identity: Option<String>,
}

/// Makes a session, if the role trusts the provider for this.
pub(crate) async fn assume(cx: &Cx, asked: Asked) -> Result<Made, Error> {
    let source_identity = asked.source_identity.clone();
    let token_bytes = asked.token_bytes;
    let (session, packed_policy_size) = cx.read(|tx| decide(tx, asked))?;
    let principal = session.principal.clone();
    let credentials = cx
        .write(|tx| {
            let session = NewSession {
                principal: session.principal.clone(),
                secs: session.secs,
                transitive_tags: session.transitive_tags.clone(),
                token_bytes,
            };
            store::create(tx, session)
        })
        .await?;
    let user = AssumedRoleUser { assumed_role_id: Some(principal.id), arn: Some(principal.arn) };
    Ok(Made { credentials, user, packed_policy_size, source_identity })
}

fn decide(tx: &ReadTx<'_>, asked: Asked) -> Result<(NewSession, Option<i32>), Error> {
    let refused = |action: &str| Error::denied(&format!("Not authorized to perform {action}"));
    let (policies, policy_arns) = rules::policies(asked.policy, asked.policy_arns)?;
    let (tags, transitive_tags) = rules::provided_tags(asked.tags, asked.transitive)?;
    let packed_percent = rules::packed_percent(&policies, &policy_arns, &tags)?;
    let found = rows::role_by_arn(tx, &asked.role_arn)?;
    let (account, role) = found.ok_or_else(|| refused(asked.action))?;
    let mut keys = sessions::keys_of_tags(&tags, &transitive_tags);
    keys.push(("sts:RoleSessionName".into(), vec![asked.session_name.clone()]));
    keys.extend(
        asked.duration_secs.map(|secs| ("sts:DurationSeconds".into(), vec![secs.to_string()])),
    );
    keys.extend(
        asked.source_identity.clone().map(|name| ("sts:SourceIdentity".into(), vec![name])),
    );
    let own = asked.keys.iter().map(|(key, values)| (Cow::Owned(key.clone()), values.clone()));
    keys.extend(own);
    let federated = ("aws:FederatedProvider".to_owned(), vec![asked.provider_arn.clone()]);
    keys.push((federated.0.clone().into(), federated.1.clone()));
    let identities = Identities::of(tx.cx().cloud());
    let allowed = |action: &str| -> Result<(), Error> {
        let role = (&*account, &role);
        let is_allowed = trust::allows_federated(
            &identities,
            tx,
            tx.request(),
            action,
            role,
            &asked.provider_arn,
            &keys,
        )?;
        if is_allowed { Ok(()) } else { Err(refused(action)) }
    };
    allowed(asked.action)?;
    if !tags.is_empty() {
        allowed("sts:TagSession")?;
    }
    if asked.source_identity.is_some() {
        allowed("sts:SetSourceIdentity")?;
    }
    sessions::check_managed(tx, &account, &policy_arns)?;
    let now = tx.now().secs();
    let secs = rules::role_session_secs(asked.duration_secs, role.max_session_secs, false)?;
    let secs = asked.ends_secs.map_or(secs, |end| secs.min(end - now));
    let session = Session {
        policies,
        policy_arns,
        tags,
        mfa: false,
        issued_secs: now,
        source_identity: asked.source_identity,
        keys: asked.keys.into_iter().chain([federated]).collect(),
    };
    let principal = sessions::role_principal(&account, &role, asked.session_name, session);
    Ok((NewSession { principal, secs, transitive_tags, token_bytes: None }, packed_percent))
}

/// The account of the role that an ARN names.
pub(crate) fn account_of_role(role_arn: &str) -> Result<String, Error> {
    if !rules::is_role_arn(role_arn) {
        return Err(Error::validation("Request ARN is invalid"));
    }
    Ok(role_arn.split(':').nth(4).unwrap_or_default().to_owned())
}
