//! The condition keys of a call: AWS's global ones, and those that its service adds.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;

use fogbank_core::policy::{Context, Values};
use fogbank_core::store::Read;
use fogbank_core::{Fault, PrincipalKind, Request, Session};

use crate::Identities;
use crate::identities::FindTags;
use crate::places::Place;
use crate::rows::Tags;
use crate::target::Target;

/// A service's condition keys and their values, as a [`fogbank_core::Check`] has them.
pub(crate) type Keys = [(Cow<'static, str>, Vec<String>)];

/// The condition keys of one call; each is made only when a policy asks for it.
pub(crate) struct Facts<'a> {
    pub(crate) identities: &'a Identities,
    pub(crate) rows: &'a dyn Read,
    pub(crate) request: &'a Request,
    pub(crate) keys: &'a Keys,
    /// The tags of the user or role; those of the session come before them.
    pub(crate) tags: &'a Tags,
    /// What a call of IAM or STS is about.
    pub(crate) target: Option<&'a Target>,
    /// The account that owns the resource; empty if nobody knows.
    pub(crate) owner: &'a str,
    /// Finds the resource's tags, where its service can.
    pub(crate) resource_tags: Option<FindTags<'a>>,
    /// Why a key could not be made. A decision that looked for it must not be believed.
    pub(crate) trouble: RefCell<Option<Fault>>,
}

/// Keys that hold a set even when it has one element. AWS's reference calls them `ArrayOfString`.
const MULTIVALUED: [&str; 8] = [
    "aws:tagkeys",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "s3:requestobjecttagkeys",
    "sts:transitivetagkeys",
    "aws:calledvia",
    "lambda:layer",
    "lambda:subnetids",
];

impl Context for Facts<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        if let Some((_, values)) =
            self.keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            return Some(match values.as_slice() {
                [value] if !MULTIVALUED.contains(&key) => Values::one(&**value),
                values => Values::Many(Cow::Borrowed(values)),
            });
        }
        if let Some(target) = self.target
            && let Some(value) = of_target(target, key)
        {
            return Some(Values::one(value));
        }
        if let Some(tag) = resource_tag(key) {
            return self.resource_tag(tag);
        }
        self.global(key.strip_prefix("aws:")?)
    }
}

impl<'a> Facts<'a> {
    fn global(&'a self, name: &str) -> Option<Values<'a>> {
        let request = self.request;
        let now = request.now.secs();
        let one = |value: &'a str| Some(Values::one(value));
        match name {
            "sourceip" => {
                request.source_ip.map(|address| Values::one(canonical(address).to_string()))
            }
            "currenttime" => Some(Values::one(iso(now)?)),
            "epochtime" => Some(Values::one(now.to_string())),
            "securetransport" => one(truth(self.is_private())),
            "requestedregion" => one(region(request)),
            "useragent" => {
                (!request.user_agent.is_empty()).then(|| Values::one(&*request.user_agent))
            }
            "sourcearn" => request.source.as_ref().and_then(|(arn, _)| one(arn)),
            "sourceaccount" => request.source.as_ref().and_then(|(_, account)| one(account)),
            "sourceorgid" => self.of_source(|place| place.organization_id.clone()),
            "sourceorgpaths" => many(self.of_source(|place| place.path.clone())),
            "principalorgid" => self.of_principal(|place| place.organization_id.clone()),
            "principalorgpaths" => many(self.of_principal(|place| place.path.clone())),
            "resourceaccount" => (!self.owner.is_empty()).then(|| Values::one(self.owner)),
            "resourceorgid" => self.of_place(self.owner, |place| place.organization_id.clone()),
            "resourceorgpaths" => many(self.of_place(self.owner, |place| place.path.clone())),
            "viaawsservice" => one(truth(request.via.is_some())),
            "calledviafirst" | "calledvialast" => request.via.as_deref().and_then(one),
            "calledvia" => request.via.clone().map(|via| Values::Many(Cow::Owned(vec![via]))),
            _ => match name.strip_prefix("principaltag/") {
                Some(tag) => self.tag(tag).and_then(one),
                None => self.of_session(name),
            },
        }
    }

    /// Keys that only temporary credentials have.
    fn of_session(&'a self, name: &str) -> Option<Values<'a>> {
        let session = self.session()?;
        match name {
            "tokenissuetime" => Some(Values::one(iso(session.issued_secs)?)),
            "multifactorauthpresent" => Some(Values::one(truth(session.mfa))),
            "multifactorauthage" if session.mfa => {
                Some(Values::one((self.request.now.secs() - session.issued_secs).to_string()))
            }
            "sourceidentity" => session.source_identity.as_deref().map(Values::one),
            _ => None,
        }
    }

    fn of_principal(&self, of: fn(&Place) -> String) -> Option<Values<'a>> {
        self.of_place(&self.request.principal.account, of)
    }

    fn of_source(&self, of: fn(&Place) -> String) -> Option<Values<'a>> {
        let (_, account) = self.request.source.as_ref()?;
        self.of_place(account, of)
    }

