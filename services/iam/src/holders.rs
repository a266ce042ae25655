//! The policies of a user, group or role that is named by its ARN: for simulations and reports.

use fogbank_core::Tx;
use fogbank_identity::managed;
use fogbank_identity::rows::{self, GROUPS, Grants, Group, Kind, Role, User};

use crate::error::Error;
use crate::store;

/// A policy and where it is attached.
pub(crate) struct Held {
    /// Its name.
    pub(crate) name: String,
    /// Its ARN, if it is a managed one.
    pub(crate) arn: Option<String>,
    /// The kind of what it is attached to.
    pub(crate) kind: Kind,
    /// The name of what it is attached to.
    pub(crate) owner: String,
    /// The document in force.
    pub(crate) document: String,
}

/// A user, group or role with its policies, those of a user's groups too.
pub(crate) struct Holder {
    /// The unique id.
    pub(crate) id: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its policies.
    pub(crate) policies: Vec<Held>,
    /// The ARN and document of its boundary.
    pub(crate) boundary: Option<(String, String)>,
    /// Its tags.
    pub(crate) tags: rows::Tags,
}

/// Finds the user, group or role with this ARN.
pub(crate) fn find(tx: &impl Tx, arn: &str) -> Result<Holder, Error> {
    let parts = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(':'))
        .filter(|(account, _)| *account == tx.account())
        .and_then(|(_, resource)| resource.split_once('/'));
    let Some((kind, path)) = parts else { return Err(invalid(arn)) };
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut policies = Vec::new();
    let (id, kind, grants, tags) = match kind {
        "user" => {
            let user: User = store::find(tx, name)?;
            for folded in &user.groups {
                if let Some(group) = GROUPS.get(tx, &(tx.account(), &**folded))? {
                    add(tx, Kind::Group, &group.name, &group.grants, &mut policies)?;
                }
            }
            (user.id, Kind::User, user.grants, user.tags)
        }
        "group" => {
            let group: Group = store::find(tx, name)?;
            (group.id, Kind::Group, group.grants, Vec::new())
        }
        "role" => {
            let role: Role = store::find(tx, name)?;
            (role.id, Kind::Role, role.grants, role.tags)
        }
        _ => return Err(invalid(arn)),
    };
    add(tx, kind, name, &grants, &mut policies)?;
    let boundary = match grants.boundary {
        Some(arn) => document(tx, &arn)?.map(|document| (arn, document)),
        None => None,
    };
    Ok(Holder { id, kind, policies, boundary, tags })
}

fn invalid(arn: &str) -> Error {
    Error::InvalidInputException(format!("Invalid Entity Arn: {arn}"))
}

fn add(
    tx: &impl Tx,
    kind: Kind,
    owner: &str,
    grants: &Grants,
    policies: &mut Vec<Held>,
) -> Result<(), Error> {
    for inline in &grants.inline {
        policies.push(Held {
            name: inline.name.clone(),
            arn: None,
            kind,
            owner: owner.to_owned(),
            document: inline.document.clone(),
        });
    }
    for arn in &grants.attached {
        if let Some(document) = document(tx, arn)? {
            policies.push(Held {
                name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
                arn: Some(arn.clone()),
                kind,
                owner: owner.to_owned(),
                document,
            });
        }
    }
    Ok(())
}

/// The document in force of a managed policy.
pub(crate) fn document(tx: &impl Tx, arn: &str) -> Result<Option<String>, Error> {
    if let Some(policy) = managed::find(arn) {
        return Ok(Some(policy.document()));
    }
    let policy = rows::policy_by_arn(tx, arn)?;
    Ok(policy.and_then(|policy| Some(policy.version(policy.default_version)?.document.clone())))
}
