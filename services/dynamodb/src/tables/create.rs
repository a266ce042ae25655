//! `CreateTable`.

use fogbank_core::{Cx, Timestamp, Tx, WriteTx};

use super::{describe, rules};
use crate::definition::Definition;
use crate::encryption::{self, Fresh};
use crate::error::{Error, Result};
use crate::model::{
    AttributeDefinition, BillingMode, CreateTableInput, CreateTableOutput, KeySchemaElement,
    Projection, SSESpecification, SSEType, StreamSpecification,
};
use crate::names::{self, TableName};
use crate::store::{self, IndexRow, KeyRow, StreamRow, TableRow};
use crate::tags;

/// How many tables an account may have in a region.
const MAX_TABLES: usize = 2500;

/// Creates a table, and the data key of its rows if the request names a key of KMS.
pub(crate) async fn create(cx: &Cx, input: CreateTableInput) -> Result<CreateTableOutput> {
    let (name, given) = given(&input)?;
    check(&input, &given)?;
    let fresh = match encryption_key(input.sse_specification.as_ref()) {
        // A table that is there already is for the transaction to find.
        Some(key_id) if cx.read(|tx| store::find(tx, name))?.is_none() => {
            let account = name.account.unwrap_or(cx.account());
            let at = (account, name.region.unwrap_or(cx.region()), name.name);
            Some(encryption::fresh(cx, at, &key_id).await?)
        }
        _ => None,
    };
    cx.write(|tx| create_in(tx, &input, fresh.as_ref())).await
}

fn create_in(
    tx: &mut WriteTx<'_>,
    input: &CreateTableInput,
    fresh: Option<&Fresh>,
) -> Result<CreateTableOutput> {
    let (name, given) = given(input)?;
    let key = check(input, &given)?;
    let (account, region) = (
        name.account.unwrap_or(tx.account()).to_owned(),
        name.region.unwrap_or(tx.region()).to_owned(),
    );
    let name = name.name.to_owned();
    if store::find(tx, TableName { account: Some(&account), region: Some(&region), name: &name })?
        .is_some()
    {
        return Err(Error::ResourceInUseException(format!("Table already exists: {name}")));
    }
    if store::count_tables(tx, MAX_TABLES)? >= MAX_TABLES {
        return Err(Error::LimitExceededException(format!(
            "Subscriber limit exceeded: There is a limit of {MAX_TABLES} tables per subscriber"
        )));
    }
    let mut row = row(tx, input, &given, name, key)?;
    if let Some(fresh) = fresh {
        fresh.put_into(tx, &mut row);
    }
    store::put_table(tx, &account, &region, &row)?;
    let table = Definition::new(&account, &region, row)?;
    let description = describe::description(&tx.as_read(), &table, "CREATING")?;
    Ok(CreateTableOutput { table_description: Some(description) })
}

/// What a definition must have.
struct Given<'a> {
    attributes: &'a [AttributeDefinition],
    key: &'a [KeySchemaElement],
}