    fn of_place(&self, account: &str, of: fn(&Place) -> String) -> Option<Values<'a>> {
        if account.is_empty() {
            return None;
        }
        let place = self.known(self.identities.place(self.rows, account))?;
        (*place).as_ref().map(|place| Values::one(of(place)))
    }

    fn resource_tag(&self, tag: &str) -> Option<Values<'a>> {
        let tags = self.known((self.resource_tags?)())?;
        value(&tags, tag).map(|value| Values::one(value.to_owned()))
    }

    /// What was found out, or else the trouble is noted.
    fn known<T>(&self, found: Result<T, Fault>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(fault) => {
                self.trouble.borrow_mut().get_or_insert(fault);
                None
            }
        }
    }

    fn session(&self) -> Option<&'a Session> {
        match self.request.principal.kind {
            PrincipalKind::Service { .. } | PrincipalKind::Anonymous => None,
            _ => self.request.principal.session.as_deref(),
        }
    }

    fn tag(&self, key: &str) -> Option<&'a str> {
        let session = self.session().map(|session| session.tags.as_slice()).unwrap_or_default();
        value(session, key).or_else(|| value(self.tags, key))
    }

    /// Whether nobody could listen: over TLS, from inside, or from this very machine, which no network lies between.
    /// Without the last, the usual policy that denies plain HTTP would lock out every developer's endpoint.
    fn is_private(&self) -> bool {
        let request = self.request;
        request.endpoint.tls
            || request.source_ip.is_none_or(|address| canonical(address).is_loopback())
    }
}

/// A key with one value as one that holds a set.
fn many(value: Option<Values<'_>>) -> Option<Values<'_>> {
    match value? {
        Values::One(value) => Some(Values::Many(Cow::Owned(vec![value.into_owned()]))),
        many => Some(many),
    }
}

/// The tag that a key such as `aws:resourcetag/team` or `ec2:resourcetag/team` asks the resource for.
fn resource_tag(key: &str) -> Option<&str> {
    let (prefix, tag) = key.split_once("resourcetag/")?;
    prefix.ends_with(':').then_some(tag)
}

fn of_target<'a>(target: &'a Target, key: &str) -> Option<&'a str> {
    let tag = key.strip_prefix("aws:resourcetag/").or_else(|| key.strip_prefix("iam:resourcetag/"));
    match tag {
        Some(tag) => value(&target.tags, tag),
        None if key == "iam:permissionsboundary" => target.boundary.as_deref(),
        None => None,
    }
}

/// Tag keys differ by case, condition keys do not.
fn value<'a>(tags: &'a [(String, String)], key: &str) -> Option<&'a str> {
    tags.iter().find(|(known, _)| known.to_lowercase() == key).map(|(_, value)| &**value)
}

/// Global services answer in one region.
fn region(request: &Request) -> &str {
    if request.service == "iam" { "us-east-1" } else { &request.region }
}

/// An address of IPv4 that came in the form of IPv6 is what policies know it as.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn iso(secs: i64) -> Option<String> {
    jiff::Timestamp::from_second(secs).ok().map(|time| time.to_string())
}
