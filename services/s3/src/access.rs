//! What each operation must be allowed to do: actions, ARNs and condition keys of S3.

use fogbank_core::wire::{Item, Kind, Member, Struct};
use fogbank_core::{Access, Fault, PrincipalKind, ReadTx, Request, Timestamp};

use crate::model::{
    CopyObjectInput, CreateBucketInput, GetObjectInput, PutBucketInventoryConfigurationInput,
    PutObjectLegalHoldInput, PutObjectRetentionInput, PutObjectTaggingInput, UploadPartCopyInput,
};
use crate::{directory, rules, versions};

type Allowed = Result<Access, Fault>;

/// The detail of a check: the version that is meant, whose ACL counts.
pub(crate) const VERSION: &str = "version";
/// The detail of a check: who says to pay for the call.
pub(crate) const PAYER: &str = "payer";

/// Adds the details that the look at the bucket needs.
fn detailed(access: Access, given: &Given<'_>) -> Access {
    let access = match given.text("VersionId") {
        Some(version) => access.detailed(VERSION, version),
        None => access,
    };
    paid(access, given.text("RequestPayer"))
}

/// Adds who says to pay.
pub(crate) fn paid(access: Access, payer: Option<&str>) -> Access {
    match payer {
        Some(payer) => access.detailed(PAYER, payer),
        None => access,
    }
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    ["arn:aws:s3:::", bucket].concat()
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    ["arn:aws:s3:::", bucket, "/", key].concat()
}

fn bucket_of(input: &dyn Struct) -> String {
    bucket_arn(input.text("Bucket").unwrap_or_default())
}

fn object_of(input: &dyn Struct) -> String {
    object_in(&Given::of(input))
}

fn object_in(given: &Given<'_>) -> String {
    let text = |name| given.text(name).unwrap_or_default();
    object_arn(text("Bucket"), text("Key"))
}

/// The members of an input that are given as text: few of many, so that looking for each of those that matter among all
/// would cost more than the decision.
struct Given<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Given<'a> {
    fn of(input: &'a dyn Struct) -> Given<'a> {
        let Kind::Structure(members) = &input.schema().kind else { return Given(Vec::new()) };
        let text = |(index, member): (usize, &Member)| match input.member(index).item() {
            Item::Text(text) => Some((member.name, text)),
            _ => None,
        };
        Given(members.iter().enumerate().filter_map(text).collect())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }
}

/// The operation's own action on all buckets.
pub(crate) fn all_buckets(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::to("s3:ListAllMyBuckets", "*"))
}

/// `s3express:ListAllMyDirectoryBuckets`, which is on no bucket.
pub(crate) fn all_directory_buckets(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::to("s3express:ListAllMyDirectoryBuckets", "*"))
}

/// `s3express:CreateSession` on a directory bucket of the caller's; how it is reached tells whose it is.
pub(crate) fn create_session(request: &Request, input: &dyn Struct) -> Allowed {
    let name = input.text("Bucket").unwrap_or_default();
    let arn = directory::arn(&request.region, &request.account, name);
    let access = Access::to("s3express:CreateSession", arn);
    let keys = [
        ("SessionMode", "s3express:SessionMode"),
        ("ServerSideEncryption", "s3express:x-amz-server-side-encryption"),
        ("SSEKMSKeyId", "s3express:x-amz-server-side-encryption-aws-kms-key-id"),
    ];
    Ok(keys.into_iter().fold(access, |access, (member, key)| match input.text(member) {
        Some(value) => access.with(key, [value.to_owned()]),
        None => access,
    }))
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
    let given = Given::of(input);
    let object = object_in(&given);
    let access = match given.text("VersionId") {
        None => Access::to(action, object),
        Some(version) => Access::to(versioned, object).with("s3:versionid", [version.to_owned()]),
    };
    Ok(detailed(access, &given))
}

/// A named action on the object, whichever version is meant.
pub(crate) fn to_object(action: &'static str, input: &dyn Struct) -> Allowed {
    let given = Given::of(input);
    Ok(detailed(Access::to(action, object_in(&given)), &given))
}

/// `s3:GetObject` and its like.
pub(crate) fn get_object(_: &Request, input: &dyn Struct) -> Allowed {
    if let Some(input) = input.downcast_ref::<GetObjectInput>()
        && input.version_id.is_none()
    {
        let access = Access::to("s3:GetObject", object_arn(&input.bucket, &input.key));
        return Ok(paid(access, input.request_payer.as_deref()).explained(explain));
    }
    Ok(object_to("s3:GetObject", "s3:GetObjectVersion", input)?.explained(explain))
}

