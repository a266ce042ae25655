//! The role that copies: S3 assumes it, and IAM decides as for any session of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fogbank_core::{Access, Cx, Fault, Principal, PrincipalKind, Session, store as rows};
use serde_json::{Value, json};

use super::rules::Rule;
use crate::access::{bucket_arn, object_arn, paid};
use crate::acls;
use crate::error::Error;
use crate::events::SERVICE;
use crate::store::{AclPermission, Bucket, Encryption, Object};
use crate::versions;

/// What sessions are called, as on AWS.
const SESSION_NAME: &str = "s3-replication";
const SESSION_SECS: i64 = 3600;
/// For how long a session is used again, in milliseconds.
const REUSE_MILLIS: i64 = 5 * 60 * 1000;
/// For how long it is, though the role was refused something.
const REFUSED_MILLIS: i64 = 1000;
const MAX_SESSIONS: usize = 1024;

/// Why something is not copied: for a reason that has a name on AWS, or because something is broken and may heal.
#[derive(Debug)]
pub(super) enum Trouble {
    Refused(&'static str),
    Broken(Fault),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Broken(error.into())
    }
}

impl From<rows::Error> for Trouble {
    fn from(error: rows::Error) -> Trouble {
        Trouble::Broken(error.into())
    }
}

/// Sessions by the role and the bucket that names it, and until when they are used.
#[derive(Default)]
struct Sessions(Mutex<HashMap<(String, String), (Principal, i64)>>);

/// The context of the role's session. One that was used before may have lost its role since, which is looked up at most
/// once in a while: what the role may not, it is not asked for each object anew.
pub(super) async fn assume(
    cx: &Cx,
    name: &str,
    bucket: &Bucket,
    role: &str,
    may_reuse: bool,
) -> Result<Cx, Trouble> {
    let key = (role.to_owned(), name.to_owned());
    let now = cx.now();
    let known = cx.state(Sessions::default);
    let found = known.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let age_millis = found.as_ref().map(|(_, ends)| now.millis() - (ends - REUSE_MILLIS));
    let reuse_millis = if may_reuse { REUSE_MILLIS } else { REFUSED_MILLIS };
    if let Some((principal, _)) = found
        && age_millis.is_some_and(|age| (0..reuse_millis).contains(&age))
    {
        return Ok(acting(cx, bucket, principal));
    }
    let input = json!({
        "RoleArn": role, "RoleSessionName": SESSION_NAME, "DurationSeconds": SESSION_SECS,
    });
    let located = cx.located(&bucket.account, &bucket.region);
    let mut call = located.prepare(Principal::service(SERVICE), "sts:AssumeRole", input);
    call.source = Some((bucket_arn(name), bucket.account.clone()));
    let output = match cx.cloud().call(call).await {
        Ok(reply) => reply.output,
        Err(fault) if matches!(fault.name(), "InternalFailure" | "NotImplemented") => {
            return Err(Trouble::Broken(fault));
        }
        Err(_) => return Err(Trouble::Refused("AssumeRoleNotPermitted")),
    };
    let principal = session(&output, (role, SESSION_NAME), &bucket.account, now.secs())
        .ok_or_else(|| Trouble::Broken(Fault::internal("AssumeRole's answer is incomplete")))?;
    let mut sessions = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    if sessions.len() >= MAX_SESSIONS {
        sessions.clear();
    }
    sessions.insert(key, (principal.clone(), now.millis() + REUSE_MILLIS));
    Ok(acting(cx, bucket, principal))
}

fn acting(cx: &Cx, bucket: &Bucket, principal: Principal) -> Cx {
    let located = cx.located(&bucket.account, &bucket.region);
    let mut request = located.request().clone();
    request.principal = principal.into();
    Cx::new(cx.cloud().clone(), request)
}

/// The session of a role, under a name, of which AssumeRole tells.
pub(crate) fn session(
    output: &Value,
    (role, name): (&str, &str),
    account: &str,
    now_secs: i64,
) -> Option<Principal> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let user = &output["AssumedRoleUser"];
    Some(Principal {
        kind: PrincipalKind::Role {
            name: role.rsplit('/').next()?.to_owned(),
            role_arn: role.to_owned(),
            session: name.to_owned(),
        },
        account: account.to_owned(),
        id: text(&user["AssumedRoleId"])?,
        arn: text(&user["Arn"])?,
        access_key_id: text(&output["Credentials"]["AccessKeyId"]),
        session: Some(Box::new(Session { issued_secs: now_secs, ..Session::default() })),
    })
}

