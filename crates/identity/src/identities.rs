//! What was read and compiled of identities, and the decision over a call.
//!
//! Everything here can be forgotten at any time: the rows are the truth. What was made of them is kept with the number
//! of changes ([`crate::rows::changed`]) that had happened when it was read, and is used as long as there are no more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::policy::{Attached, Document};
use fogbank_core::store::{self, Apart, Read};
use fogbank_core::{Cloud, Fault, Principal, PrincipalKind, Session};
use parking_lot::RwLock;

use crate::decisions::{Enforcement, KeptDecisions, Observed};
use crate::documents::Documents;
use crate::last_use::LastUses;
use crate::places::Place;
use crate::rows::{self, Grants, Kind, Tags};
use crate::{Mode, managed};

/// How many principals and keys a thread remembers. When there are more, all are forgotten and read anew.
const CAPACITY: usize = 8192;

/// What was made of rows by their keys. Threads remember by themselves: even to read under a lock, or to count who uses
/// a value, is to write to memory that the others use.
pub(crate) type Known<T> = Apart<RwLock<HashMap<String, Kept<T>>>>;

/// What a process remembers of the rows of identities.
#[derive(Default)]
pub struct Identities {
    /// The highest number of changes that a transaction of this process has written; none if nobody tells.
    newest: Option<AtomicU64>,
    holders: Known<Option<Holder>>,
    managed: Known<Option<Arc<Document>>>,
    pub(crate) keys: Known<crate::directory::Key>,
    pub(crate) places: Known<Option<Place>>,
    pub(crate) documents: Documents,
    /// The last uses of keys and roles.
    pub last_uses: LastUses,
    mode: std::sync::OnceLock<Mode>,
    pub(crate) enforcement: std::sync::OnceLock<Enforcement>,
    /// What is kept of decisions.
    pub kept: KeptDecisions,
    /// What callers were seen to do.
    pub observed: Observed,
}

/// Something made of rows, and the number of changes that had happened when they were read.
pub(crate) struct Kept<T> {
    generation: u64,
    value: Arc<T>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept { generation: self.generation, value: self.value.clone() }
    }
}

/// A compiled policy, and where it comes from.
pub(crate) type Compiled = (Box<str>, Arc<Document>);

/// A user or role with its compiled policies.
pub(crate) struct Holder {
    pub(crate) policies: Vec<Compiled>,
    pub(crate) boundary: Option<Compiled>,
    pub(crate) tags: Tags,
}

impl Identities {
    /// The identities of a cloud.
    pub fn of(cloud: &Cloud) -> Arc<Identities> {
        cloud.state(|| Identities { newest: Some(AtomicU64::new(0)), ..Identities::default() })
    }

    /// A second directory over the same cloud has the same mode.
    pub(crate) fn set_mode(&self, mode: Mode, enforcement: Enforcement) {
        let _ = self.mode.set(mode);
        let _ = self.enforcement.set(enforcement);
    }

    /// Whether this is a server, where the root does what AWS lets it do, and nothing more.
    pub fn is_server(&self) -> bool {
        self.mode.get() == Some(&Mode::Server)
    }

    /// Compiles a trust policy that was accepted before.
    pub(crate) fn trust(&self, text: &str) -> Result<Arc<Document>, Fault> {
        self.documents.trust(text)
    }

    /// Says that a transaction is about to become the change of this number.
    pub(crate) fn expect_generation(&self, generation: u64) {
        if let Some(newest) = &self.newest {
            // Before the commit, not after: nobody may hear of the commit and then find the old permissions. If the
            // transaction fails, the number of changes is read from the rows until the next one succeeds.
            newest.fetch_max(generation, Ordering::AcqRel);
        }
    }

    /// Whether nothing has changed since `generation`.
    fn is_current(&self, rows: &dyn Read, generation: u64) -> Result<bool, store::Error> {
        match &self.newest {
            Some(newest) if generation >= newest.load(Ordering::Acquire) => Ok(true),
            _ => Ok(rows::generation(rows)? <= generation),
        }
    }

