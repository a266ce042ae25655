//! What clients of an Iceberg REST catalog commit: requirements that the table must meet, and updates of its metadata.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::table::MAIN;
use crate::{
    Error, PartitionSpec, Reference, Result, Schema, Snapshot, SortOrder, Table, UNPARTITIONED,
    invalid, transformed,
};

/// What must hold for a commit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Requirement {
    /// There is no such table.
    AssertCreate,
    /// It is this table.
    #[serde(rename = "assert-table-uuid")]
    AssertTableUuid {
        /// Its UUID.
        uuid: String,
    },
    /// A branch or tag is of this snapshot, or is not there.
    AssertRefSnapshotId {
        /// Its name.
        #[serde(rename = "ref")]
        reference: String,
        /// The snapshot.
        #[serde(default)]
        snapshot_id: Option<i64>,
    },
    /// No field was added.
    AssertLastAssignedFieldId {
        /// The highest id of a field.
        last_assigned_field_id: i32,
    },
    /// The schema is the same.
    AssertCurrentSchemaId {
        /// Its number.
        current_schema_id: i32,
    },
    /// No field of a partition was added.
    AssertLastAssignedPartitionId {
        /// The highest id of a partition's field.
        last_assigned_partition_id: i32,
    },
    /// The partition spec is the same.
    AssertDefaultSpecId {
        /// Its number.
        default_spec_id: i32,
    },
    /// The order is the same.
    AssertDefaultSortOrderId {
        /// Its number.
        default_sort_order_id: i32,
    },
}

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[allow(missing_docs)]
pub enum Update {
    AssignUuid {
        uuid: String,
    },
    UpgradeFormatVersion {
        format_version: i32,
    },
    AddSchema {
        schema: Schema,
    },
    SetCurrentSchema {
        schema_id: i32,
    },
    AddSpec {
        spec: PartitionSpec,
    },
    SetDefaultSpec {
        spec_id: i32,
    },
    AddSortOrder {
        sort_order: SortOrder,
    },
    SetDefaultSortOrder {
        sort_order_id: i32,
    },
    AddSnapshot {
        snapshot: Snapshot,
    },
    SetSnapshotRef {
        ref_name: String,
        #[serde(flatten)]
        reference: Reference,
    },
    RemoveSnapshots {
        snapshot_ids: Vec<i64>,
    },
    RemoveSnapshotRef {
        ref_name: String,
    },
    SetLocation {
        location: String,
    },
    SetProperties {
        #[serde(alias = "updated")]
        updates: BTreeMap<String, String>,
    },
    RemoveProperties {
        #[serde(alias = "removed")]
        removals: Vec<String>,
    },
    SetStatistics {
        statistics: Json,
    },
    RemoveStatistics {
        snapshot_id: i64,
    },
    SetPartitionStatistics {
        partition_statistics: Json,
    },
    RemovePartitionStatistics {
        snapshot_id: i64,
    },
    RemovePartitionSpecs {
        spec_ids: Vec<i32>,
    },
    RemoveSchemas {
        schema_ids: Vec<i32>,
    },
}

impl Requirement {
    /// From the JSON of a request.
    pub fn from_json(json: Json) -> Result<Requirement> {
        serde_json::from_value(json)
            .map_err(|error| Error::Invalid(format!("Cannot parse update requirement: {error}")))
    }

