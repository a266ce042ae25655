//! What definitions of tables and indexes must fulfil.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::model::{
    AttributeDefinition, GlobalSecondaryIndex, KeySchemaElement, KeyType, LocalSecondaryIndex,
    OnDemandThroughput, Projection, ProjectionType, ProvisionedThroughput,
};
use crate::store::{KeyRow, ThroughputRow};

/// The most units that may be provisioned.
const MAX_UNITS: i64 = 1_000_000_000_000;
/// How many local secondary indexes a table may have.
pub(super) const MAX_LOCAL_INDEXES: usize = 5;
/// How many global secondary indexes a table may have.
pub(super) const MAX_GLOBAL_INDEXES: usize = 20;
/// How many attributes all indexes of a table may name in `NonKeyAttributes`.
const MAX_NON_KEY_ATTRIBUTES: usize = 100;

/// Refuses more units than anybody may have.
pub(super) fn check_units(throughput: &ProvisionedThroughput) -> Result<()> {
    let units = [
        ("ReadCapacityUnits", throughput.read_capacity_units),
        ("WriteCapacityUnits", throughput.write_capacity_units),
    ];
    for (name, units) in units {
        if units > MAX_UNITS {
            return Err(Error::invalid(format!("Given value {units} for {name} is out of bounds")));
        }
    }
    Ok(())
}

/// What is provisioned, or nothing for those billed by the request.
pub(super) fn throughput(wire: Option<&ProvisionedThroughput>) -> ThroughputRow {
    ThroughputRow {
        read_units: wire.map_or(0, |wire| wire.read_capacity_units),
        write_units: wire.map_or(0, |wire| wire.write_capacity_units),
        ..ThroughputRow::default()
    }
}

/// The most that those billed by the request may use.
pub(super) fn limits(wire: Option<&OnDemandThroughput>) -> Option<(Option<i64>, Option<i64>)> {
    wire.map(|wire| (wire.max_read_request_units, wire.max_write_request_units))
}

/// Refuses a key of more than two attributes, in the framework's words.
pub(super) fn check_key_length(key: &[KeySchemaElement]) -> Result<()> {
    if key.len() <= 2 {
        return Ok(());
    }
    let elements: Vec<String> = key
        .iter()
        .map(|element| {
            let (name, kind) = (&element.attribute_name, element.key_type.as_str());
            format!("KeySchemaElement(attributeName={name}, keyType={kind})")
        })
        .collect();
    Err(Error::invalid(format!(
        "1 validation error detected: Value '[{}]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2",
        elements.join(", ")
    )))
}

fn names(key: &[KeySchemaElement]) -> Vec<&str> {
    key.iter().map(|element| element.attribute_name.as_str()).collect()
}

fn declared(attributes: &[AttributeDefinition]) -> Vec<&str> {
    attributes.iter().map(|attribute| attribute.attribute_name.as_str()).collect()
}

/// Refuses the same attribute declared twice.
pub(super) fn check_declarations(attributes: &[AttributeDefinition]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in declared(attributes) {
        if !seen.insert(name) {
            return Err(Error::parameter(format!(
                "Duplicate AttributeName in AttributeDefinitions: {name}"
            )));
        }
    }
    Ok(())
}

/// Refuses key attributes without a declaration.
pub(super) fn check_declared(
    key: &[KeySchemaElement],
    attributes: &[AttributeDefinition],
) -> Result<()> {
    let (names, declared) = (names(key), declared(attributes));
    if names.iter().all(|name| declared.contains(name)) {
        return Ok(());
    }
    Err(Error::parameter(format!(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
        names.join(", "),
        declared.join(", ")
    )))
}

