//! Files of every shape, written by the crate `parquet`, and what becomes of damaged ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::*;

type Writer<'w> = SerializedRowGroupWriter<'w, Vec<u8>>;

fn file(
    schema: &str,
    properties: WriterProperties,
    groups: usize,
    write: &mut dyn FnMut(&mut Writer<'_>),
) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut file =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("a file");
    for _ in 0..groups {
        let mut group = file.next_row_group().expect("a group");
        write(&mut group);
        group.close().expect("a group");
    }
    file.into_inner().expect("a file").into()
}

fn column<T: DataType>(group: &mut Writer<'_>, values: &[T::T], levels: &[i16], repeats: &[i16]) {
    let mut column = group.next_column().expect("a column").expect("a column");
    let some = |levels: &'_ [i16]| if levels.is_empty() { None } else { Some(levels.to_vec()) };
    let (levels, repeats) = (some(levels), some(repeats));
    let writer = column.typed::<T>();
    writer.write_batch(values, levels.as_deref(), repeats.as_deref()).expect("values");
    column.close().expect("a column");
}

fn open(file: &Bytes) -> Result<Table, Refusal> {
    let size = file.len() as u64;
    let tail = file.len().checked_sub(8).and_then(|at| file[at..].try_into().ok());
    let footer = Table::footer(size, tail.ok_or_else(|| Damage::new("short"))?)?;
    Ok(Table::read(footer.start, &file[footer.start as usize..footer.end as usize])?)
}

/// The rows of some fields as text, and how many bytes were asked for.
fn rows(file: &Bytes, fields: &[&str]) -> Result<(Vec<String>, u64), Refusal> {
    let table = open(file)?;
    let index = |name: &&str| table.names().position(|known| known == *name).expect("a field");
    let fields: Vec<usize> = fields.iter().map(index).collect();
    let (mut all, mut asked) = (Vec::new(), 0);
    for index in 0..table.groups() {
        let mut group = table.group(index, &fields)?;
        loop {
            match group.advance()? {
                Next::Wanted(range) => {
                    assert!(range.start < range.end && range.end <= file.len() as u64, "{range:?}");
                    asked += range.end - range.start;
                    group.give(file.slice(range.start as usize..range.end as usize));
                }
                Next::Row(row) => all.push(shown(&Item::Structure(row))),
                Next::End => break,
            }
        }
    }
    Ok((all, asked))
}

