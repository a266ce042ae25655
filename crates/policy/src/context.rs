//! The request context: what condition keys and policy variables are looked up in.

use std::borrow::Cow;

use crate::evaluate::Call;
use crate::principal::CallerKind;

/// The value or values of a condition key in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values<'a> {
    /// The value of a single-valued key.
    One(Cow<'a, str>),
    /// The values of a multivalued key; an empty list counts as an absent key.
    Many(Cow<'a, [String]>),
}

impl<'a> Values<'a> {
    /// The value of a single-valued key.
    pub fn one(value: impl Into<Cow<'a, str>>) -> Values<'a> {
        Values::One(value.into())
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Values::Many(values) if values.is_empty())
    }

    pub(crate) fn any(&self, mut holds: impl FnMut(&str) -> bool) -> bool {
        match self {
            Values::One(value) => holds(value),
            Values::Many(values) => values.iter().any(|value| holds(value)),
        }
    }

    pub(crate) fn all(&self, mut holds: impl FnMut(&str) -> bool) -> bool {
        match self {
            Values::One(value) => holds(value),
            Values::Many(values) => values.iter().all(|value| holds(value)),
        }
    }

    /// A multivalued key cannot stand for a policy variable, even when it has one value only.
    fn into_variable(self) -> Option<Cow<'a, str>> {
        match self {
            Values::One(value) => Some(value),
            Values::Many(_) => None,
        }
    }
}

/// The condition keys of a request. Keys that follow from the [`Caller`](crate::Caller) (`aws:PrincipalArn`,
/// `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:userid`, `aws:username`, `aws:PrincipalIsAWSService`,
/// `aws:PrincipalServiceName`) and `aws:ResourceAccount` need not be offered; an offered one wins.
pub trait Context {
    /// The values of `key`, which always arrives in lower case, or `None` where the request has no such key.
    fn get(&self, key: &str) -> Option<Values<'_>>;
}

/// The context without any key.
impl Context for () {
    fn get(&self, _key: &str) -> Option<Values<'_>> {
        None
    }
}

/// A context held as a short list of keys and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextMap {
    entries: Vec<(String, Entry)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    One(String),
    Many(Vec<String>),
}

impl ContextMap {
    /// An empty context.
    pub fn new() -> ContextMap {
        ContextMap::default()
    }

    /// Sets a single-valued key, whatever the case of its letters.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut ContextMap {
        self.insert(key, Entry::One(value.into()))
    }

    /// Sets a multivalued key, such as `aws:TagKeys`.
    pub fn set_many(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> &mut ContextMap {
        self.insert(key, Entry::Many(values.into_iter().map(Into::into).collect()))
    }

    fn insert(&mut self, key: &str, entry: Entry) -> &mut ContextMap {
        let key = key.to_lowercase();
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = entry,
            None => self.entries.push((key, entry)),
        }
        self
    }
}

impl Context for ContextMap {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        let (_, entry) = self.entries.iter().find(|(known, _)| known == key)?;
        Some(match entry {
            Entry::One(value) => Values::One(Cow::Borrowed(value)),
            Entry::Many(values) => Values::Many(Cow::Borrowed(values)),
        })
    }
}

/// All keys of one evaluation: those that the request offers, then those that follow from the caller.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    call: &'a Call<'a>,
    resource_account: Option<&'a str>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(call: &'a Call<'a>, resource_account: Option<&'a str>) -> Facts<'a> {
        Facts { call, resource_account }
    }

    /// The values of a key in lower case; an empty list is an absent key.
    pub(crate) fn values(&self, key: &str) -> Option<Values<'a>> {
        let values = self.call.context.get(key).or_else(|| self.derived(key))?;
        (!values.is_absent()).then_some(values)
    }

    /// The text that a policy variable stands for.
    pub(crate) fn variable(&self, key: &str) -> Option<Cow<'a, str>> {
        self.values(key)?.into_variable()
    }

    fn derived(&self, key: &str) -> Option<Values<'a>> {
        let caller = self.call.principal;
        let has_account = caller.has_account();
        let name = key.strip_prefix("aws:")?;
        let value: &'a str = match name {
            "principalarn" if has_account => caller.principal_arn(),
            "principalaccount" if has_account => &caller.account,
            "principaltype" => match caller.kind {
                CallerKind::Root => "Account",
                CallerKind::User => "User",
                CallerKind::AssumedRole { .. } => "AssumedRole",
                CallerKind::FederatedUser { .. } => "FederatedUser",
                CallerKind::Anonymous => "Anonymous",
                CallerKind::Service { .. } | CallerKind::WebIdentity { .. } => return None,
            },
            "userid" if has_account => &caller.user_id,
            "username" => match caller.kind {
                CallerKind::User => caller.arn.rsplit('/').next()?,
                _ => return None,
            },
            "principalisawsservice" => match caller.kind {
                CallerKind::Service { .. } => "true",
                _ => "false",
            },
            "principalservicename" => match &caller.kind {
                CallerKind::Service { name } => name,
                _ => return None,
            },
            "resourceaccount" => self.resource_account?,
            _ => return None,
        };
        Some(Values::One(Cow::Borrowed(value)))
    }
}