/// Takes a key apart, which must be one HASH element and perhaps one RANGE element.
pub(super) fn key(key: &[KeySchemaElement]) -> Result<KeyRow> {
    let refuse = |message: &str| Err(Error::invalid(message));
    if key.len() > 2 {
        return refuse("Invalid KeySchema: Keys of more than two attributes are not supported");
    }
    let (Some(first), second) = (key.first(), key.get(1)) else {
        return refuse("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    };
    if second.is_some_and(|second| second.attribute_name == first.attribute_name) {
        return refuse(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        );
    }
    if first.key_type != KeyType::Hash {
        return refuse("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    }
    if second.is_some_and(|second| second.key_type != KeyType::Range) {
        return refuse("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    }
    Ok(KeyRow {
        partition: first.attribute_name.clone(),
        sort: second.map(|second| second.attribute_name.clone()),
    })
}

/// Takes a projection apart: its type, and the attributes that it names.
pub(super) fn projection(wire: &Projection) -> Result<(String, Vec<String>)> {
    let Some(kind) = wire.projection_type else {
        return Err(Error::parameter("Unknown ProjectionType: null"));
    };
    let names = wire.non_key_attributes.clone().unwrap_or_default();
    match (kind, &wire.non_key_attributes) {
        (ProjectionType::Include, None) => Err(Error::parameter(
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        )),
        (ProjectionType::Include, Some(_)) => {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
                return Err(Error::parameter(format!(
                    "Duplicate attribute name in NonKeyAttributes: {name}"
                )));
            }
            Ok((kind.as_str().to_owned(), names))
        }
        (_, Some(_)) => Err(Error::parameter(format!(
            "ProjectionType is {}, but NonKeyAttributes is specified",
            kind.as_str()
        ))),
        (_, None) => Ok((kind.as_str().to_owned(), names)),
    }
}

/// Refuses a local index that does not fit the table.
pub(super) fn check_local(
    index: &LocalSecondaryIndex,
    table: &KeyRow,
    attributes: &[AttributeDefinition],
) -> Result<()> {
    check_declared(&index.key_schema, attributes)?;
    let found = key(&index.key_schema)?;
    if found.sort.is_none() {
        return Err(Error::parameter(format!(
            "Index KeySchema does not have a range key for index: {}",
            index.index_name
        )));
    }
    if found.partition != table.partition {
        return Err(Error::parameter(format!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: {}. index hash key: {}, table hash key: {}",
            index.index_name, found.partition, table.partition
        )));
    }
    projection(&index.projection).map(|_| ())
}

/// Refuses a global index that contradicts itself or how the table is billed.
pub(super) fn check_global(
    index: &GlobalSecondaryIndex,
    attributes: &[AttributeDefinition],
    is_on_demand: bool,
) -> Result<()> {
    check_declared(&index.key_schema, attributes)?;
    key(&index.key_schema)?;
    projection(&index.projection)?;
    check_global_throughput(&index.index_name, index.provisioned_throughput.as_ref(), is_on_demand)
}

/// Refuses provisioned units where the table is billed by the request, and none where it is not.
pub(super) fn check_global_throughput(
    name: &str,
    throughput: Option<&ProvisionedThroughput>,
    is_on_demand: bool,
) -> Result<()> {
    match throughput {
        Some(_) if is_on_demand => Err(Error::parameter(format!(
            "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        ))),
        None if !is_on_demand => Err(Error::parameter(format!(
            "ProvisionedThroughput is not specified for index: {name}"
        ))),
        Some(throughput) => check_units(throughput),
        None => Ok(()),
    }
}

/// Refuses names that two indexes have.
pub(super) fn check_names<'n>(names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::parameter(format!("Duplicate index name: {name}")));
        }
    }
    Ok(())
}

/// Refuses more projected attributes than a table's indexes may have together.
pub(super) fn check_projected(count: usize) -> Result<()> {
    if count > MAX_NON_KEY_ATTRIBUTES {
        return Err(Error::parameter(format!(
            "Number of NonKeyAttributes exceeds the per-table limit of {MAX_NON_KEY_ATTRIBUTES}"
        )));
    }
    Ok(())
}
