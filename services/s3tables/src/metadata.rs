//! Metadata of tables: how it is read, and how it is written first.

use std::collections::BTreeMap;

use fogbank_core::bytes::Bytes;
use fogbank_core::wire::to_json;
use fogbank_core::{Body, Call, Cx, Fault};
use fogbank_iceberg::{self as iceberg, Change, Field, New, PartitionSpec, Schema, SortOrder};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{IcebergMetadata, SchemaField};
use crate::store::{MAINTENANCE_SERVICE, Table};

/// The service through which callers reach the files, by which policies know it.
const VIA: &str = "s3tables.amazonaws.com";
/// How many bytes metadata has at most that is read.
const MAX_BYTES: usize = 64 << 20;

/// Reads something of Iceberg from JSON.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, json: Value) -> Result<T, Error> {
    serde_json::from_value(json)
        .map_err(|error| Error::bad(format!("The specified {what} is not valid: {error}")))
}

/// Reads what CreateTable was given, with the ids that it says.
pub(crate) fn given(given: &IcebergMetadata) -> Result<New, Error> {
    let (fields, identifiers) = match (&given.schema, &given.schema_v2) {
        (Some(schema), None) => (plain_fields(&schema.fields)?, None),
        (None, Some(schema)) => {
            let fields = schema.fields.iter().map(|field| parse("schema", to_json(field)));
            let fields = fields.collect::<Result<Vec<Field>, Error>>()?;
            (fields, schema.identifier_field_ids.clone())
        }
        _ => return Err(Error::bad("Specify either schema or schemaV2 for the table.")),
    };
    let new = New {
        fields,
        identifier_field_ids: identifiers.unwrap_or_default(),
        partition_spec: match &given.partition_spec {
            Some(spec) => parse("partition spec", spec_json(spec))?,
            None => PartitionSpec::default(),
        },
        sort_order: match &given.write_order {
            Some(order) => parse("write order", order_json(order))?,
            None => SortOrder::default(),
        },
        properties: given.properties.clone().unwrap_or_default(),
        ..New::default()
    };
    checked(new)
}

/// Reads what a client of the catalog asks for. A catalog numbers the fields of new tables itself, says Iceberg's own; clients
/// number them as they like.
pub(crate) fn asked(
    schema: Value,
    partition_spec: Option<Value>,
    sort_order: Option<Value>,
    properties: BTreeMap<String, String>,
) -> Result<New, Error> {
    let schema: Schema = parse("schema", schema)?;
    let new = New {
        fields: schema.fields,
        identifier_field_ids: schema.identifier_field_ids,
        partition_spec: match partition_spec.filter(|spec| !spec.is_null()) {
            Some(spec) => parse("partition spec", spec)?,
            None => PartitionSpec::default(),
        },
        sort_order: match sort_order.filter(|order| !order.is_null()) {
            Some(order) => parse("write order", order)?,
            None => SortOrder::default(),
        },
        properties,
        ..New::default()
    };
    checked(new.with_fresh_ids().map_err(refusal)?)
}

/// Says what is wrong before anything is written.
fn checked(new: New) -> Result<New, Error> {
    let placed = New { uuid: "uuid".to_owned(), location: "s3://warehouse".to_owned(), ..new };
    iceberg::Table::new(placed.clone()).map_err(refusal)?;
    Ok(placed)
}

fn spec_json(spec: &crate::model::IcebergPartitionSpec) -> Value {
    let fields = spec.fields.iter().map(|field| {
        json!({
            "source-id": field.source_id,
            "field-id": field.field_id,
            "name": field.name,
            "transform": field.transform,
        })
    });
    json!({ "spec-id": spec.spec_id.unwrap_or(0), "fields": fields.collect::<Vec<_>>() })
}

fn order_json(order: &crate::model::IcebergSortOrder) -> Value {
    let fields = order.fields.iter().map(|field| {
        json!({
            "source-id": field.source_id,
            "transform": field.transform,
            "direction": field.direction.as_str(),
            "null-order": field.null_order.as_str(),
        })
    });
    json!({ "order-id": order.order_id, "fields": fields.collect::<Vec<_>>() })
}

/// Fields of plain types. Those without an id get the numbers that are free.
fn plain_fields(given: &[SchemaField]) -> Result<Vec<Field>, Error> {
    let taken: Vec<i32> = given.iter().filter_map(|field| field.id).collect();
    let mut free = (1..).filter(|id| !taken.contains(id));
    given
        .iter()
        .map(|field| {
            let id = field.id.or_else(|| free.next());
            let json = json!({
                "id": id,
                "name": field.name,
                "type": field.r#type,
                "required": field.required.unwrap_or(false),
            });
            parse("schema", json)
        })
        .collect()
}

