//! Policies of buckets, and who is kept out by the block of public access.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fogbank_accesspoints::{self as points, is_public};
use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Check, Fault, PrincipalKind, ReadTx, ResourcePolicy, Tx, WriteTx};
use serde_json::Value;

use crate::access::VERSION;
use crate::access::bucket_arn;
use crate::access_points;
use crate::acl_grants;
use crate::directory;
use crate::error::Error;
use crate::model::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput,
    PutBucketPolicyOutput,
};
use crate::payment;
use crate::store::{self, BUCKETS, Bucket, POLICIES};

/// The longest policy, in bytes.
const MAX_POLICY_BYTES: usize = 20 * 1024;
/// How many compiled policies are kept.
const MAX_CACHED: usize = 1024;

/// A policy that was compiled.
#[derive(Clone)]
struct Compiled {
    /// The number of the policy that it was made of.
    number: u64,
    document: Arc<Document>,
    is_public: bool,
}

/// Compiled policies by bucket.
#[derive(Default)]
struct Cache(Mutex<HashMap<String, Compiled>>);

/// The owner and the policy of the bucket that an ARN of S3 names.
///
/// A bucket that does not exist is said to be so before anybody asks whether the caller may use it, as S3 does.
pub(crate) fn of_resource(tx: &ReadTx<'_>, check: &Check) -> Result<Option<ResourcePolicy>, Fault> {
    let named = check.resource.strip_prefix("arn:aws:s3:::");
    let Some(resource) = named.or_else(|| directory::named_by(&check.resource)) else {
        return access_points::policy(tx, &check.resource);
    };
    let (name, key) = match resource.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (resource, None),
    };
    let request = tx.request();
    if request.service == "s3" && request.operation == "CreateBucket" {
        return Ok(None);
    }
    let bucket = match BUCKETS.get_shared(tx, name)? {
        Some(bucket) => bucket,
        // A session for a bucket that is created next.
        None if request.service == "s3" && request.operation == "CreateSession" => return Ok(None),
        None if request.service == "s3" => {
            return Err(store::bucket(tx, name).err().unwrap_or(Error::AccessDenied).into());
        }
        None => return Ok(None),
    };
    if bucket.requester_pays {
        payment::check(tx, &bucket, key, check)?;
    }
    let document = match bucket.policy {
        0 => None,
        _ if is_repair(tx, &bucket) => None,
        _ => compiled(tx, name, &bucket)?
            .map(|policy| {
                Ok::<_, Fault>(
                    (!is_restricted(tx, &bucket, policy.is_public)?).then_some(policy.document),
                )
            })
            .transpose()?
            .flatten(),
    };
    acl_grants::add(tx, (name, key, check.detail(VERSION)), &bucket, document).map(Some)
}

/// Whether the policy means nothing to this call: the owner's root can always repair the policy itself.
fn is_repair(tx: &ReadTx<'_>, bucket: &Bucket) -> bool {
    let request = tx.request();
    request.principal.kind == PrincipalKind::Root
        && request.principal.account == bucket.account
        && matches!(request.operation, "PutBucketPolicy" | "GetBucketPolicy" | "DeleteBucketPolicy")
}

/// Whether a public policy means nothing to this caller: only the owner's account and services are let in.
fn is_restricted(tx: &ReadTx<'_>, bucket: &Bucket, is_public: bool) -> Result<bool, Fault> {
    let principal = &tx.request().principal;
    Ok(is_public
        && principal.account != bucket.account
        && !matches!(principal.kind, PrincipalKind::Service { .. })
        && access_points::blocks(tx, bucket)?.restrict_buckets)
}

/// The compiled policy of a bucket, which is compiled once after every change.
fn compiled(tx: &ReadTx<'_>, name: &str, bucket: &Bucket) -> Result<Option<Compiled>, Fault> {
    let cache = tx.cx().state(Cache::default);
    let known = cache.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    if let Some(known) = known
        && known.number == bucket.policy
    {
        return Ok(Some(known));
    }
    let Some(text) = POLICIES.get(tx, name)? else { return Ok(None) };
    let document = Document::parse(&text, Kind::Resource).map_err(Fault::internal)?;
    let (number, is_public) = (bucket.policy, is_public(&text));
    let compiled = Compiled { number, document: Arc::new(document), is_public };
    let mut policies = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
    if policies.len() >= MAX_CACHED {
        policies.clear();
    }
    policies.insert(name.to_owned(), compiled.clone());
    Ok(Some(compiled))
}

