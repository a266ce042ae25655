//! `DescribeTable`, and the description that all operations on tables answer with.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp};

use crate::definition::Definition;
use crate::encryption;
use crate::error::Result;
use crate::keys::KeyRange;
use crate::model::{
    AttributeDefinition, BillingMode, BillingModeSummary, DescribeTableInput, DescribeTableOutput,
    GlobalSecondaryIndexDescription, GlobalSecondaryIndexWarmThroughputDescription,
    KeySchemaElement, KeyType, LocalSecondaryIndexDescription, OnDemandThroughput, Projection,
    ProjectionType, ProvisionedThroughputDescription, SSEDescription, SSEType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableClass, TableClassSummary, TableDescription,
    TableWarmThroughputDescription,
};
use crate::store::{self, IndexRow, KeyRow, TableRow, ThroughputRow};

/// Up to so many rows are counted when a table is described; larger tables show when they were last counted.
const COUNTED_ROWS: u64 = 1000;
/// The same in bytes.
const COUNTED_BYTES: u64 = 512 * 1024;
/// Reads and writes a second that a table billed by the request can do from its start.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html>
const WARM_ON_DEMAND: (i64, i64) = (12_000, 4_000);

/// Describes a table.
pub(crate) fn describe(tx: &ReadTx<'_>, input: DescribeTableInput) -> Result<DescribeTableOutput> {
    let table = super::find(tx, input.table_name.as_deref())?;
    let is_updating = table.indexes.iter().any(|index| index.is_filling);
    let status = if is_updating { "UPDATING" } else { "ACTIVE" };
    Ok(DescribeTableOutput { table: Some(description(tx, &table, status)?) })
}

/// The status of a global index while its table has the given one.
fn status_of_index(table_status: &str, index: &IndexRow) -> &'static str {
    match table_status {
        "CREATING" => "CREATING",
        "DELETING" => "DELETING",
        _ if index.is_filling => "CREATING",
        _ => "ACTIVE",
    }
}

/// A table's description.
pub(super) fn description(
    tx: &ReadTx<'_>,
    table: &Definition,
    status: &str,
) -> Result<TableDescription> {
    let row = &table.row;
    let arn = table.arn();
    let (items, bytes) = contents(tx, row.id)?;
    let local = row.local_indexes.iter().map(|index| local_index(tx, &arn, index));
    let local = local.collect::<Result<Vec<_>>>()?;
    let global = row.global_indexes.iter().map(|index| {
        global_index(tx, &arn, index, row.is_on_demand, status_of_index(status, index))
    });
    let global = global.collect::<Result<Vec<_>>>()?;
    Ok(TableDescription {
        attribute_definitions: Some(attributes(row)),
        table_name: Some(row.name.clone()),
        key_schema: Some(key_schema(&row.key)),
        table_status: Some(match row.inaccessible_millis {
            Some(_) if status == "ACTIVE" => "INACCESSIBLE_ENCRYPTION_CREDENTIALS".to_owned(),
            _ => status.to_owned(),
        }),
        creation_date_time: Some(Timestamp::from_millis(row.created_millis)),
        provisioned_throughput: Some(throughput(&row.throughput)),
        table_size_bytes: Some(bytes),
        item_count: Some(items),
        table_id: Some(row.uuid.clone()),
        billing_mode_summary: billing(row),
        local_secondary_indexes: (!local.is_empty()).then_some(local),
        global_secondary_indexes: (!global.is_empty()).then_some(global),
        stream_specification: stream(row),
        latest_stream_label: row.stream.as_ref().map(|stream| stream.label.clone()),
        latest_stream_arn: row
            .stream
            .as_ref()
            .map(|stream| format!("{arn}/stream/{}", stream.label)),
        sse_description: encryption(table),
        table_class_summary: class(row),
        deletion_protection_enabled: Some(row.is_protected),
        on_demand_throughput: limits(row.on_demand_limits),
        warm_throughput: Some(warm(row)),
        table_arn: Some(arn),
        ..TableDescription::default()
    })
}