fn shown(item: &Item) -> String {
    match item {
        Item::Null => "null".to_owned(),
        Item::Bool(value) => value.to_string(),
        Item::Int(value) => value.to_string(),
        Item::Long(value) => format!("{value}L"),
        Item::Float(value) => format!("{value:?}"),
        Item::Decimal { digits, scale } => format!("{digits}e-{scale}"),
        Item::Text(text) => format!("'{}'", text.as_str()),
        Item::Date(days) => format!("day {days}"),
        Item::Time { value, unit } => format!("{value} {unit:?}"),
        Item::Raw(bytes) => format!("{bytes:#x}"),
        Item::List(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(","))
        }
        Item::Structure(members) => {
            let members = members.iter().map(|(name, item)| format!("{name}:{}", shown(item)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

const TYPES: &str = "message m {
    required boolean b;
    optional int32 i;
    optional int32 small (INTEGER(8,false));
    required int64 l;
    required int64 u (INTEGER(64,false));
    required int96 old;
    required float f;
    required double d;
    optional binary t (STRING);
    required binary e (ENUM);
    required fixed_len_byte_array(3) fixed;
    required int32 day (DATE);
    required int64 millis (TIMESTAMP(MILLIS,true));
    required int64 micros (TIMESTAMP_MICROS);
    required int64 nanos (TIMESTAMP(NANOS,false));
    required int32 cents (DECIMAL(5,2));
    required fixed_len_byte_array(16) much (DECIMAL(38,10));
    required int32 clock (TIME(MILLIS,true));
    required binary doc (JSON);
}";

fn text(text: &str) -> ByteArray {
    text.as_bytes().to_vec().into()
}

fn texts(all: &[&str], times: usize) -> Vec<ByteArray> {
    all.repeat(times).into_iter().map(text).collect()
}

fn of_types(properties: WriterProperties) -> Bytes {
    file(TYPES, properties, 1, &mut |group| {
        column::<BoolType>(group, &[true, false], &[], &[]);
        column::<Int32Type>(group, &[-7], &[1, 0], &[]);
        column::<Int32Type>(group, &[-1], &[0, 1], &[]);
        column::<Int64Type>(group, &[i64::MIN, 1], &[], &[]);
        column::<Int64Type>(group, &[-1, 1], &[], &[]);
        let mut old = [Int96::new(), Int96::new()];
        old[0].set_data(1, 2, 3);
        old[1].set_data(4, 5, 6);
        column::<Int96Type>(group, &old, &[], &[]);
        column::<FloatType>(group, &[0.5, -1.0], &[], &[]);
        column::<DoubleType>(group, &[0.1, f64::NAN], &[], &[]);
        column::<ByteArrayType>(group, &[text("é")], &[1, 0], &[]);
        column::<ByteArrayType>(group, &[text(""), text("B")], &[], &[]);
        let fixed = |text: &str| FixedLenByteArray::from(text.as_bytes().to_vec());
        column::<FixedLenByteArrayType>(group, &[fixed("abc"), fixed("def")], &[], &[]);
        column::<Int32Type>(group, &[-1, 19_000], &[], &[]);
        for _ in 0..3 {
            column::<Int64Type>(group, &[-1, 1_700_000_000_000], &[], &[]);
        }
        column::<Int32Type>(group, &[-12345, 5], &[], &[]);
        let number = |number: i128| FixedLenByteArray::from(number.to_be_bytes().to_vec());
        column::<FixedLenByteArrayType>(group, &[number(-3), number(i128::MAX)], &[], &[]);
        column::<Int32Type>(group, &[1, 2], &[], &[]);
        column::<ByteArrayType>(group, &[text("{}"), text("[]")], &[], &[]);
    })
}

#[test]
fn values_have_the_types_of_their_columns() {
    let read = of_types(WriterProperties::builder().build());
    let names = ["b", "i", "small", "l", "u", "old", "f", "d", "t", "e", "fixed", "day"];
    let (all, _) = rows(&read, &names).expect("rows");
    assert_eq!(
        all,
        [
            "{b:true,i:-7,small:null,l:-9223372036854775808L,u:18446744073709551615L,old:0x30000000200000001,f:0.5,d:0.1,t:'é',e:'',fixed:'abc',day:day -1}",
            "{b:false,i:null,small:255L,l:1L,u:1L,old:0x60000000500000004,f:-1.0,d:NaN,t:null,e:'B',fixed:'def',day:day 19000}",
        ]
    );
    let (all, _) = rows(&read, &["much", "cents", "millis", "micros", "nanos"]).expect("rows");
    assert_eq!(
        all[0],
        "{much:-3e-10,cents:-12345e-2,millis:-1 Millis,micros:-1 Micros,nanos:-1 Nanos}"
    );
    assert!(all[1].starts_with("{much:170141183460469231731687303715884105727e-10,cents:5e-2,"));
    assert_eq!(rows(&read, &["clock"]), Err(Refusal::Type("TIME")));
    assert_eq!(rows(&read, &["b", "doc"]), Err(Refusal::Type("JSON")));
}

const NESTED: &str = "message m {
    required int32 id;
    optional group address { optional binary city (STRING); required int32 zip; }
    optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
    optional group old (LIST) { repeated int32 array; }
    repeated int32 bare;
    optional group points (LIST) { repeated group list { optional group element {
        required int32 x; optional group ys (LIST) { repeated group list { required int32 element; } }
    } } }
    optional group map (MAP) { repeated group key_value { required binary key (STRING); optional int32 value; } }
}";

/// Rows of four shapes, each so many times.
fn nested(properties: WriterProperties, times: usize) -> Bytes {
    let many = |levels: &[i16]| levels.repeat(times);
    file(NESTED, properties, 2, &mut |group| {
        column::<Int32Type>(group, &[1, 2, 3, 4].repeat(times), &[], &[]);
        // An address, none, one without a city, an address.
        column::<ByteArrayType>(group, &texts(&["Oslo", "Rome"], times), &many(&[2, 0, 1, 2]), &[]);
        column::<Int32Type>(group, &[10, 30, 40].repeat(times), &many(&[1, 0, 1, 1]), &[]);
        // Two tags and a null, none, an empty list, one tag.
        let tags = texts(&["a", "b", "c"], times);
        column::<ByteArrayType>(
            group,
            &tags,
            &many(&[3, 2, 3, 0, 1, 3]),
            &many(&[0, 1, 1, 0, 0, 0]),
        );
        column::<Int32Type>(
            group,
            &[1, 2, 3].repeat(times),
            &many(&[2, 2, 0, 1, 2]),
            &many(&[0, 1, 0, 0, 0]),
        );
        column::<Int32Type>(
            group,
            &[7, 8, 9].repeat(times),
            &many(&[0, 1, 1, 1, 0]),
            &many(&[0, 0, 1, 0, 0]),
        );
        // Two points, the first with two ys; none; an empty list; a null and a point without ys.
        let (levels, repeats) = ([3, 3, 0, 1, 2, 3], [0, 1, 0, 0, 0, 1]);
        column::<Int32Type>(group, &[1, 2, 4].repeat(times), &many(&levels), &many(&repeats));
        let (levels, repeats) = ([5, 5, 4, 0, 1, 2, 3], [0, 2, 1, 0, 0, 0, 1]);
        column::<Int32Type>(group, &[11, 12].repeat(times), &many(&levels), &many(&repeats));
        column::<ByteArrayType>(group, &[], &many(&[0, 0, 0, 0]), &many(&[0, 0, 0, 0]));
        column::<Int32Type>(group, &[], &many(&[0, 0, 0, 0]), &many(&[0, 0, 0, 0]));
    })
}

const NESTED_ROWS: [&str; 4] = [
    "{id:1,address:{city:'Oslo',zip:10},tags:['a',null,'b'],old:[1,2],bare:null,points:[{x:1,ys:[11,12]},{x:2,ys:[]}]}",
    "{id:2,address:null,tags:null,old:null,bare:8,points:null}",
    "{id:3,address:{city:null,zip:30},tags:[],old:[],bare:9,points:[]}",
    "{id:4,address:{city:'Rome',zip:40},tags:['c'],old:[3],bare:null,points:[null,{x:4,ys:null}]}",
];
const NESTED_FIELDS: [&str; 6] = ["id", "address", "tags", "old", "bare", "points"];

#[test]
fn nested_fields_are_put_together() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_compression(compression)
                .set_data_page_size_limit(256)
                .set_write_batch_size(8)
                .build();
            let read = nested(properties, 300);
            let (all, asked) = rows(&read, &NESTED_FIELDS).expect("rows");
            assert_eq!(all.len(), 2 * 4 * 300);
            for (index, row) in all.iter().enumerate() {
                assert_eq!(row, NESTED_ROWS[index % 4], "row {index}");
            }
            assert!(asked <= read.len() as u64, "nothing is asked for twice");
            assert_eq!(rows(&read, &["map"]), Err(Refusal::Type("MAP")));
        }
    }
}

