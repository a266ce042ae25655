//! What a call of IAM is about: callers name users, roles and groups by their names, policies by ARNs with paths.

use fogbank_core::store::{Error, Read};

use crate::rows::{self, Grants, Tags};

/// The user, role, group or policy that a call is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its ARN, with its path.
    pub(crate) arn: String,
    /// Its tags.
    pub(crate) tags: Tags,
    /// The ARN of its permissions boundary.
    pub(crate) boundary: Option<String>,
}

/// Finds what `arn` is about, also if the path before the name is left out, and users, roles and groups in whatever
/// case: IAM finds them so, and a policy that denies one is not got round by another case. An access key stands for
/// its user.
pub(crate) fn find(rows: &dyn Read, arn: &str) -> Result<Option<Target>, Error> {
    let Some((account, resource)) =
        arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'))
    else {
        return Ok(None);
    };
    let Some((kind, path)) = resource.split_once('/') else { return Ok(None) };
    let name = path.rsplit('/').next().unwrap_or_default();
    let key = (account, rows::fold(name));
    let of =
        |arn: String, tags: Tags, grants: Grants| Target { arn, tags, boundary: grants.boundary };
    Ok(match kind {
        "user" => {
            let found = rows::USERS.get(rows, &key)?;
            found.map(|user| of(user.arn(account), user.tags, user.grants))
        }
        "role" => {
            let found = rows::ROLES.get(rows, &key)?;
            found.map(|role| of(role.arn(account), role.tags, role.grants))
        }
        "group" => {
            let found = rows::GROUPS.get(rows, &key)?;
            found.map(|group| of(group.arn(account), Tags::new(), group.grants))
        }
        "policy" => {
            let found = rows::policy_by_arn(rows, arn)?;
            found.map(|policy| of(policy.arn(account), policy.tags, Grants::default()))
        }
        "instance-profile" => {
            let found = rows::INSTANCE_PROFILES.get(rows, &key)?.filter(|row| row.name == name);
            found.map(|row| of(row.arn(account), row.tags, Grants::default()))
        }
        "mfa" => {
            let found = rows::MFA_DEVICES.get(rows, &key)?.filter(|row| row.name == name);
            found.map(|row| of(row.arn(account), row.tags, Grants::default()))
        }
        "server-certificate" => {
            let found = rows::SERVER_CERTIFICATES.get(rows, &key)?.filter(|row| row.name == name);
            found.map(|row| of(row.arn(account), row.tags, Grants::default()))
        }
        "saml-provider" => {
            let found = rows::SAML_PROVIDERS.get(rows, &key)?.filter(|row| row.name == name);
            found.map(|row| of(row.arn(account), row.tags, Grants::default()))
        }
        "oidc-provider" => {
            let found = rows::OIDC_PROVIDERS.get(rows, &(account, path))?;
            found.map(|row| of(row.arn(account), row.tags, Grants::default()))
        }
        "access-key" => match rows::ACCESS_KEYS.get(rows, name)?.and_then(|key| key.user_id) {
            Some(id) => match rows::arn_of_id(rows, &id)? {
                Some(user) => return find(rows, &user),
                None => None,
            },
            None => None,
        },
        _ => None,
    })
}
