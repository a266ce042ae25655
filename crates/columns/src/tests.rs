//! Files that are read as they were written.

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;

fn column(name: &str, kind: Kind, is_required: bool) -> Column {
    Column::new(name, kind, is_required)
}

#[test]
fn rows_are_read_as_they_were_written() {
    let columns = vec![
        column("key", Kind::Text, true),
        column("size", Kind::Int, false),
        column("at", Kind::Millis, false),
        column("is_latest", Kind::Bool, false),
    ];
    assert_eq!(
        schema("s3.inventory", &columns),
        "message s3.inventory {  required binary key (STRING);  optional int64 size;  optional int64 at (TIMESTAMP(MILLIS,true));  optional boolean is_latest;}"
    );
    let mut writer = Writer::new("s3.inventory", columns).expect("a writer");
    assert!(writer.is_empty());
    let rows = 60_000;
    for row in 0..rows {
        let size = if row % 3 == 0 { Cell::None } else { Cell::Int(row) };
        let latest = Cell::Bool(row % 2 == 0);
        writer
            .push(vec![Cell::Text(format!("é{row}")), size, Cell::Int(row), latest])
            .expect("a row");
    }
    assert!(!writer.is_empty());
    let reader = SerializedFileReader::new(writer.finish().expect("a file")).expect("Parquet");
    assert!(reader.metadata().num_row_groups() > 1);
    let mut count = 0;
    for (row, read) in (0i64..).zip(reader.get_row_iter(None).expect("rows")) {
        let read = read.expect("a row").to_string();
        let size = if row % 3 == 0 { "null".to_owned() } else { row.to_string() };
        assert!(
            read.starts_with(&format!("{{key: \"é{row}\", size: {size}, at: 1970-01-01 ")),
            "{read}"
        );
        assert!(read.ends_with(&format!("is_latest: {}}}", row % 2 == 0)), "{read}");
        count += 1;
    }
    assert_eq!(count, rows);
}

#[test]
fn values_of_another_kind_are_none() {
    let columns = vec![column("key", Kind::Text, true), column("size", Kind::Int, false)];
    let mut writer = Writer::new("rows", columns).expect("a writer");
    writer.push(vec![Cell::Int(1), Cell::Text("x".to_owned())]).expect("a row");
    writer.push(Vec::new()).expect("a row");
    let reader = SerializedFileReader::new(writer.finish().expect("a file")).expect("Parquet");
    let rows: Vec<_> = reader.get_row_iter(None).expect("rows").flatten().collect();
    assert_eq!(
        rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["{key: \"\", size: null}"; 2]
    );
}

/// Columns of all kinds.
fn all_kinds() -> Vec<Column> {
    let text = |name, is_required| Box::new(column(name, Kind::Text, is_required));
    let inner = Column::new("list", Kind::List(text("element", false)), false).with_id(20);
    vec![
        column("text", Kind::Text, true).with_id(1),
        column("tags", Kind::Map(text("key", true), text("value", false)), false).with_id(2),
        column("lists", Kind::List(Box::new(inner)), false).with_id(5),
        column(
            "pair",
            Kind::Struct(vec![
                column("a", Kind::Int32, false).with_id(9),
                column(
                    "b",
                    Kind::Map(text("key", true), Box::new(column("v", Kind::Double, true))),
                    true,
                ),
            ]),
            false,
        )
        .with_id(8),
        column("float", Kind::Float, false).with_id(12),
        column("date", Kind::Date, false).with_id(13),
        column("local", Kind::LocalMicros, false).with_id(14),
        column("at", Kind::Micros, true).with_id(15),
        column("bytes", Kind::Binary, false).with_id(16),
    ]
}