#[test]
fn only_the_columns_that_count_are_asked_for() {
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let read =
        file("message m { required int64 a; required int64 b; }", properties, 3, &mut |group| {
            column::<Int64Type>(group, &(0..50_000).collect::<Vec<_>>(), &[], &[]);
            column::<Int64Type>(group, &(0..50_000).map(|n| -n).collect::<Vec<_>>(), &[], &[]);
        });
    let (all, asked) = rows(&read, &["b"]).expect("rows");
    assert_eq!((all.len(), &*all[149_999]), (150_000, "{b:-49999L}"));
    let table = open(&read).expect("a table");
    assert_eq!((table.groups(), table.rows(1)), (3, Ok(50_000)));
    assert!(asked < read.len() as u64 * 6 / 10, "{asked} of {}", read.len());
    assert!(table.bytes(0, &[1]) >= 400_000 && table.bytes(0, &[1]) < 420_000);
    assert_eq!(table.start(0), 4);
    assert!(table.start(1) > 800_000 && table.start(2) > table.start(1));
}

#[test]
fn every_encoding_is_read() {
    for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY]
    {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .build();
        let values: Vec<ByteArray> = (0..5000).map(|n| text(&format!("value {n}"))).collect();
        let read = file("message m { required binary t (STRING); }", properties, 1, &mut |group| {
            column::<ByteArrayType>(group, &values, &[], &[]);
        });
        let (all, _) = rows(&read, &["t"]).expect("rows");
        assert_eq!((all.len(), &*all[4999]), (5000, "{t:'value 4999'}"));
    }
    for encoding in [Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT] {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .build();
        let values: Vec<i64> = (0..5000).map(|n| n * n * 31 - 7).collect();
        let read = file("message m { required int64 n; }", properties, 1, &mut |group| {
            column::<Int64Type>(group, &values, &[], &[]);
        });
        let (all, _) = rows(&read, &["n"]).expect("rows");
        assert_eq!(all[4999], format!("{{n:{}L}}", 4999 * 4999 * 31 - 7));
    }
}

