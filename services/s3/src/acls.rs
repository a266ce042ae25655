//! ACLs of buckets and objects, for buckets whose ownership lets them count.

use fogbank_core::{Fault, ReadTx, Tx, WriteTx};

use crate::access::{bucket_arn, object_arn};
use crate::access_points;
use crate::buckets::{display_name, owner};
use crate::error::Error;
use crate::events::{self, Change};
use crate::locks;
use crate::model::{
    AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
    GetObjectAclOutput, Grant, Grantee, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput,
    PutObjectAclOutput,
};
use crate::payment;
use crate::replication;
use crate::rules;
use crate::store::{self, Acl, AclGrant, AclGrantee, AclPermission, BUCKETS, Bucket, Ownership};
use crate::versions::{self, At};

const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// How a document's canonical id is called in errors.
const USER: &str = "CanonicalUser/ID";
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
            read.push(AclGrant { grantee: of_header(grantee.trim(), permission)?, permission });
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

/// Reads a grantee such as `id="…"` of a permission's header.
fn of_header(text: &str, permission: AclPermission) -> Result<AclGrantee, Error> {
    let (kind, value) = text.split_once('=').unwrap_or((text, ""));
    let value = value.trim().trim_matches('"');
    match kind.trim().to_ascii_lowercase().as_str() {
        "id" => canonical("id", value),
        "uri" => group("uri", value),
        "emailaddress" => Err(no_email()),
        _ => {
            let header = match permission {
                AclPermission::FullControl => "x-amz-grant-full-control",
                AclPermission::Read => "x-amz-grant-read",
                AclPermission::Write => "x-amz-grant-write",
                AclPermission::ReadAcp => "x-amz-grant-read-acp",
                AclPermission::WriteAcp => "x-amz-grant-write-acp",
            };
            Err(Error::argument(header, text, "Argument format not recognized"))
        }
    }
}

/// AWS takes no e-mail addresses any more since October 2025: "the request will receive an HTTP 405 (Method Not Allowed)
/// error" (PutBucketAcl in the API Reference). The message is the code's usual one.
fn no_email() -> Error {
    let message = "The specified method is not allowed against this resource.";
    Error::Fault(Fault::new("MethodNotAllowed", message))
}

/// A canonical id, which is called differently in headers and in documents.
fn canonical(name: &str, id: &str) -> Result<AclGrantee, Error> {
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A canonical id of an account that does not exist cannot be told from others.
    match is_id {
        true => Ok(AclGrantee::Canonical(id.to_owned())),
        false => Err(Error::argument(name, id, "Invalid id")),
    }
}