/// How many rows lie under a number, and their size: counted if they are few, else as they were last counted.
fn contents(tx: &ReadTx<'_>, id: u64) -> Result<(i64, i64)> {
    let (mut items, mut bytes) = (0_u64, 0_u64);
    let range = KeyRange::of_prefix(id.to_be_bytes().to_vec());
    let mut is_large = false;
    store::scan_stored(tx, &range, false, |_, row| {
        items += 1;
        bytes += encryption::size_of(row).unwrap_or(row.len()) as u64;
        is_large = items > COUNTED_ROWS || bytes > COUNTED_BYTES;
        if is_large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if is_large && let Some(counted) = store::counted(tx, id)? {
        (items, bytes) = (counted.items.max(items), counted.bytes.max(bytes));
    }
    Ok((items.cast_signed(), bytes.cast_signed()))
}

fn attributes(row: &TableRow) -> Vec<AttributeDefinition> {
    row.attributes
        .iter()
        .map(|(name, kind)| AttributeDefinition {
            attribute_name: name.clone(),
            attribute_type: ScalarAttributeType::from_name(kind).unwrap_or_default(),
        })
        .collect()
}

fn key_schema(key: &KeyRow) -> Vec<KeySchemaElement> {
    let element =
        |name: &String, key_type| KeySchemaElement { attribute_name: name.clone(), key_type };
    let mut schema = vec![element(&key.partition, KeyType::Hash)];
    schema.extend(key.sort.as_ref().map(|name| element(name, KeyType::Range)));
    schema
}

fn throughput(row: &ThroughputRow) -> ProvisionedThroughputDescription {
    ProvisionedThroughputDescription {
        last_increase_date_time: row.raised_millis.map(Timestamp::from_millis),
        last_decrease_date_time: row.lowered_millis.map(Timestamp::from_millis),
        number_of_decreases_today: Some(0),
        read_capacity_units: Some(row.read_units),
        write_capacity_units: Some(row.write_units),
    }
}

fn billing(row: &TableRow) -> Option<BillingModeSummary> {
    // A table that was never billed by the request does not say how it is billed.
    let since = row.on_demand_since_millis?;
    let mode = if row.is_on_demand { BillingMode::PayPerRequest } else { BillingMode::Provisioned };
    Some(BillingModeSummary {
        billing_mode: Some(mode),
        last_update_to_pay_per_request_date_time: Some(Timestamp::from_millis(since)),
    })
}

fn limits(row: Option<(Option<i64>, Option<i64>)>) -> Option<OnDemandThroughput> {
    row.map(|(reads, writes)| OnDemandThroughput {
        max_read_request_units: reads,
        max_write_request_units: writes,
    })
}

fn warm_units(is_on_demand: bool, throughput: &ThroughputRow) -> (i64, i64) {
    if is_on_demand {
        return WARM_ON_DEMAND;
    }
    (throughput.read_units, throughput.write_units)
}

fn warm(row: &TableRow) -> TableWarmThroughputDescription {
    let (reads, writes) = warm_units(row.is_on_demand, &row.throughput);
    TableWarmThroughputDescription {
        read_units_per_second: Some(reads),
        write_units_per_second: Some(writes),
        status: Some("ACTIVE".to_owned()),
    }
}

fn stream(row: &TableRow) -> Option<StreamSpecification> {
    let stream = row.stream.as_ref().filter(|stream| stream.is_enabled)?;
    let view = StreamViewType::from_name(&stream.view);
    Some(StreamSpecification { stream_enabled: true, stream_view_type: view })
}

fn encryption(table: &Definition) -> Option<SSEDescription> {
    let arn = encryption::shown_key(table)?;
    Some(SSEDescription {
        status: Some("ENABLED".to_owned()),
        sse_type: Some(SSEType::Kms),
        kms_master_key_arn: Some(arn),
        inaccessible_encryption_date_time: table
            .row
            .inaccessible_millis
            .map(Timestamp::from_millis),
    })
}

fn class(row: &TableRow) -> Option<TableClassSummary> {
    let class = TableClass::from_name(row.class.as_ref()?)?;
    Some(TableClassSummary {
        table_class: Some(class),
        last_update_date_time: row.class_changed_millis.map(Timestamp::from_millis),
    })
}

fn projection(index: &IndexRow) -> Projection {
    let names = index.non_key_attributes.clone();
    Projection {
        projection_type: ProjectionType::from_name(&index.projection),
        non_key_attributes: (!names.is_empty()).then_some(names),
    }
}

fn local_index(
    tx: &ReadTx<'_>,
    table_arn: &str,
    index: &IndexRow,
) -> Result<LocalSecondaryIndexDescription> {
    let (items, bytes) = contents(tx, index.id)?;
    Ok(LocalSecondaryIndexDescription {
        index_name: Some(index.name.clone()),
        key_schema: Some(key_schema(&index.key)),
        projection: Some(projection(index)),
        index_size_bytes: Some(bytes),
        item_count: Some(items),
        index_arn: Some(format!("{table_arn}/index/{}", index.name)),
    })
}

fn global_index(
    tx: &ReadTx<'_>,
    table_arn: &str,
    index: &IndexRow,
    is_on_demand: bool,
    status: &str,
) -> Result<GlobalSecondaryIndexDescription> {
    let (items, bytes) = contents(tx, index.id)?;
    let (reads, writes) = warm_units(is_on_demand, &index.throughput);
    Ok(GlobalSecondaryIndexDescription {
        index_name: Some(index.name.clone()),
        key_schema: Some(key_schema(&index.key)),
        projection: Some(projection(index)),
        index_status: Some(status.to_owned()),
        backfilling: index.is_filling.then_some(true),
        provisioned_throughput: Some(throughput(&index.throughput)),
        index_size_bytes: Some(bytes),
        item_count: Some(items),
        index_arn: Some(format!("{table_arn}/index/{}", index.name)),
        on_demand_throughput: limits(index.on_demand_limits),
        warm_throughput: Some(GlobalSecondaryIndexWarmThroughputDescription {
            read_units_per_second: Some(reads),
            write_units_per_second: Some(writes),
            status: Some("ACTIVE".to_owned()),
        }),
    })
}

/// The label of a stream: the time at which it was enabled.
pub(super) fn stream_label(now: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(now.millis()) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
        Err(_) => now.millis().to_string(),
    }
}
