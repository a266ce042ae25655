//! ACLs of buckets and objects, for buckets whose ownership lets them count.

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};

use crate::access_points;
use crate::buckets::{display_name, owner};
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::model::{
    AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
    GetObjectAclOutput, Grant, Grantee, Permission, PutBucketAclInput, PutBucketAclOutput,
    PutObjectAclInput, PutObjectAclOutput, Type,
};
use crate::payment;
use crate::replication;
use crate::rules;
use crate::store::{self, Acl, AclGrant, AclGrantee, AclPermission, BUCKETS, Bucket, Ownership};
use crate::versions;

const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// The most grants that an ACL has.
const MAX_GRANTS: usize = 100;

/// What a request says of the ACL: a canned one, or grants by headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    canned: Option<String>,
    grants: Option<Acl>,
}

/// Reads the headers: `x-amz-acl`, and those of the five permissions.
pub(crate) fn asked(
    canned: Option<&str>,
    grants: [(AclPermission, &Option<String>); 5],
) -> Result<Asked, Error> {
    let mut read = Vec::new();
    for (permission, header) in grants {
        for grantee in header.iter().flat_map(|header| header.split(',')) {
            read.push(AclGrant { grantee: of_header(grantee.trim())?, permission });
        }
    }
    if canned.is_some() && !read.is_empty() {
        let message = "Specifying both Canned ACLs and Header Grants is not allowed";
        return Err(Error::request(message));
    }
    if let Some(canned) = canned
        && !CANNED.contains(&canned)
    {
        return Err(Error::argument("x-amz-acl", canned, ""));
    }
    let grants = (!read.is_empty()).then_some(Acl(read));
    Ok(Asked { canned: canned.map(ToOwned::to_owned), grants })
}

const CANNED: [&str; 8] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
];

/// Reads a grantee such as `id="…"`.
fn of_header(text: &str) -> Result<AclGrantee, Error> {
    let (kind, value) = text.split_once('=').unwrap_or((text, ""));
    let value = value.trim().trim_matches('"');
    match kind.trim().to_ascii_lowercase().as_str() {
        "id" => canonical(value),
        "uri" => group(value),
        "emailaddress" => Err(no_email()),
        _ => Err(Error::argument("x-amz-grant", text, "Argument format not recognized")),
    }
}

/// AWS takes no e-mail addresses any more since October 2025: "the request will receive an HTTP 405 (Method Not Allowed)
/// error" (PutBucketAcl in the API Reference). The message is the code's usual one.
fn no_email() -> Error {
    let message = "The specified method is not allowed against this resource.";
    Error::Fault(Fault::new("MethodNotAllowed", message))
}

fn canonical(id: &str) -> Result<AclGrantee, Error> {
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A canonical id of an account that does not exist cannot be told from others.
    match is_id {
        true => Ok(AclGrantee::Canonical(id.to_owned())),
        false => Err(Error::argument("CanonicalUser/ID", id, "Invalid id")),
    }
}

fn group(uri: &str) -> Result<AclGrantee, Error> {
    match uri {
        EVERYBODY => Ok(AclGrantee::Everybody),
        AUTHENTICATED => Ok(AclGrantee::Authenticated),
        LOG_DELIVERY => Ok(AclGrantee::LogDelivery),
        other => Err(Error::argument("Group/URI", other, "Invalid group uri")),
    }
}

impl Asked {
    /// Whether the request says nothing that the full control of a bucket's owner does not say.
    fn is_plain(&self, bucket_owner: &str) -> bool {
        let is_full = |grant: &AclGrant| {
            grant.permission == AclPermission::FullControl
                && grant.grantee == AclGrantee::Canonical(rules::canonical_id(bucket_owner))
        };
        self.grants.as_ref().is_none_or(|grants| grants.0.iter().all(is_full))
            && self.canned.as_deref().is_none_or(|canned| canned == "bucket-owner-full-control")
    }

