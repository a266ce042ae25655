//! Writes a table into a folder, for readers other than this crate: several appends, of which manifests are merged,
//! a replacement and an expiry.
//!
//! `iceberg_table FOLDER` prints one line of JSON for each commit: its metadata file, its snapshot, and what its rows are.
//!
//! `iceberg_table METADATA_FILE` goes on with a table that somebody else wrote: it removes the first of its files and lets all
//! snapshots but the last expire, and prints what it made, which file it removed and how many there were.

#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::Path;

use fogbank_columns::{Cell, Writer};
use fogbank_iceberg::{
    Change, Commit, DataFile, Field, Kind, List, New, PartitionField, PartitionSpec, Removal,
    Status, Table, Transaction, Value, read_manifest, read_manifest_list,
};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// 2026-11-21T00:00:00Z in microseconds.
const DAY: i64 = 1_795_219_200_000_000;

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).ok_or("usage: iceberg_table FOLDER")?;
    if folder.ends_with(".metadata.json") {
        return go_on(&folder);
    }
    let folder = std::path::absolute(folder)?;
    for is_partitioned in [false, true] {
        write_table(&folder.join(if is_partitioned { "split" } else { "whole" }), is_partitioned)?;
    }
    Ok(())
}

fn fields() -> Vec<Field> {
    let list = List { element_id: 14, element: Kind::Int, element_required: false };
    let pair = vec![
        Field::optional(16, "number", Kind::Double),
        Field::optional(17, "tags", Kind::texts_by_text(18, 19)),
    ];
    vec![
        Field::required(1, "key", Kind::String).with_doc("What the row is called"),
        Field::optional(2, "size", Kind::Long),
        Field::optional(3, "part", Kind::Int),
        Field::optional(4, "ratio", Kind::Float),
        Field::optional(5, "is_new", Kind::Boolean),
        Field::optional(6, "day", Kind::Date),
        Field::optional(7, "local", Kind::Timestamp),
        Field::required(8, "at", Kind::Timestamptz),
        Field::optional(9, "bytes", Kind::Binary),
        Field::optional(10, "tags", Kind::texts_by_text(11, 12)),
        Field::optional(13, "list", Kind::List(Box::new(list))),
        Field::optional(15, "pair", Kind::Struct(pair)),
    ]
}

fn row(number: i64) -> Vec<Cell> {
    let text = |text: String| Cell::Text(text);
    let optional = |cell| if number % 10 == 9 { Cell::None } else { cell };
    let tags = (0..number % 3).map(|each| (text(format!("k{each}")), text(format!("v{number}"))));
    let tags = Cell::Map(tags.collect());
    let list = (0..number % 4).map(|each| if each == 1 { Cell::None } else { Cell::Int(each) });
    let pair = vec![Cell::Float(number as f64 / 4.0), tags.clone()];
    vec![
        text(format!("a longer prefix/ключ-{number:06}")),
        optional(Cell::Int(number * 1_000_000_007)),
        optional(Cell::Int(number)),
        optional(Cell::Float(number as f64 / 2.0)),
        optional(Cell::Bool(number % 2 == 0)),
        optional(Cell::Int(DAY / 86_400_000_000 + number / 100)),
        optional(Cell::Int(DAY + number * 1_000_001)),
        Cell::Int(DAY + number * 1_000_001),
        optional(Cell::Bytes(number.to_be_bytes().to_vec().into())),
        optional(tags),
        optional(Cell::List(list.collect())),
        optional(Cell::Struct(pair)),
    ]
}

/// Writes rows into a file, and what manifests say of it.
fn data(table: &Table, numbers: std::ops::Range<i64>) -> Outcome<DataFile> {
    let mut writer = Writer::new("table", table.current_schema().columns()?)?;
    let path = format!("{}/data/{}-{}.parquet", table.location, numbers.start, numbers.end);
    for number in numbers {
        writer.push(row(number))?;
    }
    let (bytes, statistics) = writer.finish_with_statistics()?;
    put(&path, &bytes)?;
    let mut file = DataFile::parquet(&path, bytes.len(), &statistics);
    if let Some(field) = table.partition_specs[0].fields.first().and_then(|field| field.field_id) {
        // The rows' points in time are seconds after that day's beginning.
        file.partition.insert(field, Value::Int(i32::try_from(DAY / 86_400_000_000)?));
    }
    Ok(file)
}

