//! ACLs as the policies that they amount to, for the decision of a call.
//!
//! Where ACLs count, a caller hears what the bucket's and the object's ACL say of him: each permission is a fixed policy
//! that allows its actions. An object that another account owns is closed to the bucket's own account but for its
//! removal, unless its ACL says otherwise.

use std::sync::{Arc, LazyLock};

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Fault, PrincipalKind, ReadTx, ResourcePolicy, Tx};

use crate::error::Error;
use crate::store::{AclPermission, Bucket, Object};
use crate::versions::{self, Found};
use crate::{access_logs, access_points, acls, logging};

/// The policy that has an effect on these actions for everybody.
fn document(effect: &str, actions: &[&str]) -> Arc<Document> {
    let actions: Vec<String> = actions.iter().map(|action| format!("\"s3:{action}\"")).collect();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":"*","Action":[{}],"Resource":"*"}}]}}"#,
        actions.join(",")
    );
    Arc::new(Document::parse(&text, Kind::Resource).expect("a policy of our own"))
}

const READS_BUCKET: [&str; 3] = ["ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"];
const WRITES_BUCKET: [&str; 5] = [
    "PutObject",
    "DeleteObject",
    "DeleteObjectVersion",
    "AbortMultipartUpload",
    "ListMultipartUploadParts",
];
const READS: [&str; 6] = [
    "GetObject",
    "GetObjectVersion",
    "GetObjectAttributes",
    "GetObjectVersionAttributes",
    "GetObjectTagging",
    "GetObjectVersionTagging",
];
const READS_ACL: [&str; 2] = ["GetObjectAcl", "GetObjectVersionAcl"];
const WRITES_ACL: [&str; 2] = ["PutObjectAcl", "PutObjectVersionAcl"];

/// The policies of the permissions.
struct Documents {
    list: Arc<Document>,
    write: Arc<Document>,
    /// What a write may say beside the body.
    write_more: Arc<Document>,
    bucket_read_acp: Arc<Document>,
    bucket_write_acp: Arc<Document>,
    read: Arc<Document>,
    read_acp: Arc<Document>,
    write_acp: Arc<Document>,
    no_list: Arc<Document>,
    no_write: Arc<Document>,
    no_read: Arc<Document>,
    no_read_acp: Arc<Document>,
    no_write_acp: Arc<Document>,
}

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents {
    list: document("Allow", &READS_BUCKET),
    write: document("Allow", &WRITES_BUCKET),
    write_more: document("Allow", &["PutObjectAcl", "PutObjectTagging"]),
    bucket_read_acp: document("Allow", &["GetBucketAcl"]),
    bucket_write_acp: document("Allow", &["PutBucketAcl"]),
    read: document("Allow", &READS),
    read_acp: document("Allow", &READS_ACL),
    write_acp: document("Allow", &WRITES_ACL),
    no_list: document("Deny", &READS_BUCKET),
    no_write: document("Deny", &["PutObject"]),
    no_read: document("Deny", &READS),
    no_read_acp: document("Deny", &READS_ACL),
    no_write_acp: document("Deny", &WRITES_ACL),
});

/// The policy of a bucket or an object in it, with what the ACLs say to this caller.
pub(crate) fn add(
    tx: &ReadTx<'_>,
    (name, key, version_id): (&str, Option<&str>, Option<&str>),
    bucket: &Bucket,
    document: Option<Arc<Document>>,
) -> Result<ResourcePolicy, Fault> {
    let request = tx.request();
    if let PrincipalKind::Service { name } = &request.principal.kind {
        let delivers = name == access_logs::DELIVERER && logging::lets_delivery_in(bucket);
        let policy = ResourcePolicy::new(&*bucket.account, document);
        return Ok(match delivers && !bucket.is_enforced() {
            true => policy.with_grant("the bucket's ACL: log delivery", DOCUMENTS.write.clone()),
            false => policy,
        });
    }
    if bucket.is_enforced() {
        return Ok(ResourcePolicy::new(&*bucket.account, document));
    }
    let object = match key {
        Some(key) if is_of_object(request.operation) => object(tx, (name, key), version_id)?,
        _ => None,
    };
    let caller = Caller {
        account: &request.principal.account,
        operation: request.operation,
        ignores: access_points::blocks(tx, bucket)?.ignore_acls,
    };
    let mut grants = caller.grants_of_bucket(bucket);
    // The policy of a bucket says nothing of objects that another account owns.
    let mut is_foreign = false;
    if let Some(object) = &object {
        is_foreign = object.listed.owner.as_ref().is_some_and(|owner| *owner != bucket.account);
        grants.extend(caller.grants_of_object(bucket, object));
    } else if key.is_some()
        && is_of_object(request.operation)
        && caller.may_with_bucket(bucket, AclPermission::Read)
    {
        // Who may list the bucket learns that nothing is there.
        grants.push(("the bucket's ACL: READ", &DOCUMENTS.read));
    }
    let document = document.filter(|_| !is_foreign);
    let policy = ResourcePolicy::new(&*bucket.account, document);
    Ok(grants
        .into_iter()
        .fold(policy, |policy, (grant, document)| policy.with_grant(grant, document.clone())))
}

