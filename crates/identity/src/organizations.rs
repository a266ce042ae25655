//! Where an account stands in its organization, and which control policies apply there.
//!
//! Decisions ask [`membership`] and remember the answer until somebody calls [`crate::rows::changed`], which whoever
//! writes a row that this file reads must do in the same transaction.

use std::ops::ControlFlow;

use fogbank_core::store::{Error, Read, Table, TableLabel, row};
use serde::{Deserialize, Serialize};

use crate::rows::Tags;

/// An account's place in its organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The id of the organization, such as `o-a1b2c3d4e5`.
    pub organization_id: String,
    /// The way from the organization to what the account is in, as `aws:PrincipalOrgPaths` has it:
    /// `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/`.
    pub path: String,
    /// Whether it is the management account, whose principals and resources no control policy limits.
    pub is_management: bool,
    /// Whether the account was closed: nobody may act in it.
    pub is_closed: bool,
    /// The levels from the root of the organization to the account itself.
    pub levels: Vec<Level>,
}

/// The control policies that are attached to one root, organizational unit or account.
///
/// A level with policies must allow by one of them; without any, which is so where the type of policy is not enabled, it
/// does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Service control policies.
    pub service_control: Vec<ControlPolicy>,
    /// Resource control policies.
    pub resource_control: Vec<ControlPolicy>,
}

/// A control policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPolicy {
    /// Its ARN, which messages and explanations name.
    pub arn: String,
    /// Its document.
    pub document: String,
}

/// Organizations by their ids.
pub static ORGANIZATIONS: Table<String, Organization> =
    Table::new("organizations.organizations", 0x0160);
/// The accounts of organizations by their numbers: an account is in one organization at most.
pub static ACCOUNTS: Table<String, Account> = Table::new("organizations.accounts", 0x0161);
/// Roots and organizational units: organization, id.
pub static UNITS: Table<(String, String), Unit> = Table::new("organizations.units", 0x0162);
/// What a root or unit holds: organization, parent, child.
pub static CHILDREN: Table<(String, String, String), ()> =
    Table::new("organizations.children", 0x0163);
/// The customers' policies: organization, id.
pub static POLICIES: Table<(String, String), Policy> = Table::new("organizations.policies", 0x0164);
/// The policies of a root, unit or account: organization, target, policy.
pub static ATTACHED: Table<(String, String, String), ()> =
    Table::new("organizations.attached", 0x0165);
/// What a policy is attached to: organization, policy, target.
pub static TARGETS: Table<(String, String, String), ()> =
    Table::new("organizations.targets", 0x0166);
/// Requests for accounts: organization, id.
pub static CREATIONS: Table<(String, String), Creation> =
    Table::new("organizations.creations", 0x0167);
/// Who administers what beside the management account: organization, account, service; since when.
pub static DELEGATIONS: Table<(String, String, String), u64> =
    Table::new("organizations.delegations", 0x0168);
/// Handshakes by their ids.
pub static HANDSHAKES: Table<String, Handshake> = Table::new("organizations.handshakes", 0x0169);
/// The handshakes of a party: organization or account, id.
pub static PARTIES: Table<(String, String), ()> = Table::new("organizations.parties", 0x016a);

/// The tables of Organizations.
pub static TABLES: &[TableLabel] = &[
    ORGANIZATIONS.label(),
    ACCOUNTS.label(),
    UNITS.label(),
    CHILDREN.label(),
    POLICIES.label(),
    ATTACHED.label(),
    TARGETS.label(),
    CREATIONS.label(),
    DELEGATIONS.label(),
    HANDSHAKES.label(),
    PARTIES.label(),
];

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// The management account.
    pub management: String,
    /// The id of its root, `r-…`.
    pub root: String,
    /// The types of policies that are enabled on the root, as the API spells them.
    pub policy_types: Vec<String>,
    /// The services that may act in the organization, and since when, in seconds since 1970.
    pub services: Vec<(String, i64)>,
}

/// An account of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The organization's id.
    pub organization: String,
    /// The root or unit that holds it.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// The address of its owner.
    pub email: String,
    /// Whether it was closed.
    pub closed: bool,
    /// Whether it was invited, and not created here.
    pub invited: bool,
    /// When it joined, in seconds since 1970.
    pub joined_secs: i64,
    /// The tags.
    pub tags: Tags,
}

/// A root or an organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// What holds it; empty for the root.
    pub parent: String,
    /// The tags.
    pub tags: Tags,
}

/// A policy of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What its author says of it.
    pub description: String,
    /// Its type, as the API spells it.
    pub kind: String,
    /// The document as given.
    pub content: String,
    /// The tags.
    pub tags: Tags,
}

