//! The rows of identities: what IAM and STS write and the gateway reads.
//!
//! Names are unique in an account whatever the case of their letters, so that keys hold them folded ([`fold`]); rows
//! hold them as given. Access keys, sessions and groups refer to users and roles by what never changes: their ids.

use fogbank_core::store::{Error, Read, Table, TableLabel, Write, row};
use fogbank_core::{Principal, PrincipalKind, Tx, WriteTx};
use serde::{Deserialize, Serialize};

use crate::Identities;
pub use crate::decisions::{DENIALS, Denial, OBSERVED, Observation, Sighting};

mod credentials;
mod delegations;
mod outbound;
mod resources;
mod secrets;

pub use credentials::*;
pub use delegations::*;
pub use outbound::*;
pub use resources::*;
pub use secrets::Secret;

/// Users by account and folded name.
pub static USERS: Table<(String, String), User> = Table::new("iam.users", 0x0101);
/// Groups by account and folded name.
pub static GROUPS: Table<(String, String), Group> = Table::new("iam.groups", 0x0102);
/// Roles by account and folded name.
pub static ROLES: Table<(String, String), Role> = Table::new("iam.roles", 0x0103);
/// The customers' managed policies by account and folded name.
pub static POLICIES: Table<(String, String), ManagedPolicy> = Table::new("iam.policies", 0x0104);
/// What an account has beyond its users, by account.
pub static ACCOUNTS: Table<String, Account> = Table::new("iam.accounts", 0x0105);
/// Access keys of users and roots by their ids.
pub static ACCESS_KEYS: Table<String, AccessKey> = Table::new("iam.access-keys", 0x0106);
/// Where the user or role with a unique id lies.
pub static ENTITIES: Table<String, Entity> = Table::new("iam.entities", 0x0107);
/// The users in a group: account, folded group, folded user.
pub static MEMBERS: Table<(String, String, String), ()> = Table::new("iam.members", 0x0108);
/// Who uses a managed policy: account, the policy's ARN, how, folded name. The value is the name as given.
pub static USES: Table<(String, String, u8, String), String> = Table::new("iam.uses", 0x0109);
/// Temporary credentials by their access key ids.
pub static SESSIONS: Table<String, TemporaryCredential> = Table::new("sts.sessions", 0x010a);
/// Temporary credentials by their end in seconds since 1970, so that they can be forgotten.
pub static SESSION_ENDS: Table<(u64, String), ()> = Table::new("sts.session-ends", 0x010b);
/// When an access key or a role was last used, by its id.
pub static LAST_USES: Table<String, LastUse> = Table::new("iam.last-uses", 0x010c);
/// A number that grows with every change of what somebody may do.
static GENERATION: Table<(), u64> = Table::new("iam.generation", 0x010f).read_often();

/// The tables of IAM.
pub static IAM_TABLES: &[TableLabel] = &[
    USERS.label(),
    GROUPS.label(),
    ROLES.label(),
    POLICIES.label(),
    ACCOUNTS.label(),
    ACCESS_KEYS.label(),
    ENTITIES.label(),
    MEMBERS.label(),
    USES.label(),
    LAST_USES.label(),
    LOGIN_PROFILES.label(),
    PASSWORD_POLICIES.label(),
    MFA_DEVICES.label(),
    USER_DEVICES.label(),
    SIGNING_CERTIFICATES.label(),
    SSH_PUBLIC_KEYS.label(),
    SERVICE_CREDENTIALS.label(),
    INSTANCE_PROFILES.label(),
    ROLE_PROFILES.label(),
    OIDC_PROVIDERS.label(),
    SAML_PROVIDERS.label(),
    SERVER_CERTIFICATES.label(),
    ALIASES.label(),
    ACCOUNT_ALIASES.label(),
    CREDENTIAL_REPORTS.label(),
    ROLE_DELETIONS.label(),
    ACCESS_REPORTS.label(),
    SERVICE_USES.label(),
    OUTBOUND_FEDERATIONS.label(),
    ISSUERS.label(),
    ROOT_FEATURES.label(),
    ORGANIZATION_REPORTS.label(),
    DELEGATION_REQUESTS.label(),
    OWNED_DELEGATIONS.label(),
    DELEGATION_WORKFLOWS.label(),
    GENERATION.label(),
    DENIALS.label(),
    OBSERVED.label(),
];
/// The tables of STS.
pub static STS_TABLES: &[TableLabel] =
    &[SESSIONS.label(), SESSION_ENDS.label(), SIGNING_KEYS.label()];

/// Keys and values that a customer puts on a resource.
pub type Tags = Vec<(String, String)>;

