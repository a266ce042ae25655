//! A table's metadata and files, read and changed as `metadata.s3.amazonaws.com`, through S3 Tables and the table's warehouse.

use bytes::Bytes;
use fogbank_core::{Cx, Fault, Principal, tracing};
use fogbank_iceberg::{Change, Error as IcebergError, Expiry, Table, Transaction};
use fogbank_tablebuckets::METADATA_SERVICE;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::bucket_arn;
use crate::error::Error;
use crate::store;
use crate::versions::{self, Removal};

/// How many bytes an object of a table has at most that is read as a whole.
const MAX_BYTES: usize = 256 << 20;
/// How many files one transaction removes.
const REMOVED_AT_ONCE: usize = 100;

/// Why a table cannot be read or changed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such table, namespace or bucket.
    Gone,
    /// A policy, or the key of KMS, refuses.
    Denied,
    /// Somebody was faster, or the cloud failed: it is tried again.
    Broken(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        let trouble = match fault.name() {
            _ if fault.cause().is_some() => return Trouble::Broken(fault),
            "NotFoundException" | "NoSuchBucket" | "NoSuchKey" => Trouble::Gone,
            "AccessDenied" | "ForbiddenException" => Trouble::Denied,
            name if name.starts_with("KMS.") && name != "KMS.KMSInternalException" => {
                Trouble::Denied
            }
            _ => return Trouble::Broken(fault),
        };
        tracing::info!(?fault, "S3 Metadata is refused");
        trouble
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::from(Fault::from(error))
    }
}

impl From<fogbank_core::store::Error> for Trouble {
    fn from(error: fogbank_core::store::Error) -> Trouble {
        Trouble::Broken(error.into())
    }
}

impl From<IcebergError> for Trouble {
    fn from(error: IcebergError) -> Trouble {
        Trouble::Broken(Fault::internal(error))
    }
}

impl From<fogbank_columns::Error> for Trouble {
    fn from(error: fogbank_columns::Error) -> Trouble {
        Trouble::Broken(Fault::internal(error))
    }
}

/// S3 Metadata at work for a bucket.
pub(super) struct Worker {
    /// In the bucket's account and region.
    pub(super) cx: Cx,
    /// The bucket's ARN and account, on behalf of which all is done.
    source: (String, String),
}

impl Worker {
    pub(super) fn new(cx: &Cx, bucket: &str, account: &str, region: &str) -> Worker {
        let source = (bucket_arn(bucket), account.to_owned());
        Worker { cx: cx.located(account, region), source }
    }

    /// Calls an operation as S3 Metadata.
    pub(super) async fn call(&self, action: &str, input: Value) -> Result<Value, Fault> {
        // What takes long lets others go on in between.
        tokio::task::yield_now().await;
        let service = Principal::service(METADATA_SERVICE);
        let mut call = self.cx.prepare(service, action, input);
        call.source = Some(self.source.clone());
        Ok(self.cx.cloud().call(call).await?.output)
    }

    /// The table with an ARN, as it is now.
    pub(super) async fn open(&self, arn: &str) -> Result<Open<'_>, Trouble> {
        let told = self.call("s3tables:GetTable", json!({"tableArn": arn})).await?;
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let warehouse = text("warehouseLocation");
        let (table_bucket_arn, _) = arn.split_once("/table/").unwrap_or((arn, ""));
        let mut open = Open {
            worker: self,
            place: json!({
                "tableBucketARN": table_bucket_arn,
                "namespace": told["namespace"][0],
                "name": told["name"],
            }),
            token: text("versionToken"),
            warehouse: warehouse.strip_prefix("s3://").unwrap_or_default().to_owned(),
            table: None,
        };
        if let Some(location) = told["metadataLocation"].as_str() {
            let bytes = open.read(location).await?;
            open.table = Some(Table::from_json(&bytes, Some(location))?);
        }
        Ok(open)
    }
}

/// A table as it was when it was opened.
pub(super) struct Open<'a> {
    worker: &'a Worker,
    /// The members by which S3 Tables is told which table is meant.
    place: Value,
    token: String,
    warehouse: String,
    /// None before its first metadata is written.
    pub(super) table: Option<Table>,
}