    /// What is kept under `key`, or else what `read` makes of the rows.
    pub(crate) fn recall<T, E: From<store::Error>>(
        &self,
        known: &Known<T>,
        rows: &dyn Read,
        key: &str,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let known = known.own();
        let kept = known.read().get(key).cloned();
        if let Some(kept) = kept
            && self.is_current(rows, kept.generation)?
        {
            return Ok(kept.value);
        }
        let generation = rows::generation(rows)?;
        let value = Arc::new(read()?);
        let mut known = known.write();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key.to_owned(), Kept { generation, value: value.clone() });
        Ok(value)
    }

    /// Whether the user or role with this unique id exists.
    pub(crate) fn exists(&self, rows: &dyn Read, id: &str) -> Result<bool, Fault> {
        Ok(self.holder(rows, id)?.is_some())
    }

    pub(crate) fn holder(&self, rows: &dyn Read, id: &str) -> Result<Arc<Option<Holder>>, Fault> {
        self.recall(&self.holders, rows, id, || self.read_holder(rows, id))
    }

    fn read_holder(&self, rows: &dyn Read, id: &str) -> Result<Option<Holder>, Fault> {
        let Some(entity) = rows::ENTITIES.get(rows, id)? else { return Ok(None) };
        let key = (&*entity.account, &*entity.folded);
        match entity.kind {
            Kind::User => {
                let Some(user) = rows::USERS.get(rows, &key)? else { return Ok(None) };
                let mut holder = self.compile(rows, &user.grants, user.tags)?;
                for group in &user.groups {
                    if let Some(group) = rows::GROUPS.get(rows, &(&*entity.account, &**group))? {
                        let of_group = self.compile(rows, &group.grants, Tags::new())?;
                        holder.policies.extend(of_group.policies);
                    }
                }
                Ok(Some(holder))
            }
            Kind::Role => {
                let Some(role) = rows::ROLES.get(rows, &key)? else { return Ok(None) };
                self.compile(rows, &role.grants, role.tags).map(Some)
            }
            Kind::Group => Ok(None),
        }
    }

    fn compile(&self, rows: &dyn Read, grants: &Grants, tags: Tags) -> Result<Holder, Fault> {
        let mut policies = Vec::with_capacity(grants.inline.len() + grants.attached.len());
        for inline in &grants.inline {
            policies.push((inline.name.as_str().into(), self.documents.policy(&inline.document)?));
        }
        for arn in &grants.attached {
            policies
                .extend(self.managed(rows, arn)?.map(|document| (arn.as_str().into(), document)));
        }
        let boundary = match &grants.boundary {
            // A boundary whose policy is gone allows nothing; IAM does not let that happen.
            Some(arn) => {
                let document = self.managed(rows, arn)?;
                let document =
                    document.map_or_else(|| self.documents.policy(managed::DENY_ALL), Ok);
                Some((arn.as_str().into(), document?))
            }
            None => None,
        };
        Ok(Holder { policies, boundary, tags })
    }

    /// The version in force of a managed policy, AWS's or a customer's.
    fn managed(&self, rows: &dyn Read, arn: &str) -> Result<Option<Arc<Document>>, Fault> {
        let found = self.recall(&self.managed, rows, arn, || {
            if let Some(policy) = managed::find(arn) {
                return self.documents.policy(&policy.document()).map(Some);
            }
            let Some(policy) = rows::policy_by_arn(rows, arn)? else { return Ok(None) };
            let version = policy.version(policy.default_version);
            version.map(|version| self.documents.policy(&version.document)).transpose()
        })?;
        Ok((*found).clone())
    }

    /// The policies that limit a session, or none if it was made without.
    pub(crate) fn session(
        &self,
        rows: &dyn Read,
        session: Option<&Session>,
    ) -> Result<Vec<Compiled>, Fault> {
        let Some(session) = session else { return Ok(Vec::new()) };
        let mut policies = Vec::new();
        for text in &session.policies {
            policies.push(("session policy".into(), self.documents.policy(text)?));
        }
        for arn in &session.policy_arns {
            let document = self.managed(rows, arn)?;
            let document = document.map_or_else(|| self.documents.policy(managed::DENY_ALL), Ok);
            policies.push((arn.as_str().into(), document?));
        }
        Ok(policies)
    }
}

pub(crate) fn attached((source, document): &Compiled) -> Attached<'_> {
    Attached { source, document }
}

/// Whether a session of GetFederationToken is the root's.
pub(crate) fn is_of_root(principal: &Principal) -> bool {
    matches!(&principal.kind, PrincipalKind::Federated { user_id, .. } if *user_id == principal.account)
}

/// The unique id of the user or role behind a principal.
pub(crate) fn holder_id(principal: &Principal) -> &str {
    if let PrincipalKind::Federated { user_id, .. } = &principal.kind {
        return user_id;
    }
    principal.id.split(':').next().unwrap_or_default()
}
