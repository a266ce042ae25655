//! Writes the records of the answer.

use std::borrow::Cow;

use crate::csv::MAX_RECORD;
use crate::error::Error;
use crate::evaluate::Row;
use crate::value::Value;

/// How CSV is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOutput {
    /// Whether fields have quotes even where they need none.
    pub always_quotes: bool,
    /// What a quote within quotes is preceded by.
    pub escape: String,
    /// What follows each record.
    pub record_delimiter: String,
    /// What stands between fields.
    pub field_delimiter: String,
    /// What stands around fields.
    pub quote: String,
}

impl Default for CsvOutput {
    fn default() -> CsvOutput {
        CsvOutput {
            always_quotes: false,
            escape: "\"".to_owned(),
            record_delimiter: "\n".to_owned(),
            field_delimiter: ",".to_owned(),
            quote: "\"".to_owned(),
        }
    }
}

/// The form of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Lines of fields.
    Csv(CsvOutput),
    /// Objects, each followed by this.
    Json {
        /// What follows each object.
        record_delimiter: String,
    },
}

impl Output {
    /// Writes the values of the columns.
    pub(crate) fn columns(
        &self,
        columns: &mut dyn Iterator<Item = Result<(&str, Value<'_>), Error>>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        match self {
            Output::Csv(csv) => {
                for (index, column) in columns.enumerate() {
                    csv.field(index, &column?.1, out);
                    check(start, out)?;
                }
                out.extend_from_slice(csv.record_delimiter.as_bytes());
            }
            Output::Json { record_delimiter } => {
                out.push(b'{');
                let empty = out.len();
                for column in columns {
                    let (name, value) = column?;
                    if value == Value::Missing {
                        continue;
                    }
                    if out.len() > empty {
                        out.push(b',');
                    }
                    Value::text(name).write_json(out);
                    out.push(b':');
                    value.write_json(out);
                    check(start, out)?;
                }
                out.push(b'}');
                out.extend_from_slice(record_delimiter.as_bytes());
            }
        }
        check(start, out)
    }

    /// Writes a whole row.
    pub(crate) fn row(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        match self {
            Output::Csv(csv) => {
                match row {
                    Row::Csv(record, _) => {
                        for (index, field) in record.fields().enumerate() {
                            csv.field(index, &Value::text(field), out);
                        }
                    }
                    Row::Tree(Value::Struct(members)) => {
                        for (index, (_, value)) in members.iter().enumerate() {
                            csv.field(index, value, out);
                        }
                    }
                    Row::Tree(value) => csv.field(0, value, out),
                }
                out.extend_from_slice(csv.record_delimiter.as_bytes());
            }
            Output::Json { record_delimiter } => {
                match row.value() {
                    Value::Missing => out.extend_from_slice(b"{}"),
                    value @ Value::Struct(_) => value.write_json(out),
                    value => Value::Struct(vec![(Cow::Borrowed("_1"), value)]).write_json(out),
                }
                out.extend_from_slice(record_delimiter.as_bytes());
            }
        }
        check(start, out)
    }
}

fn check(start: usize, out: &[u8]) -> Result<(), Error> {
    if out.len() - start > MAX_RECORD { Err(Error::record_too_long()) } else { Ok(()) }
}

impl CsvOutput {
    fn field(&self, index: usize, value: &Value<'_>, out: &mut Vec<u8>) {
        if index > 0 {
            out.extend_from_slice(self.field_delimiter.as_bytes());
        }
        let text = value.shown();
        if !self.always_quotes && !self.needs_quotes(&text) {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.extend_from_slice(self.quote.as_bytes());
        if self.quote.is_empty() {
            out.extend_from_slice(text.as_bytes());
        } else {
            for (index, part) in text.split(&*self.quote).enumerate() {
                if index > 0 {
                    out.extend_from_slice(self.escape.as_bytes());
                    out.extend_from_slice(self.quote.as_bytes());
                }
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(self.quote.as_bytes());
    }

    fn needs_quotes(&self, text: &str) -> bool {
        let has = |part: &str| !part.is_empty() && text.contains(part);
        has(&self.field_delimiter) || has(&self.record_delimiter) || has(&self.quote)
    }
}
