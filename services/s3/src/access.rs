//! What each operation must be allowed to do: actions, ARNs and condition keys of S3.

use std::borrow::Cow;

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request};

use crate::model::{CopyObjectInput, UploadPartCopyInput};
use crate::rules;

type Allowed = Result<Access, Fault>;

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

fn bucket_of(input: &dyn Struct) -> String {
    bucket_arn(input.text("Bucket").unwrap_or_default())
}

fn object_of(input: &dyn Struct) -> String {
    let text = |name| input.text(name).unwrap_or_default();
    object_arn(text("Bucket"), text("Key"))
}

/// The operation's own action on all buckets.
pub(crate) fn all_buckets(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::to("s3:ListAllMyBuckets", "*"))
}

/// The operation's own action on the bucket.
pub(crate) fn bucket(_: &Request, input: &dyn Struct) -> Allowed {
    Ok(Access::on(bucket_of(input)))
}

/// A named action on the bucket.
pub(crate) fn bucket_to(action: &'static str, input: &dyn Struct) -> Allowed {
    Ok(Access::to(action, bucket_of(input)))
}

/// A named action on the object; with a version id, the action on versions.
pub(crate) fn object_to(
    action: &'static str,
    versioned: &'static str,
    input: &dyn Struct,
) -> Allowed {
    let access = match input.text("VersionId") {
        None => Access::to(action, object_of(input)),
        Some(version) => {
            Access::to(versioned, object_of(input)).with("s3:versionid", [version.to_owned()])
        }
    };
    Ok(access)
}

/// `s3:GetObject` and its like.
pub(crate) fn get_object(_: &Request, input: &dyn Struct) -> Allowed {
    object_to("s3:GetObject", "s3:GetObjectVersion", input)
}

/// `s3:GetObject` and `s3:GetObjectAttributes`.
pub(crate) fn get_attributes(_: &Request, input: &dyn Struct) -> Allowed {
    let access = object_to("s3:GetObject", "s3:GetObjectVersion", input)?;
    let action = match input.text("VersionId") {
        None => "s3:GetObjectAttributes",
        Some(_) => "s3:GetObjectVersionAttributes",
    };
    Ok(access.and(action, object_of(input)))
}

/// `s3:ListBucket` with what the listing is narrowed to.
pub(crate) fn list(_: &Request, input: &dyn Struct) -> Allowed {
    list_to("s3:ListBucket", input)
}

/// A named action of listing with what the listing is narrowed to.
pub(crate) fn list_to(action: &'static str, input: &dyn Struct) -> Allowed {
    let mut access = Access::to(action, bucket_of(input));
    for (member, key) in [("Prefix", "s3:prefix"), ("Delimiter", "s3:delimiter")] {
        if let Some(value) = input.text(member) {
            access = access.with(key, [value.to_owned()]);
        }
    }
    if let Some(fogbank_core::wire::Item::Integer(keys)) =
        input.get("MaxKeys").map(|value| value.item())
    {
        access = access.with("s3:max-keys", [keys.to_string()]);
    }
    Ok(access)
}

/// `s3:PutObject`, and what the headers ask for beyond it.
pub(crate) fn put_object(_: &Request, input: &dyn Struct) -> Allowed {
    Ok(with_headers(Access::to("s3:PutObject", object_of(input)), input))
}

/// Adds what the headers of a write ask for.
fn with_headers(mut access: Access, input: &dyn Struct) -> Access {
    let object = object_of(input);
    if input.text("Tagging").is_some() {
        access = access.and("s3:PutObjectTagging", object.clone());
    }
    if input.text("ACL").is_some() {
        access = access.and("s3:PutObjectAcl", object);
    }
    for (member, key) in [
        ("ACL", "s3:x-amz-acl"),
        ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
        ("StorageClass", "s3:x-amz-storage-class"),
        ("CopySource", "s3:x-amz-copy-source"),
        ("MetadataDirective", "s3:x-amz-metadata-directive"),
        ("IfMatch", "s3:if-match"),
        ("IfNoneMatch", "s3:if-none-match"),
    ] {
        if let Some(value) = input.text(member) {
            access = access.with(key, [value.to_owned()]);
        }
    }
    if let Some(tags) = input.text("Tagging").and_then(|tags| rules::tagging_header(tags).ok()) {
        access = access.with("s3:RequestObjectTagKeys", tags.iter().map(|(key, _)| key.clone()));
        for (key, value) in tags {
            let name: Cow<'static, str> = format!("s3:RequestObjectTag/{key}").into();
            access = access.with(name, [value]);
        }
    }
    access
}

/// `s3:PutObject` on the destination, and reading the source.
pub(crate) fn copy_object(_: &Request, input: &dyn Struct) -> Allowed {
    let access = with_headers(Access::to("s3:PutObject", object_of(input)), input);
    match input.downcast_ref::<CopyObjectInput>() {
        Some(input) => and_source(access, &input.copy_source),
        None => Ok(access),
    }
}

/// `s3:PutObject` on the destination, and reading the source.
pub(crate) fn copy_part(_: &Request, input: &dyn Struct) -> Allowed {
    let access = Access::to("s3:PutObject", object_of(input));
    match input.downcast_ref::<UploadPartCopyInput>() {
        Some(input) => and_source(access, &input.copy_source),
        None => Ok(access),
    }
}

fn and_source(access: Access, header: &str) -> Allowed {
    let source = rules::copy_source(header)?;
    let action = match source.version_id {
        None => "s3:GetObject",
        Some(_) => "s3:GetObjectVersion",
    };
    Ok(access.and(action, object_arn(&source.bucket, &source.key)))
}

/// `s3:CreateBucket`, and what the headers ask for beyond it.
pub(crate) fn create_bucket(_: &Request, input: &dyn Struct) -> Allowed {
    let bucket = bucket_of(input);
    let mut access = Access::to("s3:CreateBucket", bucket.clone());
    if input.text("ACL").is_some() {
        access = access.and("s3:PutBucketAcl", bucket.clone());
    }
    if input.text("ObjectOwnership").is_some() {
        access = access.and("s3:PutBucketOwnershipControls", bucket);
    }
    for (member, key) in [("ACL", "s3:x-amz-acl"), ("ObjectOwnership", "s3:x-amz-object-ownership")]
    {
        if let Some(value) = input.text(member) {
            access = access.with(key, [value.to_owned()]);
        }
    }
    Ok(access)
}

/// Nothing before the operation: `s3:DeleteObjects` asks for each key while it runs.
pub(crate) fn each_key(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::open())
}