fn row(number: i64) -> Vec<Cell> {
    let text = |text: &str| Cell::from(text);
    let optional = |cell| if number % 3 == 0 { Cell::None } else { cell };
    let tags = (0..number % 4).map(|each| (Cell::Text(format!("k{each}")), optional(text("v"))));
    let list = |length: i64| Cell::List((0..length).map(|_| optional(text("x"))).collect());
    let lists = [list(number % 2), Cell::None, list(3)];
    let pair = vec![
        optional(Cell::Int(number)),
        Cell::Map(vec![(text("half"), Cell::Float(number as f64 / 2.0)); (number % 2) as usize]),
    ];
    vec![
        Cell::Text(format!("row {number}")),
        if number % 5 == 0 { Cell::None } else { Cell::Map(tags.collect()) },
        if number % 7 == 0 {
            Cell::None
        } else {
            Cell::List(lists[..(number % 4).min(3) as usize].to_vec())
        },
        optional(Cell::Struct(pair)),
        optional(Cell::Float(if number % 2 == 0 { f64::NAN } else { -1.5 })),
        optional(Cell::Int(number)),
        optional(Cell::Int(-number)),
        Cell::Int(1_700_000_000_000_000 + number),
        optional(Cell::Bytes(Bytes::from(vec![0xff; 20]))),
    ]
}

#[test]
fn lists_maps_and_structs_are_read_as_they_were_written() {
    let mut writer = Writer::new("table", all_kinds()).expect("a writer");
    let rows = 20_000;
    (0..rows).for_each(|number| writer.push(row(number)).expect("a row"));
    assert_eq!(writer.rows(), rows as u64);
    let file = writer.finish().expect("a file");
    let reader = SerializedFileReader::new(file.clone()).expect("Parquet");
    assert!(reader.metadata().num_row_groups() > 1);
    let schema = reader.metadata().file_metadata().schema().clone();
    assert_eq!(schema.get_fields()[1].get_basic_info().id(), 2);
    let mut count = 0;
    for (number, read) in (0..).zip(cells(file).expect("rows")) {
        // A number that is none does not equal itself.
        assert_eq!(format!("{:?}", read.expect("a row")), format!("{:?}", row(number)));
        count += 1;
    }
    assert_eq!(count, rows);
}

#[test]
fn statistics_say_what_is_in_a_file() {
    let mut writer = Writer::new("table", all_kinds()).expect("a writer");
    (0..10).for_each(|number| writer.push(row(number)).expect("a row"));
    let (file, statistics) = writer.finish_with_statistics().expect("a file");
    assert_eq!((statistics.rows, &statistics.split_offsets[..]), (10, &[4][..]));
    let of = |id| statistics.columns.iter().find(|column| column.id == Some(id)).expect("a column");
    let text = of(1);
    assert_eq!((text.values, text.nulls, text.nans), (10, 0, None));
    assert_eq!(text.lower.as_deref(), Some(&b"row 0"[..]));
    assert_eq!(text.upper.as_deref(), Some(&b"row 9"[..]));
    let date = of(13);
    assert_eq!((date.values, date.nulls), (10, 4));
    assert_eq!(date.lower, Some(1i32.to_le_bytes().to_vec()));
    assert_eq!(date.upper, Some(8i32.to_le_bytes().to_vec()));
    assert_eq!(of(14).lower, Some((-8i64).to_le_bytes().to_vec()));
    assert_eq!((of(12).nans, &of(12).upper), (Some(3), &Some((-1.5f32).to_le_bytes().to_vec())));
    assert_eq!((of(16).lower.clone(), of(16).upper.clone()), (Some(vec![0xff; 16]), None));
    let bytes: u64 = statistics.columns.iter().map(|column| column.bytes).sum();
    assert!(bytes > 0 && bytes < file.len() as u64);
    let repeated = &statistics.columns[1];
    assert_eq!((&repeated.lower, &repeated.upper), (&None, &None));
}

#[test]
fn long_texts_have_bounds_above_and_below_them() {
    let mut writer =
        Writer::new("table", vec![column("text", Kind::Text, false).with_id(1)]).expect("a writer");
    for text in ["aaaaaaaaaaaaaaaaaaaa", "zzzzzzzzzzzzzzz\u{d7ff}z"] {
        writer.push(vec![Cell::from(text)]).expect("a row");
    }
    let (_, statistics) = writer.finish_with_statistics().expect("a file");
    let column = &statistics.columns[0];
    assert_eq!(column.lower.as_deref(), Some("aaaaaaaaaaaaaaaa".as_bytes()));
    assert_eq!(column.upper.as_deref(), Some("zzzzzzzzzzzzzzz\u{e000}".as_bytes()));
}