/// Sets the policy of a bucket.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    input: PutBucketPolicyInput,
) -> Result<PutBucketPolicyOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    match directory::is_name(name) {
        true => {
            let arn = directory::arn(&bucket.region, &bucket.account, name);
            check(&input.policy, |document| points::check_directory(document, &arn))?;
        }
        false => check(&input.policy, |document| {
            points::check(document, &bucket_arn(name))?;
            points::check_actions(&input.policy, &bucket_arn(name))?;
            points::check_conditions(&input.policy)
        })?,
    }
    if is_public(&input.policy) && access_points::blocks(tx, &bucket)?.block_policy {
        let (caller, arn) = (&tx.request().principal.arn, bucket_arn(name));
        return Err(Error::Fault(Fault::access_denied(format!(
            "User: {caller} is not authorized to perform: s3:PutBucketPolicy on resource: \"{arn}\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
        ))));
    }
    POLICIES.put(tx, name, &input.policy)?;
    bucket.policy = tx.version();
    BUCKETS.put(tx, name, &bucket)?;
    Ok(PutBucketPolicyOutput {})
}

/// The policy of a bucket, as it was given.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketPolicyInput,
) -> Result<GetBucketPolicyOutput, Error> {
    let name = &input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    match POLICIES.get(tx, name)? {
        Some(policy) => Ok(GetBucketPolicyOutput { policy: Some(policy) }),
        None => Err(Error::NoSuchBucketPolicy { bucket: name.clone() }),
    }
}

/// Removes the policy of a bucket.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketPolicyInput,
) -> Result<DeleteBucketPolicyOutput, Error> {
    let name = &input.bucket;
    let mut bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    POLICIES.delete(tx, name)?;
    bucket.policy = 0;
    BUCKETS.put(tx, name, &bucket)?;
    Ok(DeleteBucketPolicyOutput {})
}

/// Whether the policy of a bucket is public.
pub(crate) fn status(
    tx: &ReadTx<'_>,
    input: GetBucketPolicyStatusInput,
) -> Result<GetBucketPolicyStatusOutput, Error> {
    let name = &input.bucket;
    store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    match POLICIES.get(tx, name)? {
        Some(policy) => Ok(GetBucketPolicyStatusOutput {
            policy_status: Some(PolicyStatus { is_public: Some(is_public(&policy)) }),
        }),
        None => Err(Error::NoSuchBucketPolicy { bucket: name.clone() }),
    }
}

/// Refuses what is no policy, and policies on what `fits` refuses: what is not this bucket.
fn check(
    policy: &str,
    fits: impl FnOnce(&Document) -> Result<(), &'static str>,
) -> Result<(), Error> {
    let malformed = |message: &str| Error::MalformedPolicy { message: message.to_owned() };
    if policy.len() > MAX_POLICY_BYTES {
        return Err(malformed(
            "Normalized policy document exceeds the maximum allowed size of 20480 bytes.",
        ));
    }
    let Some(Value::Object(elements)) =
        serde_json::from_str(policy).ok().filter(|_| policy.starts_with('{'))
    else {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    };
    if !elements.contains_key("Statement") {
        return Err(malformed("Missing required field Statement"));
    }
    points::check_operators(policy).map_err(|message| malformed(&message))?;
    let document = Document::parse(policy, Kind::Resource).map_err(|fault| {
        let message = fault.to_string();
        // S3 names a principal that cannot be without its value.
        let is_principal = message.starts_with("Invalid principal in policy");
        malformed(if is_principal { "Invalid principal in policy" } else { &message })
    })?;
    fits(&document).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}]}}"#
        )
    }

    fn refusal(text: &str) -> String {
        let fits = |document: &Document| points::check(document, "arn:aws:s3:::b");
        check(text, fits).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn policies_are_checked_in_s3s_words() {
        let json = "Policies must be valid JSON and the first byte must be '{'";
        assert_eq!(refusal(""), json);
        assert_eq!(refusal("random"), json);
        assert_eq!(refusal("[]"), json);
        assert_eq!(refusal("{}"), "Missing required field Statement");
        assert_eq!(refusal(&policy("\"*\"", "")), "");
        let elsewhere = policy("\"*\"", "").replace(":::b/", ":::c/");
        assert_eq!(refusal(&elsewhere), "Policy has invalid resource");
        let other = policy("\"*\"", "").replace("s3:GetObject", "sqs:SendMessage");
        assert_eq!(refusal(&other), "Policy has invalid action");
        let operator = policy("\"*\"", r#","Condition":{"StringIs":{"s3:prefix":"a"}}"#);
        assert_eq!(refusal(&operator), "Invalid Condition type : StringIs");
        let nobody = policy(r#"{"AWS":"nobody"}"#, "");
        assert_eq!(refusal(&nobody), "Invalid principal in policy");
        assert!(refusal(&format!("{{{}}}", " ".repeat(20_480))).contains("20480"));
    }
}