/// A request for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The account's name.
    pub name: String,
    /// The address of its owner.
    pub email: String,
    /// The name of the role that the management account gets in it.
    pub role: String,
    /// The account's number.
    pub account: String,
    /// When it was asked for, in seconds since 1970.
    pub requested_secs: i64,
    /// When it was done, in seconds since 1970.
    pub completed_secs: Option<i64>,
    /// Why it failed, as the API spells it.
    pub failure: Option<String>,
    /// The tags of the account.
    pub tags: Tags,
}

/// An invitation of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// The organization's id.
    pub organization: String,
    /// The account that is invited.
    pub account: String,
    /// How far it has come, as the API spells it.
    pub state: String,
    /// What the inviting side says.
    pub notes: Option<String>,
    /// When it was made, in seconds since 1970.
    pub requested_secs: i64,
    /// When it ends, in seconds since 1970.
    pub expires_secs: i64,
    /// The tags of the account.
    pub tags: Tags,
}

row!(Organization, 1);
row!(Account, 1);
row!(Unit, 1);
row!(Policy, 1);
row!(Creation, 1);
row!(Handshake, 1);

/// Service control policies, as the API spells it.
pub const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";
/// Resource control policies, as the API spells it.
pub const RESOURCE_CONTROL: &str = "RESOURCE_CONTROL_POLICY";

/// A policy of AWS's own, which everything gets when its type is enabled.
#[derive(Debug)]
pub struct Managed {
    /// Its id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its description.
    pub description: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Its document.
    pub content: &'static str,
}

/// The policies of AWS's own.
pub static MANAGED: [Managed; 2] = [
    Managed {
        id: "p-FullAWSAccess",
        name: "FullAWSAccess",
        description: "Allows access to every operation",
        kind: SERVICE_CONTROL,
        content: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    Managed {
        id: "p-RCPFullAWSAccess",
        name: "RCPFullAWSAccess",
        description: "Allows access to every operation",
        kind: RESOURCE_CONTROL,
        content: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
    },
];

/// The policy of AWS's own with this id.
pub fn managed(id: &str) -> Option<&'static Managed> {
    MANAGED.iter().find(|policy| policy.id == id)
}

/// The ARN of a policy.
pub fn policy_arn(management: &str, organization: &str, kind: &str, id: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    match managed(id) {
        Some(_) => format!("arn:aws:organizations::aws:policy/{kind}/{id}"),
        None => format!("arn:aws:organizations::{management}:policy/{organization}/{kind}/{id}"),
    }
}

/// The root, units and account in which an account is, from the root to the account itself.
pub fn lineage(rows: &dyn Read, account: &str, row: &Account) -> Result<Vec<String>, Error> {
    let mut ids = vec![account.to_owned()];
    let mut above = row.parent.clone();
    while !above.is_empty() {
        let unit = UNITS.get(rows, &(&*row.organization, &*above))?;
        ids.push(above);
        above = unit.map(|unit| unit.parent).unwrap_or_default();
    }
    ids.reverse();
    Ok(ids)
}

/// The ids of the policies that are attached to a root, unit or account.
pub fn attached(rows: &dyn Read, organization: &str, target: &str) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    ATTACHED.range(&(organization, target)).visit_keys(rows, |(_, _, id)| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    Ok(ids)
}

/// Where `account` stands in its organization; `None` if it is in none.
pub fn membership(rows: &dyn Read, account: &str) -> Result<Option<Membership>, Error> {
    let Some(row) = ACCOUNTS.get(rows, account)? else { return Ok(None) };
    let id = &row.organization;
    let Some(organization) = ORGANIZATIONS.get(rows, id)? else { return Ok(None) };
    let lineage = lineage(rows, account, &row)?;
    let mut path = format!("{id}/");
    for above in lineage.iter().filter(|above| *above != account) {
        path.push_str(above);
        path.push('/');
    }
    let levels = lineage.iter().map(|target| level(rows, id, &organization, target));
    Ok(Some(Membership {
        organization_id: id.clone(),
        path,
        is_management: organization.management == account,
        is_closed: row.closed,
        levels: levels.collect::<Result<_, _>>()?,
    }))
}

fn level(
    rows: &dyn Read,
    id: &str,
    organization: &Organization,
    target: &str,
) -> Result<Level, Error> {
    let mut level = Level::default();
    for policy in attached(rows, id, target)? {
        let (kind, document) = match managed(&policy) {
            Some(managed) => (managed.kind.to_owned(), managed.content.to_owned()),
            None => match POLICIES.get(rows, &(id, &*policy))? {
                Some(found) => (found.kind, found.content),
                None => continue,
            },
        };
        if !organization.policy_types.contains(&kind) {
            continue;
        }
        let arn = policy_arn(&organization.management, id, &kind, &policy);
        let control = ControlPolicy { arn, document };
        match &*kind {
            SERVICE_CONTROL => level.service_control.push(control),
            RESOURCE_CONTROL => level.resource_control.push(control),
            _ => {}
        }
    }
    Ok(level)
}
