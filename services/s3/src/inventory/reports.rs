//! The task that writes inventories when they are due.
//!
//! A report is written as `s3.amazonaws.com` on behalf of the source bucket, so that the policy of the destination decides:
//! first the files, each noted in a row with the place where the next begins, then `symlink.txt`, `manifest.json` and at
//! last `manifest.checksum`. Killed anywhere, it goes on with the file that it was at. Names are made of what the report is,
//! so that what was written twice lies there once. A file takes bounded memory. Files stay without a manifest where the
//! destination lets no more of a report in, and where an inventory is configured anew or removed while it is written.

use std::ops::ControlFlow;

use bytes::Bytes;
use fogbank_core::store::Starting;
use fogbank_core::{Arn, BoxFuture, Cx, Fault, Principal, ReadTx, WriteTx, tracing};
use md5::Md5;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::lines::{Columns, Row, Shown};
use super::sheets::{self, Rows, Sheet};
use super::{KIND, schedule};
use crate::access::bucket_arn;
use crate::documents;
use crate::error::Error;
use crate::model::{InventoryConfiguration, InventoryFrequency, InventoryS3BucketDestination};
use crate::store::{
    self, BUCKETS, Begun, Bucket, CURRENT, INVENTORIES, Inventory, OBJECTS, ReportFile,
    ShownVersion, VERSIONS, Version,
};
use crate::version_listing::{Entry, Merge, Narrow, Start};

/// The topic and name of the task that writes.
pub(crate) const REPORTS: &str = "s3.inventory";
/// Who writes.
const WRITER: &str = "s3.amazonaws.com";
/// How many versions one look takes in.
const PAGE: usize = 1000;
/// From how many bytes on a file ends: what of it lies in memory.
const FILE_BYTES: usize = 8 << 20;
/// The most lines of a file; tests have several files of few objects.
const FILE_LINES: u64 = if cfg!(test) { 2000 } else { 1_000_000 };

/// Writes all reports that are due, one after the other.
pub(crate) fn run(cx: Cx) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let mut after: Option<(String, String)> = None;
        loop {
            let next = cx.read(|tx| {
                let mut rows = INVENTORIES.range(&()).limit(1);
                if let Some(after) = &after {
                    rows = rows.after(after);
                }
                rows.list(tx)
            })?;
            let Some((at, row)) = next.into_iter().next() else { return Ok(()) };
            if let Err(error) = look_at(&cx, (&at.0, &at.1), row).await {
                let error = Fault::from(error);
                tracing::warn!(bucket = at.0, id = at.1, ?error, "an inventory waits");
            }
            after = Some(at);
        }
    })
}

/// A bucket's name and the id of an inventory.
type At<'a> = (&'a str, &'a str);

/// Writes what is due of an inventory. What was begun is brought to its end first, wherever the clock has moved to, so that
/// no file lies there that no manifest names.
async fn look_at(cx: &Cx, at: At<'_>, mut row: Inventory) -> Result<(), Error> {
    loop {
        let now_millis = cx.now().millis();
        if row.begun.is_none() && row.since_millis > now_millis {
            // The clock was set back: what it has passed before comes again.
            row.since_millis = now_millis;
            return cx.write(|tx| save(tx, at, &row)).await;
        }
        let Some(found) = cx.read(|tx| find(tx, at))? else { return Ok(()) };
        let is_weekly = found.configuration.schedule.frequency == InventoryFrequency::Weekly;
        let due = match &row.begun {
            Some(begun) => Some(begun.due_millis),
            None => schedule::due(is_weekly, row.has_reported, row.since_millis, now_millis),
        };
        let Some(due_millis) = due else { return Ok(()) };
        let report = Report {
            cx: cx.located(&found.bucket.account, &found.bucket.region),
            at,
            columns: Columns::of(&found.configuration),
            found: &found,
            due_millis,
        };
        let number = row.number;
        let done = Inventory { since_millis: due_millis, has_reported: true, begun: None, number };
        if let Err(error) = report.write(row).await {
            // What is refused today is tried again with the next report; what failed here, with the next round.
            let fault = Fault::from(error);
            if is_ours(&fault) {
                return Err(fault.into());
            }
            tracing::warn!(
                bucket = at.0,
                id = at.1,
                ?fault,
                "an inventory cannot be delivered, and is given up"
            );
        }
        cx.write(|tx| save(tx, at, &done)).await?;
        if cx.read(|tx| INVENTORIES.get(tx, &at))?.as_ref() != Some(&done) {
            // It was configured anew, and has the next round's turn.
            return Ok(());
        }
        row = done;
    }
}