    /// The ACL, where `owner` owns the object and `bucket_owner` its bucket; nothing if it is the default.
    fn acl(&self, owner: &str, bucket_owner: &str) -> Option<Acl> {
        if let Some(grants) = &self.grants {
            return Some(grants.clone());
        }
        let own = AclGrant {
            grantee: AclGrantee::Canonical(rules::canonical_id(owner)),
            permission: AclPermission::FullControl,
        };
        let more: Vec<(AclGrantee, AclPermission)> = match self.canned.as_deref()? {
            "public-read" => vec![(AclGrantee::Everybody, AclPermission::Read)],
            "public-read-write" => vec![
                (AclGrantee::Everybody, AclPermission::Read),
                (AclGrantee::Everybody, AclPermission::Write),
            ],
            "authenticated-read" => vec![(AclGrantee::Authenticated, AclPermission::Read)],
            "log-delivery-write" => vec![
                (AclGrantee::LogDelivery, AclPermission::Write),
                (AclGrantee::LogDelivery, AclPermission::ReadAcp),
            ],
            "bucket-owner-read" if owner != bucket_owner => {
                let id = rules::canonical_id(bucket_owner);
                vec![(AclGrantee::Canonical(id), AclPermission::Read)]
            }
            "bucket-owner-full-control" if owner != bucket_owner => {
                let id = rules::canonical_id(bucket_owner);
                vec![(AclGrantee::Canonical(id), AclPermission::FullControl)]
            }
            _ => return None,
        };
        let more = more.into_iter().map(|(grantee, permission)| AclGrant { grantee, permission });
        Some(Acl(std::iter::once(own).chain(more).collect()))
    }

    /// The owner, if it is not the bucket's, and the ACL of a new object.
    pub(crate) fn settle(
        &self,
        tx: &(impl Tx + ?Sized),
        bucket: &Bucket,
        account: &str,
    ) -> Result<(Option<String>, Option<Acl>), Error> {
        let Some(ownership) = bucket.ownership.or(Some(Ownership::Writer)) else {
            return Ok((None, None));
        };
        if ownership == Ownership::Enforced {
            return match self.is_plain(&bucket.account) {
                true => Ok((None, None)),
                false => Err(Error::AccessControlListNotSupported),
            };
        }
        let gives = self.canned.as_deref() == Some("bucket-owner-full-control");
        let is_owners = account == bucket.account
            || account.is_empty()
            || (ownership == Ownership::Preferred && gives);
        let owner = if is_owners { &bucket.account } else { account };
        let acl = self.acl(owner, &bucket.account);
        refuse_public(tx, bucket, acl.as_ref())?;
        Ok(((!is_owners).then(|| account.to_owned()), acl))
    }

    /// The ACL of a new bucket.
    pub(crate) fn of_bucket(
        &self,
        account: &str,
        ownership: Option<Ownership>,
    ) -> Result<Option<Acl>, Error> {
        if ownership == Some(Ownership::Enforced) {
            let is_private = self.canned.as_deref() == Some("private");
            return match is_private || self.is_plain(account) {
                true => Ok(None),
                false => Err(Error::InvalidBucketAclWithObjectOwnership),
            };
        }
        Ok(self.acl(account, account))
    }
}

fn is_public(acl: &Acl) -> bool {
    acl.0
        .iter()
        .any(|grant| matches!(grant.grantee, AclGrantee::Everybody | AclGrantee::Authenticated))
}

/// Refuses a public ACL where public ACLs are blocked.
fn refuse_public(tx: &(impl Tx + ?Sized), bucket: &Bucket, acl: Option<&Acl>) -> Result<(), Error> {
    match acl.is_some_and(is_public) && access_points::blocks(tx, bucket)?.block_acls {
        true => Err(Error::AccessDenied),
        false => Ok(()),
    }
}

