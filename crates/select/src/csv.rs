//! Takes records of CSV out of bytes that come in pieces.

use crate::error::Error;

/// The most bytes of a record.
pub(crate) const MAX_RECORD: usize = 1 << 20;

/// What the first record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// A record like the others.
    #[default]
    None,
    /// Names, which count for nothing.
    Ignore,
    /// The names of the columns.
    Use,
}

/// How CSV is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvInput {
    /// What the first record is.
    pub header: Header,
    /// What begins a record that is none.
    pub comment: Option<u8>,
    /// What a quote within quotes is preceded by.
    pub escape: u8,
    /// What stands between records; not empty. A carriage return before a line feed belongs to it.
    pub record_delimiter: String,
    /// What stands between fields; not empty.
    pub field_delimiter: String,
    /// What stands around fields.
    pub quote: Option<u8>,
    /// Whether what stands between records may stand within quotes.
    pub has_quoted_delimiters: bool,
}

impl Default for CsvInput {
    fn default() -> CsvInput {
        CsvInput {
            header: Header::None,
            comment: Some(b'#'),
            escape: b'"',
            record_delimiter: "\n".to_owned(),
            field_delimiter: ",".to_owned(),
            quote: Some(b'"'),
            has_quoted_delimiters: false,
        }
    }
}

/// A record: the text of all fields and where each ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    text: String,
    ends: Vec<usize>,
}

impl Record {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn field(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start..end)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.field(index))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a record.
    Record,
    /// Before the first byte of a field.
    Field,
    Plain,
    Quoted,
    /// After a quote within quotes, which may be the first of two.
    Quote,
    /// After an escape within quotes.
    Escape,
    /// After the closing quote; what follows is collected from `mark` on.
    Closed,
    Comment,
}

/// Splits bytes into records.
#[derive(Debug)]
pub(crate) struct Splitter {
    input: CsvInput,
    state: State,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Where the present field begins, or what follows its closing quote.
    mark: usize,
    /// Where in the object the next byte lies.
    pub(crate) offset: u64,
    /// Where the present record, or the last one, began.
    pub(crate) start: u64,
}

impl Splitter {
    pub(crate) fn new(input: CsvInput) -> Splitter {
        Splitter {
            input,
            state: State::Record,
            bytes: Vec::new(),
            ends: Vec::new(),
            mark: 0,
            offset: 0,
            start: 0,
        }
    }

