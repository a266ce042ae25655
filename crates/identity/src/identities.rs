//! What was read and compiled of identities, and the decision over a call.
//!
//! Everything here can be forgotten at any time: the rows are the truth. What was made of them is kept with the number
//! of changes ([`crate::rows::changed`]) that had happened when it was read, and is used as long as there are no more.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::policy::{
    Attached, Call, Caller, Document, Explanation, MessageStyle, Policies, ResourceSide, evaluate,
};
use fogbank_core::store::{self, Read};
use fogbank_core::{
    Cloud, Fault, Principal, PrincipalKind, Request, ResourcePolicy, Session, tracing,
};
use parking_lot::RwLock;

use crate::documents::Documents;
use crate::facts::{Facts, Keys};
use crate::last_use::LastUses;
use crate::places::{self, Place};
use crate::rows::{self, Grants, Kind, Tags};
use crate::target::Target;
use crate::{Mode, managed};

/// How many principals and keys are remembered. When there are more, all are forgotten and read anew.
const CAPACITY: usize = 16_384;

/// What a process remembers of the rows of identities.
#[derive(Default)]
pub struct Identities {
    /// The highest number of changes that a transaction of this process has written; none if nobody tells.
    newest: Option<AtomicU64>,
    holders: RwLock<HashMap<String, Kept<Option<Holder>>>>,
    managed: RwLock<HashMap<String, Kept<Option<Arc<Document>>>>>,
    pub(crate) keys: RwLock<HashMap<String, Kept<crate::directory::Key>>>,
    pub(crate) places: RwLock<HashMap<String, Kept<Option<Place>>>>,
    pub(crate) documents: Documents,
    /// The last uses of keys and roles.
    pub last_uses: LastUses,
    mode: std::sync::OnceLock<Mode>,
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
struct Holder {
    policies: Vec<Compiled>,
    boundary: Option<Compiled>,
    tags: Tags,
}

/// Finds the tags of the resource of a call.
pub type FindTags<'a> = &'a dyn Fn() -> Result<Tags, Fault>;

/// One permission to be decided.
pub(crate) struct Question<'a> {
    /// The call; its principal is who asks.
    pub(crate) request: &'a Request,
    /// The action, such as `sts:AssumeRole`.
    pub(crate) action: &'a str,
    /// The resource's ARN, or `*`.
    pub(crate) resource: &'a str,
    /// The service's condition keys.
    pub(crate) keys: &'a Keys,
    /// The resource's policy and owner, for resources that can have a policy.
    pub(crate) policy: Option<&'a ResourcePolicy>,
    /// Finds the resource's tags, where its service can.
    pub(crate) resource_tags: Option<FindTags<'a>>,
    /// What a call of IAM or STS is about.
    pub(crate) target: Option<&'a Target>,
}

impl Identities {
    /// The identities of a cloud.
    pub fn of(cloud: &Cloud) -> Arc<Identities> {
        cloud.state(|| Identities { newest: Some(AtomicU64::new(0)), ..Identities::default() })
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        // A second directory over the same cloud has the same mode.
        let _ = self.mode.set(mode);
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
        known: &RwLock<HashMap<String, Kept<T>>>,
        rows: &dyn Read,
        key: &str,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
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

    fn holder(&self, rows: &dyn Read, id: &str) -> Result<Arc<Option<Holder>>, Fault> {
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
                return self.documents.policy(&policy.document).map(Some);
            }
            let Some(policy) = rows::policy_by_arn(rows, arn)? else { return Ok(None) };
            let version = policy.version(policy.default_version);
            version.map(|version| self.documents.policy(&version.document)).transpose()
        })?;
        Ok((*found).clone())
    }

    /// The policies that limit a session, or none if it was made without.
    fn session(&self, rows: &dyn Read, session: Option<&Session>) -> Result<Vec<Compiled>, Fault> {
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

    /// Whether the caller may do it; if not, the fault carries AWS's message.
    pub(crate) fn decide(&self, rows: &dyn Read, question: &Question<'_>) -> Result<(), Fault> {
        self.evaluate(rows, question, |call, explanation| {
            tracing::debug!(action = call.action, resource = call.resource, %explanation, "denied");
            Fault::access_denied(message(call, explanation))
        })
    }

    /// Whether the caller may do it; if not, `denied` makes the fault.
    pub(crate) fn evaluate(
        &self,
        rows: &dyn Read,
        question: &Question<'_>,
        denied: impl FnOnce(&Call<'_>, &Explanation<'_>) -> Fault,
    ) -> Result<(), Fault> {
        let principal = &question.request.principal;
        let holder = match principal.kind {
            PrincipalKind::User { .. } | PrincipalKind::Role { .. } => {
                Some(self.holder(rows, holder_id(principal))?)
            }
            _ => None,
        };
        let holder = holder.as_deref().and_then(Option::as_ref);
        let session = self.session(rows, principal.session.as_deref())?;
        let identity: Vec<Attached<'_>> = match holder {
            Some(holder) => holder.policies.iter().map(attached).collect(),
            None => Vec::new(),
        };
        let session: Vec<Attached<'_>> = session.iter().map(attached).collect();
        let grants: Vec<Attached<'_>> = question
            .policy
            .map(|policy| policy.grants.iter().map(granted).collect())
            .unwrap_or_default();
        let owner = owner(question);
        let own_place = match principal.account.as_str() {
            "" => None,
            account => Some(self.place(rows, account)?),
        };
        let owner_place = match places::is_limited(question.action) && !owner.is_empty() {
            true => Some(self.place(rows, owner)?),
            false => None,
        };
        let scps = limits(&own_place, |place| place.limits_on_caller(principal));
        let rcps =
            limits(&owner_place, |place| place.limits_on_resource(principal, question.action));
        let scps: Vec<&[Attached<'_>]> = scps.iter().map(Vec::as_slice).collect();
        let rcps: Vec<&[Attached<'_>]> = rcps.iter().map(Vec::as_slice).collect();
        let no_tags = Tags::new();
        let facts = Facts {
            identities: self,
            rows,
            request: question.request,
            keys: question.keys,
            tags: holder.map_or(&no_tags, |holder| &holder.tags),
            target: question.target,
            owner,
            resource_tags: question.resource_tags,
            trouble: RefCell::default(),
        };
        let caller = caller(principal);
        let call = Call {
            action: question.action,
            resource: question.resource,
            principal: &caller,
            context: &facts,
        };
        let policies = Policies {
            identity: &identity,
            boundary: holder.and_then(|holder| holder.boundary.as_ref()).map(attached),
            session: &session,
            resource: question.policy.map(|policy| side(policy, question.resource, &grants)),
            mode: question.policy.map(|policy| policy.mode).unwrap_or_default(),
            scps: &scps,
            rcps: &rcps,
        };
        let decision = evaluate(&call, &policies);
        if let Some(trouble) = facts.trouble.take() {
            return Err(trouble);
        }
        if decision.is_allowed() { Ok(()) } else { Err(denied(&call, &decision.explanation)) }
    }
}

/// The account that owns the resource of a question: where neither its policy nor its ARN tells, the caller's.
fn owner<'a>(question: &Question<'a>) -> &'a str {
    if let Some(policy) = question.policy {
        return &policy.owner;
    }
    let of_arn = question.resource.split(':').nth(4).filter(|account| !account.is_empty());
    of_arn.unwrap_or(&question.request.principal.account)
}

