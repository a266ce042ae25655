//! Table metadata, format versions 2 and 3.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::partitions::kinds;
use crate::transaction::Change;
use crate::{Error, Extra, Kind, PartitionSpec, Result, Schema, SortOrder, UNPARTITIONED, invalid};

/// How many bytes metadata has at most.
const MAX_BYTES: u64 = 64 << 20;
/// The versions of the format that are understood.
const VERSIONS: std::ops::RangeInclusive<i32> = 2..=3;
/// The branch that is the table.
pub(crate) const MAIN: &str = "main";
/// How many earlier metadata files are remembered, unless the table says otherwise.
const PREVIOUS_VERSIONS: i64 = 100;

/// A table: what its metadata file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    /// The version of the format: 2 or 3.
    pub format_version: i32,
    /// What tells it from all other tables.
    pub table_uuid: String,
    /// The URI under which its files lie, without a slash at its end.
    pub location: String,
    /// The highest sequence number of a snapshot.
    pub last_sequence_number: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub last_updated_ms: i64,
    /// The highest id that a field has or had.
    pub last_column_id: i32,
    /// The number of its schema.
    pub current_schema_id: i32,
    /// The schemas that it has or had.
    pub schemas: Vec<Schema>,
    /// The number of the partition spec of files to come.
    pub default_spec_id: i32,
    /// The partition specs that files have.
    pub partition_specs: Vec<PartitionSpec>,
    /// The highest id that a partition's field has or had.
    pub last_partition_id: i32,
    /// The number of the order of files to come.
    pub default_sort_order_id: i32,
    /// The orders that files have.
    pub sort_orders: Vec<SortOrder>,
    /// How it wants to be read and written.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// The snapshot that is the table; none while it has no rows yet.
    #[serde(default, with = "snapshot_or_none")]
    pub current_snapshot_id: Option<i64>,
    /// Branches and tags.
    #[serde(default)]
    pub refs: BTreeMap<String, Reference>,
    /// The id of the next row, in version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_row_id: Option<i64>,
    /// Its snapshots.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    /// Files with statistics of snapshots.
    #[serde(default)]
    pub statistics: Vec<Json>,
    /// Files with statistics of snapshots' partitions.
    #[serde(default)]
    pub partition_statistics: Vec<Json>,
    /// Which snapshot was the table when.
    #[serde(default)]
    pub snapshot_log: Vec<SnapshotLogEntry>,
    /// The metadata files before this.
    #[serde(default)]
    pub metadata_log: Vec<MetadataLogEntry>,
    /// Other members.
    #[serde(flatten)]
    pub other: Extra,
    /// The file that says all this, before what was changed since it was read; none if there is none yet.
    #[serde(skip)]
    origin: Option<MetadataLogEntry>,
}

/// What the table was at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// Its id.
    pub snapshot_id: i64,
    /// The snapshot from which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_snapshot_id: Option<i64>,
    /// Its place in the order of all snapshots.
    #[serde(default)]
    pub sequence_number: i64,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The URI of the list of its manifests.
    pub manifest_list: String,
    /// What was done, under `operation`, and how much.
    #[serde(default)]
    pub summary: BTreeMap<String, String>,
    /// The schema that the table had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_id: Option<i32>,
    /// Other members.
    #[serde(flatten)]
    pub other: Extra,
}

/// A branch or a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    /// Its snapshot.
    pub snapshot_id: i64,
    /// `branch` or `tag`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many snapshots of a branch stay at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_snapshots_to_keep: Option<i64>,
    /// How long snapshots of a branch stay, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_snapshot_age_ms: Option<i64>,
    /// How long it stays itself, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ref_age_ms: Option<i64>,
}

/// From when on a snapshot was the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotLogEntry {
    /// The snapshot.
    pub snapshot_id: i64,
    /// In milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// An earlier metadata file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetadataLogEntry {
    /// Its URI.
    pub metadata_file: String,
    /// When it was written, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// What a new table is made of.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// What tells it from all other tables.
    pub uuid: String,
    /// The URI under which its files shall lie.
    pub location: String,
    /// Its fields, whose ids are taken as they are.
    pub fields: Vec<crate::Field>,
    /// The ids of the fields that tell rows apart.
    pub identifier_field_ids: Vec<i32>,
    /// How rows are split among files; fields without ids get them.
    pub partition_spec: PartitionSpec,
    /// The order of files' rows.
    pub sort_order: SortOrder,
    /// How it wants to be read and written.
    pub properties: BTreeMap<String, String>,
    /// Now, in milliseconds since 1970.
    pub now_millis: i64,
}