#[test]
fn records_have_an_end() {
    let properties = WriterProperties::builder().build();
    let schema =
        "message m { optional group l (LIST) { repeated group list { optional int32 element; } } }";
    let count = Room::MAX_VALUES + 10;
    let repeats: Vec<i16> = (0..count).map(|index| i16::from(index > 0)).collect();
    let read = file(schema, properties.clone(), 1, &mut |group| {
        column::<Int32Type>(group, &[], &vec![2; count], &repeats);
    });
    assert_eq!(rows(&read, &["l"]), Err(Refusal::RecordTooLarge));
    let long = text(&"x".repeat((1 << 20) + 1));
    let read = file("message m { required binary t; }", properties, 1, &mut |group| {
        column::<ByteArrayType>(group, std::slice::from_ref(&long), &[], &[]);
    });
    assert_eq!(rows(&read, &["t"]), Err(Refusal::RecordTooLarge));
}

#[test]
fn what_is_damaged_is_refused_and_never_more() {
    let dictionary =
        nested(WriterProperties::builder().set_compression(Compression::SNAPPY).build(), 3);
    let plain = of_types(
        WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0).build(),
    );
    std::panic::set_hook(Box::new(|_| ()));
    let (mut whole, mut refused) = (0, 0);
    for read in [dictionary, plain] {
        let names: Vec<String> = open(&read).expect("a table").names().map(str::to_owned).collect();
        let names: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !matches!(*name, "map" | "clock" | "doc"))
            .collect();
        for at in 0..read.len() {
            for bits in [0xff, 0x01, 0x80] {
                let mut bytes = read.to_vec();
                bytes[at] ^= bits;
                let bytes = Bytes::from(bytes);
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let table = open(&bytes)?;
                    // A changed name is no damage.
                    match names.iter().all(|name| table.names().any(|known| known == *name)) {
                        true => rows(&bytes, &names).map(drop),
                        false => Ok(()),
                    }
                }));
                match outcome {
                    Ok(Ok(())) => whole += 1,
                    Ok(Err(_)) | Err(_) => refused += 1,
                }
            }
        }
        for len in 0..read.len() {
            assert!(open(&read.slice(..len)).is_err(), "cut off at {len}");
        }
    }
    let _ = std::panic::take_hook();
    assert!(whole > 100 && refused > 100, "{whole} {refused}");
}