    /// Whether no byte of a record is there.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.state, State::Record | State::Comment)
    }

    /// Takes in bytes up to the end of a record: how many, and whether it is whole.
    pub(crate) fn push(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        let mut at = 0;
        while at < input.len() {
            if self.state == State::Record {
                self.start = self.offset;
            }
            let (taken, is_whole) = self.advance(&input[at..])?;
            at += taken;
            self.offset += taken as u64;
            if self.bytes.len() > MAX_RECORD {
                return Err(Error::record_too_long());
            }
            if is_whole {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// What comes after the last delimiter; whether it is a record.
    pub(crate) fn finish(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Record | State::Comment => return Ok(false),
            State::Quoted | State::Escape => return Err(Error::csv_unescaped_quote()),
            State::Closed if self.bytes.len() > self.mark => {
                return Err(Error::csv_unescaped_quote());
            }
            State::Field | State::Plain | State::Quote | State::Closed => {
                self.ends.push(self.bytes.len())
            }
        }
        self.state = State::Record;
        Ok(true)
    }

    /// Moves the whole record out. An error tells how many of its bytes were text.
    pub(crate) fn take(&mut self, record: &mut Record) -> Result<(), usize> {
        let mut spare = std::mem::take(&mut record.text).into_bytes();
        spare.clear();
        let bytes = std::mem::replace(&mut self.bytes, spare);
        std::mem::swap(&mut record.ends, &mut self.ends);
        self.ends.clear();
        self.mark = 0;
        record.text = String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to())?;
        Ok(())
    }

    /// Takes in at least one byte.
    fn advance(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        let byte = input[0];
        match self.state {
            State::Record if Some(byte) == self.input.comment => {
                self.state = State::Comment;
                Ok((1, false))
            }
            State::Record | State::Field if Some(byte) == self.input.quote => {
                self.state = State::Quoted;
                Ok((1, false))
            }
            State::Record | State::Field | State::Plain => {
                self.state = State::Plain;
                Ok(self.plain(input))
            }
            State::Quoted => self.quoted(input),
            State::Escape => {
                let is_escaped = byte == self.input.escape || Some(byte) == self.input.quote;
                if !is_escaped {
                    self.bytes.push(self.input.escape);
                }
                self.bytes.push(byte);
                self.state = State::Quoted;
                Ok((1, false))
            }
            State::Quote if Some(byte) == self.input.quote => {
                self.bytes.push(byte);
                self.state = State::Quoted;
                Ok((1, false))
            }
            State::Quote | State::Closed => {
                if self.state == State::Quote {
                    self.state = State::Closed;
                    self.mark = self.bytes.len();
                }
                self.bytes.push(byte);
                self.closed().map(|is_whole| (1, is_whole))
            }
            State::Comment => {
                self.bytes.push(byte);
                let delimiter = self.input.record_delimiter.as_bytes();
                if self.bytes.ends_with(delimiter) {
                    self.bytes.clear();
                    self.state = State::Record;
                } else if self.bytes.len() > delimiter.len() {
                    // Only as much is kept as a delimiter may begin with.
                    let surplus = self.bytes.len() - delimiter.len();
                    self.bytes.drain(..surplus);
                }
                Ok((1, false))
            }
        }
    }

    /// Takes in what may be the rest of a field without quotes.
    fn plain(&mut self, input: &[u8]) -> (usize, bool) {
        let field = self.input.field_delimiter.as_bytes();
        let record = self.input.record_delimiter.as_bytes();
        let (last_of_field, last_of_record) = (field[field.len() - 1], record[record.len() - 1]);
        let found = input.iter().position(|byte| *byte == last_of_field || *byte == last_of_record);
        let len = found.map_or(input.len(), |at| at + 1);
        self.bytes.extend_from_slice(&input[..len]);
        if found.is_none() {
            return (len, false);
        }
        let of_field = &self.bytes[self.mark..];
        if of_field.ends_with(record) {
            // Clients cannot write `\r\n` into XML so that it arrives, and those who mean it say `\n`.
            let is_pair = record == b"\n" && of_field.ends_with(b"\r\n");
            let delimiter = if is_pair { 2 } else { record.len() };
            self.bytes.truncate(self.bytes.len() - delimiter);
            return (len, self.end_record());
        }
        if of_field.ends_with(field) {
            self.bytes.truncate(self.bytes.len() - field.len());
            self.end_field();
        }
        (len, false)
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
        self.mark = self.bytes.len();
        self.state = State::Field;
    }

    /// Ends the record; false if the line is empty, which is no record.
    fn end_record(&mut self) -> bool {
        let is_empty = self.bytes.is_empty() && self.ends.is_empty() && self.state != State::Closed;
        if !is_empty {
            self.ends.push(self.bytes.len());
        }
        self.mark = 0;
        self.state = State::Record;
        !is_empty
    }

    fn quoted(&mut self, input: &[u8]) -> Result<(usize, bool), Error> {
        let (quote, escape) = (self.input.quote.unwrap_or(self.input.escape), self.input.escape);
        let record = self.input.record_delimiter.as_bytes();
        let last = record[record.len() - 1];
        let is_refused = !self.input.has_quoted_delimiters;
        let stops = |byte: &u8| *byte == quote || *byte == escape || (is_refused && *byte == last);
        let found = input.iter().position(stops);
        self.bytes.extend_from_slice(&input[..found.unwrap_or(input.len())]);
        let Some(at) = found else { return Ok((input.len(), false)) };
        let byte = input[at];
        if byte == quote && quote == escape {
            self.state = State::Quote;
        } else if byte == quote {
            self.state = State::Closed;
            self.mark = self.bytes.len();
        } else if byte == escape {
            self.state = State::Escape;
        } else {
            self.bytes.push(byte);
            if self.bytes[self.mark..].ends_with(record) {
                return Err(Error::csv_quoted_delimiter());
            }
        }
        Ok((at + 1, false))
    }

    /// What follows a closing quote must be a delimiter.
    fn closed(&mut self) -> Result<bool, Error> {
        let after = &self.bytes[self.mark..];
        let field = self.input.field_delimiter.as_bytes();
        let record = self.input.record_delimiter.as_bytes();
        let is_pair = record == b"\n" && b"\r\n".starts_with(after);
        if after == record || is_pair && after.len() == 2 {
            self.bytes.truncate(self.mark);
            return Ok(self.end_record());
        }
        if after == field {
            self.bytes.truncate(self.mark);
            self.end_field();
            return Ok(false);
        }
        if is_pair || record.starts_with(after) || field.starts_with(after) {
            return Ok(false);
        }
        Err(Error::csv_unescaped_quote())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a text that comes in pieces of this size, their fields between bars.
    fn records(input: &CsvInput, text: &str, size: usize) -> Result<Vec<String>, Error> {
        let mut splitter = Splitter::new(input.clone());
        let (mut record, mut all) = (Record::default(), Vec::new());
        let mut take = |splitter: &mut Splitter| {
            splitter.take(&mut record).expect("text");
            all.push(record.fields().collect::<Vec<_>>().join("|"));
        };
        for mut piece in text.as_bytes().chunks(size) {
            while !piece.is_empty() {
                let (taken, is_whole) = splitter.push(piece)?;
                piece = &piece[taken..];
                if is_whole {
                    take(&mut splitter);
                }
            }
        }
        if splitter.finish()? {
            take(&mut splitter);
        }
        Ok(all)
    }

    #[test]
    fn records_are_the_same_in_pieces_of_any_size() {
        let default = CsvInput::default();
        let quoted = CsvInput { has_quoted_delimiters: true, ..CsvInput::default() };
        let escaped = CsvInput { escape: b'\\', ..CsvInput::default() };
        let odd = CsvInput {
            record_delimiter: "\r\n".to_owned(),
            field_delimiter: "é".to_owned(),
            ..CsvInput::default()
        };
        for size in 1..9 {
            let of = |input: &CsvInput, text: &str| records(input, text, size).expect("records");
            assert_eq!(
                of(&default, "a,b\n1,\n\n#no\n\"x,\"\"y\"\"\",z"),
                ["a|b", "1|", "x,\"y\"|z"]
            );
            assert_eq!(of(&default, "a\"b,c"), ["a\"b|c"]);
            assert_eq!(of(&default, "a,b\r\n\r\n\"c\"\r\nd\re"), ["a|b", "c", "d\re"]);
            assert_eq!(of(&default, "\"\"\n,\n"), ["", "|"]);
            assert_eq!(of(&quoted, "\"a\nb\",c\n"), ["a\nb|c"]);
            assert_eq!(of(&escaped, r#""a\"b\x","c""#), [r#"a"b\x|c"#]);
            assert_eq!(of(&odd, "aéb\r\n\"c\"é\rd\r\n"), ["a|b", "c|\rd"]);
            let refused = |input, text| records(input, text, size).expect_err("refused").code;
            assert_eq!(refused(&default, "\"a\nb\""), "CSVEscapingRecordDelimiter");
            assert_eq!(refused(&default, "\"a\"b,c"), "CSVUnescapedQuote");
            assert_eq!(refused(&default, "\"a"), "CSVUnescapedQuote");
        }
        let long = "x".repeat(MAX_RECORD + 1);
        assert_eq!(records(&default, &long, 4096).expect_err("too long").code, "OverMaxRecordSize");
    }
}
