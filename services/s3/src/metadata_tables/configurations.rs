//! Metadata configurations of buckets: create, change, show and delete them.
//!
//! The tables themselves are made in the background, as `metadata.s3.amazonaws.com`. Whether the caller may have them made is
//! asked when the configuration is written; if not, the configuration is there, and its tables have failed, as on AWS.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Arn, Cx, Fault, ReadTx, Tx, WriteTx, arn};
use serde_json::json;

use super::live;
use super::results::{self, Kind};
use super::rows::{CONFIGURED, Configured, Failure, JOURNALS, Journal, Status, TableState};
use crate::access::bucket_arn;
use crate::error::Error;
use crate::model::*;
use crate::store::{self, BUCKETS, Bucket};

/// The principal of S3 Metadata.
pub(crate) const SERVICE: &str = "metadata.s3.amazonaws.com";
/// The table bucket that AWS manages in each account and region.
pub(super) const MANAGED: &str = "aws-s3";
/// For how many days records stay at least.
const MIN_DAYS: i32 = 7;

/// What an operation must be allowed to do with its bucket; a role is given to S3 Metadata.
pub(crate) fn access(action: &'static str, input: &dyn Struct) -> Result<Access, Fault> {
    let bucket = bucket_arn(input.text("Bucket").unwrap_or_default());
    let access = Access::to(action, bucket.clone());
    let role = if let Some(input) = input.downcast_ref::<CreateBucketMetadataConfigurationInput>() {
        let given = input.metadata_configuration.annotation_table_configuration.as_ref();
        given.and_then(|given| given.role.as_deref())
    } else {
        input
            .downcast_ref::<UpdateBucketMetadataAnnotationTableConfigurationInput>()
            .and_then(|input| input.annotation_table_configuration.role.as_deref())
    };
    Ok(match role {
        Some(role) => access.and_pass_role(role, SERVICE, bucket),
        None => access,
    })
}

/// The ARN of the table bucket that AWS manages for a bucket's account and region.
pub(super) fn managed_arn(account: &str, region: &str) -> String {
    arn::arn("s3tables", region, account, format_args!("bucket/{MANAGED}"))
}

/// The namespace of a bucket's tables.
pub(super) fn namespace(bucket: &str) -> String {
    format!("b_{}", bucket.replace('.', "_"))
}

/// A configuration, or why there is none.
pub(super) fn configured(tx: &(impl Tx + ?Sized), name: &str) -> Result<Configured, Error> {
    CONFIGURED
        .get(tx, name)?
        .ok_or_else(|| Error::MetadataConfigurationNotFound { bucket: name.to_owned() })
}

/// Refuses a second configuration.
fn refuse_second(tx: &(impl Tx + ?Sized), name: &str) -> Result<(), Error> {
    if CONFIGURED.contains(tx, name)? {
        // AWS's error for it is written nowhere; this one is a guess.
        return Err(Error::MetadataConfigurationAlreadyExists { bucket: name.to_owned() });
    }
    Ok(())
}

/// After how many days records go, as a request says. The words of the refusals are guesses.
fn expires_days(given: &RecordExpiration) -> Result<Option<u32>, Error> {
    match (&given.expiration, given.days) {
        (ExpirationState::Enabled, Some(days)) if days >= MIN_DAYS => {
            Ok(Some(u32::try_from(days).unwrap_or_default()))
        }
        (ExpirationState::Enabled, Some(days)) => {
            let message = "Days must be a whole number from 7 to 2147483647.";
            Err(Error::argument("Days", days, message))
        }
        (ExpirationState::Disabled, None) => Ok(None),
        _ => Err(Error::MalformedXML),
    }
}

/// How a table is to be encrypted, as a request says: not at all, by S3, or by a key of KMS in the bucket's region. The words
/// of the refusals are guesses.
fn encryption(
    given: Option<&MetadataTableEncryptionConfiguration>,
    region: &str,
) -> Result<Option<Option<String>>, Error> {
    let Some(given) = given else { return Ok(None) };
    match (&given.sse_algorithm, &given.kms_key_arn) {
        (TableSseAlgorithm::Aes256, None) => Ok(Some(None)),
        (TableSseAlgorithm::AwsKms, Some(key)) => {
            let is_key = |arn: &Arn<'_>| {
                arn.service == "kms" && arn.region == region && arn.resource.starts_with("key/")
            };
            match Arn::parse(key).filter(is_key) {
                Some(_) => Ok(Some(Some(key.clone()))),
                None => {
                    let message =
                        "The KMS key must be named by the ARN of a key in the bucket's Region.";
                    Err(Error::argument("KmsKeyArn", key, message))
                }
            }
        }
        (TableSseAlgorithm::AwsKms, None) => {
            Err(Error::request("A KMS key ARN is required for the encryption type aws:kms."))
        }
        _ => Err(Error::request("A KMS key ARN is not applicable to the encryption type AES256.")),
    }
}