fn group(name: &str, uri: &str) -> Result<AclGrantee, Error> {
    match uri {
        EVERYBODY => Ok(AclGrantee::Everybody),
        AUTHENTICATED => Ok(AclGrantee::Authenticated),
        LOG_DELIVERY => Ok(AclGrantee::LogDelivery),
        other => Err(Error::argument(name, other, "Invalid group uri")),
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
        (name, key): At<'_>,
        bucket: &Bucket,
    ) -> Result<(Option<String>, Option<Acl>), Error> {
        let account = &*tx.request().principal.account;
        let Some(ownership) = bucket.ownership.or(Some(Ownership::Writer)) else {
            return Ok((None, None));
        };
        if ownership == Ownership::Enforced {
            // Of the bucket's own account AWS takes `private` too, although it documents otherwise (thephpleague/flysystem#1874,
            // redpanda-data/connect#4372): it means the same there. Uploaders such as multer-s3 and Flysystem always send it.
            let is_private = account == bucket.account && self.canned.as_deref() == Some("private");
            return match is_private || self.is_plain(&bucket.account) {
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
        refuse_public(tx, (name, Some(key)), bucket, acl.as_ref())?;
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

/// Refuses a public ACL of a new bucket: but for the old defaults, buckets are born with a block of public ACLs.
pub(crate) fn refuse_public_bucket(
    tx: &(impl Tx + ?Sized),
    acl: Option<&Acl>,
    is_legacy: bool,
) -> Result<(), Error> {
    if !acl.is_some_and(is_public) {
        return Ok(());
    }
    let of_account = fogbank_accesspoints::BLOCKS.get(tx, tx.account())?.unwrap_or_default();
    if is_legacy && !of_account.acls {
        return Ok(());
    }
    let message = "Bucket cannot have public ACLs set with BlockPublicAccess enabled";
    let fault = Fault::new("InvalidBucketAclWithBlockPublicAccessError", message);
    Err(Error::Fault(fault.with_status(400)))
}

/// Refuses a public ACL where public ACLs are blocked. Callers of the bucket's account alone hear why, in the words of
/// "Troubleshoot access denied errors" in the User Guide.
fn refuse_public(
    tx: &(impl Tx + ?Sized),
    (name, key): (&str, Option<&str>),
    bucket: &Bucket,
    acl: Option<&Acl>,
) -> Result<(), Error> {
    if !acl.is_some_and(is_public) || !access_points::blocks(tx, bucket)?.block_acls {
        return Ok(());
    }
    let request = tx.request();
    if request.principal.account != bucket.account {
        return Err(Error::AccessDenied);
    }
    let arn = key.map_or_else(|| bucket_arn(name), |key| object_arn(name, key));
    let (caller, operation) = (&request.principal.arn, request.operation);
    Err(Error::Fault(Fault::access_denied(format!(
        "User: {caller} is not authorized to perform: s3:{operation} on resource: \"{arn}\" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access."
    ))))
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

/// The permissions as documents name them.
const PERMISSIONS: [(&str, AclPermission); 5] = [
    ("FULL_CONTROL", AclPermission::FullControl),
    ("READ", AclPermission::Read),
    ("WRITE", AclPermission::Write),
    ("READ_ACP", AclPermission::ReadAcp),
    ("WRITE_ACP", AclPermission::WriteAcp),
];

fn shown_permission(permission: AclPermission) -> Option<String> {
    let shown = PERMISSIONS.iter().find(|(_, known)| *known == permission);
    shown.map(|(name, _)| (*name).to_owned())
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
            r#type: "CanonicalUser".to_owned(),
            display_name: account.and_then(|account| display_name(tx, account)),
            id: Some(id),
            ..Grantee::default()
        }
    };
    let of_group = |uri: &str| Grantee {
        r#type: "Group".to_owned(),
        uri: Some(uri.to_owned()),
        ..Grantee::default()
    };
    let Some(acl) = acl else {
        let grantee = Some(of_user(rules::canonical_id(owner)));
        return vec![Grant { grantee, permission: shown_permission(AclPermission::FullControl) }];
    };
    let grants = acl.0.iter().map(|grant| Grant {
        grantee: Some(match &grant.grantee {
            AclGrantee::Canonical(id) => of_user(id.clone()),
            AclGrantee::Everybody => of_group(EVERYBODY),
            AclGrantee::Authenticated => of_group(AUTHENTICATED),
            AclGrantee::LogDelivery => of_group(LOG_DELIVERY),
        }),
        permission: shown_permission(grant.permission),
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
    let (Some(owner), Some(grants)) = (given.owner.and_then(|owner| owner.id), given.grants) else {
        return Err(malformed());
    };
    canonical(USER, &owner)?;
    if owner != rules::canonical_id(account) {
        return Err(Error::AccessDenied);
    }
    if grants.len() > MAX_GRANTS {
        return Err(malformed());
    }
    let mut read = Vec::with_capacity(grants.len());
    for grant in grants {
        let (Some(grantee), Some(permission)) = (grant.grantee, grant.permission) else {
            return Err(malformed());
        };
        let known = PERMISSIONS.iter().find(|(name, _)| *name == permission);
        let (_, permission) = *known.ok_or_else(malformed)?;
        let grantee = match grantee.r#type.as_str() {
            "CanonicalUser" => canonical(USER, grantee.id.as_deref().unwrap_or_default())?,
            "Group" => group("Group/URI", grantee.uri.as_deref().unwrap_or_default())?,
            "AmazonCustomerByEmail" => return Err(no_email()),
            _ => return Err(malformed()),
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
    (owner, at): (&str, (&str, Option<&str>)),
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
    refuse_public(tx, at, bucket, acl.as_ref())?;
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
    let whose = (&*bucket.account, (&**name, None));
    bucket.acl = given(tx, &asked, input.access_control_policy, whose, &bucket)?;
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
        let whose = (&*owner, (at.0, Some(at.1)));
        object.more_mut().acl = given(tx, &asked, input.access_control_policy, whose, &bucket)?;
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
