//! Manifests that a job makes for itself: the objects of a bucket that its filters mean, listed as the bucket's owner when the
//! role may have inventories made of it, as AWS asks.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use fogbank_core::{Access, Arn, Cx, Fault, Principal, WriteTx};
use futures_util::stream::{self, StreamExt};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha1::Sha1;

use super::entries::encode;
use super::manifests::Filling;
use super::{Running, Trouble, may_heal, roles};
use crate::model::{
    JobManifestGeneratorFilter, ObjectEncryptionFilter, S3JobManifestGenerator,
    S3ManifestOutputLocation,
};
use crate::store::{Entry, Job, Status};

/// From how many bytes on a file ends.
const FILE_BYTES: usize = 8 << 20;
/// How many objects are looked at closely at once.
const SIDE_BY_SIDE: usize = 16;

/// Lists the objects that are meant.
pub(super) async fn list(
    running: &Running<'_>,
    made: &S3JobManifestGenerator,
    filling: &mut Filling<'_>,
) -> Result<(), Trouble> {
    let role = roles::assume(running).await?;
    permit(running, &role, &made.source_bucket)?;
    let bucket = bucket_of(&made.source_bucket);
    let mut source = Source {
        running,
        owner: Principal::root(running.cx.account()),
        bucket,
        made,
        filter: made.filter.clone().unwrap_or_default(),
        rules: Vec::new(),
    };
    if source.filter.eligible_for_replication.is_some() {
        source.rules = source.replication().await?;
    }
    let to = made.manifest_output_location.as_ref().filter(|_| made.enable_manifest_output);
    let mut output = to.map(|to| Output::new(running, &role, to, bucket));
    let mut next = json!({});
    loop {
        let (page, after) = source.page(&next).await?;
        for entry in &page {
            if let Some(output) = &mut output {
                output.add(entry).await?;
            }
        }
        filling.add(page).await?;
        match after {
            Some(after) => next = after,
            None => break,
        }
    }
    match output {
        Some(output) => output.finish().await,
        None => Ok(()),
    }
}

fn bucket_of(arn: &str) -> &str {
    Arn::parse(arn).map_or("", |arn| arn.resource)
}

/// Refuses unless the role may have inventories made of the bucket.
fn permit(running: &Running<'_>, role: &Principal, bucket_arn: &str) -> Result<(), Trouble> {
    let mut request = running.cx.request().clone();
    request.principal = role.clone().into();
    let acting = Cx::new(running.cx.cloud().clone(), request);
    match acting.authorise(&Access::to("s3:PutInventoryConfiguration", bucket_arn)) {
        Ok(()) => Ok(()),
        Err(fault) => Err(failed(fault)),
    }
}

fn failed(fault: Fault) -> Trouble {
    if may_heal(&fault) {
        return Trouble::Broken(fault);
    }
    let reason = format!("The objects of the bucket cannot be listed: {fault}");
    Trouble::Failed(("ManifestGenerationFailed", reason))
}

/// What a replication rule says of keys and tags.
struct Rule {
    prefix: String,
    tags: Vec<(String, String)>,
}

struct Source<'a> {
    running: &'a Running<'a>,
    owner: Principal,
    bucket: &'a str,
    made: &'a S3JobManifestGenerator,
    filter: JobManifestGeneratorFilter,
    rules: Vec<Rule>,
}