/// A table that is to be made.
fn creating(encryption: Option<Option<String>>) -> TableState {
    TableState { status: Status::Creating, encryption, arn: None }
}

/// Whether the caller may have tables made in the table bucket with an ARN, encrypted with these keys.
pub(super) async fn may_create(
    cx: &Cx,
    table_bucket: &str,
    is_managed: bool,
    tables: &[&TableState],
) -> Result<bool, Error> {
    let table = format!("{table_bucket}/table/*");
    let mut access = Access::to("s3tables:CreateNamespace", table_bucket)
        .and("s3tables:CreateTable", table_bucket)
        .and("s3tables:GetTable", &*table)
        .and("s3tables:PutTablePolicy", &*table);
    if is_managed {
        access = access.and("s3tables:CreateTableBucket", table_bucket);
    }
    if tables.iter().any(|table| table.encryption.is_some()) {
        access = access.and("s3tables:PutTableEncryption", &*table);
    }
    if is_refused(cx.authorise(&access))? {
        return Ok(false);
    }
    for table in tables {
        if let Some(Some(key)) = &table.encryption {
            let principal = cx.request().principal.clone();
            let mut call = cx.prepare(principal, "kms:DescribeKey", json!({"KeyId": key}));
            call.via = Some("s3.amazonaws.com".to_owned());
            if is_refused(cx.cloud().call(call).await.map(|_| ()))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Whether somebody refused, unless it is the cloud that failed.
fn is_refused(outcome: Result<(), Fault>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(false),
        Err(fault) if fault.cause().is_some() => Err(fault.into()),
        Err(_) => Ok(true),
    }
}

/// A bucket that has no metadata configuration of either version.
pub(super) fn unconfigured(cx: &Cx, name: &str, owner: Option<&str>) -> Result<Bucket, Error> {
    cx.read(|tx| {
        let bucket = store::expected_bucket(tx, name, owner)?;
        refuse_second(tx, name)?;
        Ok(bucket)
    })
}

/// Gives a bucket a metadata configuration.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateBucketMetadataConfigurationInput,
) -> Result<CreateBucketMetadataConfigurationOutput, Error> {
    let name = &*input.bucket;
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = unconfigured(cx, name, owner)?;
    let mut row = requested(&input.metadata_configuration, &bucket)?;
    let table_bucket = managed_arn(&bucket.account, &bucket.region);
    let tables: Vec<&TableState> =
        [Some(&row.journal), row.inventory.as_ref(), row.annotation.as_ref()]
            .into_iter()
            .flatten()
            .collect();
    let located = cx.located(&bucket.account, &bucket.region);
    if !may_create(&located, &table_bucket, true, &tables).await? {
        row.fail(Failure::AccessDeniedCreatingResources);
    }
    cx.write(|tx| keep(tx, name, owner, &row)).await?;
    Ok(CreateBucketMetadataConfigurationOutput {})
}

/// The row of a configuration as it is requested.
fn requested(given: &MetadataConfiguration, bucket: &Bucket) -> Result<Configured, Error> {
    let region = &bucket.region;
    let journal = &given.journal_table_configuration;
    let inventory = match &given.inventory_table_configuration {
        Some(given) if given.configuration_state == InventoryConfigurationState::Enabled => {
            Some(creating(encryption(given.encryption_configuration.as_ref(), region)?))
        }
        _ => None,
    };
    let annotations = given.annotation_table_configuration.as_ref();
    let annotation = match annotations {
        Some(given) if given.configuration_state == AnnotationConfigurationState::Enabled => {
            Some(creating(encryption(given.encryption_configuration.as_ref(), region)?))
        }
        _ => None,
    };
    Ok(Configured {
        number: 0,
        customer: None,
        expires_days: expires_days(&journal.record_expiration)?,
        journal: creating(encryption(journal.encryption_configuration.as_ref(), region)?),
        inventory,
        annotation,
        role: annotations.and_then(|given| given.role.clone()),
    })
}

impl Configured {
    /// Notes that the tables cannot be made.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.journal.status = Status::Failed(failure);
        for table in [&mut self.inventory, &mut self.annotation].into_iter().flatten() {
            table.status = Status::Failed(failure);
        }
    }

    /// Whether the journal's table cannot be written any more.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.journal.status, Status::Failed(_))
    }
}

