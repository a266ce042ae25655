//! Metadata of tables: how it is read, and how it is written first.

use std::collections::BTreeMap;

use fogbank_core::wire::to_json;
use fogbank_core::{Body, Call, Cx, Fault};
use fogbank_iceberg::{self as iceberg, Field, Kind, PartitionSpec, Schema, SortOrder, Update};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{IcebergMetadata, SchemaField};
use crate::store::Table;

/// The service through which callers reach the files, by which policies know it.
const VIA: &str = "s3tables.amazonaws.com";
/// How many bytes metadata has at most that is read.
const MAX_BYTES: usize = 64 << 20;

/// What a table is to begin with.
#[derive(Clone, Debug)]
pub(crate) struct New {
    pub(crate) schema: Schema,
    pub(crate) partition_spec: PartitionSpec,
    pub(crate) sort_order: SortOrder,
    pub(crate) properties: BTreeMap<String, String>,
}

/// Reads something of Iceberg from JSON.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, json: Value) -> Result<T, Error> {
    serde_json::from_value(json)
        .map_err(|error| Error::bad(format!("The specified {what} is not valid: {error}")))
}

impl New {
    /// Reads what CreateTable was given.
    pub(crate) fn read(given: &IcebergMetadata) -> Result<New, Error> {
        let schema = match (&given.schema, &given.schema_v2) {
            (Some(schema), None) => Schema::new(plain_fields(&schema.fields)?),
            (None, Some(schema)) => {
                let fields = schema.fields.iter().map(|field| parse("schema", to_json(field)));
                let mut read = Schema::new(fields.collect::<Result<Vec<Field>, Error>>()?);
                read.identifier_field_ids = schema.identifier_field_ids.clone().unwrap_or_default();
                read
            }
            _ => return Err(Error::bad("Specify either schema or schemaV2 for the table.")),
        };
        let new = New {
            schema,
            partition_spec: match &given.partition_spec {
                Some(spec) => parse("partition spec", spec_json(spec))?,
                None => PartitionSpec::default(),
            },
            sort_order: match &given.write_order {
                Some(order) => parse("write order", order_json(order))?,
                None => SortOrder::default(),
            },
            properties: given.properties.clone().unwrap_or_default(),
        };
        // What is wrong is said before anything is written.
        new.table("s3://warehouse", "uuid", 0)?;
        Ok(new)
    }

    /// Reads what a client of the catalog asks for.
    pub(crate) fn of_catalog(
        schema: Value,
        partition_spec: Option<Value>,
        sort_order: Option<Value>,
        properties: BTreeMap<String, String>,
    ) -> Result<New, Error> {
        let mut schema: Schema = parse("schema", schema)?;
        let mut spec: PartitionSpec = match partition_spec.filter(|spec| !spec.is_null()) {
            Some(spec) => parse("partition spec", spec)?,
            None => PartitionSpec::default(),
        };
        let mut order: SortOrder = match sort_order.filter(|order| !order.is_null()) {
            Some(order) => parse("write order", order)?,
            None => SortOrder::default(),
        };
        // A catalog numbers the fields of new tables itself, says Iceberg's own; clients number them as they like.
        let mut numbers = Numbers::default();
        numbers.fields(&mut schema.fields)?;
        for id in &mut schema.identifier_field_ids {
            *id = numbers.of(*id)?;
        }
        for field in &mut spec.fields {
            field.source_id = numbers.of(field.source_id)?;
        }
        for field in &mut order.fields {
            field.source_id = numbers.of(field.source_id)?;
        }
        let new = New { schema, partition_spec: spec, sort_order: order, properties };
        new.table("s3://warehouse", "uuid", 0)?;
        Ok(new)
    }

    /// The table that is made of it, not written yet.
    pub(crate) fn table(
        &self,
        location: &str,
        uuid: &str,
        now_millis: i64,
    ) -> Result<iceberg::Table, Error> {
        let updates = vec![
            Update::SetLocation { location: location.to_owned() },
            Update::SetProperties { updates: self.properties.clone() },
            Update::AddSchema { schema: self.schema.clone() },
            Update::SetCurrentSchema { schema_id: -1 },
            Update::AddSpec { spec: self.partition_spec.clone() },
            Update::SetDefaultSpec { spec_id: -1 },
            Update::AddSortOrder { sort_order: self.sort_order.clone() },
            Update::SetDefaultSortOrder { sort_order_id: -1 },
        ];
        iceberg::Table::updated(None, updates, uuid, now_millis).map_err(refusal)
    }
}

/// The numbers of a new table's fields, by those that the client gave them.
#[derive(Default)]
struct Numbers(BTreeMap<i32, i32>);

impl Numbers {
    fn next(&mut self, id: &mut i32) -> Result<(), Error> {
        let number = i32::try_from(self.0.len()).unwrap_or(i32::MAX).saturating_add(1);
        match self.0.insert(*id, number) {
            None => *id = number,
            Some(_) => return Err(Error::bad(format!("The field id {id} is used twice."))),
        }
        Ok(())
    }

    /// Numbers fields, and then what is in them, as Iceberg's own library does.
    fn fields(&mut self, fields: &mut [Field]) -> Result<(), Error> {
        for field in fields.iter_mut() {
            self.next(&mut field.id)?;
        }
        fields.iter_mut().try_for_each(|field| self.kind(&mut field.kind))
    }

    fn kind(&mut self, kind: &mut Kind) -> Result<(), Error> {
        match kind {
            Kind::Struct(fields) => self.fields(fields),
            Kind::List(list) => {
                self.next(&mut list.element_id)?;
                self.kind(&mut list.element)
            }
            Kind::Map(map) => {
                self.next(&mut map.key_id)?;
                self.next(&mut map.value_id)?;
                self.kind(&mut map.key)?;
                self.kind(&mut map.value)
            }
            _ => Ok(()),
        }
    }

    fn of(&self, id: i32) -> Result<i32, Error> {
        let known = self.0.get(&id).copied();
        known.ok_or_else(|| Error::bad(format!("There is no field with the id {id}.")))
    }
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
    let location = format!("s3://{}", row.warehouse);
    let table = new.table(&location, &row.id, row.created_millis)?;
    write(cx, row, table).await.map(|(location, _)| location)
}

/// Writes a table as new metadata into its warehouse: where it lies, and the table.
pub(crate) async fn write(
    cx: &Cx,
    row: &Table,
    table: iceberg::Table,
) -> Result<(String, iceberg::Table), Error> {
    let change = table.write(&cx.ids().uuid());
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
    let Some(key) = key_of(location, &row.warehouse) else {
        return Err(Error::bad("The table's metadata does not lie in its warehouse."));
    };
    let reply = cx.cloud().call(on_file(cx, "s3:GetObject", &row.warehouse, key)).await;
    let reply = reply.map_err(|fault| match fault.name() {
        "NoSuchKey" => Error::bad("The table's metadata file does not exist."),
        _ => fault.into(),
    })?;
    let bytes = reply.bytes(MAX_BYTES).await?;
    iceberg::Table::from_json(&bytes, Some(location)).map_err(refusal)
}

/// The key of a file in a warehouse.
fn key_of<'a>(location: &'a str, warehouse: &str) -> Option<&'a str> {
    location.strip_prefix("s3://")?.strip_prefix(warehouse)?.strip_prefix('/')
}

/// A call of S3 as the caller.
fn on_file(cx: &Cx, action: &str, warehouse: &str, key: &str) -> Call {
    let input = json!({ "Bucket": warehouse, "Key": key });
    let call = cx.prepare(cx.request().principal.clone(), action, input);
    Call { via: Some(VIA.to_owned()), ..call }
}