/// Those who may list a bucket learn that an object is not there even if they could not read it.
fn explain(tx: &ReadTx<'_>, input: &dyn Struct, refusal: Fault) -> Fault {
    let text = |name| input.text(name).unwrap_or_default();
    let at = (text("Bucket"), text("Key"));
    match versions::read(tx, at, input.text("VersionId")).map_err(Fault::from) {
        Err(fault) if matches!(fault.name(), "NoSuchKey" | "NoSuchVersion") => fault,
        _ => refusal,
    }
}

/// `s3:GetObject` and `s3:GetObjectAttributes`.
pub(crate) fn get_attributes(_: &Request, input: &dyn Struct) -> Allowed {
    let access = object_to("s3:GetObject", "s3:GetObjectVersion", input)?;
    let action = match input.text("VersionId") {
        None => "s3:GetObjectAttributes",
        Some(_) => "s3:GetObjectVersionAttributes",
    };
    let access = detailed(access.and(action, object_of(input)), &Given::of(input));
    Ok(match input.text("VersionId") {
        None => access,
        Some(version) => access.last_with("s3:versionid", [version.to_owned()]),
    }
    .explained(explain))
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
    if let Some(Item::Integer(keys)) = input.get("MaxKeys").map(|value| value.item()) {
        access = access.with("s3:max-keys", [keys.to_string()]);
    }
    Ok(detailed(access, &Given::of(input)))
}

/// `s3:PutObject`, and what the headers ask for beyond it.
pub(crate) fn put_object(request: &Request, input: &dyn Struct) -> Allowed {
    let given = Given::of(input);
    Ok(detailed(with_headers(put(request, &given), request, input, &given), &given))
}

/// Uploading a part, or completing an upload.
pub(crate) fn upload(request: &Request, input: &dyn Struct) -> Allowed {
    let given = Given::of(input);
    Ok(detailed(with_members(put(request, &given), &given, PUT_HEADERS), &given))
}

/// `s3:PutObject`, and whether the call creates an object: beginning an upload and its parts do not.
fn put(request: &Request, given: &Given<'_>) -> Access {
    let creates =
        !matches!(request.operation, "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy");
    Access::to("s3:PutObject", object_in(given))
        .with("s3:ObjectCreationOperation", [creates.to_string()])
}

/// Members of inputs that are headers of requests, and the condition keys that they are.
type Headers = &'static [(&'static str, &'static str)];

const ACL_HEADERS: Headers = &[
    ("ACL", "s3:x-amz-acl"),
    ("GrantFullControl", "s3:x-amz-grant-full-control"),
    ("GrantRead", "s3:x-amz-grant-read"),
    ("GrantReadACP", "s3:x-amz-grant-read-acp"),
    ("GrantWrite", "s3:x-amz-grant-write"),
    ("GrantWriteACP", "s3:x-amz-grant-write-acp"),
];