/// Writes a new configuration, and says its number. From now on changes are noted.
pub(super) fn keep(
    tx: &mut WriteTx<'_>,
    name: &str,
    owner: Option<&str>,
    row: &Configured,
) -> Result<u64, Error> {
    let mut bucket = store::expected_bucket(tx, name, owner)?;
    refuse_second(tx, name)?;
    let number = tx.version();
    let row = Configured { number, ..row.clone() };
    CONFIGURED.put(tx, name, &row)?;
    if row.has_failed() {
        return Ok(number);
    }
    let journal = Journal {
        bucket: name.to_owned(),
        bucket_id: bucket.id,
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        table_arn: None,
        is_ended: false,
        delivered: (0, 0),
        batch: None,
        maintained_millis: tx.now().millis(),
    };
    JOURNALS.put(tx, &number, &journal)?;
    bucket.metadata = number;
    BUCKETS.put(tx, name, &bucket)?;
    tx.wake(super::DELIVERY);
    Ok(number)
}

/// Notes that a journal cannot be written any more: nothing is noted for it from now on, and what waits is dropped.
pub(super) fn fail(
    tx: &mut WriteTx<'_>,
    name: &str,
    number: u64,
    failure: Failure,
) -> Result<(), Error> {
    if let Some(journal) = JOURNALS.get(tx, &number)? {
        let lost = Journal { is_ended: true, table_arn: None, ..journal };
        JOURNALS.put(tx, &number, &lost)?;
    }
    if let Some(bucket) = BUCKETS.get(tx, name)?.filter(|bucket| bucket.metadata == number) {
        BUCKETS.put(tx, name, &Bucket { metadata: 0, ..bucket })?;
    }
    let row = CONFIGURED.get(tx, name)?.filter(|row| row.number == number);
    let Some(mut row) = row else { return Ok(()) };
    row.journal.status = Status::Failed(failure);
    for table in [&mut row.inventory, &mut row.annotation].into_iter().flatten() {
        table.status = Status::Failed(Failure::JournalTableNotAvailable);
    }
    for kind in live::LIVE {
        live::forget(tx, number, kind)?;
    }
    Ok(CONFIGURED.put(tx, name, &row)?)
}

/// Shows a configuration of either version.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetBucketMetadataConfigurationInput,
) -> Result<GetBucketMetadataConfigurationOutput, Error> {
    let name = &*input.bucket;
    let bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let row = configured(tx, name)?;
    let result = results::of_configuration(name, &bucket, &row);
    Ok(GetBucketMetadataConfigurationOutput {
        get_bucket_metadata_configuration_result: Some(GetBucketMetadataConfigurationResult {
            metadata_configuration_result: Some(result),
        }),
    })
}

/// Removes a configuration of either version. Its tables stay, and what happened before is still written to the journal.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteBucketMetadataConfigurationInput,
) -> Result<DeleteBucketMetadataConfigurationOutput, Error> {
    let name = &*input.bucket;
    let bucket = store::expected_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    configured(tx, name)?;
    end(tx, name, bucket)?;
    Ok(DeleteBucketMetadataConfigurationOutput {})
}

/// Ends the configuration of a bucket that stays.
pub(super) fn end(tx: &mut WriteTx<'_>, name: &str, mut bucket: Bucket) -> Result<(), Error> {
    forget(tx, name)?;
    bucket.metadata = 0;
    Ok(BUCKETS.put(tx, name, &bucket)?)
}

/// Removes the configuration of a bucket, if it has one.
pub(crate) fn forget(tx: &mut WriteTx<'_>, name: &str) -> Result<(), Error> {
    let Some(row) = CONFIGURED.get(tx, name)? else { return Ok(()) };
    CONFIGURED.delete(tx, name)?;
    for kind in live::LIVE {
        live::forget(tx, row.number, kind)?;
    }
    if let Some(journal) = JOURNALS.get(tx, &row.number)? {
        JOURNALS.put(tx, &row.number, &Journal { is_ended: true, ..journal })?;
        tx.wake(super::DELIVERY);
    }
    Ok(())
}

/// A configuration of the second version, which alone can be changed.
fn changeable(tx: &(impl Tx + ?Sized), name: &str) -> Result<Configured, Error> {
    let row = configured(tx, name)?;
    match row.customer {
        None => Ok(row),
        // AWS's guide says that these cannot be changed; the error is a guess.
        Some(_) => Err(results::not_allowed(tx)),
    }
}