fn limits<'a>(
    place: &'a Option<Arc<Option<Place>>>,
    of: impl Fn(&'a Place) -> Vec<Vec<Attached<'a>>>,
) -> Vec<Vec<Attached<'a>>> {
    place.as_deref().and_then(Option::as_ref).map(of).unwrap_or_default()
}

pub(crate) fn attached((source, document): &Compiled) -> Attached<'_> {
    Attached { source, document }
}

fn granted((name, document): &(String, Arc<Document>)) -> Attached<'_> {
    Attached { source: name, document }
}

fn side<'a>(
    policy: &'a ResourcePolicy,
    resource: &'a str,
    grants: &'a [Attached<'a>],
) -> ResourceSide<'a> {
    let attached = |document| Attached { source: resource, document };
    ResourceSide { owner: &policy.owner, policy: policy.document.as_deref().map(attached), grants }
}

/// The unique id of the user or role behind a principal.
pub(crate) fn holder_id(principal: &Principal) -> &str {
    principal.id.split(':').next().unwrap_or_default()
}

/// The caller as policies see it.
fn caller(principal: &Principal) -> Caller {
    let Principal { account, arn, id, .. } = principal;
    match &principal.kind {
        PrincipalKind::Root => Caller::root(account),
        PrincipalKind::User { .. } => Caller::user(account, arn, id),
        PrincipalKind::Role { role_arn, .. } => Caller::assumed_role(account, role_arn, arn, id),
        // GetFederationToken does not exist here yet: nobody stands behind such a session, and nothing is allowed.
        PrincipalKind::Federated { .. } => Caller::federated_user(account, "", arn, id),
        PrincipalKind::Service { name } => Caller::service(name),
        PrincipalKind::Anonymous => Caller::anonymous(),
    }
}

/// AWS's words for a refusal.
fn message(call: &Call<'_>, explanation: &Explanation<'_>) -> String {
    let service = call.action.split(':').next().unwrap_or_default();
    let is_stranger = !explanation.same_account || !call.principal.has_account();
    match service {
        "s3" if is_stranger => "Access Denied".to_owned(),
        "s3" => explanation.access_denied_message(call, MessageStyle::S3),
        _ => {
            let name_any_resource = matches!(service, "lambda" | "iam" | "sts");
            let style = MessageStyle { name_any_resource, ..MessageStyle::default() };
            let action = &*spelled(service, call.action);
            explanation.access_denied_message(&Call { action, ..*call }, style)
        }
    }
}

/// An action as the service's messages spell it: `sqs:sendmessage`, `SNS:Publish`.
fn spelled<'a>(service: &str, action: &'a str) -> Cow<'a, str> {
    match service {
        "sqs" => action.to_ascii_lowercase().into(),
        "sns" => action.replacen("sns:", "SNS:", 1).into(),
        _ => action.into(),
    }
}