fn write_table(folder: &Path, is_partitioned: bool) -> Outcome<()> {
    let by_day = PartitionField {
        source_id: 8,
        field_id: None,
        name: "at day".to_owned(),
        transform: "day".to_owned(),
    };
    let mut table = commit(
        Table::new(New {
            uuid: uuid(0),
            location: format!("file://{}", folder.display()),
            fields: fields(),
            partition_spec: PartitionSpec {
                spec_id: 0,
                fields: is_partitioned.then_some(by_day).into_iter().collect(),
            },
            properties: [("commit.manifest.min-count-to-merge".to_owned(), "4".to_owned())].into(),
            now_millis: DAY / 1000,
            ..New::default()
        })?
        .write(&uuid(0)),
    )?;
    say(&table, &[]);
    let mut rows: Vec<std::ops::Range<i64>> = Vec::new();
    for number in 0..10 {
        let numbers = number * 100..number * 100 + 100;
        let file = data(&table, numbers.clone())?;
        rows.push(numbers);
        let transaction = table.append(named(number + 1), vec![file]);
        table = run(transaction)?;
        say(&table, &rows);
    }
    let gone = BTreeSet::from([path(&table, &rows[3]), path(&table, &rows[7])]);
    let other = data(&table, 300..350)?;
    rows.remove(7);
    rows[3] = 300..350;
    table = run(table.overwrite(named(20), Removal::Files(gone), vec![other]))?;
    say(&table, &rows);
    let mut expiry = table.expire_snapshots(DAY / 1000 + 5_500, 1, DAY / 1000 + 30_000);
    while let Some(path) = expiry.wants().map(str::to_owned) {
        expiry.give(&get(&path)?)?;
    }
    table = commit(expiry.finish(&uuid(21))?)?;
    say(&table, &rows);
    table = run(table.overwrite(named(22), Removal::Everything, vec![]))?;
    say(&table, &[]);
    Ok(())
}

/// Changes a table of somebody else's.
fn go_on(metadata: &str) -> Outcome<()> {
    let table = Table::from_json(&get(metadata)?, Some(metadata))?;
    let snapshot = table.current_snapshot().ok_or("a table without a snapshot")?;
    let mut files = BTreeSet::new();
    for manifest in read_manifest_list(&get(&snapshot.manifest_list)?)? {
        for entry in read_manifest(&get(&manifest.path)?, &manifest)? {
            let entry = entry?;
            if entry.status != Status::Deleted {
                files.insert(entry.file.path);
            }
        }
    }
    let count = files.len();
    let first = files.pop_first().ok_or("a table without files")?;
    let named = Commit { snapshot_id: 7, uuid: uuid(7), now_millis: table.last_updated_ms + 1000 };
    let gone = Removal::Files([first.clone()].into());
    let table = run(table.overwrite(named, gone, Vec::new()))?;
    let mut expiry = table.expire_snapshots(i64::MAX, 1, table.last_updated_ms);
    while let Some(path) = expiry.wants().map(str::to_owned) {
        expiry.give(&get(&path)?)?;
    }
    let table = commit(expiry.finish(&uuid(8))?)?;
    let metadata = table.metadata_location();
    println!("{}", json!({"metadata": metadata, "removed": first, "files": count}));
    Ok(())
}

fn path(table: &Table, numbers: &std::ops::Range<i64>) -> String {
    format!("{}/data/{}-{}.parquet", table.location, numbers.start, numbers.end)
}

fn uuid(number: i64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn named(number: i64) -> Commit {
    Commit {
        snapshot_id: 5_000_000_000_000 + number,
        uuid: uuid(number),
        now_millis: DAY / 1000 + number * 1000,
    }
}

fn run(mut transaction: Transaction) -> Outcome<Table> {
    while let Some(path) = transaction.wants().map(str::to_owned) {
        transaction.give(&get(&path)?)?;
    }
    commit(transaction.finish()?)
}

fn commit(change: Change) -> Outcome<Table> {
    for (path, bytes) in &change.objects {
        put(path, bytes)?;
    }
    for path in &change.unreferenced {
        std::fs::remove_file(path.trim_start_matches("file://"))?;
    }
    Ok(change.table)
}

fn put(path: &str, bytes: &[u8]) -> Outcome<()> {
    let path = Path::new(path.trim_start_matches("file://"));
    std::fs::create_dir_all(path.parent().ok_or("a file at the root")?)?;
    Ok(std::fs::write(path, bytes)?)
}

fn get(path: &str) -> Outcome<Vec<u8>> {
    Ok(std::fs::read(path.trim_start_matches("file://"))?)
}

fn say(table: &Table, rows: &[std::ops::Range<i64>]) {
    let rows: Vec<_> = rows.iter().map(|range| [range.start, range.end]).collect();
    let (metadata, snapshot) = (table.metadata_location(), table.current_snapshot_id);
    println!("{}", json!({"metadata": metadata, "snapshot": snapshot, "rows": rows}));
}