    /// Refuses as a conflict what does not hold, in the words of Iceberg's own library.
    pub fn check(&self, table: Option<&Table>) -> Result<()> {
        let failed = |text: String| Err(Error::Conflict(format!("Requirement failed: {text}")));
        let Some(table) = table else {
            return match self {
                Requirement::AssertCreate => Ok(()),
                _ => failed("table does not exist".to_owned()),
            };
        };
        let numbers = |what: &str, expected: i32, found: i32| match expected == found {
            true => Ok(()),
            false => failed(format!("{what} changed: expected id {expected} != {found}")),
        };
        match self {
            Requirement::AssertCreate => failed("table already exists".to_owned()),
            Requirement::AssertTableUuid { uuid } => {
                if uuid.eq_ignore_ascii_case(&table.table_uuid) {
                    return Ok(());
                }
                let found = &table.table_uuid;
                failed(format!("UUID does not match: expected {found} != {uuid}"))
            }
            Requirement::AssertRefSnapshotId { reference, snapshot_id } => {
                let found = table.refs.get(reference);
                let kind = found.map_or("branch or tag", |found| found.kind.as_str());
                match (found.map(|found| found.snapshot_id), snapshot_id) {
                    (None, None) => Ok(()),
                    (Some(_), None) => {
                        failed(format!("{kind} {reference} was created concurrently"))
                    }
                    (Some(found), Some(id)) if found == *id => Ok(()),
                    (Some(found), Some(id)) => failed(format!(
                        "{kind} {reference} has changed: expected id {id} != {found}"
                    )),
                    (None, Some(id)) => {
                        failed(format!("{kind} {reference} is missing, expected {id}"))
                    }
                }
            }
            Requirement::AssertLastAssignedFieldId { last_assigned_field_id: id } => {
                numbers("last assigned field id", *id, table.last_column_id)
            }
            Requirement::AssertCurrentSchemaId { current_schema_id: id } => {
                numbers("current schema", *id, table.current_schema_id)
            }
            Requirement::AssertLastAssignedPartitionId { last_assigned_partition_id: id } => {
                numbers("last assigned partition id", *id, table.last_partition_id)
            }
            Requirement::AssertDefaultSpecId { default_spec_id: id } => {
                numbers("default partition spec", *id, table.default_spec_id)
            }
            Requirement::AssertDefaultSortOrderId { default_sort_order_id: id } => {
                numbers("default sort order", *id, table.default_sort_order_id)
            }
        }
    }
}

/// What the updates of one commit have added so far, to which -1 refers.
#[derive(Default)]
struct Last {
    schema: Option<i32>,
    spec: Option<i32>,
    order: Option<i32>,
    snapshots: Vec<i64>,
}

impl Update {
    /// From the JSON of a request.
    pub fn from_json(json: Json) -> Result<Update> {
        serde_json::from_value(json)
            .map_err(|error| Error::Invalid(format!("Cannot parse metadata update: {error}")))
    }
}

impl Table {
    /// The table after updates. Without a table they make one, which has this UUID unless an update gives another.
    pub fn updated(
        base: Option<&Table>,
        updates: Vec<Update>,
        uuid: &str,
        now_millis: i64,
    ) -> Result<Table> {
        let mut table = match base {
            Some(table) => table.clone(),
            None => Table::blank(uuid.to_owned(), now_millis),
        };
        let before = table.current_snapshot_id;
        let log = table.snapshot_log.len();
        let mut last = Last::default();
        for update in updates {
            table.update(update, &mut last, now_millis)?;
        }
        if table.last_updated_ms == base.map_or(0, |base| base.last_updated_ms) {
            table.last_updated_ms = table.last_updated_ms.max(now_millis);
        }
        // A snapshot that came and went as the table within one commit never was the table.
        if table.current_snapshot_id != before {
            let current = table.current_snapshot_id;
            let mut place = 0;
            table.snapshot_log.retain(|entry| {
                place += 1;
                let id = entry.snapshot_id;
                place <= log || Some(id) == current || !last.snapshots.contains(&id)
            });
        }
        table.check()?;
        Ok(table)
    }