/// Refuses for a reason if the role may not.
fn permit(cx: &Cx, access: &Access, reason: &'static str) -> Result<(), Trouble> {
    match cx.authorise(access) {
        Ok(()) => Ok(()),
        Err(fault) if fault.name() == "AccessDenied" => Err(Trouble::Refused(reason)),
        Err(fault) => Err(Trouble::Broken(fault)),
    }
}

/// Refuses unless the role may read a version and write it to another bucket; says whether it may read the tags.
pub(super) fn check(
    cx: &Cx,
    (from, to, key): (&str, &str, &str),
    bucket: &Bucket,
    object: &Object,
    rule: &Rule,
) -> Result<bool, Trouble> {
    let configuration = Access::to("s3:GetReplicationConfiguration", bucket_arn(from));
    permit(cx, &configuration, "SrcBucketReplicationConfigMissing")?;
    let version = versions::id(object.version);
    let read = |action: &'static str| {
        let access = Access::to(action, object_arn(from, key));
        access.with("s3:versionid", [version.clone()])
    };
    permit(cx, &read("s3:GetObjectVersionForReplication"), "SrcGetObjectNotPermitted")?;
    permit(cx, &read("s3:GetObjectVersionAcl"), "SrcGetAclNotPermitted")?;
    check_owner(bucket, object)?;
    if let Some(more) = &object.more {
        if more.retention.is_some() {
            permit(cx, &read("s3:GetObjectRetention"), "SrcGetRetentionNotPermitted")?;
        }
        if more.legal_hold {
            permit(cx, &read("s3:GetObjectLegalHold"), "SrcGetLegalHoldNotPermitted")?;
        }
    }
    let mut write = Access::to("s3:ReplicateObject", object_arn(to, key));
    if let (Some(Encryption::Kms(kms)), Some(id)) = (object.encryption(), &rule.kms_key_id) {
        let method = if kms.is_dual { "aws:kms:dsse" } else { "aws:kms" };
        write = write
            .with("s3:x-amz-server-side-encryption", [method.to_owned()])
            .with("s3:x-amz-server-side-encryption-aws-kms-key-id", [id.clone()]);
    }
    // Where requesters pay, it is who replicates.
    permit(cx, &paid(write, Some("requester")), "DstPutObjectNotPermitted")?;
    if rule.owns_copies {
        let access = Access::to("s3:ObjectOwnerOverrideToBucketOwner", object_arn(to, key));
        permit(cx, &paid(access, Some("requester")), "DstPutObjectNotPermitted")?;
    }
    match permit(cx, &read("s3:GetObjectVersionTagging"), "SrcGetTaggingNotPermitted") {
        Ok(()) => Ok(true),
        // Who may not read tags copies objects without them.
        Err(Trouble::Refused(_)) => Ok(false),
        Err(broken) => Err(broken),
    }
}

/// Refuses what the bucket's owner may not read, since somebody else owns it.
fn check_owner(bucket: &Bucket, object: &Object) -> Result<(), Trouble> {
    let Some(owner) = object.listed.owner.as_deref().filter(|_| !bucket.is_enforced()) else {
        return Ok(());
    };
    let acl = object.more.as_ref().and_then(|more| more.acl.as_ref());
    let may = |permission| acls::allows(acl, owner, &bucket.account, permission, false);
    match may(AclPermission::Read) && may(AclPermission::ReadAcp) {
        true => Ok(()),
        false => Err(Trouble::Refused("SrcGetAclNotPermitted")),
    }
}

/// Refuses unless the role may repeat delete markers in a bucket.
pub(super) fn check_marker(cx: &Cx, from: &str, to: &str, key: &str) -> Result<(), Trouble> {
    let configuration = Access::to("s3:GetReplicationConfiguration", bucket_arn(from));
    permit(cx, &configuration, "SrcBucketReplicationConfigMissing")?;
    let access = Access::to("s3:ReplicateDelete", object_arn(to, key));
    permit(cx, &paid(access, Some("requester")), "DstDelObjNotPermitted")
}