impl New {
    /// The same with ids of its own, from 1 on for the fields and from 1000 on for the partition's, as Iceberg's own library has
    /// it for a table that a client asks for: the client's ids are its own.
    pub fn with_fresh_ids(self) -> Result<New> {
        let mut schema = Schema::new(self.fields);
        schema.identifier_field_ids = self.identifier_field_ids;
        schema.check()?;
        let (schema, renamed) = schema.renumbered();
        let mut new = New {
            fields: schema.fields,
            identifier_field_ids: schema.identifier_field_ids,
            partition_spec: self.partition_spec,
            sort_order: self.sort_order,
            ..self
        };
        let fresh = |id: i32| match renamed.get(&id) {
            Some(fresh) => Ok(*fresh),
            None => invalid(format!("Cannot find source column: {id}")),
        };
        for field in &mut new.partition_spec.fields {
            field.source_id = fresh(field.source_id)?;
            field.field_id = None;
        }
        for field in &mut new.sort_order.fields {
            field.source_id = fresh(field.source_id)?;
        }
        Ok(new)
    }
}

/// Iceberg's own library writes -1 where there is no snapshot, and others write null.
mod snapshot_or_none {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(id.unwrap_or(-1))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.filter(|id| *id != -1))
    }
}

impl Table {
    /// A table without rows, not written yet ([`Table::write`]).
    pub fn new(new: New) -> Result<Table> {
        let mut table = Table::blank(new.uuid, new.now_millis);
        table.location = new.location.trim_end_matches('/').to_owned();
        table.properties = new.properties;
        // The version is asked for as a property, and is none.
        if let Some(version) = table.properties.remove("format-version") {
            table.upgrade(version.trim().parse().unwrap_or_default())?;
        }
        let mut schema = Schema::new(new.fields);
        schema.identifier_field_ids = new.identifier_field_ids;
        table.add_schema(schema)?;
        table.current_schema_id = table.schemas[0].schema_id;
        table.default_spec_id = table.add_spec(new.partition_spec)?;
        table.default_sort_order_id = table.add_sort_order(new.sort_order)?;
        table.check()?;
        Ok(table)
    }

    /// A table of nothing, to which a client's updates add what it needs to be one.
    pub(crate) fn blank(uuid: String, now_millis: i64) -> Table {
        Table {
            format_version: 2,
            table_uuid: uuid,
            location: String::new(),
            last_sequence_number: 0,
            last_updated_ms: now_millis,
            last_column_id: 0,
            current_schema_id: -1,
            schemas: Vec::new(),
            default_spec_id: -1,
            partition_specs: Vec::new(),
            last_partition_id: UNPARTITIONED,
            default_sort_order_id: -1,
            sort_orders: Vec::new(),
            properties: BTreeMap::new(),
            current_snapshot_id: None,
            refs: BTreeMap::new(),
            next_row_id: None,
            snapshots: Vec::new(),
            statistics: Vec::new(),
            partition_statistics: Vec::new(),
            snapshot_log: Vec::new(),
            metadata_log: Vec::new(),
            other: Extra::new(),
            origin: None,
        }
    }