    fn update(&mut self, update: Update, last: &mut Last, now_millis: i64) -> Result<()> {
        match update {
            Update::AssignUuid { uuid } => self.table_uuid = uuid,
            Update::UpgradeFormatVersion { format_version } => self.upgrade(format_version)?,
            Update::AddSchema { schema } => last.schema = Some(self.add_schema(schema)?),
            Update::SetCurrentSchema { schema_id } => {
                self.current_schema_id = chosen(schema_id, last.schema, "schema")?;
            }
            Update::AddSpec { spec } => last.spec = Some(self.add_spec(spec)?),
            Update::SetDefaultSpec { spec_id } => {
                self.default_spec_id = chosen(spec_id, last.spec, "spec")?;
            }
            Update::AddSortOrder { sort_order } => {
                last.order = Some(self.add_sort_order(sort_order)?);
            }
            Update::SetDefaultSortOrder { sort_order_id } => {
                self.default_sort_order_id = chosen(sort_order_id, last.order, "sort order")?;
            }
            Update::AddSnapshot { snapshot } => {
                last.snapshots.push(snapshot.snapshot_id);
                self.add_snapshot(snapshot)?;
            }
            Update::SetSnapshotRef { ref_name, reference } => {
                self.set_ref(ref_name, reference, &last.snapshots, now_millis)?;
            }
            Update::RemoveSnapshots { snapshot_ids } => {
                let ids: std::collections::BTreeSet<i64> = snapshot_ids.into_iter().collect();
                self.drop_snapshots(&|id| ids.contains(&id));
            }
            Update::RemoveSnapshotRef { ref_name } if ref_name == MAIN => {
                self.set_current(None, now_millis);
            }
            Update::RemoveSnapshotRef { ref_name } => drop(self.refs.remove(&ref_name)),
            Update::SetLocation { location } => {
                self.location = location.trim_end_matches('/').to_owned();
            }
            Update::SetProperties { updates } => self.properties.extend(updates),
            Update::RemoveProperties { removals } => {
                removals.iter().for_each(|key| drop(self.properties.remove(key)));
            }
            Update::SetStatistics { statistics } => set_file(&mut self.statistics, statistics)?,
            Update::RemoveStatistics { snapshot_id } => {
                self.statistics.retain(|file| snapshot_of(file) != Some(snapshot_id));
            }
            Update::SetPartitionStatistics { partition_statistics } => {
                set_file(&mut self.partition_statistics, partition_statistics)?;
            }
            Update::RemovePartitionStatistics { snapshot_id } => {
                self.partition_statistics.retain(|file| snapshot_of(file) != Some(snapshot_id));
            }
            Update::RemovePartitionSpecs { spec_ids } => {
                if spec_ids.contains(&self.default_spec_id) {
                    return invalid("Cannot remove the default partition spec");
                }
                self.partition_specs.retain(|spec| !spec_ids.contains(&spec.spec_id));
            }
            Update::RemoveSchemas { schema_ids } => {
                if schema_ids.contains(&self.current_schema_id) {
                    return invalid("Cannot remove the current schema");
                }
                self.schemas.retain(|schema| !schema_ids.contains(&schema.schema_id));
            }
        }
        Ok(())
    }

    /// Adds a schema unless there is the same; returns its number.
    pub(crate) fn add_schema(&mut self, mut schema: Schema) -> Result<i32> {
        schema.check()?;
        if let Some(same) = self.schemas.iter().find(|each| each.is_same(&schema)) {
            return Ok(same.schema_id);
        }
        self.last_column_id = self.last_column_id.max(schema.highest_id());
        let highest = self.schemas.iter().map(|each| each.schema_id).max();
        schema.schema_id = next_number(highest, 0)?;
        let id = schema.schema_id;
        self.schemas.push(schema);
        Ok(id)
    }