/// Sets after how many days records go.
pub(crate) fn update_journal(
    tx: &mut WriteTx<'_>,
    input: UpdateBucketMetadataJournalTableConfigurationInput,
) -> Result<UpdateBucketMetadataJournalTableConfigurationOutput, Error> {
    let name = &*input.bucket;
    store::expected_shared_bucket(tx, name, input.expected_bucket_owner.as_deref())?;
    let mut row = changeable(tx, name)?;
    row.expires_days = expires_days(&input.journal_table_configuration.record_expiration)?;
    CONFIGURED.put(tx, name, &row)?;
    Ok(UpdateBucketMetadataJournalTableConfigurationOutput {})
}

/// Which of the tables that may be there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Optional {
    Inventory,
    Annotation,
}

impl Optional {
    fn kind(self) -> Kind {
        match self {
            Optional::Inventory => Kind::Inventory,
            Optional::Annotation => Kind::Annotation,
        }
    }

    fn of(self, row: &mut Configured) -> &mut Option<TableState> {
        match self {
            Optional::Inventory => &mut row.inventory,
            Optional::Annotation => &mut row.annotation,
        }
    }
}

/// Enables or disables the inventory table.
pub(crate) async fn update_inventory(
    cx: &Cx,
    input: UpdateBucketMetadataInventoryTableConfigurationInput,
) -> Result<UpdateBucketMetadataInventoryTableConfigurationOutput, Error> {
    let given = &input.inventory_table_configuration;
    let asked = Asked {
        which: Optional::Inventory,
        is_enabled: given.configuration_state == InventoryConfigurationState::Enabled,
        encryption: given.encryption_configuration.as_ref(),
        role: None,
    };
    update(cx, (&input.bucket, input.expected_bucket_owner.as_deref()), &asked).await?;
    Ok(UpdateBucketMetadataInventoryTableConfigurationOutput {})
}

/// Enables or disables the annotation table, or gives it another role.
pub(crate) async fn update_annotation(
    cx: &Cx,
    input: UpdateBucketMetadataAnnotationTableConfigurationInput,
) -> Result<UpdateBucketMetadataAnnotationTableConfigurationOutput, Error> {
    let given = &input.annotation_table_configuration;
    let asked = Asked {
        which: Optional::Annotation,
        is_enabled: given.configuration_state == AnnotationConfigurationState::Enabled,
        encryption: given.encryption_configuration.as_ref(),
        role: given.role.as_deref(),
    };
    update(cx, (&input.bucket, input.expected_bucket_owner.as_deref()), &asked).await?;
    Ok(UpdateBucketMetadataAnnotationTableConfigurationOutput {})
}

/// What an update asks for.
struct Asked<'a> {
    which: Optional,
    is_enabled: bool,
    encryption: Option<&'a MetadataTableEncryptionConfiguration>,
    role: Option<&'a str>,
}

async fn update(
    cx: &Cx,
    (name, owner): (&str, Option<&str>),
    asked: &Asked<'_>,
) -> Result<(), Error> {
    let bucket = cx.read(|tx| {
        let bucket = store::expected_bucket(tx, name, owner)?;
        changeable(tx, name)?;
        Ok::<_, Error>(bucket)
    })?;
    let mut table = creating(encryption(asked.encryption, &bucket.region)?);
    if asked.is_enabled {
        let located = cx.located(&bucket.account, &bucket.region);
        let table_bucket = managed_arn(&bucket.account, &bucket.region);
        if !may_create(&located, &table_bucket, true, &[&table]).await? {
            table.status = Status::Failed(Failure::AccessDeniedCreatingResources);
        }
    }
    cx.write(|tx| {
        store::expected_shared_bucket(tx, name, owner)?;
        let mut row = changeable(tx, name)?;
        let (number, has_failed) = (row.number, row.has_failed());
        let kept = asked.which.of(&mut row);
        match asked.is_enabled {
            false => {
                *kept = None;
                live::forget(tx, number, asked.which.kind())?;
            }
            // It is there, or will be, and its encryption is for ever.
            true if kept.is_some() => {}
            true if has_failed => {
                let status = Status::Failed(Failure::JournalTableNotAvailable);
                *kept = Some(TableState { status, ..table.clone() });
            }
            true => *kept = Some(table.clone()),
        }
        if let Some(role) = asked.role {
            row.role = Some(role.to_owned());
        }
        CONFIGURED.put(tx, name, &row)?;
        tx.wake(super::DELIVERY);
        Ok(())
    })
    .await
}
