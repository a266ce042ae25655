//! Small files in Parquet, of every shape and encoding.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::errors::Result;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

const SCHEMA: &str = "message m {
    required int64 id (INTEGER(64,true));
    optional binary name (STRING);
    optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
    optional group point { required int32 x (DATE); optional int32 y (DECIMAL(5,2)); }
    repeated int64 at (TIMESTAMP(MICROS,true));
    required int96 old;
}";

/// The files with their names.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (name, compression) in [
            ("plain", Compression::UNCOMPRESSED),
            ("snappy", Compression::SNAPPY),
        ] {
            for encoding in [None, Some(Encoding::PLAIN), Some(Encoding::DELTA_BYTE_ARRAY)] {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(compression)
                    .set_dictionary_enabled(encoding.is_none());
                let properties = match encoding {
                    Some(encoding) => {
                        properties.set_column_encoding("name".into(), encoding).build()
                    }
                    None => properties.build(),
                };
                let name = format!("{name}-{version:?}-{encoding:?}");
                all.push((name, file(properties).expect("a file")));
            }
        }
    }
    all
}

fn file(properties: WriterProperties) -> Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for _ in 0..2 {
        let mut group = file.next_row_group()?;
        column::<Int64Type>(&mut group, &[1, 2, 3], &[], &[])?;
        column::<ByteArrayType>(&mut group, &texts(&["alpha", "alphabet"]), &[1, 0, 1], &[0; 3])?;
        let (levels, repeats) = (&[3, 2, 3, 0, 1], &[0, 1, 1, 0, 0]);
        column::<ByteArrayType>(&mut group, &texts(&["a", "b"]), levels, repeats)?;
        column::<Int32Type>(&mut group, &[1, 19_000], &[1, 0, 1], &[0; 3])?;
        column::<Int32Type>(&mut group, &[-12345], &[1, 0, 2], &[0; 3])?;
        column::<Int64Type>(&mut group, &[7, 8, 9], &[1, 1, 0, 1], &[0, 1, 0, 0])?;
        column::<Int96Type>(&mut group, &[Int96::new(); 3], &[], &[])?;
        group.close()?;
    }
    file.into_inner()
}

fn texts(all: &[&str]) -> Vec<ByteArray> {
    all.iter().map(|text| text.as_bytes().to_vec().into()).collect()
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: &[i16],
    repeats: &[i16],
) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let levels = (!levels.is_empty()).then_some(levels);
    let repeats = (!repeats.is_empty()).then_some(repeats);
    column.typed::<T>().write_batch(values, levels, repeats)?;
    column.close()
}