    /// Adds a partition spec unless there is the same; returns its number.
    pub(crate) fn add_spec(&mut self, mut spec: PartitionSpec) -> Result<i32> {
        if let Some(same) = self.partition_specs.iter().find(|each| each.is_same(&spec)) {
            return Ok(same.spec_id);
        }
        for field in &mut spec.fields {
            let source = self.schemas.iter().rev().find_map(|each| each.kind_of(field.source_id));
            let Some(source) = source else {
                let (name, id) = (&field.name, field.source_id);
                return invalid(format!(
                    "Cannot find source column for partition field {name}: {id}"
                ));
            };
            if transformed(&field.transform, source).is_none() {
                return invalid(format!(
                    "Invalid source type {source:?} for transform: {}",
                    field.transform
                ));
            }
            // The same field of an earlier spec keeps its id, so that the partitions of all files can be compared.
            let known = self.partition_specs.iter().find_map(|each| each.same_field(field));
            field.field_id = match field.field_id.or(known.and_then(|known| known.field_id)) {
                Some(id) => Some(id),
                None => Some(next_number(Some(self.last_partition_id), UNPARTITIONED + 1)?),
            };
            self.last_partition_id = self.last_partition_id.max(field.field_id.unwrap_or(0));
        }
        let mut names: Vec<_> = spec.fields.iter().map(|field| &field.name).collect();
        let mut ids: Vec<_> = spec.fields.iter().map(|field| field.field_id).collect();
        names.sort_unstable();
        ids.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1])
            || ids.windows(2).any(|pair| pair[0] == pair[1])
        {
            return invalid("Cannot use a partition field's name or id more than once");
        }
        let highest = self.partition_specs.iter().map(|each| each.spec_id).max();
        spec.spec_id = next_number(highest, 0)?;
        let id = spec.spec_id;
        self.partition_specs.push(spec);
        Ok(id)
    }

    /// Adds an order unless there is the same; returns its number, which is 0 for none.
    pub(crate) fn add_sort_order(&mut self, mut order: SortOrder) -> Result<i32> {
        if let Some(same) = self.sort_orders.iter().find(|each| each.fields == order.fields) {
            return Ok(same.order_id);
        }
        for field in &order.fields {
            let source = self.schemas.iter().rev().find_map(|each| each.kind_of(field.source_id));
            if source.is_none_or(|source| transformed(&field.transform, source).is_none()) {
                return invalid(format!("Cannot sort by field {}", field.source_id));
            }
        }
        order.order_id = match order.fields.is_empty() {
            true => 0,
            false => {
                next_number(self.sort_orders.iter().map(|each| each.order_id).max(), 1)?.max(1)
            }
        };
        let id = order.order_id;
        self.sort_orders.push(order);
        Ok(id)
    }

    /// Adds a snapshot, which is not the table yet.
    pub(crate) fn add_snapshot(&mut self, snapshot: Snapshot) -> Result<()> {
        let id = snapshot.snapshot_id;
        if self.snapshot(id).is_some() {
            return invalid(format!("Snapshot already exists for id: {id}"));
        }
        let (number, last) = (snapshot.sequence_number, self.last_sequence_number);
        if number <= last {
            return invalid(format!(
                "Cannot add snapshot with sequence number {number} older than last sequence number {last}"
            ));
        }
        if self.format_version >= 3 {
            self.take_rows(&snapshot)?;
        }
        self.last_sequence_number = number;
        self.last_updated_ms = snapshot.timestamp_ms;
        self.snapshots.push(snapshot);
        Ok(())
    }

    /// Gives a snapshot's rows the ids that it claims.
    fn take_rows(&mut self, snapshot: &Snapshot) -> Result<()> {
        let number = |key| snapshot.other.get(key).and_then(Json::as_i64);
        let next = self.next_row_id.unwrap_or(0);
        let (Some(first), Some(added)) = (number("first-row-id"), number("added-rows")) else {
            return invalid("Cannot add a snapshot: first-row-id is null");
        };
        if first < next || added < 0 {
            return invalid(format!(
                "Cannot add a snapshot, first-row-id is behind table next-row-id: {first} < {next}"
            ));
        }
        self.next_row_id = Some(next.saturating_add(added));
        Ok(())
    }

    fn set_ref(
        &mut self,
        name: String,
        reference: Reference,
        new: &[i64],
        now_millis: i64,
    ) -> Result<()> {
        let id = reference.snapshot_id;
        let Some(snapshot) = self.snapshot(id) else {
            return invalid(format!("Cannot set {name} to unknown snapshot: {id}"));
        };
        if !matches!(reference.kind.as_str(), "branch" | "tag") {
            return invalid(format!("Invalid snapshot ref type: {}", reference.kind));
        }
        if name == MAIN {
            if reference.kind != "branch" {
                return invalid("Cannot set main to a tag: it is a branch");
            }
            let at = if new.contains(&id) { snapshot.timestamp_ms } else { now_millis };
            self.last_updated_ms = at;
            self.set_current(Some(id), at);
        }
        self.refs.insert(name, reference);
        Ok(())
    }
}

/// The number that a client means, of which -1 is that of what was added last.
fn chosen(id: i32, last: Option<i32>, what: &str) -> Result<i32> {
    match (id, last) {
        (-1, Some(last)) => Ok(last),
        (-1, None) => invalid(format!("Cannot set last added {what}: no {what} has been added")),
        (id, _) => Ok(id),
    }
}

fn next_number(highest: Option<i32>, first: i32) -> Result<i32> {
    match highest {
        None => Ok(first),
        Some(highest) => match highest.checked_add(1) {
            Some(next) => Ok(next.max(first)),
            None => invalid("Invalid table metadata: there are no more ids"),
        },
    }
}

fn snapshot_of(file: &Json) -> Option<i64> {
    file.get("snapshot-id").and_then(Json::as_i64)
}

/// Puts a file of statistics in the place of that of the same snapshot.
fn set_file(files: &mut Vec<Json>, file: Json) -> Result<()> {
    let Some(id) = snapshot_of(&file) else {
        return invalid("Cannot set statistics without a snapshot");
    };
    files.retain(|each| snapshot_of(each) != Some(id));
    files.push(file);
    Ok(())
}
