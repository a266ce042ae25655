//! The condition keys of a call: AWS's global ones, and those that its service adds.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;

use fogbank_core::policy::{Context, Values};
use fogbank_core::store::Read;
use fogbank_core::{Fault, PrincipalKind, Request, Session};

use super::{FindTags, Question, Standing, TagsOf};
use crate::Identities;
use crate::places::Place;
use crate::rows::Tags;
use crate::target::Target;

/// A service's condition keys and their values, as a [`fogbank_core::Check`] has them.
pub(crate) type Keys = [(Cow<'static, str>, Vec<String>)];

/// What was looked up: a key in lower case, and its value if it has one.
pub(crate) type Found = Vec<(String, Option<String>)>;

/// Where keys are looked up that neither the request nor the caller tells.
pub(crate) struct LookUps<'a> {
    pub(crate) identities: &'a Identities,
    pub(crate) rows: &'a dyn Read,
    /// Finds the resource's tags, where its service can.
    pub(crate) resource_tags: Option<FindTags<'a>>,
}

/// The condition keys of one call; each is made only when a policy asks for it.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    keys: &'a Keys,
    /// The tags of the user or role; those of the session come before them.
    tags: &'a Tags,
    /// What a call of IAM or STS is about.
    target: Option<&'a Target>,
    action: &'a str,
    /// The ARN of the resource.
    resource: &'a str,
    /// The account that owns the resource; empty if nobody knows.
    owner: &'a str,
    /// None where a decision is explained, which must see what it saw when it was made.
    look_ups: Option<LookUps<'a>>,
    found: RefCell<Found>,
    /// Why a key could not be made. A decision that looked for it must not be believed.
    trouble: RefCell<Option<Fault>>,
}