/// Whether it is the cloud that failed, and not somebody who refused.
fn is_ours(fault: &Fault) -> bool {
    fault.cause().is_some()
        || matches!(fault.name(), "InternalError" | "InternalFailure" | "ServiceUnavailable")
}

/// Keeps how far an inventory is, unless it was configured anew meanwhile.
fn save(tx: &mut WriteTx<'_>, at: At<'_>, row: &Inventory) -> Result<(), Error> {
    match INVENTORIES.get(tx, &at)? {
        Some(now) if now.number == row.number => Ok(INVENTORIES.put(tx, &at, row)?),
        _ => Ok(()),
    }
}

/// An inventory and where it comes from.
struct Configured {
    configuration: InventoryConfiguration,
    bucket: Bucket,
}

fn find(tx: &ReadTx<'_>, at: At<'_>) -> Result<Option<Configured>, Error> {
    let configuration = documents::get(tx, at.0, KIND.0, at.1)?;
    let bucket = BUCKETS.get(tx, at.0)?;
    Ok(configuration
        .zip(bucket)
        .map(|(configuration, bucket)| Configured { configuration, bucket }))
}

/// A report as it is written.
struct Report<'a> {
    cx: Cx,
    at: At<'a>,
    columns: Columns,
    found: &'a Configured,
    due_millis: i64,
}

/// The rows of a page, and what comes after them.
#[derive(Default)]
struct Page {
    rows: Rows,
    count: u64,
    /// The last version that the rows show; none at the end.
    after: Option<(String, u64)>,
}

