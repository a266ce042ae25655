//! What a request of SelectObjectContent asks for, as the engine takes it.

use fogbank_core::Fault;
use fogbank_select::{Compression, CsvInput, CsvOutput, Header, Input, Output, Request, Scan};

use crate::error::Error;
use crate::model::{
    CSVInput, CSVOutput, InputSerialization, JSONInput, OutputSerialization, ScanRange,
    SelectObjectContentInput,
};

fn refused(name: &'static str, message: &str) -> Error {
    Error::Fault(Fault::new(name, message))
}

/// Reads a request on an object of this size.
pub(super) fn request(
    input: &SelectObjectContentInput,
    size: u64,
    now_millis: i64,
) -> Result<Request<'_>, Error> {
    if !input.expression_type.eq_ignore_ascii_case("SQL") {
        let message = "The ExpressionType value is not valid. Only SQL expressions are supported.";
        return Err(refused("InvalidExpressionType", message));
    }
    let compression = compression(&input.input_serialization)?;
    Ok(Request {
        expression: &input.expression,
        input: form(&input.input_serialization, compression, size)?,
        compression,
        output: output(&input.output_serialization)?,
        scan: input
            .scan_range
            .as_ref()
            .and_then(|range| scan(range, size).transpose())
            .transpose()?,
        now_millis,
    })
}

fn conflict() -> Error {
    let message = "InputSerialization specifies more than one format (CSV, JSON, or Parquet), or OutputSerialization specifies more than one format (CSV or JSON). For InputSerialization and OutputSerialization, you can specify only one format for each.";
    refused("ObjectSerializationConflict", message)
}

fn compression(input: &InputSerialization) -> Result<Compression, Error> {
    match input.compression_type.as_deref() {
        None | Some("NONE") => Ok(Compression::None),
        Some("GZIP") => Ok(Compression::Gzip),
        Some("BZIP2") => Ok(Compression::Bzip2),
        Some(_) => {
            let message = "The file is not in a supported compression format. Only GZIP and BZIP2 are supported.";
            Err(refused("InvalidCompressionFormat", message))
        }
    }
}

fn form(input: &InputSerialization, of: Compression, size: u64) -> Result<Input, Error> {
    match (&input.csv, &input.json, &input.parquet) {
        (Some(csv), None, None) => csv_input(csv).map(Input::Csv),
        (None, Some(json), None) => json_input(json),
        // Its columns are compressed each by itself. Which error AWS has for this is not written down.
        (None, None, Some(_)) if of != Compression::None => Err(bad_parameter()),
        (None, None, Some(_)) => parquet(size),
        (None, None, None) => {
            let message =
                "The data source type is not valid. Only CSV, JSON, and Parquet are supported.";
            Err(refused("InvalidDataSource", message))
        }
        _ => Err(conflict()),
    }
}

#[cfg(feature = "parquet")]
fn parquet(size: u64) -> Result<Input, Error> {
    Ok(Input::Parquet { size })
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: u64) -> Result<Input, Error> {
    Err(Fault::not_implemented("s3", "SelectObjectContent of Parquet").into())
}

fn json_input(json: &JSONInput) -> Result<Input, Error> {
    match json.r#type.as_deref() {
        Some("DOCUMENT") => Ok(Input::Json { is_lines: false }),
        Some("LINES") => Ok(Input::Json { is_lines: true }),
        _ => {
            let message = "The JsonType value is not valid. Only DOCUMENT and LINES are supported.";
            Err(refused("InvalidJsonType", message))
        }
    }
}

fn bad_parameter() -> Error {
    let message = "The value of a parameter in the SelectRequest element is not valid. Check the service API documentation and try again.";
    refused("InvalidRequestParameter", message)
}