/// Keys that hold a set even when it has one element. AWS's reference calls them `ArrayOfString`.
const MULTIVALUED: [&str; 12] = [
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
    "aws:tagkeys",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "s3:requestobjecttagkeys",
    "s3express:permissions",
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
        if let Some(values) = self.own_key(key) {
            return Some(values);
        }
        // Directory buckets have the same keys under a prefix of their own.
        let of_s3 = key.strip_prefix("s3:").or_else(|| key.strip_prefix("s3express:"));
        if let Some(name) = of_s3 {
            return self.of_s3(key, name);
        }
        if let Some(tag) = resource_tag(key) {
            return self.tag_of(TagsOf::Resource, key, tag);
        }
        self.global(key.strip_prefix("aws:")?)
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        question: &Question<'a>,
        standing: &'a Standing,
        look_ups: Option<LookUps<'a>>,
        found: Found,
    ) -> Facts<'a> {
        let Question { request, keys, target, policy, action, resource, .. } = *question;
        let owner = super::owner(request, policy, resource);
        let (found, trouble) = (RefCell::new(found), RefCell::default());
        let tags = standing.tags();
        Facts { request, keys, tags, target, action, resource, owner, look_ups, found, trouble }
    }

    /// What was looked up, or why something could not be.
    pub(crate) fn into_found(self) -> Result<Found, Fault> {
        match self.trouble.into_inner() {
            Some(fault) => Err(fault),
            None => Ok(self.found.into_inner()),
        }
    }

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
            "sourceorgid" | "sourceorgpaths" => {
                let (_, account) = request.source.as_ref()?;
                self.of_place(name, account)
            }
            "principalorgid" | "principalorgpaths" => {
                self.of_place(name, &request.principal.account)
            }
            "resourceaccount" => (!self.owner.is_empty()).then(|| Values::one(self.owner)),
            "resourceorgid" | "resourceorgpaths" => self.of_place(name, self.owner),
            "viaawsservice" => one(truth(!request.via.is_empty())),
            "calledviafirst" => one(request.via.first()?),
            "calledvialast" => one(request.via.last()?),
            "calledvia" => Some(Values::Many(Cow::Borrowed(&request.via))),
            "principalservicenameslist" => match &request.principal.kind {
                PrincipalKind::Service { name } => Some(Values::Many(vec![name.clone()].into())),
                _ => None,
            },
            "referer" => (!request.referer.is_empty()).then(|| Values::one(&*request.referer)),
            _ => match name.strip_prefix("principaltag/") {
                Some(tag) => self.tag(tag).and_then(one),
                None => self.of_session(name),
            },
        }
    }

    /// A key of S3 that the request's signature tells, or the tags of an object that is there already.
    fn of_s3(&'a self, key: &str, name: &str) -> Option<Values<'a>> {
        if let Some(tag) = name.strip_prefix("existingobjecttag/") {
            let tells = tells_object_tags(self.action);
            return tells.then(|| self.tag_of(TagsOf::Object, key, tag)).flatten();
        }
        // Each names the tags of one kind of resource, of which a call by an access point is decided for both.
        let is_point = self.resource.contains(":accesspoint/");
        let prefix = if is_point { "accesspointtag/" } else { "buckettag/" };
        if let Some(tag) = name.strip_prefix(prefix) {
            return self.tag_of(TagsOf::Resource, key, tag);
        }
        let signature = self.request.signature.as_ref();
        match name {
            "resourceaccount" => (!self.owner.is_empty()).then(|| Values::one(self.owner)),
            "tlsversion" => self.request.tls_version.map(Values::one),
            "authtype" => Some(Values::one(signature?.auth_type)),
            "signatureversion" => Some(Values::one(signature?.version)),
            "signatureage" => {
                let age = self.request.now.millis() - signature?.signed_at?.millis();
                Some(Values::one(age.max(0).to_string()))
            }
            "x-amz-content-sha256" => signature?.content_sha256.as_deref().map(Values::one),
            _ => None,
        }
    }

    /// A key that the session brings with it, from an identity provider.
    fn own_key(&self, key: &str) -> Option<Values<'_>> {
        let session = self.session()?;
        let (_, values) = session.keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
        Some(match values.as_slice() {
            [value] if !key.ends_with(":amr") => Values::one(&**value),
            values => Values::Many(Cow::Borrowed(values)),
        })
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

    /// A key about where an account stands in its organization.
    fn of_place(&self, name: &str, account: &str) -> Option<Values<'a>> {
        let is_path = name.ends_with("paths");
        let value = self.look_up(&format!("aws:{name}"), |look_ups| {
            let of = |place: &Place| match is_path {
                true => place.path.clone(),
                false => place.organization_id.clone(),
            };
            let place = match account {
                "" => return Ok(None),
                account => look_ups.identities.place(look_ups.rows, account)?,
            };
            Ok((*place).as_ref().map(of))
        })?;
        Some(match is_path {
            true => Values::Many(vec![value].into()),
            false => Values::one(value),
        })
    }

    fn tag_of(&self, whose: TagsOf, key: &str, tag: &str) -> Option<Values<'a>> {
        let found = self.look_up(key, |look_ups| match look_ups.resource_tags {
            Some(find) => Ok(value(&find(whose)?, tag).map(ToOwned::to_owned)),
            None => Ok(None),
        });
        found.map(Values::one)
    }

    /// The value of a key that only rows tell; what was found is remembered, since the rows may change.
    fn look_up(
        &self,
        key: &str,
        find: impl FnOnce(&LookUps<'a>) -> Result<Option<String>, Fault>,
    ) -> Option<String> {
        if let Some((_, value)) = self.found.borrow().iter().find(|(known, _)| known == key) {
            return value.clone();
        }
        match find(self.look_ups.as_ref()?) {
            Ok(value) => {
                self.found.borrow_mut().push((key.to_owned(), value.clone()));
                value
            }
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

/// Whether an action tells the tags of the object that it is about: those that read it or change its tags or ACL.
fn tells_object_tags(action: &str) -> bool {
    const ACTIONS: [&str; 14] = [
        "s3:GetObject",
        "s3:GetObjectAcl",
        "s3:GetObjectAttributes",
        "s3:GetObjectTagging",
        "s3:GetObjectVersion",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionAttributes",
        "s3:GetObjectVersionTagging",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectVersionTagging",
        "s3:DeleteObjectTagging",
        "s3:DeleteObjectVersionTagging",
    ];
    ACTIONS.contains(&action)
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
    match request.service {
        "iam" | "organizations" | "route53" | "cloudfront" => "us-east-1",
        _ => &request.region,
    }
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