impl Source<'_> {
    async fn call(&self, operation: &str, more: Value) -> Result<Value, Fault> {
        let mut input = more;
        input["Bucket"] = self.bucket.into();
        if let Some(owner) = &self.made.expected_bucket_owner {
            input["ExpectedBucketOwner"] = owner.clone().into();
        }
        let action = format!("s3:{operation}");
        Ok(self.running.cx.call(self.owner.clone(), &action, input).await?.output)
    }

    /// The entries of a page of the bucket, and where the next one begins.
    async fn page(&self, from: &Value) -> Result<(Vec<Entry>, Option<Value>), Trouble> {
        let page = self.call("ListObjectVersions", from.clone()).await.map_err(failed)?;
        // Replication of what is there is about all versions, other operations are about the current ones.
        let all = self.running.asked.operation.s3_replicate_object.is_some();
        let mut entries = Vec::new();
        for row in page["Versions"].as_array().into_iter().flatten() {
            let key = row["Key"].as_str().unwrap_or_default();
            if (all || row["IsLatest"] == true) && is_meant(&self.filter, key, row) {
                let version = row["VersionId"].as_str().filter(|id| *id != "null");
                entries.push(Entry {
                    bucket: self.bucket.to_owned(),
                    key: key.to_owned(),
                    version: version.map(str::to_owned),
                    attempts: 0,
                });
            }
        }
        let entries = self.look_closely(entries).await?;
        let next = (page["IsTruncated"] == true).then(|| {
            json!({
                "KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"],
            })
        });
        Ok((entries, next))
    }

    /// Leaves out what filters do not mean that listings do not tell of.
    async fn look_closely(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, Trouble> {
        let filter = &self.filter;
        let is_needed = filter.eligible_for_replication.is_some()
            || filter.object_replication_statuses.is_some()
            || filter.match_any_object_encryption.is_some();
        if !is_needed {
            return Ok(entries);
        }
        let looks: Vec<fogbank_core::BoxFuture<'_, Result<bool, Fault>>> =
            entries.iter().map(|entry| self.look(entry)).collect();
        let found: Vec<Result<bool, Fault>> =
            stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
        let mut meant = Vec::new();
        for (entry, found) in entries.into_iter().zip(found) {
            if found.map_err(failed)? {
                meant.push(entry);
            }
        }
        Ok(meant)
    }

    fn look<'b>(&'b self, entry: &'b Entry) -> fogbank_core::BoxFuture<'b, Result<bool, Fault>> {
        Box::pin(async move {
            let mut named = json!({ "Key": entry.key });
            if let Some(version) = &entry.version {
                named["VersionId"] = version.clone().into();
            }
            let head = match self.call("HeadObject", named.clone()).await {
                Ok(head) => head,
                Err(fault) if may_heal(&fault) => return Err(fault),
                // Only a customer's key is missing, or the object is gone.
                Err(fault)
                    if matches!(fault.name(), "NoSuchKey" | "NotFound" | "NoSuchVersion") =>
                {
                    return Ok(false);
                }
                Err(_) => json!({ "SSECustomerAlgorithm": "AES256" }),
            };
            if let Some(wanted) = &self.filter.object_replication_statuses {
                let status = head["ReplicationStatus"].as_str().unwrap_or("NONE");
                if !wanted.iter().any(|wanted| wanted.as_str() == status) {
                    return Ok(false);
                }
            }
            if let Some(wanted) = &self.filter.match_any_object_encryption
                && !wanted.iter().any(|wanted| is_encrypted(wanted, &head))
            {
                return Ok(false);
            }
            match self.filter.eligible_for_replication {
                Some(wanted) => Ok(self.is_eligible(entry, named).await? == wanted),
                None => Ok(true),
            }
        })
    }

    async fn is_eligible(&self, entry: &Entry, named: Value) -> Result<bool, Fault> {
        let of_key = || self.rules.iter().filter(|rule| entry.key.starts_with(&rule.prefix));
        if of_key().any(|rule| rule.tags.is_empty()) {
            return Ok(true);
        }
        if of_key().next().is_none() {
            return Ok(false);
        }
        let found = self.call("GetObjectTagging", named).await?;
        let has = |(key, value): &(String, String)| {
            let tags = found["TagSet"].as_array().into_iter().flatten();
            tags.into_iter().any(|tag| tag["Key"] == **key && tag["Value"] == **value)
        };
        Ok(of_key().any(|rule| rule.tags.iter().all(has)))
    }

    /// What the enabled replication rules of the bucket say.
    async fn replication(&self) -> Result<Vec<Rule>, Trouble> {
        let found = self.call("GetBucketReplication", json!({})).await.map_err(failed)?;
        let rules = found["ReplicationConfiguration"]["Rules"].as_array().cloned();
        let enabled =
            rules.unwrap_or_default().into_iter().filter(|rule| rule["Status"] == "Enabled");
        Ok(enabled.map(|rule| read_rule(&rule)).collect())
    }
}

fn read_rule(rule: &Value) -> Rule {
    let (filter, and) = (&rule["Filter"], &rule["Filter"]["And"]);
    let prefixes = [&rule["Prefix"], &filter["Prefix"], &and["Prefix"]];
    let prefix = prefixes.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
    let one = Some(&filter["Tag"]).filter(|tag| tag.is_object());
    let tags = one.into_iter().chain(and["Tags"].as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Rule { prefix, tags: tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect() }
}

/// Whether filters mean a version as far as a listing tells of it.
fn is_meant(filter: &JobManifestGeneratorFilter, key: &str, row: &Value) -> bool {
    let modified_millis = row["LastModified"].as_f64().unwrap_or_default() * 1000.0;
    let size = row["Size"].as_i64().unwrap_or_default();
    let any = |wanted: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
        wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|text| fits(text)))
    };
    let names = filter.key_name_constraint.clone().unwrap_or_default();
    let classes = filter.match_any_storage_class.as_ref();
    filter.created_after.is_none_or(|after| modified_millis > after.millis() as f64)
        && filter.created_before.is_none_or(|before| modified_millis < before.millis() as f64)
        && filter.object_size_greater_than_bytes.is_none_or(|bytes| size > bytes)
        && filter.object_size_less_than_bytes.is_none_or(|bytes| size < bytes)
        && classes
            .is_none_or(|classes| classes.iter().any(|class| row["StorageClass"] == class.as_str()))
        && any(&names.match_any_prefix, &|text| key.starts_with(text))
        && any(&names.match_any_suffix, &|text| key.ends_with(text))
        && any(&names.match_any_substring, &|text| key.contains(text))
}