/// Takes from a request what it must have.
fn given(input: &CreateTableInput) -> Result<(TableName<'_>, Given<'_>)> {
    let Some(text) = input.table_name.as_deref() else {
        return TableName::of_control(None).map(|name| (name, Given { attributes: &[], key: &[] }));
    };
    let name = TableName::of(text);
    let mut broken = name.violations(text);
    let members = [
        ("attributeDefinitions", input.attribute_definitions.is_none()),
        ("keySchema", input.key_schema.is_none()),
    ];
    for (member, _) in members.iter().filter(|(_, is_missing)| *is_missing) {
        broken.push(format!(
            "Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ));
    }
    match (&input.attribute_definitions, &input.key_schema) {
        (Some(attributes), Some(key)) if broken.is_empty() => Ok((name, Given { attributes, key })),
        _ => Err(names::violated(&broken)),
    }
}

/// Refuses a definition that contradicts itself. The order is AWS's.
fn check(input: &CreateTableInput, given: &Given<'_>) -> Result<KeyRow> {
    rules::check_key_length(given.key)?;
    let is_on_demand = input.billing_mode == Some(BillingMode::PayPerRequest);
    match &input.provisioned_throughput {
        Some(_) if is_on_demand => {
            return Err(Error::parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        None if !is_on_demand => {
            return Err(Error::parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            ));
        }
        Some(throughput) => rules::check_units(throughput)?,
        None => {}
    }
    let attributes = given.attributes;
    if given.key.len() > attributes.len() {
        return Err(Error::invalid(
            "Invalid KeySchema: Some index key attribute have no definition",
        ));
    }
    rules::check_declarations(attributes)?;
    rules::check_declared(given.key, attributes)?;
    let key = rules::key(given.key)?;
    check_local_indexes(input, attributes, &key)?;
    check_global_indexes(input, attributes, is_on_demand)?;
    check_unused(input, given)?;
    if input.vector_indexes.as_ref().is_some_and(|indexes| !indexes.is_empty()) {
        return Err(Error::invalid("VectorIndexes are not supported by this endpoint"));
    }
    check_stream(input.stream_specification.as_ref())?;
    check_encryption(input.sse_specification.as_ref())?;
    tags::check(input.tags.as_deref().unwrap_or_default())?;
    Ok(key)
}

fn check_local_indexes(
    input: &CreateTableInput,
    attributes: &[AttributeDefinition],
    key: &KeyRow,
) -> Result<()> {
    let Some(indexes) = &input.local_secondary_indexes else { return Ok(()) };
    if indexes.is_empty() {
        return Err(Error::parameter("List of LocalSecondaryIndexes is empty"));
    }
    if key.sort.is_none() {
        return Err(Error::parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ));
    }
    for index in indexes {
        rules::check_local(index, key, attributes)?;
    }
    rules::check_names(indexes.iter().map(|index| index.index_name.as_str()))?;
    if indexes.len() > rules::MAX_LOCAL_INDEXES {
        return Err(Error::parameter(
            "Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ));
    }
    Ok(())
}

fn check_global_indexes(
    input: &CreateTableInput,
    attributes: &[AttributeDefinition],
    is_on_demand: bool,
) -> Result<()> {
    let Some(indexes) = &input.global_secondary_indexes else { return Ok(()) };
    if indexes.is_empty() {
        return Err(Error::parameter("List of GlobalSecondaryIndexes is empty"));
    }
    for index in indexes {
        rules::check_global(index, attributes, is_on_demand)?;
    }
    let local = input.local_secondary_indexes.iter().flatten();
    let local = local.map(|index| (index.index_name.as_str(), &index.projection));
    let global = indexes.iter().map(|index| (index.index_name.as_str(), &index.projection));
    let all: Vec<_> = local.chain(global).collect();
    rules::check_names(all.iter().map(|(name, _)| *name))?;
    if indexes.len() > rules::MAX_GLOBAL_INDEXES {
        return Err(Error::parameter(
            "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ));
    }
    let projected = all.iter().filter_map(|(_, projection)| projection.non_key_attributes.as_ref());
    rules::check_projected(projected.map(Vec::len).sum())
}

/// Refuses attributes that are declared and are in no key.
fn check_unused(input: &CreateTableInput, given: &Given<'_>) -> Result<()> {
    let local = input.local_secondary_indexes.iter().flatten().map(|index| &index.key_schema);
    let global = input.global_secondary_indexes.iter().flatten().map(|index| &index.key_schema);
    let keys: Vec<&str> = given
        .key
        .iter()
        .chain(local.chain(global).flatten())
        .map(|element| element.attribute_name.as_str())
        .collect();
    let mut declared = given.attributes.iter();
    if declared.all(|attribute| keys.contains(&attribute.attribute_name.as_str())) {
        return Ok(());
    }
    if input.local_secondary_indexes.is_none() && input.global_secondary_indexes.is_none() {
        return Err(Error::parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    let list = |names: Vec<&str>| names.join(", ");
    let declared = given.attributes.iter();
    let declared = declared.map(|attribute| attribute.attribute_name.as_str()).collect();
    let mut keys = keys;
    keys.sort_unstable();
    keys.dedup();
    Err(Error::parameter(format!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        list(declared),
        list(keys)
    )))
}

fn row(
    tx: &WriteTx<'_>,
    input: &CreateTableInput,
    given: &Given<'_>,
    name: String,
    key: KeyRow,
) -> Result<TableRow> {
    let is_on_demand = input.billing_mode == Some(BillingMode::PayPerRequest);
    let now = tx.now();
    let mut numbers = 1..;
    let mut next_id = || store::new_id(tx, numbers.next().unwrap_or_default());
    let local = input.local_secondary_indexes.iter().flatten();
    let local_indexes = local
        .map(|index| index_row(next_id(), &index.index_name, &index.key_schema, &index.projection))
        .collect::<Result<_>>()?;
    let global = input.global_secondary_indexes.iter().flatten();
    let global_indexes = global
        .map(|index| {
            let row =
                index_row(next_id(), &index.index_name, &index.key_schema, &index.projection)?;
            let throughput = rules::throughput(index.provisioned_throughput.as_ref());
            let on_demand_limits = rules::limits(index.on_demand_throughput.as_ref());
            Ok(IndexRow { throughput, on_demand_limits, ..row })
        })
        .collect::<Result<_>>()?;
    let tags = input.tags.iter().flatten();
    Ok(TableRow {
        id: store::new_id(tx, 0),
        uuid: tx.ids().uuid(),
        name,
        created_millis: now.millis(),
        attributes: given
            .attributes
            .iter()
            .map(|attribute| {
                (attribute.attribute_name.clone(), attribute.attribute_type.as_str().to_owned())
            })
            .collect(),
        key,
        local_indexes,
        global_indexes,
        is_on_demand,
        on_demand_since_millis: is_on_demand.then_some(now.millis()),
        throughput: rules::throughput(input.provisioned_throughput.as_ref()),
        on_demand_limits: rules::limits(input.on_demand_throughput.as_ref()),
        stream: stream(input.stream_specification.as_ref(), now),
        encryption_key: encryption_key(input.sse_specification.as_ref()),
        class: input.table_class.map(|class| class.as_str().to_owned()),
        class_changed_millis: None,
        is_protected: input.deletion_protection_enabled.unwrap_or_default(),
        expiry_attribute: None,
        tags: tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        data_keys: Vec::new(),
        inaccessible_millis: None,
    })
}

/// An index that is ready from the start.
pub(super) fn index_row(
    id: u64,
    name: &str,
    key: &[KeySchemaElement],
    projection: &Projection,
) -> Result<IndexRow> {
    let (projection, non_key_attributes) = rules::projection(projection)?;
    Ok(IndexRow {
        id,
        name: name.to_owned(),
        key: rules::key(key)?,
        projection,
        non_key_attributes,
        throughput: store::ThroughputRow::default(),
        on_demand_limits: None,
        is_filling: false,
    })
}

/// Refuses a stream that does not say what it shows.
pub(super) fn check_stream(wire: Option<&StreamSpecification>) -> Result<()> {
    match wire {
        Some(stream) if stream.stream_enabled && stream.stream_view_type.is_none() => {
            Err(Error::parameter("StreamViewType is required when StreamEnabled is true"))
        }
        Some(stream) if !stream.stream_enabled && stream.stream_view_type.is_some() => {
            Err(Error::parameter("StreamViewType is not allowed when StreamEnabled is false"))
        }
        _ => Ok(()),
    }
}

/// The stream that a request enables.
pub(super) fn stream(wire: Option<&StreamSpecification>, now: Timestamp) -> Option<StreamRow> {
    let wire = wire.filter(|wire| wire.stream_enabled)?;
    Some(StreamRow {
        is_enabled: true,
        view: wire.stream_view_type?.as_str().to_owned(),
        label: describe::stream_label(now),
    })
}

/// Refuses a specification of encryption that contradicts itself.
pub(super) fn check_encryption(wire: Option<&SSESpecification>) -> Result<()> {
    let Some(wire) = wire else { return Ok(()) };
    let refuse = |what: &str| Err(Error::parameter(what));
    match (wire.enabled == Some(true), wire.sse_type, &wire.kms_master_key_id) {
        (false, Some(_), _) => refuse("SSEType can not be specified if Enabled is false"),
        (false, _, Some(_)) => refuse("KMSMasterKeyId can not be specified if Enabled is false"),
        (true, Some(SSEType::Aes256), _) => refuse("SSEType AES256 is not supported"),
        (true, None, Some(_)) => refuse("SSEType KMS is required if KMSMasterKeyId is specified"),
        _ => Ok(()),
    }
}

/// The key of KMS that a request names; empty: DynamoDB's key in KMS.
pub(super) fn encryption_key(wire: Option<&SSESpecification>) -> Option<String> {
    let wire = wire.filter(|wire| wire.enabled == Some(true))?;
    Some(wire.kms_master_key_id.clone().unwrap_or_default())
}