/// Whether an ACL allows something to a caller of an account; of no account if nobody signed.
pub(crate) fn allows(
    acl: Option<&Acl>,
    owner: &str,
    account: &str,
    permission: AclPermission,
    ignores_public: bool,
) -> bool {
    let Some(acl) = acl else { return account == owner };
    let id = rules::canonical_id(account);
    acl.0.iter().any(|grant| {
        let is_meant = match &grant.grantee {
            AclGrantee::Canonical(grantee) => !account.is_empty() && *grantee == id,
            AclGrantee::Everybody => !ignores_public,
            AclGrantee::Authenticated => !ignores_public && !account.is_empty(),
            AclGrantee::LogDelivery => false,
        };
        let is_asked = [AclPermission::FullControl, permission].contains(&grant.permission);
        is_meant && is_asked
    })
}

fn shown_permission(permission: AclPermission) -> Permission {
    match permission {
        AclPermission::FullControl => Permission::FullControl,
        AclPermission::Read => Permission::Read,
        AclPermission::Write => Permission::Write,
        AclPermission::ReadAcp => Permission::ReadAcp,
        AclPermission::WriteAcp => Permission::WriteAcp,
    }
}

/// The grants of an ACL. Which come first means nothing; where display names are told, it is those of groups.
pub(crate) fn shown(
    tx: &ReadTx<'_>,
    acl: Option<&Acl>,
    owner: &str,
    bucket: &Bucket,
) -> Vec<Grant> {
    let of_user = |id: String| {
        let known = [owner, &bucket.account, tx.account()];
        let account = known.into_iter().find(|account| rules::canonical_id(account) == id);
        Grantee {
            r#type: Type::CanonicalUser,
            display_name: account.and_then(|account| display_name(tx, account)),
            id: Some(id),
            ..Grantee::default()
        }
    };
    let of_group = |uri: &str| Grantee {
        r#type: Type::Group,
        uri: Some(uri.to_owned()),
        ..Grantee::default()
    };
    let Some(acl) = acl else {
        let grantee = Some(of_user(rules::canonical_id(owner)));
        return vec![Grant { grantee, permission: Some(Permission::FullControl) }];
    };
    let grants = acl.0.iter().map(|grant| Grant {
        grantee: Some(match &grant.grantee {
            AclGrantee::Canonical(id) => of_user(id.clone()),
            AclGrantee::Everybody => of_group(EVERYBODY),
            AclGrantee::Authenticated => of_group(AUTHENTICATED),
            AclGrantee::LogDelivery => of_group(LOG_DELIVERY),
        }),
        permission: Some(shown_permission(grant.permission)),
    });
    let mut grants: Vec<Grant> = grants.collect();
    if tx.cx().settings().has_legacy_buckets {
        let is_group = |grant: &Grant| grant.grantee.as_ref().is_some_and(|to| to.uri.is_some());
        grants.sort_by_key(|grant| !is_group(grant));
    }
    grants
}

/// Reads the document of an ACL, which must name the owner that there is.
fn of_document(given: AccessControlPolicy, account: &str) -> Result<Acl, Error> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Error::Fault(Fault::new("MalformedACLError", message))
    };
    match given.owner.and_then(|owner| owner.id) {
        None => return Err(malformed()),
        Some(id) if id != rules::canonical_id(account) => return Err(Error::AccessDenied),
        Some(_) => {}
    }
    let grants = given.grants.unwrap_or_default();
    if grants.len() > MAX_GRANTS {
        return Err(malformed());
    }
    let mut read = Vec::with_capacity(grants.len());
    for grant in grants {
        let (Some(grantee), Some(permission)) = (grant.grantee, grant.permission) else {
            return Err(malformed());
        };
        let grantee = match grantee.r#type {
            Type::CanonicalUser => canonical(grantee.id.as_deref().unwrap_or_default())?,
            Type::Group => group(grantee.uri.as_deref().unwrap_or_default())?,
            Type::AmazonCustomerByEmail => {
                return Err(no_email());
            }
        };
        let permission = match permission {
            Permission::FullControl => AclPermission::FullControl,
            Permission::Read => AclPermission::Read,
            Permission::Write => AclPermission::Write,
            Permission::ReadAcp => AclPermission::ReadAcp,
            Permission::WriteAcp => AclPermission::WriteAcp,
        };
        read.push(AclGrant { grantee, permission });
    }
    Ok(Acl(read))
}