/// A character of ASCII; nothing if it is given as empty.
fn character(text: Option<&str>, default: Option<u8>) -> Result<Option<u8>, Error> {
    match text.map(str::as_bytes) {
        None => Ok(default),
        Some([]) => Ok(None),
        Some([byte]) if byte.is_ascii() => Ok(Some(*byte)),
        Some(_) => Err(bad_parameter()),
    }
}

/// What stands between records or fields: one character or two.
fn delimiter(text: Option<&String>, default: &str) -> Result<String, Error> {
    match text {
        None => Ok(default.to_owned()),
        Some(text) if (1..=2).contains(&text.chars().count()) => Ok(text.clone()),
        Some(_) => Err(bad_parameter()),
    }
}

fn csv_input(csv: &CSVInput) -> Result<CsvInput, Error> {
    let header = match csv.file_header_info.as_deref() {
        None | Some("NONE") => Header::None,
        Some("IGNORE") => Header::Ignore,
        Some("USE") => Header::Use,
        Some(_) => {
            let message =
                "The FileHeaderInfo value is not valid. Only NONE, USE, and IGNORE are supported.";
            return Err(refused("InvalidFileHeaderInfo", message));
        }
    };
    let quote = character(csv.quote_character.as_deref(), Some(b'"'))?;
    let escape = character(csv.quote_escape_character.as_deref(), Some(b'"'))?;
    Ok(CsvInput {
        header,
        comment: character(csv.comments.as_deref(), Some(b'#'))?,
        // Without an escape of its own, a quote is escaped by another.
        escape: escape.or(quote).unwrap_or(b'"'),
        record_delimiter: delimiter(csv.record_delimiter.as_ref(), "\n")?,
        field_delimiter: delimiter(csv.field_delimiter.as_ref(), ",")?,
        quote,
        has_quoted_delimiters: csv.allow_quoted_record_delimiter == Some(true),
    })
}

fn output(output: &OutputSerialization) -> Result<Output, Error> {
    match (&output.csv, &output.json) {
        (Some(csv), None) => csv_output(csv).map(Output::Csv),
        (None, Some(json)) => {
            let given = json.record_delimiter.clone();
            Ok(Output::Json { record_delimiter: given.unwrap_or_else(|| "\n".to_owned()) })
        }
        (Some(_), Some(_)) => Err(conflict()),
        (None, None) => {
            let message = "The SelectRequest entity is missing a required parameter. Check the service documentation and try again.";
            Err(refused("MissingRequiredParameter", message))
        }
    }
}

fn csv_output(csv: &CSVOutput) -> Result<CsvOutput, Error> {
    let always_quotes = match csv.quote_fields.as_deref() {
        None | Some("ASNEEDED") => false,
        Some("ALWAYS") => true,
        Some(_) => {
            let message =
                "The QuoteFields value is not valid. Only ALWAYS and ASNEEDED are supported.";
            return Err(refused("InvalidQuoteFields", message));
        }
    };
    let or = |given: &Option<String>, default: &str| given.clone().unwrap_or(default.to_owned());
    Ok(CsvOutput {
        always_quotes,
        escape: or(&csv.quote_escape_character, "\""),
        record_delimiter: or(&csv.record_delimiter, "\n"),
        field_delimiter: or(&csv.field_delimiter, ","),
        quote: or(&csv.quote_character, "\""),
    })
}

/// The range of a request; without a start, its end is how many bytes at the end of the object count.
fn scan(range: &ScanRange, size: u64) -> Result<Option<Scan>, Error> {
    let bad = || refused("InvalidScanRange", "The provided scan range is not valid.");
    let number = |value: Option<i64>| value.map(|value| u64::try_from(value).map_err(|_| bad()));
    match (number(range.start).transpose()?, number(range.end).transpose()?) {
        (None, None) => Ok(None),
        (Some(start), end) => Ok(Some(Scan { start, end: end.unwrap_or(u64::MAX) })),
        (None, Some(0)) => Err(bad()),
        (None, Some(last)) => Ok(Some(Scan { start: size.saturating_sub(last), end: u64::MAX })),
    }
}
