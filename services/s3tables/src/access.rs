//! What a call must be allowed to do, as the Service Authorization Reference says.
//!
//! A table is authorised by its ARN, which has its id in it. Where there is no such table, the call must be allowed on all
//! tables of the bucket, so that refusals do not tell which tables there are.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, arn};

use crate::model::*;
use crate::store::{self, BUCKETS, NAMES, TABLES};

type Allowed = Result<Access, Fault>;

const NAMESPACE: &str = "s3tables:namespace";
const TABLE: &str = "s3tables:tableName";
const ALGORITHM: &str = "s3tables:SSEAlgorithm";
const KEY: &str = "s3tables:KMSKeyArn";
const CLASS: &str = "s3tables:StorageClass";

/// An action that AWS defines on no table bucket.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Allowed {
    Ok(Access::on_all())
}

/// An action on a table bucket, with the namespace where one is named.
pub(crate) fn bucket(_: &Request, input: &dyn Struct) -> Allowed {
    Ok(Access::on(input.text("tableBucketARN").unwrap_or_default()).refined(bucket_tags))
}

/// An action on a table bucket for one of its namespaces.
pub(crate) fn namespace(request: &Request, input: &dyn Struct) -> Allowed {
    let access = bucket(request, input)?;
    Ok(match input.text("namespace") {
        Some(name) => access.with(NAMESPACE, [name.to_owned()]),
        None => access,
    })
}

/// The ARN that stands for all tables of a bucket.
fn any_table(bucket: &str) -> String {
    format!("{bucket}/table/*")
}

/// An action on the table that the input names by its bucket, namespace and name, or by its ARN.
pub(crate) fn table(_: &Request, input: &dyn Struct) -> Allowed {
    if let Some(arn) = input.text("tableArn") {
        return Ok(Access::on(arn)
            .located(|tx, input, checks| name(tx, input, checks))
            .refined(bucket_tags));
    }
    let text = |name| input.text(name).unwrap_or_default().to_owned();
    let access = Access::on(any_table(&text("tableBucketARN")))
        .with(NAMESPACE, [text("namespace")])
        .with(TABLE, [text("name")]);
    Ok(access.located(|tx, input, checks| locate(tx, input, checks)).refined(bucket_tags))
}

/// Puts the ARN of the table in place of that of all tables.
fn locate(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let text = |name| input.text(name).unwrap_or_default();
    put_arn(tx, (text("tableBucketARN"), text("namespace"), text("name")), checks)
}

/// Puts the ARN of a table in place of that of all tables.
fn put_arn(
    tx: &ReadTx<'_>,
    (bucket, namespace, table): (&str, &str, &str),
    checks: &mut [Check],
) -> Result<(), Fault> {
    let Some((account, region, name, None)) = store::parse(bucket) else { return Ok(()) };
    let key = (account, region, name, namespace, table);
    if let Some(row) = TABLES.get(tx, &key)? {
        let arn = store::table_arn((account, region, name), &row.id);
        for check in checks {
            check.resource.clone_from(&arn);
        }
    }
    Ok(())
}

/// Adds what the table with an ARN is called.
fn name(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let arn = input.text("tableArn").or_else(|| input.text("resourceArn")).unwrap_or_default();
    let Some((account, region, bucket, Some(id))) = store::parse(arn) else { return Ok(()) };
    if let Some(named) = NAMES.get(tx, &(account, region, bucket, id))? {
        for check in checks {
            check.context.push((NAMESPACE.into(), vec![named.namespace.clone()]));
            check.context.push((TABLE.into(), vec![named.name.clone()]));
        }
    }
    Ok(())
}

/// Adds how something is to be encrypted.
fn encrypted(access: Access, given: &EncryptionConfiguration) -> Access {
    let access = access.with(ALGORITHM, [given.sse_algorithm.as_str().to_owned()]);
    match &given.kms_key_arn {
        Some(key) => access.with(KEY, [key.clone()]),
        None => access,
    }
}

/// Creating a table bucket, with what else the caller asks for.
pub(crate) fn create_bucket(request: &Request, input: &dyn Struct) -> Allowed {
    let Some(input) = input.downcast_ref::<CreateTableBucketInput>() else {
        return Ok(Access::on_all());
    };
    let resource = format!("bucket/{}", input.name);
    let arn = arn::arn("s3tables", &request.region, &request.account, resource);
    let mut access = Access::on(arn.clone());
    if let Some(given) = &input.encryption_configuration {
        access = encrypted(access.and("s3tables:PutTableBucketEncryption", arn.clone()), given);
    }
    if let Some(given) = &input.storage_class_configuration {
        access = access
            .and("s3tables:PutTableBucketStorageClass", arn.clone())
            .last_with(CLASS, [given.storage_class.as_str().to_owned()]);
    }
    if let Some(tags) = input.tags.as_ref().filter(|tags| !tags.is_empty()) {
        let mut tagging = Access::to("s3tables:TagResource", arn).with_tags(tags);
        access.checks[0].context.extend(tagging.checks[0].context.clone());
        access.checks.append(&mut tagging.checks);
    }
    Ok(access)
}

/// Creating a table, with what else the caller asks for.
pub(crate) fn create_table(request: &Request, input: &dyn Struct) -> Allowed {
    let mut access = namespace(request, input)?;
    let Some(input) = input.downcast_ref::<CreateTableInput>() else { return Ok(access) };
    let new = any_table(&input.table_bucket_arn);
    let named = |access: Access, action: &'static str| {
        access
            .and(action, new.clone())
            .last_with(NAMESPACE, [input.namespace.clone()])
            .last_with(TABLE, [input.name.clone()])
    };
    if let Some(given) = &input.encryption_configuration {
        access = encrypted(named(access, "s3tables:PutTableEncryption"), given);
    }
    if input.metadata.is_some() {
        access = named(access, "s3tables:PutTableData");
    }
    if let Some(given) = &input.storage_class_configuration {
        access = named(access, "s3tables:PutTableStorageClass")
            .last_with(CLASS, [given.storage_class.as_str().to_owned()]);
    }
    if let Some(tags) = input.tags.as_ref().filter(|tags| !tags.is_empty()) {
        let mut tagging = Access::to("s3tables:TagResource", new.clone()).with_tags(tags);
        access.checks[0].context.extend(tagging.checks[0].context.clone());
        access.checks.append(&mut tagging.checks);
    }
    Ok(access)
}

