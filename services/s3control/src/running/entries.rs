//! Manifests in CSV: entries from lines, and lines' keys as manifests and reports have them.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::store::Entry;

/// What stands for itself in keys of manifests, beside letters and digits. Spaces are `+`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');
/// The most bytes of a line: a bucket, a key of 1,024 bytes, each encoded with three, and what an inventory tells beside.
const MAX_LINE: usize = 64 << 10;
/// The most fields of a line.
const MAX_FIELDS: usize = 64;

/// A key as manifests have it.
pub(super) fn encode(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

fn decode(text: &str) -> Option<String> {
    let text: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

/// Where in a line bucket, key and version stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(super) bucket: usize,
    pub(super) key: usize,
    pub(super) version: Option<usize>,
    /// How many fields a line has.
    pub(super) count: usize,
}

impl Columns {
    /// Columns of these names; none without a bucket and a key.
    pub(crate) fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Columns> {
        let names: Vec<&str> = names.into_iter().collect();
        let at = |name: &str| names.iter().position(|known| *known == name);
        Some(Columns {
            bucket: at("Bucket")?,
            key: at("Key")?,
            version: at("VersionId"),
            count: names.len(),
        })
    }
}

/// Reads entries from CSV that comes in pieces.
pub(crate) struct Lines {
    reader: Reader,
    columns: Columns,
    text: Vec<u8>,
    len: usize,
    ends: Vec<usize>,
    fields: usize,
    /// How many lines were read.
    count: u64,
}

impl Lines {
    pub(crate) fn new(columns: Columns) -> Lines {
        Lines {
            reader: Reader::new(),
            columns,
            text: vec![0; MAX_LINE],
            len: 0,
            ends: vec![0; MAX_FIELDS],
            fields: 0,
            count: 0,
        }
    }

    /// The entries whose lines end in a piece; an empty piece is the end. The error says what is wrong with which line.
    pub(crate) fn feed(&mut self, mut piece: &[u8], into: &mut Vec<Entry>) -> Result<(), String> {
        let is_end = piece.is_empty();
        loop {
            let (outcome, read, written, ends) = self.reader.read_record(
                piece,
                &mut self.text[self.len..],
                &mut self.ends[self.fields..],
            );
            piece = &piece[read..];
            self.len += written;
            self.fields += ends;
            match outcome {
                ReadRecordResult::Record => {
                    self.count += 1;
                    into.push(self.entry()?);
                    (self.len, self.fields) = (0, 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(format!("Line {} of the manifest is too long.", self.count + 1));
                }
                ReadRecordResult::InputEmpty if !is_end => return Ok(()),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::End => return Ok(()),
            }
        }
    }

    fn entry(&self) -> Result<Entry, String> {
        let wrong = |what: &str| format!("Line {} of the manifest {what}.", self.count);
        if self.fields != self.columns.count {
            return Err(wrong(&format!(
                "has {} fields and not {}",
                self.fields, self.columns.count
            )));
        }
        let field = |index: usize| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            std::str::from_utf8(&self.text[start..self.ends[index]])
                .map_err(|_| wrong("is not UTF-8"))
        };
        let key =
            decode(field(self.columns.key)?).ok_or_else(|| wrong("has a key that is not UTF-8"))?;
        let bucket = field(self.columns.bucket)?.to_owned();
        if bucket.is_empty() || key.is_empty() {
            return Err(wrong("names no object"));
        }
        let version = self.columns.version.map(field).transpose()?;
        let version = version.filter(|version| !version.is_empty()).map(str::to_owned);
        Ok(Entry { bucket, key, version, attempts: 0 })
    }
}

/// A field of a report's line.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(columns: &[&str], pieces: &[&str]) -> Result<Vec<Entry>, String> {
        let mut lines = Lines::new(Columns::named(columns.iter().copied()).expect("columns"));
        let mut found = Vec::new();
        for piece in pieces {
            lines.feed(piece.as_bytes(), &mut found)?;
        }
        lines.feed(b"", &mut found)?;
        Ok(found)
    }

    fn entry(key: &str, version: Option<&str>) -> Entry {
        let version = version.map(str::to_owned);
        Entry { bucket: "photos".to_owned(), key: key.to_owned(), version, attempts: 0 }
    }

    #[test]
    fn lines_come_in_pieces_with_and_without_quotes() {
        let pieces = ["photos,a", "%2Fb+c\r\n\"photos\",\"k\"\"", "q\"\nphotos,last"];
        let found = read(&["Bucket", "Key"], &pieces).expect("entries");
        assert_eq!(found, [entry("a/b c", None), entry("k\"q", None), entry("last", None)]);
        let whole: String = pieces.concat();
        let bytes: Vec<String> = whole.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(|text| &**text).collect();
        assert_eq!(read(&["Bucket", "Key"], &bytes).expect("entries"), found);
    }

    #[test]
    fn versions_may_be_empty_and_columns_ignored() {
        let columns = ["VersionId", "Bucket", "Ignore", "Key"];
        let found = read(&columns, &["v1,photos,x,k\n,photos,,k\n"]).expect("entries");
        assert_eq!(found, [entry("k", Some("v1")), entry("k", None)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let told = |text: &str| read(&["Bucket", "Key"], &[text]).expect_err("wrong");
        assert_eq!(told("photos,k\nphotos\n"), "Line 2 of the manifest has 1 fields and not 2.");
        assert_eq!(told("photos,k,v\n"), "Line 1 of the manifest has 3 fields and not 2.");
        assert_eq!(told("photos,%FF\n"), "Line 1 of the manifest has a key that is not UTF-8.");
        assert_eq!(told(",k\n"), "Line 1 of the manifest names no object.");
        let long = format!("photos,{}", "k".repeat(MAX_LINE));
        assert_eq!(told(&long), "Line 1 of the manifest is too long.");
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        for key in ["a b", "a+b", "ä/ö", "%41", "a,\"b\"\n", "-_.*~"] {
            assert_eq!(decode(&encode(key)).as_deref(), Some(key));
        }
    }
}
