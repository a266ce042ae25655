//! Policy documents: checked and compiled once, then shared and evaluated any number of times.

use serde_json::Value;

use crate::condition::{self, Condition};
use crate::malformed::Malformed;
use crate::matching::{Pattern, PatternSet, Syntax};
use crate::principal::PrincipalSet;
use crate::syntax::{self, RawStatement};

/// What a document is attached to, which decides its grammar and the words of its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A managed or inline policy of a user, group or role.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// A policy passed to AssumeRole, GetFederationToken and the like.
    Session,
    /// A service control policy of an organization.
    ServiceControl,
    /// A resource control policy of an organization.
    ResourceControl,
    /// A policy of a bucket, queue, topic, key, function and the like.
    Resource,
    /// A role's trust policy.
    Trust,
}

impl Kind {
    /// Resource and trust policies go through another parser in AWS than policies of identities.
    fn is_of_resource(self) -> bool {
        matches!(self, Kind::Resource | Kind::Trust)
    }
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Forbids, whatever else allows.
    Deny,
}

/// The type under which a `Principal` element lists a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalType {
    /// An account, user, role or session, or `*`.
    Aws,
    /// A service principal.
    Service,
    /// An identity provider.
    Federated,
    /// An account by its canonical user id.
    CanonicalUser,
}

impl PrincipalType {
    /// The type as documents spell it.
    pub fn name(self) -> &'static str {
        match self {
            PrincipalType::Aws => "AWS",
            PrincipalType::Service => "Service",
            PrincipalType::Federated => "Federated",
            PrincipalType::CanonicalUser => "CanonicalUser",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<PrincipalType> {
        use PrincipalType::{Aws, CanonicalUser, Federated, Service};
        [Aws, Service, Federated, CanonicalUser].into_iter().find(|kind| kind.name() == name)
    }
}

/// A checked and compiled policy document.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) statements: Box<[Statement]>,
}

/// One compiled statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    pub(crate) sid: Option<Box<str>>,
    pub(crate) principals: Option<PrincipalSet>,
    pub(crate) actions: PatternSet,
    /// Absent in trust policies and in resource policies of services whose policy can only mean its resource.
    pub(crate) resources: Option<PatternSet>,
    pub(crate) conditions: Box<[Condition]>,
}

impl Document {
    /// Checks a document by the grammar of its kind and compiles it.
    ///
    /// Size limits and whether the named principals exist are for the service that stores the document.
    ///
    /// # Errors
    /// The first fault that AWS would report; its text is AWS's where that text is known.
    pub fn parse(json: &str, kind: Kind) -> Result<Document, Malformed> {
        let of_resource = kind.is_of_resource();
        let value: Value = serde_json::from_str(json).map_err(|_| match of_resource {
            true => Malformed::InvalidJson,
            false => Malformed::Syntax,
        })?;
        let raw = match of_resource {
            true => syntax::check_resource_policy(&value, kind)?,
            false => syntax::check_identity_policy(&value, kind)?,
        };
        let statements = raw
            .statements
            .iter()
            .map(|statement| Statement::compile(statement, raw.variables))
            .collect::<Result<_, _>>()?;
        Ok(Document { statements })
    }

    /// The number of statements.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// Every action pattern as written, of `Action` and `NotAction` alike.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|s| s.actions.patterns.iter().map(Pattern::text))
    }

    /// Every resource pattern as written, of `Resource` and `NotResource` alike.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let sets = self.statements.iter().filter_map(|statement| statement.resources.as_ref());
        sets.flat_map(|set| set.patterns.iter().map(Pattern::text))
    }

    /// Whether some statement has neither `Resource` nor `NotResource`, which S3 and others refuse.
    pub fn lacks_resources(&self) -> bool {
        self.statements.iter().any(|statement| statement.resources.is_none())
    }

    /// Whether the document keeps to what AWS lets customers write into resource control policies: every statement denies
    /// everybody named actions, each of a service.
    pub fn only_denies_everybody(&self) -> bool {
        self.statements.iter().all(|statement| {
            let principals = statement.principals.as_ref();
            let named = statement.actions.patterns.iter().map(Pattern::text);
            statement.effect == Effect::Deny
                && principals.is_some_and(PrincipalSet::is_everybody)
                && !statement.actions.negated
                && named.into_iter().all(|action| !action.starts_with('*'))
        })
    }

    /// Every principal as written, of `Principal` and `NotPrincipal` alike.
    pub fn principals(&self) -> impl Iterator<Item = (PrincipalType, &str)> {
        self.statements
            .iter()
            .filter_map(|statement| statement.principals.as_ref())
            .flat_map(PrincipalSet::texts)
    }
}

impl Statement {
    fn compile(raw: &RawStatement<'_>, variables: bool) -> Result<Statement, Malformed> {
        let principals = match raw.principals {
            Some((value, negated)) => Some(PrincipalSet::parse(value, negated)?),
            None => None,
        };
        // Actions are case-insensitive and know no variables.
        let action = Syntax { wildcards: true, variables: false, fold: true };
        let resource = Syntax { wildcards: true, variables, fold: false };
        Ok(Statement {
            effect: raw.effect,
            sid: raw.sid.map(Into::into),
            principals,
            actions: pattern_set(&raw.actions, action),
            resources: raw.resources.as_ref().map(|list| pattern_set(list, resource)),
            conditions: raw
                .conditions
                .map(|block| condition::compile(block, variables))
                .unwrap_or_default(),
        })
    }
}

fn pattern_set((texts, negated): &(Vec<&str>, bool), syntax: Syntax) -> PatternSet {
    PatternSet {
        negated: *negated,
        patterns: texts.iter().map(|text| Pattern::compile(text, syntax)).collect(),
    }
}