/// Setting how new tables of a bucket are encrypted.
pub(crate) fn put_encryption(request: &Request, input: &dyn Struct) -> Allowed {
    let access = bucket(request, input)?;
    Ok(match input.downcast_ref::<PutTableBucketEncryptionInput>() {
        Some(input) => encrypted(access, &input.encryption_configuration),
        None => access,
    })
}

/// Setting the storage class of new tables of a bucket.
pub(crate) fn put_class(request: &Request, input: &dyn Struct) -> Allowed {
    let access = bucket(request, input)?;
    Ok(match input.downcast_ref::<PutTableBucketStorageClassInput>() {
        Some(input) => {
            let class = input.storage_class_configuration.storage_class.as_str();
            access.with(CLASS, [class.to_owned()])
        }
        None => access,
    })
}

/// An action on the table bucket or table with an ARN, with the tags that are given or named.
pub(crate) fn resource(_: &Request, input: &dyn Struct) -> Allowed {
    let access = Access::on(input.text("resourceArn").unwrap_or_default());
    let access = access.located(|tx, input, checks| name(tx, input, checks)).refined(bucket_tags);
    if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        return Ok(access.with_tags(&input.tags));
    }
    Ok(match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    })
}

/// Adds the tags of the table bucket that a check is about: `s3tables:TableBucketTag/…`.
fn bucket_tags(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    for check in checks {
        let Some((account, region, name, _)) = store::parse(&check.resource) else { continue };
        let Some(bucket) = BUCKETS.get(tx, &(account, region, name))? else { continue };
        for (key, value) in bucket.tags {
            check.context.push((format!("s3tables:TableBucketTag/{key}").into(), vec![value]));
        }
    }
    Ok(())
}

/// Several actions on the table that the path of a request of the catalog names.
fn of_catalog(input: &dyn Struct, actions: &[&'static str]) -> Allowed {
    let text = |name| input.text(name).unwrap_or_default().to_owned();
    let table = any_table(&text("tableBucketARN"));
    let access = actions
        .iter()
        .fold(Access::default(), |access, action| access.and(*action, table.clone()))
        .with(NAMESPACE, [text("namespace")])
        .with(TABLE, [text("name")]);
    Ok(access.located(|tx, input, checks| locate(tx, input, checks)).refined(bucket_tags))
}

/// An action on the table bucket that stands in front of a path of the catalog.
pub(crate) fn catalog_bucket(action: &'static str, input: &dyn Struct) -> Allowed {
    let access = Access::to(action, input.text("tableBucketARN").unwrap_or_default());
    Ok(access.refined(bucket_tags))
}

/// The same for the namespace in a path.
pub(crate) fn catalog_namespace(action: &'static str, input: &dyn Struct) -> Allowed {
    let access = catalog_bucket(action, input)?;
    Ok(match input.text("namespace") {
        Some(name) => access.with(NAMESPACE, [name.to_owned()]),
        None => access,
    })
}

/// Creating a table by the catalog.
pub(crate) fn catalog_create(_: &Request, input: &dyn Struct) -> Allowed {
    let access = catalog_namespace("s3tables:CreateTable", input)?;
    let text = |name| input.text(name).unwrap_or_default().to_owned();
    Ok(access
        .and("s3tables:PutTableData", any_table(&text("tableBucketARN")))
        .last_with(NAMESPACE, [text("namespace")])
        .last_with(TABLE, [text("name")]))
}

/// Loading a table.
pub(crate) fn catalog_load(_: &Request, input: &dyn Struct) -> Allowed {
    of_catalog(input, &["s3tables:GetTableMetadataLocation", "s3tables:GetTableData"])
}

/// Changing a table.
pub(crate) fn catalog_commit(_: &Request, input: &dyn Struct) -> Allowed {
    const ACTIONS: [&str; 3] =
        ["s3tables:UpdateTableMetadataLocation", "s3tables:PutTableData", "s3tables:GetTableData"];
    of_catalog(input, &ACTIONS)
}

/// One action on the table in a path.
pub(crate) fn catalog_table(action: &'static str, input: &dyn Struct) -> Allowed {
    of_catalog(input, &[action])
}

/// Renaming the table that the body names.
pub(crate) fn catalog_rename(_: &Request, input: &dyn Struct) -> Allowed {
    let Some(input) = input.downcast_ref::<IcebergRenameTableInput>() else {
        return Ok(Access::on_all());
    };
    let namespace = input.source.namespace.first().cloned().unwrap_or_default();
    let access = Access::to("s3tables:RenameTable", any_table(&input.table_bucket_arn))
        .with(NAMESPACE, [namespace])
        .with(TABLE, [input.source.name.clone()]);
    Ok(access.located(|tx, input, checks| locate_source(tx, input, checks)).refined(bucket_tags))
}

/// Puts the ARN of the table that is to be renamed in place of that of all tables.
fn locate_source(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let Some(input) = input.downcast_ref::<IcebergRenameTableInput>() else { return Ok(()) };
    let namespace = input.source.namespace.first().map_or("", |name| name);
    put_arn(tx, (&input.table_bucket_arn, namespace, &input.source.name), checks)
}