/// The ACL that a request sets, which says it in one of three ways.
fn given(
    tx: &(impl Tx + ?Sized),
    asked: &Asked,
    document: Option<AccessControlPolicy>,
    owner: &str,
    bucket: &Bucket,
) -> Result<Option<Acl>, Error> {
    let is_asked = asked.canned.is_some() || asked.grants.is_some();
    if bucket.is_enforced() {
        return Err(Error::AccessControlListNotSupported);
    }
    let acl = match document {
        Some(_) if is_asked => {
            return Err(Error::Fault(Fault::new(
                "UnexpectedContent",
                "This request does not support content",
            )));
        }
        Some(document) => Some(of_document(document, owner)?),
        None if is_asked => asked.acl(owner, &bucket.account),
        None => {
            let message = "Your request was missing a required header";
            let fault = Fault::new("MissingSecurityHeader", message).with_status(400);
            return Err(Error::Fault(fault.with("MissingHeaderName", "x-amz-acl")));
        }
    };
    refuse_public(tx, bucket, acl.as_ref())?;
    Ok(acl)
}

macro_rules! headers {
    ($input:ident) => {
        asked(
            $input.acl.as_deref(),
            [
                (AclPermission::FullControl, &$input.grant_full_control),
                (AclPermission::Read, &$input.grant_read),
                (AclPermission::ReadAcp, &$input.grant_read_acp),
                (AclPermission::Write, &$input.grant_write),
                (AclPermission::WriteAcp, &$input.grant_write_acp),
            ],
        )?
    };
}

/// Sets the ACL of a bucket.
pub(crate) fn put_bucket(
    tx: &mut WriteTx<'_>,
    input: PutBucketAclInput,
) -> Result<PutBucketAclOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let asked = headers!(input);
    bucket.acl = given(tx, &asked, input.access_control_policy, &bucket.account, &bucket)?;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutBucketAclOutput {})
}

/// Sets the ACL of an object.
pub(crate) fn put_object(
    tx: &mut WriteTx<'_>,
    input: PutObjectAclInput,
) -> Result<PutObjectAclOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let bucket = store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
    let asked = headers!(input);
    let mut found = locks::found(tx, at, input.version_id.as_deref())?;
    if let Some(object) = found.object_mut() {
        let owner = object.listed.owner.clone().unwrap_or_else(|| bucket.account.clone());
        object.more_mut().acl = given(tx, &asked, input.access_control_policy, &owner, &bucket)?;
        let change = Change::acl(at.1, object);
        events::emit(tx, &bucket, at.0, &change)?;
        replication::changed(tx, &bucket, at, object)?;
    }
    versions::save(tx, at, found)?;
    Ok(PutObjectAclOutput::default())
}

/// The ACL of a bucket.
pub(crate) fn get_bucket(
    tx: &ReadTx<'_>,
    input: GetBucketAclInput,
) -> Result<GetBucketAclOutput, Error> {
    let bucket = store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    let acl = bucket.acl.as_ref().filter(|_| !bucket.is_enforced());
    Ok(GetBucketAclOutput {
        owner: Some(owner(tx, &bucket.account)),
        grants: Some(shown(tx, acl, &bucket.account, &bucket)),
    })
}

/// The ACL of an object.
pub(crate) fn get_object(
    tx: &ReadTx<'_>,
    input: GetObjectAclInput,
) -> Result<GetObjectAclOutput, Error> {
    let at = (&*input.bucket, &*input.key);
    let bucket = store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
    let object = versions::read(tx, at, input.version_id.as_deref())?;
    let is_enforced = bucket.is_enforced();
    let account = object.listed.owner.as_ref().filter(|_| !is_enforced).unwrap_or(&bucket.account);
    let acl = object.more.as_ref().and_then(|more| more.acl.as_ref()).filter(|_| !is_enforced);
    Ok(GetObjectAclOutput {
        owner: Some(owner(tx, account)),
        grants: Some(shown(tx, acl, account, &bucket)),
        request_charged: payment::charged(tx, &bucket, input.request_payer.as_deref()),
    })
}