/// An IAM user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `AIDA…`.
    pub id: String,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// The tags.
    pub tags: Tags,
    /// Its own policies.
    pub grants: Grants,
    /// The groups it is in, by folded name, in the order in which it joined.
    pub groups: Vec<String>,
    /// The ids of its access keys, the oldest first.
    pub access_keys: Vec<String>,
}

/// An IAM group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `AGPA…`.
    pub id: String,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// Its policies.
    pub grants: Grants,
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `AROA…`.
    pub id: String,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// What its creator says of it.
    pub description: Option<String>,
    /// The trust policy as given.
    pub trust: String,
    /// The users and roles that the trust policy names, as ARN and unique id at the time it was written.
    pub trusted: Vec<(String, String)>,
    /// The longest session, in seconds.
    pub max_session_secs: u32,
    /// The tags.
    pub tags: Tags,
    /// Its own policies.
    pub grants: Grants,
}

/// The policies of a user, group or role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Inline policies in the order of their names.
    pub inline: Vec<InlinePolicy>,
    /// The ARNs of attached managed policies in the order in which they were attached.
    pub attached: Vec<String>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
}

/// A policy that belongs to one user, group or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlinePolicy {
    /// The name.
    pub name: String,
    /// The document as given.
    pub document: String,
}

/// A managed policy of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// The name.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// The unique id, `ANPA…`.
    pub id: String,
    /// What its creator says of it.
    pub description: Option<String>,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
    /// When a version was last added or made the default, in seconds since 1970.
    pub updated_secs: i64,
    /// The number of the version in force.
    pub default_version: u32,
    /// The number that the next version gets.
    pub next_version: u32,
    /// The versions, the oldest first.
    pub versions: Vec<PolicyVersion>,
    /// The tags.
    pub tags: Tags,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Its number: 3 is `v3`.
    pub number: u32,
    /// The document as given.
    pub document: String,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
}

/// What an account has beyond its users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The ids of the root user's access keys.
    pub root_access_keys: Vec<String>,
}

/// A long-term access key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The account.
    pub account: String,
    /// The id of the user it belongs to; none for the account's root.
    pub user_id: Option<String>,
    /// The secret.
    pub secret: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was created, in seconds since 1970.
    pub created_secs: i64,
}

/// The kinds of things that have a unique id and policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A user.
    User,
    /// A role.
    Role,
    /// A group.
    Group,
}

/// Where the user or role with a unique id lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// The account.
    pub account: String,
    /// What it is.
    pub kind: Kind,
    /// Its folded name.
    pub folded: String,
}

/// A session's credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemporaryCredential {
    /// The secret.
    pub secret: String,
    /// The session token that must come with each signature.
    pub token: String,
    /// Who signs with it, complete with its session.
    pub principal: Principal,
    /// The end, in seconds since 1970.
    pub expires_secs: i64,
    /// The keys of the session tags that pass on to the next role in a chain.
    pub transitive_tags: Vec<String>,
    /// The condition keys of the session, such as `saml:sub`.
    pub keys: Vec<(String, Vec<String>)>,
}

/// A session's credentials before there were identity providers.
#[derive(Deserialize)]
struct TemporaryCredential1 {
    secret: String,
    token: String,
    principal: Principal,
    expires_secs: i64,
    transitive_tags: Vec<String>,
}

fn session_without_keys(version: u8, bytes: &[u8]) -> Result<TemporaryCredential, Error> {
    match version {
        1 => fogbank_core::store::decode_fields::<TemporaryCredential1>(bytes).map(|old| {
            TemporaryCredential {
                secret: old.secret,
                token: old.token,
                principal: old.principal,
                expires_secs: old.expires_secs,
                transitive_tags: old.transitive_tags,
                keys: Vec::new(),
            }
        }),
        _ => fogbank_core::store::no_older_version(version, bytes),
    }
}

/// The last use of an access key or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When, in seconds since 1970.
    pub secs: i64,
    /// The service that was called.
    pub service: String,
    /// The region it was called in.
    pub region: String,
}

row!(User, 1);
row!(Group, 1);
row!(Role, 1);
row!(ManagedPolicy, 1);
row!(Account, 1);
row!(AccessKey, 1);
row!(Entity, 1);
row!(TemporaryCredential, 2, session_without_keys);
row!(LastUse, 1);

impl User {
    /// The user's ARN.
    pub fn arn(&self, account: &str) -> String {
        entity_arn(account, "user", &self.path, &self.name)
    }
}

impl User {
    /// The user as a caller with long-term credentials.
    pub fn principal(&self, account: &str) -> Principal {
        Principal {
            kind: PrincipalKind::User { name: self.name.clone() },
            account: account.to_owned(),
            arn: self.arn(account),
            id: self.id.clone(),
            access_key_id: None,
            session: None,
        }
    }
}