/// What is wrong with a table, in the service's own words.
pub(crate) fn refusal(error: iceberg::Error) -> Error {
    match error {
        iceberg::Error::Conflict(text) => Error::ConflictException(text),
        iceberg::Error::Invalid(text) | iceberg::Error::Unsupported(text) => {
            Error::BadRequestException(text)
        }
    }
}

/// Writes the first metadata of a table, and says where it lies.
pub(crate) async fn write_first(cx: &Cx, row: &Table, new: &New) -> Result<String, Error> {
    let new = New {
        uuid: row.id.clone(),
        location: format!("s3://{}", row.warehouse),
        now_millis: row.created_millis,
        ..new.clone()
    };
    let table = iceberg::Table::new(new).map_err(refusal)?;
    let change = table.write(&cx.ids().uuid());
    write(cx, row, change).await.map(|(location, _)| location)
}

/// Writes a change of a table into its warehouse: where its metadata lies, and the table.
pub(crate) async fn write(
    cx: &Cx,
    row: &Table,
    change: Change,
) -> Result<(String, iceberg::Table), Error> {
    let mut last = None;
    for (location, bytes) in change.objects {
        let Some(key) = key_of(&location, &row.warehouse) else {
            return Err(Error::bad("The table's metadata must lie in its warehouse."));
        };
        let call = on_file(cx, "s3:PutObject", &row.warehouse, key);
        cx.cloud().call(Call { body: Body::from(bytes), ..call }).await?;
        last = Some(location);
    }
    let location = last.ok_or_else(|| Fault::internal("a table was written as nothing"))?;
    Ok((location, change.table))
}

/// Reads the table whose metadata lies here.
pub(crate) async fn read(cx: &Cx, row: &Table, location: &str) -> Result<iceberg::Table, Error> {
    if key_of(location, &row.warehouse).is_none() {
        return Err(Error::bad("The table's metadata does not lie in its warehouse."));
    }
    let bytes = read_file(cx, row, location).await.map_err(|error| {
        let fault = Fault::from(error);
        match fault.name() {
            "NoSuchKey" => Error::bad("The table's metadata file does not exist."),
            _ => fault.into(),
        }
    })?;
    iceberg::Table::from_json(&bytes, Some(location)).map_err(refusal)
}

/// Reads a file of a table.
pub(crate) async fn read_file(cx: &Cx, row: &Table, location: &str) -> Result<Bytes, Error> {
    let Some(key) = key_of(location, &row.warehouse) else {
        return Err(Error::bad(format!(
            "The file {location} does not lie in the table's warehouse."
        )));
    };
    let reply = cx.cloud().call(on_file(cx, "s3:GetObject", &row.warehouse, key)).await?;
    Ok(reply.bytes(MAX_BYTES).await?)
}

/// Refuses metadata that is not there. Whether the caller may read it is no matter, so that the service itself looks.
pub(crate) async fn check_there(
    cx: &Cx,
    arn: &str,
    row: &Table,
    location: &str,
) -> Result<(), Error> {
    let cx = cx.as_service(MAINTENANCE_SERVICE, arn);
    let Some(key) = key_of(location, &row.warehouse) else { return Err(Error::bad_location()) };
    match cx.cloud().call(on_file(&cx, "s3:HeadObject", &row.warehouse, key)).await {
        Ok(_) => Ok(()),
        Err(fault) if matches!(fault.name(), "NoSuchKey" | "NotFound") => {
            Err(Error::bad_location())
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Removes files of a table, as the service itself: callers may remove none.
pub(crate) async fn remove(cx: &Cx, arn: &str, row: &Table, keys: &[&str]) -> Result<(), Error> {
    let cx = cx.as_service(MAINTENANCE_SERVICE, arn);
    let objects: Vec<Value> = keys.iter().map(|key| json!({ "Key": key })).collect();
    let input = json!({
        "Bucket": row.warehouse,
        "Delete": { "Objects": objects, "Quiet": true },
    });
    let principal = cx.request().principal.clone();
    let told = cx.cloud().call(cx.prepare(principal, "s3:DeleteObjects", input)).await?.output;
    match told["Errors"].get(0) {
        None => Ok(()),
        Some(error) => {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            Err(Fault::new(text("Code"), text("Message")).into())
        }
    }
}

/// The key of a file in a warehouse. Hadoop's clients have schemes of their own for the same place.
pub(crate) fn key_of<'a>(location: &'a str, warehouse: &str) -> Option<&'a str> {
    let (scheme, rest) = location.split_once("://")?;
    let key = rest.strip_prefix(warehouse)?.strip_prefix('/')?;
    matches!(scheme, "s3" | "s3a" | "s3n").then_some(key)
}

/// A call of S3 as the caller.
fn on_file(cx: &Cx, action: &str, warehouse: &str, key: &str) -> Call {
    let input = json!({ "Bucket": warehouse, "Key": key });
    let call = cx.prepare(cx.request().principal.clone(), action, input);
    Call { via: Some(VIA.to_owned()), ..call }
}