impl Open<'_> {
    /// The table, which has metadata.
    pub(super) fn table(&self) -> Result<&Table, Trouble> {
        self.table
            .as_ref()
            .ok_or_else(|| Trouble::Broken(Fault::internal("a metadata table has no metadata")))
    }

    /// The URI under which the table's files lie.
    pub(super) fn location(&self) -> String {
        format!("s3://{}", self.warehouse)
    }

    fn object(&self, uri: &str) -> Result<Value, Trouble> {
        let start = format!("s3://{}/", self.warehouse);
        match uri.strip_prefix(&start) {
            Some(key) => Ok(json!({"Bucket": self.warehouse, "Key": key})),
            None => {
                Err(Trouble::Broken(Fault::internal("a file lies in no warehouse of its table")))
            }
        }
    }

    /// The bytes of one of the table's objects.
    pub(super) async fn read(&self, uri: &str) -> Result<Bytes, Trouble> {
        tokio::task::yield_now().await;
        let Worker { cx, source } = self.worker;
        let service = Principal::service(METADATA_SERVICE);
        let mut call = cx.prepare(service, "s3:GetObject", self.object(uri)?);
        call.source = Some(source.clone());
        let reply = cx.cloud().call(call).await?;
        Ok(reply.bytes(MAX_BYTES).await?)
    }

    /// Writes an object of the table.
    pub(super) async fn write(&self, uri: &str, bytes: Bytes) -> Result<(), Trouble> {
        tokio::task::yield_now().await;
        let Worker { cx, source } = self.worker;
        let mut input = self.object(uri)?;
        input["ContentLength"] = bytes.len().into();
        let service = Principal::service(METADATA_SERVICE);
        let mut call = cx.prepare(service, "s3:PutObject", input);
        call.body = bytes.into();
        call.source = Some(source.clone());
        cx.cloud().call(call).await?;
        Ok(())
    }

    /// Gives a transaction what it wants, and makes what it made the table.
    pub(super) async fn commit(&mut self, mut transaction: Transaction) -> Result<(), Trouble> {
        while let Some(uri) = transaction.wants().map(str::to_owned) {
            transaction.give(&self.read(&uri).await?)?;
        }
        self.put(transaction.finish()?).await
    }

    /// The same for an expiry.
    pub(super) async fn expire(&mut self, mut expiry: Expiry, uuid: &str) -> Result<(), Trouble> {
        while let Some(uri) = expiry.wants().map(str::to_owned) {
            expiry.give(&self.read(&uri).await?)?;
        }
        self.put(expiry.finish(uuid)?).await
    }

    /// Writes what a change made and puts its metadata in the place of the table's, unless the table was changed meanwhile.
    pub(super) async fn put(&mut self, change: Change) -> Result<(), Trouble> {
        let Change { objects, table, unreferenced } = change;
        for (uri, bytes) in objects {
            self.write(&uri, bytes).await?;
        }
        let mut input = self.place.clone();
        input["versionToken"] = self.token.clone().into();
        input["metadataLocation"] = table.metadata_location().unwrap_or_default().into();
        let told = self.worker.call("s3tables:UpdateTableMetadataLocation", input).await?;
        self.token = told["versionToken"].as_str().unwrap_or_default().to_owned();
        self.table = Some(table);
        tokio::task::yield_now().await;
        self.forget(&unreferenced).await
    }

    /// Removes objects to which nothing refers. Whoever is stopped before leaves them to the table's maintenance.
    pub(super) async fn forget(&self, uris: &[String]) -> Result<(), Trouble> {
        let start = format!("s3://{}/", self.warehouse);
        for uris in uris.chunks(REMOVED_AT_ONCE) {
            self.worker
                .cx
                .write(|tx| {
                    let bucket = store::bucket(tx, &self.warehouse)?;
                    for key in uris.iter().filter_map(|uri| uri.strip_prefix(&start)) {
                        let at = (&*self.warehouse, key);
                        versions::remove(tx, &bucket, at, Removal::default())?;
                    }
                    Ok::<_, Error>(())
                })
                .await?;
        }
        Ok(())
    }
}

/// What looks like a UUID and is always the same for the same thing, so that what is written twice lies there once.
pub(super) fn uuid_of(thing: &str) -> String {
    let digits = hex::encode(&Sha256::digest(thing)[..16]);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// The id of a snapshot: above 0, and always the same for the same thing.
pub(super) fn snapshot_of(thing: &str) -> i64 {
    let digest = Sha256::digest(thing);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[16..24]);
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}