/// Whether an object is encrypted in this way.
fn is_encrypted(wanted: &ObjectEncryptionFilter, head: &Value) -> bool {
    let is = |method: &str| head["ServerSideEncryption"] == method;
    let has_key =
        |key: &Option<String>| key.as_ref().is_none_or(|key| head["SSEKMSKeyId"] == key.as_str());
    match wanted {
        ObjectEncryptionFilter::Sses3(_) => is("AES256"),
        ObjectEncryptionFilter::Ssekms(kms) => {
            let bucket_key = head["BucketKeyEnabled"] == true;
            is("aws:kms")
                && has_key(&kms.kms_key_arn)
                && kms.bucket_key_enabled.is_none_or(|wanted| wanted == bucket_key)
        }
        ObjectEncryptionFilter::Dssekms(kms) => is("aws:kms:dsse") && has_key(&kms.kms_key_arn),
        ObjectEncryptionFilter::Ssec(_) => head["SSECustomerAlgorithm"].is_string(),
        ObjectEncryptionFilter::Notsse(_) => {
            head["ServerSideEncryption"].is_null() && head["SSECustomerAlgorithm"].is_null()
        }
        ObjectEncryptionFilter::Unset => false,
    }
}

/// The manifest as it is written for others to read: files like those of an inventory, and at last what names them.
struct Output<'a> {
    running: &'a Running<'a>,
    role: &'a Principal,
    to: &'a S3ManifestOutputLocation,
    source: &'a str,
    file: GzEncoder<Vec<u8>>,
    files: Vec<Value>,
}

fn packer() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

impl<'a> Output<'a> {
    fn new(
        running: &'a Running<'a>,
        role: &'a Principal,
        to: &'a S3ManifestOutputLocation,
        source: &'a str,
    ) -> Output<'a> {
        Output { running, role, to, source, file: packer(), files: Vec::new() }
    }

    async fn add(&mut self, entry: &Entry) -> Result<(), Trouble> {
        let version = entry.version.as_deref().unwrap_or_default();
        let line = format!("\"{}\",\"{}\",\"{version}\"\n", entry.bucket, encode(&entry.key));
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| Trouble::Broken(Fault::internal(error)))?;
        if self.file.get_ref().len() < FILE_BYTES { Ok(()) } else { self.end_file().await }
    }

    async fn end_file(&mut self) -> Result<(), Trouble> {
        let packed = std::mem::replace(&mut self.file, packer()).finish();
        let packed = packed.map_err(|error| Trouble::Broken(Fault::internal(error)))?;
        let name = format!("manifest {} {}", self.running.key.2, self.files.len());
        let key = self.key(&format!("data/{}.csv.gz", hex::encode(Sha1::digest(name))));
        let (size, md5) = (packed.len(), hex::encode(Md5::digest(&packed)));
        self.put(&key, packed).await?;
        self.files.push(json!({ "key": key, "size": size, "MD5checksum": md5 }));
        Ok(())
    }

    /// A key below the folder of the job. AWS does not say where it writes.
    fn key(&self, rest: &str) -> String {
        let prefix = self.to.manifest_prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        format!("{prefix}job-{}/{rest}", self.running.key.2)
    }

    async fn finish(mut self) -> Result<(), Trouble> {
        self.end_file().await?;
        let manifest = json!({
            "sourceBucket": self.source,
            "destinationBucket": self.to.bucket,
            "version": "2021-11-30",
            "creationTimestamp": self.running.job.created_millis.to_string(),
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, VersionId",
            "files": self.files,
        });
        let key = self.key("manifest.json");
        let e_tag = self.put(&key, manifest.to_string().into_bytes()).await?;
        let place = (format!("{}/{key}", self.to.bucket), e_tag);
        let note = |_: &mut WriteTx<'_>, job: &mut Job| {
            job.manifest = Some(place.clone());
            Ok(())
        };
        match self.running.change(Status::Preparing, note).await? {
            true => Ok(()),
            false => Err(Trouble::Ended),
        }
    }

    /// Writes an object; its ETag.
    async fn put(&self, key: &str, body: Vec<u8>) -> Result<String, Trouble> {
        let bucket = bucket_of(&self.to.bucket);
        let mut input = json!({ "Bucket": bucket, "Key": key, "ContentLength": body.len() });
        if let Some(owner) = &self.to.expected_manifest_bucket_owner {
            input["ExpectedBucketOwner"] = owner.clone().into();
        }
        if let Some(encryption) = &self.to.manifest_encryption {
            let method = if encryption.ssekms.is_some() { "aws:kms" } else { "AES256" };
            input["ServerSideEncryption"] = method.into();
            if let Some(kms) = &encryption.ssekms {
                input["SSEKMSKeyId"] = kms.key_id.clone().into();
            }
        }
        let cx = self.running.cx;
        let mut call = cx.prepare(self.role.clone(), "s3:PutObject", input);
        call.body = bytes::Bytes::from(body).into();
        match cx.cloud().call(call).await {
            Ok(reply) => {
                let e_tag = reply.output["ETag"].as_str().unwrap_or_default();
                Ok(e_tag.trim_matches('"').to_owned())
            }
            Err(fault) if may_heal(&fault) => Err(Trouble::Broken(fault)),
            Err(fault) => {
                let reason = format!("The manifest cannot be written to {bucket}: {fault}");
                Err(Trouble::Failed(("ManifestUnwritable", reason)))
            }
        }
    }
}