/// What an ACL grants, and the policy that says the same.
type Grant = (&'static str, &'static Arc<Document>);

/// Who asks for what, as ACLs look at it.
struct Caller<'a> {
    account: &'a str,
    operation: &'a str,
    /// Whether public grants mean nothing.
    ignores: bool,
}

impl Caller<'_> {
    fn may_with_bucket(&self, bucket: &Bucket, permission: AclPermission) -> bool {
        let (acl, owner) = (bucket.acl.as_ref(), &bucket.account);
        acls::allows(acl, owner, self.account, permission, self.ignores)
    }

    /// What the bucket's ACL says.
    fn grants_of_bucket(&self, bucket: &Bucket) -> Vec<Grant> {
        let documents = &*DOCUMENTS;
        let may = |permission| self.may_with_bucket(bucket, permission);
        let owns_bucket = *self.account == bucket.account;
        let mut grants: Vec<Grant> = Vec::new();
        if may(AclPermission::Write) {
            grants.push(("the bucket's ACL: WRITE", &documents.write));
            if self.operation != "PutObjectAcl" && self.operation != "PutObjectTagging" {
                grants.push(("the bucket's ACL: WRITE", &documents.write_more));
            }
        } else if owns_bucket {
            grants.push(("the bucket's ACL: no WRITE", &documents.no_write));
        }
        if may(AclPermission::Read) {
            grants.push(("the bucket's ACL: READ", &documents.list));
        } else if owns_bucket {
            grants.push(("the bucket's ACL: no READ", &documents.no_list));
        }
        // The owner can always read and write the ACL itself.
        if may(AclPermission::ReadAcp) {
            grants.push(("the bucket's ACL: READ_ACP", &documents.bucket_read_acp));
        }
        if may(AclPermission::WriteAcp) {
            grants.push(("the bucket's ACL: WRITE_ACP", &documents.bucket_write_acp));
        }
        grants
    }

    /// What an object's ACL says.
    fn grants_of_object(&self, bucket: &Bucket, object: &Object) -> Vec<Grant> {
        let documents = &*DOCUMENTS;
        let owner = object.listed.owner.as_ref().unwrap_or(&bucket.account);
        let acl = object.more.as_ref().and_then(|more| more.acl.as_ref());
        let (owns, owns_bucket) = (self.account == owner, *self.account == bucket.account);
        let permissions: [(AclPermission, &'static Arc<Document>, &'static Arc<Document>, bool);
            3] = [
            (AclPermission::Read, &documents.read, &documents.no_read, false),
            (AclPermission::ReadAcp, &documents.read_acp, &documents.no_read_acp, true),
            (AclPermission::WriteAcp, &documents.write_acp, &documents.no_write_acp, true),
        ];
        let mut grants: Vec<Grant> = Vec::new();
        for (permission, allow, deny, is_owners) in permissions {
            let is_granted = acls::allows(acl, owner, self.account, permission, self.ignores);
            if is_granted || (owns && is_owners) {
                grants.push(("the object's ACL", allow));
            } else if owns_bucket {
                grants.push(("the object's ACL", deny));
            }
        }
        grants
    }
}

/// The version that a call is about. What cannot be found is refused by the operation.
fn object(
    tx: &ReadTx<'_>,
    at: versions::At<'_>,
    version_id: Option<&str>,
) -> Result<Option<Object>, Fault> {
    match versions::find(tx, at, version_id) {
        Ok(Some(Found::Current(object) | Found::Older(_, object))) => Ok(Some(object)),
        Ok(_) | Err(Error::InvalidArgument { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the operation looks at an object that is there, whose ACL then counts.
fn is_of_object(operation: &str) -> bool {
    !matches!(
        operation,
        "PutObject"
            | "DeleteObject"
            | "DeleteObjects"
            | "CreateMultipartUpload"
            | "UploadPart"
            | "CompleteMultipartUpload"
            | "AbortMultipartUpload"
            | "ListParts"
    )
}