impl Group {
    /// The group's ARN.
    pub fn arn(&self, account: &str) -> String {
        entity_arn(account, "group", &self.path, &self.name)
    }
}

impl Role {
    /// The role's ARN.
    pub fn arn(&self, account: &str) -> String {
        entity_arn(account, "role", &self.path, &self.name)
    }
}

impl ManagedPolicy {
    /// The policy's ARN.
    pub fn arn(&self, account: &str) -> String {
        entity_arn(account, "policy", &self.path, &self.name)
    }

    /// The version with this number.
    pub fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number)
    }
}

/// The ARN of something of IAM: `arn:aws:iam::account:kind/path/name`.
pub fn entity_arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// A name as keys hold it.
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The user of this name.
pub fn user(rows: &(impl Read + ?Sized), account: &str, name: &str) -> Result<Option<User>, Error> {
    let found = USERS.get(rows, &(account, fold(name)))?;
    Ok(found.filter(|user| user.name == name))
}

/// The group of this name.
pub fn group(
    rows: &(impl Read + ?Sized),
    account: &str,
    name: &str,
) -> Result<Option<Group>, Error> {
    let found = GROUPS.get(rows, &(account, fold(name)))?;
    Ok(found.filter(|group| group.name == name))
}

/// The role of this name.
pub fn role(rows: &(impl Read + ?Sized), account: &str, name: &str) -> Result<Option<Role>, Error> {
    let found = ROLES.get(rows, &(account, fold(name)))?;
    Ok(found.filter(|role| role.name == name))
}

/// The role with this ARN, and its account.
pub fn role_by_arn(
    rows: &(impl Read + ?Sized),
    arn: &str,
) -> Result<Option<(String, Role)>, Error> {
    let Some((account, name)) = parts(arn, "role") else { return Ok(None) };
    let role = role(rows, account, name)?.filter(|role| role.arn(account) == arn);
    Ok(role.map(|role| (account.to_owned(), role)))
}

/// A customer's managed policy by its ARN.
pub fn policy_by_arn(
    rows: &(impl Read + ?Sized),
    arn: &str,
) -> Result<Option<ManagedPolicy>, Error> {
    let Some((account, name)) = parts(arn, "policy") else { return Ok(None) };
    let policy = POLICIES.get(rows, &(account, fold(name)))?;
    Ok(policy.filter(|policy| policy.arn(account) == arn))
}

/// The ARN that the user or role with a unique id has now.
pub fn arn_of_id(rows: &(impl Read + ?Sized), id: &str) -> Result<Option<String>, Error> {
    let Some(Entity { account, kind, folded }) = ENTITIES.get(rows, id)? else { return Ok(None) };
    let key = (&*account, &*folded);
    Ok(match kind {
        Kind::User => USERS.get(rows, &key)?.map(|user| user.arn(&account)),
        Kind::Role => ROLES.get(rows, &key)?.map(|role| role.arn(&account)),
        Kind::Group => None,
    })
}

/// The unique id of the user or role that has this ARN now.
pub fn id_of_arn(rows: &(impl Read + ?Sized), arn: &str) -> Result<Option<String>, Error> {
    if let Some((account, name)) = parts(arn, "user") {
        let user = user(rows, account, name)?.filter(|user| user.arn(account) == arn);
        return Ok(user.map(|user| user.id));
    }
    Ok(role_by_arn(rows, arn)?.map(|(_, role)| role.id))
}

/// Account and name in the ARN of a user, role or policy.
fn parts<'a>(arn: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let path = resource.strip_prefix(kind)?;
    path.starts_with('/').then_some(())?;
    Some((account, path.rsplit('/').next()?))
}

/// Makes what is written in `tx` count from the moment it is durable: whoever changes what somebody may do calls it.
pub fn changed(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    let generation = next_generation(tx)?;
    Identities::of(tx.cx().cloud()).expect_generation(generation);
    Ok(())
}

/// Raises the number of changes.
pub(crate) fn next_generation(tx: &mut impl Write) -> Result<u64, Error> {
    let generation = generation(tx)? + 1;
    GENERATION.put(tx, &(), &generation)?;
    Ok(generation)
}

/// Makes this the number of changes.
pub(crate) fn set_generation(tx: &mut impl Write, generation: u64) -> Result<(), Error> {
    GENERATION.put(tx, &(), &generation)
}

/// The number of changes so far.
pub(crate) fn generation(rows: &(impl Read + ?Sized)) -> Result<u64, Error> {
    Ok(GENERATION.get(rows, &())?.unwrap_or_default())
}