const PUT_HEADERS: Headers = &[
    ("CopySource", "s3:x-amz-copy-source"),
    ("IfMatch", "s3:if-match"),
    ("IfNoneMatch", "s3:if-none-match"),
    ("MetadataDirective", "s3:x-amz-metadata-directive"),
    ("ObjectLockEventHold", "s3:object-lock-event-hold"),
    ("ObjectLockLegalHoldStatus", "s3:object-lock-legal-hold"),
    ("ObjectLockMode", "s3:object-lock-mode"),
    ("SSECustomerAlgorithm", "s3:x-amz-server-side-encryption-customer-algorithm"),
    ("SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
    ("StorageClass", "s3:x-amz-storage-class"),
    ("WebsiteRedirectLocation", "s3:x-amz-website-redirect-location"),
];

/// Adds the condition keys of members that are given to the last check.
fn with_members(access: Access, given: &Given<'_>, headers: Headers) -> Access {
    headers.iter().fold(access, |access, (member, key)| match given.text(member) {
        Some(value) => access.last_with(*key, [value.to_owned()]),
        None => access,
    })
}

fn has_acl(given: &Given<'_>) -> bool {
    ACL_HEADERS.iter().any(|(member, _)| given.text(member).is_some())
}

/// Adds what the headers of a write ask for.
fn with_headers(
    access: Access,
    request: &Request,
    input: &dyn Struct,
    given: &Given<'_>,
) -> Access {
    let object = || object_in(given);
    let mut access = with_members(access, given, ACL_HEADERS);
    access = with_members(access, given, PUT_HEADERS);
    access = match input.get("ObjectLockRetainUntilDate").map(|value| value.item()) {
        Some(Item::Timestamp(until)) => with_retention(access, request, until),
        _ => access,
    };
    let number = |member: &str| match input.get(member).map(|value| value.item()) {
        Some(Item::Integer(number)) => Some(number),
        _ => None,
    };
    let days = number("ObjectLockEventHoldDurationDays");
    access = with_duration(access, days, number("ObjectLockEventHoldDurationYears"));
    access = with_object_tags(access, given);
    if given.text("Tagging").is_some() {
        access = with_object_tags(access.and("s3:PutObjectTagging", object()), given);
    }
    // The policies that AWS documents for what its services deliver allow them no more than to write, and they give all of it
    // to the bucket's owner.
    let is_delivery = matches!(request.principal.kind, PrincipalKind::Service { .. })
        && given.text("ACL") == Some("bucket-owner-full-control");
    if has_acl(given) && !is_delivery {
        access = with_members(access.and("s3:PutObjectAcl", object()), given, ACL_HEADERS);
    }
    if given.text("ObjectLockMode").is_some() {
        access = access.and("s3:PutObjectRetention", object());
    }
    if given.text("ObjectLockLegalHoldStatus").is_some() {
        access = access.and("s3:PutObjectLegalHold", object());
    }
    access
}

/// Adds until when the object is to be locked.
fn with_retention(access: Access, request: &Request, until: Timestamp) -> Access {
    let days = (until.millis() - request.now.millis()).div_euclid(86_400_000);
    access
        .last_with("s3:object-lock-retain-until-date", [until.secs().to_string()])
        .last_with("s3:object-lock-remaining-retention-days", [days.to_string()])
}

/// Adds for how long the object is to be locked after an event hold. AWS counts a year as 365 days.
fn with_duration(access: Access, days: Option<i32>, years: Option<i32>) -> Access {
    match days.or(years.map(|years| years.saturating_mul(365))) {
        Some(days) => {
            access.last_with("s3:object-lock-event-hold-duration-days", [days.to_string()])
        }
        None => access,
    }
}

/// Adds the tags of the header `x-amz-tagging`.
fn with_object_tags(access: Access, given: &Given<'_>) -> Access {
    let given = given.text("Tagging").and_then(|tags| rules::tagging_header(tags).ok());
    match given {
        Some(tags) => of_tags(access, &tags),
        None => access,
    }
}

/// Adds tags that an object gets.
fn of_tags(access: Access, tags: &[(String, String)]) -> Access {
    let keys = tags.iter().map(|(key, _)| key.clone());
    let access = access.last_with("s3:RequestObjectTagKeys", keys);
    tags.iter().fold(access, |access, (key, value)| {
        access.last_with(format!("s3:RequestObjectTag/{key}"), [value.clone()])
    })
}

/// `s3:PutObjectTagging` with the tags of the body; of a version with its id.
pub(crate) fn put_tagging(_: &Request, input: &dyn Struct) -> Allowed {
    let access = object_to("s3:PutObjectTagging", "s3:PutObjectVersionTagging", input)?;
    let Some(input) = input.downcast_ref::<PutObjectTaggingInput>() else { return Ok(access) };
    let tags = input.tagging.tag_set.iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    Ok(of_tags(access, &tags.collect::<Vec<_>>()))
}

/// `s3:DeleteObject`, also if the object is as it is expected.
pub(crate) fn delete_object(_: &Request, input: &dyn Struct) -> Allowed {
    let access = object_to("s3:DeleteObject", "s3:DeleteObjectVersion", input)?;
    Ok(match input.text("IfMatch") {
        Some(etag) if input.text("VersionId").is_none() => {
            access.last_with("s3:if-match", [etag.to_owned()])
        }
        _ => access,
    })
}

/// `s3:PutObject` on the destination, and reading the source.
pub(crate) fn copy_object(request: &Request, input: &dyn Struct) -> Allowed {
    let given = Given::of(input);
    let access = detailed(with_headers(put(request, &given), request, input, &given), &given);
    match input.downcast_ref::<CopyObjectInput>() {
        Some(input) => and_source(access, &input.copy_source, input.request_payer.as_deref()),
        None => Ok(access),
    }
}

/// `s3:PutObject` on the destination, and reading the source.
pub(crate) fn copy_part(request: &Request, input: &dyn Struct) -> Allowed {
    let given = Given::of(input);
    let access = detailed(with_members(put(request, &given), &given, PUT_HEADERS), &given);
    match input.downcast_ref::<UploadPartCopyInput>() {
        Some(input) => and_source(access, &input.copy_source, input.request_payer.as_deref()),
        None => Ok(access),
    }
}

fn and_source(access: Access, header: &str, payer: Option<&str>) -> Allowed {
    let source = rules::copy_source(header)?;
    let action = match source.version_id {
        None => "s3:GetObject",
        Some(_) => "s3:GetObjectVersion",
    };
    let mut access = access.and(action, object_arn(&source.bucket, &source.key));
    for (name, value) in [(VERSION, source.version_id.as_deref()), (PAYER, payer)] {
        if let Some(value) = value {
            access = access.last_detailed(name, value);
        }
    }
    Ok(access)
}

/// `s3:CreateBucket`, and what the headers ask for beyond it.
pub(crate) fn create_bucket(_: &Request, input: &dyn Struct) -> Allowed {
    let (bucket, given) = (bucket_of(input), Given::of(input));
    let mut access =
        with_members(Access::to("s3:CreateBucket", bucket.clone()), &given, ACL_HEADERS);
    for (member, key) in [
        ("ObjectOwnership", "s3:x-amz-object-ownership"),
        ("BucketNamespace", "s3:x-amz-bucket-namespace"),
    ] {
        if let Some(value) = input.text(member) {
            access = access.last_with(key, [value.to_owned()]);
        }
    }
    if let Some(input) = input.downcast_ref::<CreateBucketInput>()
        && let Some(wanted) = &input.create_bucket_configuration
    {
        if let Some(region) = &wanted.location_constraint {
            access = access.last_with("s3:locationconstraint", [region.clone()]);
        }
        let tags = wanted.tags.as_deref().unwrap_or_default();
        if !tags.is_empty() {
            access = access.and("s3:TagResource", bucket.clone());
            access = access.with_tags(tags.iter().map(|tag| (&tag.key, &tag.value)));
        }
    }
    if has_acl(&given) {
        access = with_members(access.and("s3:PutBucketAcl", bucket.clone()), &given, ACL_HEADERS);
    }
    if input.text("ObjectOwnership").is_some() {
        access = access.and("s3:PutBucketOwnershipControls", bucket);
    }
    Ok(access)
}

/// `s3:PutInventoryConfiguration` with the fields that the lists are to show.
pub(crate) fn put_inventory(_: &Request, input: &dyn Struct) -> Allowed {
    let access = bucket_to("s3:PutInventoryConfiguration", input)?;
    let Some(input) = input.downcast_ref::<PutBucketInventoryConfigurationInput>() else {
        return Ok(access);
    };
    let fields = input.inventory_configuration.optional_fields.iter().flatten();
    let fields = fields.map(|field| field.as_str().to_owned());
    Ok(access.last_with("s3:InventoryAccessibleOptionalFields", fields))
}

/// `s3:PutBucketAcl` or `s3:PutObjectAcl` with what it grants.
pub(crate) fn put_acl(_: &Request, input: &dyn Struct) -> Allowed {
    let access = match input.text("Key") {
        None => Access::to("s3:PutBucketAcl", bucket_of(input)),
        Some(_) => object_to("s3:PutObjectAcl", "s3:PutObjectVersionAcl", input)?,
    };
    Ok(with_members(access, &Given::of(input), ACL_HEADERS))
}

/// `s3:PutObjectRetention` with what is asked for.
pub(crate) fn put_retention(request: &Request, input: &dyn Struct) -> Allowed {
    let access = to_object("s3:PutObjectRetention", input)?;
    let Some(input) = input.downcast_ref::<PutObjectRetentionInput>() else { return Ok(access) };
    let retention = input.retention.clone().unwrap_or_default();
    let mut access = access;
    if let Some(mode) = retention.mode {
        access = access.last_with("s3:object-lock-mode", [mode.as_str().to_owned()]);
    }
    if let Some(until) = retention.retain_until_date {
        access = with_retention(access, request, until);
    }
    if let Some(hold) = retention.event_hold {
        access = access.last_with("s3:object-lock-event-hold", [hold.as_str().to_owned()]);
    }
    let duration = retention.event_hold_duration.unwrap_or_default();
    Ok(with_duration(access, duration.days, duration.years))
}

/// `s3:PutObjectLegalHold` with what is asked for.
pub(crate) fn put_legal_hold(_: &Request, input: &dyn Struct) -> Allowed {
    let access = to_object("s3:PutObjectLegalHold", input)?;
    let Some(input) = input.downcast_ref::<PutObjectLegalHoldInput>() else { return Ok(access) };
    let status = input.legal_hold.as_ref().and_then(|hold| hold.status.clone());
    Ok(access.last_with("s3:object-lock-legal-hold", status))
}

/// Nothing before the operation: `s3:DeleteObjects` asks for each key while it runs.
pub(crate) fn each_key(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::open())
}