impl Report<'_> {
    fn to(&self) -> &InventoryS3BucketDestination {
        &self.found.configuration.destination.s3_bucket_destination
    }

    fn target(&self) -> &str {
        Arn::parse(&self.to().bucket).map_or("", |arn| arn.resource)
    }

    fn date(&self, format: &str) -> String {
        jiff::Timestamp::from_millisecond(self.due_millis)
            .map(|time| time.strftime(format).to_string())
            .unwrap_or_default()
    }

    /// A key below the folder of the inventory.
    fn key(&self, rest: &str) -> String {
        let prefix = self.to().prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        format!("{prefix}{}/{}/{rest}", self.at.0, self.at.1)
    }

    async fn write(&self, row: Inventory) -> Result<(), Error> {
        self.check_target()?;
        let mut begun = row.begun.clone().unwrap_or(Begun {
            due_millis: self.due_millis,
            files: Vec::new(),
            after: None,
            is_whole: false,
        });
        while !begun.is_whole {
            self.write_file(&mut begun).await?;
            let noted = Inventory { begun: Some(begun.clone()), ..row.clone() };
            self.cx.write(|tx| save(tx, self.at, &noted)).await?;
        }
        self.write_manifests(&begun.files).await
    }

    /// Refuses to write into another region, as S3 does.
    fn check_target(&self) -> Result<(), Error> {
        let target = self.cx.read(|tx| store::bucket(tx, self.target()))?;
        if target.region == self.found.bucket.region {
            return Ok(());
        }
        let message = "The destination bucket is not in the region of the source bucket.";
        Err(Error::InvalidS3DestinationBucket { message: message.to_owned() })
    }

    /// Writes the next file, if there are lines for one.
    async fn write_file(&self, begun: &mut Begun) -> Result<(), Error> {
        let mut file = Sheet::new(&self.to().format, &self.columns)?;
        let mut count = 0;
        while file.len() < FILE_BYTES && count < FILE_LINES {
            let page = self.cx.read(|tx| self.page(tx, begun.after.as_ref()))?;
            file.add(page.rows)?;
            count += page.count;
            begun.after = page.after;
            if begun.after.is_none() {
                begun.is_whole = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        if count == 0 {
            return Ok(());
        }
        let bytes = file.finish()?;
        let (size, md5) = (bytes.len() as u64, Md5::digest(&bytes).into());
        let extension = sheets::extension(&self.to().format);
        let key = self.key(&format!("data/{}.{extension}", self.name(begun.files.len())));
        self.put(&key, bytes).await?;
        begun.files.push(ReportFile { key, size, md5 });
        Ok(())
    }

    /// The name of a file, which looks as if it were made by chance.
    fn name(&self, index: usize) -> String {
        let (bucket, id) = (self.found.bucket.id, self.at.1);
        let of = format!("inventory {bucket} {id} {} {index}", self.due_millis);
        let digits = hex::encode(&Sha256::digest(of)[..16]);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        parts.join("-")
    }

    fn page(&self, tx: &ReadTx<'_>, after: Option<&(String, u64)>) -> Result<Page, Error> {
        let filter = self.found.configuration.filter.as_ref();
        let prefix = filter.map(|filter| &*filter.prefix).unwrap_or_default();
        match self.columns.is_of_versions {
            true => self.page_of_versions(tx, prefix, after),
            false => self.page_of_current(tx, prefix, after),
        }
    }

    fn page_of_current(
        &self,
        tx: &ReadTx<'_>,
        prefix: &str,
        after: Option<&(String, u64)>,
    ) -> Result<Page, Error> {
        let mut page = Page::default();
        let mut add = |key: String, number: u64, shown: Shown<'_>| {
            let row = Row { key: &key, number, is_latest: true, shown };
            self.add(tx, &row, &mut page)?;
            page.after = Some((key, number));
            Ok::<_, Error>(ControlFlow::Continue(()))
        };
        let bucket = self.at.0;
        let within = Starting((bucket,), prefix);
        if self.columns.need_objects() {
            let mut range = OBJECTS.range(&within).limit(PAGE);
            if let Some((key, _)) = after {
                range = range.after(&(bucket, &**key));
            }
            range.try_visit(tx, |(_, key), object| {
                add(key, object.version, Shown::Object(&object))
            })?;
        } else {
            let mut range = CURRENT.range(&within).limit(PAGE);
            if let Some((key, _)) = after {
                range = range.after(&(bucket, &**key));
            }
            range.try_visit(tx, |(_, key), row| {
                add(key, row.version, Shown::Listed(&row.listed, row.version_name))
            })?;
        }
        if page.count < PAGE as u64 {
            page.after = None;
        }
        Ok(page)
    }

    fn page_of_versions(
        &self,
        tx: &ReadTx<'_>,
        prefix: &str,
        after: Option<&(String, u64)>,
    ) -> Result<Page, Error> {
        let narrow = Narrow { bucket: self.at.0, prefix, delimiter: None, limit: PAGE };
        let start = match after {
            Some((key, number)) => Start::Version(key.clone(), *number),
            None => Start::First,
        };
        let mut last = after.map(|(key, _)| key.clone());
        let mut merge = Merge::new(&narrow, start);
        let mut page = Page::default();
        while page.count < PAGE as u64 {
            let Some(entry) = merge.next(tx)? else {
                page.after = None;
                return Ok(page);
            };
            let is_latest = entry.is_latest || last.as_ref() != Some(&entry.key);
            self.add_version(tx, &entry, is_latest, &mut page)?;
            page.after = Some((entry.key.clone(), entry.number));
            last = Some(entry.key);
        }
        Ok(page)
    }

    fn add_version(
        &self,
        tx: &ReadTx<'_>,
        entry: &Entry,
        is_latest: bool,
        page: &mut Page,
    ) -> Result<(), Error> {
        let (bucket, key, number) = (self.at.0, &*entry.key, entry.number);
        let row = |shown| Row { key, number, is_latest, shown };
        let listed = match &entry.shown {
            ShownVersion::Marker(marker) => {
                return self.add(tx, &row(Shown::Marker(marker)), page);
            }
            ShownVersion::Object(listed) => listed,
        };
        if !self.columns.need_objects() {
            let shown = Shown::Listed(&listed.listed, listed.version_name);
            return self.add(tx, &row(shown), page);
        }
        let current = OBJECTS.get(tx, &(bucket, key))?.filter(|found| found.version == number);
        if let Some(object) = current {
            return self.add(tx, &row(Shown::Object(&object)), page);
        }
        match VERSIONS.get(tx, &(bucket, key, std::cmp::Reverse(number)))? {
            Some(Version::Object(object)) => self.add(tx, &row(Shown::Object(&object)), page),
            _ => Ok(()),
        }
    }

    fn add(&self, tx: &ReadTx<'_>, row: &Row<'_>, page: &mut Page) -> Result<(), Error> {
        page.count += 1;
        let form = (&self.to().format, &self.columns);
        page.rows.add(tx, (self.at.0, &self.found.bucket), form, row)
    }

    /// Writes what says that the report is there; the checksum comes last.
    async fn write_manifests(&self, files: &[ReportFile]) -> Result<(), Error> {
        let target = self.target();
        let links: Vec<_> =
            files.iter().map(|file| format!("s3://{target}/{}", file.key)).collect();
        let folder = self.date("hive/dt=%Y-%m-%d-%H-%M");
        self.put(&self.key(&format!("{folder}/symlink.txt")), links.join("\n").into()).await?;
        let manifest = self.manifest(files);
        let checksum = hex::encode(Md5::digest(&manifest));
        let folder = self.date("%Y-%m-%dT%H-%MZ");
        self.put(&self.key(&format!("{folder}/manifest.json")), manifest.into()).await?;
        self.put(&self.key(&format!("{folder}/manifest.checksum")), checksum.into()).await
    }

    /// `manifest.json`, with the spaces that AWS's has.
    fn manifest(&self, files: &[ReportFile]) -> String {
        let text = |text: &str| json!(text).to_string();
        let files: Vec<String> = files
            .iter()
            .map(|file| {
                let (key, md5) = (text(&file.key), hex::encode(file.md5));
                let size = file.size;
                format!(
                    "{{\n    \"key\" : {key},\n    \"size\" : {size},\n    \"MD5checksum\" : \"{md5}\"\n  }}"
                )
            })
            .collect();
        let files = if files.is_empty() { String::new() } else { format!(" {}", files.join(", ")) };
        let members = [
            ("sourceBucket", text(self.at.0)),
            ("destinationBucket", text(&self.to().bucket)),
            ("version", text("2016-11-30")),
            ("creationTimestamp", text(&self.due_millis.to_string())),
            ("fileFormat", text(self.to().format.as_str())),
            ("fileSchema", text(&sheets::schema(&self.to().format, &self.columns))),
            ("files", format!("[{files} ]")),
        ];
        let members = members.map(|(name, value)| format!("  \"{name}\" : {value}"));
        format!("{{\n{}\n}}", members.join(",\n"))
    }

    /// Writes an object of the report, if the destination lets it in.
    async fn put(&self, key: &str, body: Bytes) -> Result<(), Error> {
        let to = self.to();
        let mut input = json!({
            "Bucket": self.target(),
            "Key": key,
            "ACL": "bucket-owner-full-control",
            "ContentLength": body.len(),
        });
        if let Some(owner) = &to.account_id {
            input["ExpectedBucketOwner"] = owner.clone().into();
        }
        if let Some(encryption) = &to.encryption {
            let method = if encryption.ssekms.is_some() { "aws:kms" } else { "AES256" };
            input["ServerSideEncryption"] = method.into();
            if let Some(kms) = &encryption.ssekms {
                input["SSEKMSKeyId"] = kms.key_id.clone().into();
            }
        }
        let mut call = self.cx.prepare(Principal::service(WRITER), "s3:PutObject", input);
        call.body = body.into();
        call.source = Some((bucket_arn(self.at.0), self.found.bucket.account.clone()));
        self.cx.cloud().call(call).await?;
        Ok(())
    }
}