    /// Reads a metadata file, which may be compressed with gzip. `location` is its own URI.
    pub fn from_json(bytes: &[u8], location: Option<&str>) -> Result<Table> {
        let mut unpacked = Vec::new();
        let json = if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut reader = GzDecoder::new(bytes).take(MAX_BYTES + 1);
            if let Err(error) = reader.read_to_end(&mut unpacked) {
                return invalid(format!("Invalid table metadata: {error}"));
            }
            &unpacked[..]
        } else {
            bytes
        };
        if json.len() as u64 > MAX_BYTES {
            return Err(Error::Unsupported(format!(
                "Table metadata of more than {MAX_BYTES} bytes cannot be read"
            )));
        }
        #[derive(Deserialize)]
        struct Version {
            #[serde(rename = "format-version")]
            format_version: i32,
        }
        let wrong = |error| Error::Invalid(format!("Invalid table metadata: {error}"));
        let version: Version = serde_json::from_slice(json).map_err(wrong)?;
        if !VERSIONS.contains(&version.format_version) {
            return Err(Error::Unsupported(format!(
                "Cannot read unsupported version {}",
                version.format_version
            )));
        }
        let mut table: Table = serde_json::from_slice(json).map_err(wrong)?;
        table.location.truncate(table.location.trim_end_matches('/').len());
        table.origin = location.map(|file| table.origin_at(file));
        // What has no refs has a main branch nevertheless.
        if let (Some(id), false) = (table.current_snapshot_id, table.refs.contains_key(MAIN)) {
            table.refs.insert(MAIN.to_owned(), Reference::branch(id));
        }
        table.check()?;
        Ok(table)
    }

    /// The URI of its metadata file; none if it was not written yet.
    pub fn metadata_location(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| origin.metadata_file.as_str())
    }

    fn origin_at(&self, file: &str) -> MetadataLogEntry {
        MetadataLogEntry { metadata_file: file.to_owned(), timestamp_ms: self.last_updated_ms }
    }

    /// The metadata file.
    pub fn to_json(&self) -> Bytes {
        let why = "names are texts";
        if self.format_version < 3 || self.current_snapshot_id.is_some() {
            return serde_json::to_vec(self).expect(why).into();
        }
        // What is -1 in version 2 is null in version 3.
        let mut json = serde_json::to_value(self).expect(why);
        json["current-snapshot-id"] = Json::Null;
        serde_json::to_vec(&json).expect(why).into()
    }

    /// Makes the table one of a later version of the format.
    pub(crate) fn upgrade(&mut self, version: i32) -> Result<()> {
        if !VERSIONS.contains(&version) {
            return Err(Error::Unsupported(format!("Unsupported format version: v{version}")));
        }
        if version < self.format_version {
            return invalid(format!(
                "Cannot downgrade v{} table to v{version}",
                self.format_version
            ));
        }
        self.format_version = version;
        if version >= 3 {
            self.next_row_id.get_or_insert(0);
        }
        Ok(())
    }

    /// Refuses what refers to something that is not there.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |text: String| invalid(format!("Invalid table metadata: {text}"));
        if self.table_uuid.is_empty() || self.location.is_empty() {
            return wrong("a table needs a UUID and a location".to_owned());
        }
        self.schemas.iter().try_for_each(Schema::check)?;
        if let Some(kind) =
            self.schemas.iter().find_map(Schema::later).filter(|_| self.format_version < 3)
        {
            return wrong(format!("type {kind} is not supported until v3"));
        }
        if self.schema(self.current_schema_id).is_none() {
            return wrong(format!("no schema with id {}", self.current_schema_id));
        }
        if self.spec(self.default_spec_id).is_none() {
            return wrong(format!("no partition spec with id {}", self.default_spec_id));
        }
        let id = self.default_sort_order_id;
        if id != 0 && !self.sort_orders.iter().any(|order| order.order_id == id) {
            return wrong(format!("no sort order with id {id}"));
        }
        let ids = self.snapshot_ids();
        if let Some(id) = self.current_snapshot_id.filter(|id| !ids.contains(id)) {
            return wrong(format!("no snapshot with id {id}"));
        }
        for (name, reference) in &self.refs {
            if !ids.contains(&reference.snapshot_id) {
                return wrong(format!("{name} is of a snapshot that is not there"));
            }
        }
        let main = self.refs.get(MAIN).map(|main| main.snapshot_id);
        if main != self.current_snapshot_id {
            return wrong("main is not the current snapshot".to_owned());
        }
        let last = self.last_sequence_number;
        if let Some(each) = self.snapshots.iter().find(|each| each.sequence_number > last) {
            let (id, number) = (each.snapshot_id, each.sequence_number);
            return wrong(format!("snapshot {id} has sequence number {number}, above {last}"));
        }
        Ok(())
    }

    /// The ids of all snapshots.
    pub(crate) fn snapshot_ids(&self) -> std::collections::BTreeSet<i64> {
        self.snapshots.iter().map(|snapshot| snapshot.snapshot_id).collect()
    }

    /// Its schema.
    pub fn current_schema(&self) -> &Schema {
        self.schema(self.current_schema_id).unwrap_or(&self.schemas[0])
    }

    /// A schema that it has or had.
    pub fn schema(&self, id: i32) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.schema_id == id)
    }

    /// A partition spec that files have.
    pub fn spec(&self, id: i32) -> Option<&PartitionSpec> {
        self.partition_specs.iter().find(|spec| spec.spec_id == id)
    }

    /// The snapshot that is the table.
    pub fn current_snapshot(&self) -> Option<&Snapshot> {
        self.snapshot(self.current_snapshot_id?)
    }

    /// One of its snapshots.
    pub fn snapshot(&self, id: i64) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.snapshot_id == id)
    }

    /// A property that is a number.
    pub fn number(&self, property: &str, default: i64) -> i64 {
        let value = self.properties.get(property);
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(default)
    }

    /// The ids, names and types of a spec's fields; what the schema no longer has is looked for in those before.
    pub(crate) fn partition_kinds(&self, spec: &PartitionSpec) -> Vec<(i32, String, Kind)> {
        let mut schemas = vec![self.current_schema()];
        schemas.extend(self.schemas.iter().rev());
        kinds(spec, &schemas)
    }

    /// The URI of a new file of metadata.
    pub(crate) fn metadata_path(&self, name: &str) -> String {
        match self.properties.get("write.metadata.path") {
            Some(path) => format!("{}/{name}", path.trim_end_matches('/')),
            None => format!("{}/metadata/{name}", self.location),
        }
    }

    /// The table as a new metadata file, whose name has the number after that of the file before and a UUID.
    pub fn write(mut self, uuid: &str) -> Change {
        let mut unreferenced = Vec::new();
        let number = match self.origin.take() {
            None => 0,
            Some(origin) => {
                let number = file_number(&origin.metadata_file);
                self.metadata_log.push(origin);
                number.map_or(0, |number| number + 1)
            }
        };
        let most = self.number("write.metadata.previous-versions-max", PREVIOUS_VERSIONS).max(1);
        let over = self.metadata_log.len().saturating_sub(most as usize);
        unreferenced.extend(self.metadata_log.drain(..over).map(|entry| entry.metadata_file));
        let path = self.metadata_path(&format!("{number:05}-{uuid}.metadata.json"));
        let objects = vec![(path.clone(), self.to_json())];
        self.origin = Some(self.origin_at(&path));
        Change { objects, table: self, unreferenced }
    }

    /// Makes a snapshot the table.
    pub(crate) fn set_current(&mut self, id: Option<i64>, now_millis: i64) {
        match id {
            Some(snapshot_id) => {
                let reference =
                    self.refs.entry(MAIN.to_owned()).or_insert(Reference::branch(snapshot_id));
                reference.snapshot_id = snapshot_id;
                if self.current_snapshot_id != id {
                    let entry = SnapshotLogEntry { snapshot_id, timestamp_ms: now_millis };
                    self.snapshot_log.push(entry);
                }
            }
            None => drop(self.refs.remove(MAIN)),
        }
        self.current_snapshot_id = id;
    }

    /// Drops snapshots and what refers to them; returns the paths of their statistics.
    pub(crate) fn drop_snapshots(&mut self, gone: &dyn Fn(i64) -> bool) -> Vec<String> {
        self.snapshots.retain(|snapshot| !gone(snapshot.snapshot_id));
        self.refs.retain(|_, reference| !gone(reference.snapshot_id));
        if self.current_snapshot_id.is_some_and(gone) {
            self.current_snapshot_id = None;
        }
        // What was before a snapshot that is gone is no history any more.
        if let Some(last) = self.snapshot_log.iter().rposition(|entry| gone(entry.snapshot_id)) {
            self.snapshot_log.drain(..=last);
        }
        let mut paths = Vec::new();
        for statistics in [&mut self.statistics, &mut self.partition_statistics] {
            statistics.retain(|file| {
                let is_gone = file.get("snapshot-id").and_then(Json::as_i64).is_some_and(gone);
                let path = file.get("statistics-path").and_then(Json::as_str);
                paths.extend(path.filter(|_| is_gone).map(str::to_owned));
                !is_gone
            });
        }
        paths
    }
}

impl Reference {
    /// A branch.
    pub fn branch(snapshot_id: i64) -> Reference {
        Reference {
            snapshot_id,
            kind: "branch".to_owned(),
            min_snapshots_to_keep: None,
            max_snapshot_age_ms: None,
            max_ref_age_ms: None,
        }
    }
}

/// The number with which the name of a metadata file begins.
fn file_number(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?;
    name.split_once('-')?.0.parse().ok().filter(|number| *number < u64::MAX)
}
