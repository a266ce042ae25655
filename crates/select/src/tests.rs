//! Queries from beginning to end.

use bytes::Bytes;

use crate::{
    Compression, Counts, CsvInput, CsvOutput, Engine, Error, Header, Input, Output, Request, Scan,
    Step,
};

/// 2026-11-21T13:40:00Z.
const NOW_MILLIS: i64 = 1_795_268_400_000;

fn csv(header: Header) -> Input {
    Input::Csv(CsvInput { header, ..CsvInput::default() })
}

fn json() -> Input {
    Input::Json { is_lines: false }
}

fn to_json() -> Output {
    Output::Json { record_delimiter: "\n".to_owned() }
}

fn request(expression: &str, input: Input) -> Request<'_> {
    let output = match input {
        Input::Csv(_) => Output::Csv(CsvOutput::default()),
        _ => to_json(),
    };
    let compression = Compression::None;
    Request { expression, input, compression, output, scan: None, now_millis: NOW_MILLIS }
}

/// Works a request off with pieces of this size.
fn run(request: Request<'_>, object: &[u8], size: usize) -> Result<(String, Counts), Error> {
    let mut engine = Engine::new(request)?;
    let mut at = engine.start().unwrap_or(0) as usize;
    let mut answer = Vec::new();
    loop {
        match engine.step()? {
            Step::Starved if at < object.len() => {
                let end = (at + size).min(object.len());
                engine.feed(Bytes::copy_from_slice(&object[at..end]));
                at = end;
            }
            Step::Starved => engine.end(),
            Step::Elsewhere(from) => at = from as usize,
            Step::Wanted(range) => engine
                .feed(Bytes::copy_from_slice(&object[range.start as usize..range.end as usize])),
            Step::Going => answer.extend_from_slice(&engine.take()),
            Step::Done => break,
        }
    }
    Ok((String::from_utf8(answer).expect("text"), engine.counts()))
}

fn answer(expression: &str, input: Input, object: &str) -> Result<String, Error> {
    let whole = run(request(expression, input.clone()), object.as_bytes(), 1 << 20);
    let pieces = run(request(expression, input), object.as_bytes(), 3);
    assert_eq!(whole.as_ref().map(|(answer, _)| answer), pieces.as_ref().map(|(answer, _)| answer));
    whole.map(|(answer, _)| answer)
}

const PEOPLE: &str = "name,Age,city\nAnn,31,\"Oslo, N\"\nBob,9,Rome\nCid,45,\n";

#[test]
fn columns_of_csv_have_numbers_and_names() {
    let of = |expression| answer(expression, csv(Header::Use), PEOPLE).expect("an answer");
    assert_eq!(of("SELECT * FROM S3Object"), "Ann,31,\"Oslo, N\"\nBob,9,Rome\nCid,45,\n");
    assert_eq!(of("select s.name, s.\"Age\" from s3object s where s.age > 10"), "Ann,31\nCid,45\n");
    assert_eq!(of("SELECT _2, name FROM S3Object LIMIT 2"), "31,Ann\n9,Bob\n");
    assert_eq!(
        of("SELECT COUNT(*), AVG(CAST(age AS INT)), MAX(name) FROM S3Object;"),
        "3,28.333333333333333333333333333,Cid\n"
    );
    assert_eq!(of("SELECT SUM(age) + 1 FROM S3Object WHERE city LIKE '%o%'"), "41\n");
    assert_eq!(of("SELECT name FROM S3Object LIMIT 0"), "");
    assert_eq!(of("SELECT _9 FROM S3Object LIMIT 1"), "\n");
    let none = answer("SELECT _1 FROM S3Object", csv(Header::None), PEOPLE);
    assert_eq!(none.as_deref(), Ok("name\nAnn\nBob\nCid\n"));
    let ignored = answer("SELECT _1 FROM S3Object", csv(Header::Ignore), PEOPLE);
    assert_eq!(ignored.as_deref(), Ok("Ann\nBob\nCid\n"));
    let named = Request {
        output: to_json(),
        ..request("SELECT * FROM S3Object LIMIT 1", csv(Header::Use))
    };
    let named = run(named, PEOPLE.as_bytes(), 7).map(|(answer, _)| answer);
    assert_eq!(named.as_deref(), Ok("{\"name\":\"Ann\",\"Age\":\"31\",\"city\":\"Oslo, N\"}\n"));
}

#[test]
fn paths_of_json_make_rows_and_columns() {
    let rules = r#"{"Rules": [{"id": "id-1", "condition": "x < 20"}, {"condition": "y > x"},
        {"id": "id-2", "condition": "z = DEBUG"}]},
        {"created": "June 27", "modified": "July 6"}"#;
    let of = |expression, object| answer(expression, json(), object).expect("an answer");
    assert_eq!(
        of("SELECT id FROM S3Object[*].Rules[*].id", rules),
        "{\"id\":\"id-1\"}\n{}\n{\"id\":\"id-2\"}\n{}\n"
    );
    assert_eq!(
        of("SELECT id FROM S3Object[*].Rules[*].id WHERE id IS NOT MISSING", rules),
        "{\"id\":\"id-1\"}\n{\"id\":\"id-2\"}\n"
    );
    let files =
        r#"{"dir": "a", "files": [{"name": "."}, {"name": ".."}], "owner": null, "n": 1.50}"#;
    assert_eq!(
        of("SELECT d.dir, d.files, d.none FROM S3Object[*] d", files),
        "{\"dir\":\"a\",\"files\":[{\"name\":\".\"},{\"name\":\"..\"}]}\n"
    );
    assert_eq!(
        of("SELECT _1.dir, _1.owner FROM S3Object[*]", files),
        "{\"dir\":\"a\",\"owner\":null}\n"
    );
    assert_eq!(of("SELECT s.files[1].name FROM S3Object s", files), "{\"name\":\"..\"}\n");
    assert_eq!(of("SELECT s.files[7].name FROM S3Object s", files), "{}\n");
    assert_eq!(
        of("SELECT * FROM S3Object[*].files[*]", files),
        "{\"name\":\".\"}\n{\"name\":\"..\"}\n"
    );
    assert_eq!(
        of("SELECT * FROM S3Object[*].files[*].name", files),
        "{\"_1\":\".\"}\n{\"_1\":\"..\"}\n"
    );
    assert_eq!(of("SELECT s.n * 2, s.N x FROM S3Object s", files), "{\"_1\":3.00,\"x\":1.50}\n");
    assert_eq!(
        of("SELECT COUNT(s.owner), COUNT(*) FROM S3Object s", files),
        "{\"_1\":0,\"_2\":1}\n"
    );
    assert_eq!(
        of("SELECT s['dir'] FROM S3Object s WHERE s.\"DIR\" IS MISSING", files),
        "{\"dir\":\"a\"}\n"
    );
    let both = answer("SELECT s.a FROM S3Object s", json(), r#"{"A":1,"a":2}"#);
    assert_eq!(both.map_err(|error| error.code), Err("AmbiguousFieldName"));
    assert_eq!(of("SELECT s.\"a\" FROM S3Object s", r#"{"A":1,"a":2}"#), "{\"a\":2}\n");
}

#[test]
fn expressions_have_their_values() {
    let of = |expression: &str| {
        let query = format!("SELECT {expression} FROM S3Object s");
        answer(&query, json(), r#"{"t":"abc","n":null,"i":7,"d":"2017-01-02T03:04:05.006Z"}"#)
            .map(|answer| answer.trim_end().to_owned())
            .unwrap_or_else(|error| error.code.to_owned())
    };
    for (expression, expected) in [
        ("1 + 2 * 3 - -4", "{\"_1\":11}"),
        ("7 / 2, 7 % 4, 7.0 / 2", "{\"_1\":3,\"_2\":3,\"_3\":3.5}"),
        ("s.t || 'd'", "{\"_1\":\"abcd\"}"),
        ("s.i BETWEEN 1 AND 7 AND s.i NOT IN (1, 2)", "{\"_1\":true}"),
        (
            "s.n = 1, s.n IS NULL, s.none IS NULL, s.none IS MISSING, s.n IS MISSING",
            "{\"_1\":null,\"_2\":true,\"_3\":true,\"_4\":true,\"_5\":false}",
        ),
        ("NOT s.n = 1 OR TRUE", "{\"_1\":true}"),
        ("CASE WHEN s.i > 5 THEN 'big' ELSE 'small' END AS size_of", "{\"size_of\":\"big\"}"),
        ("CASE s.i WHEN 6 THEN 'six' END", "{\"_1\":null}"),
        ("COALESCE(s.none, s.n, s.i), NULLIF(s.i, 7)", "{\"_1\":7,\"_2\":null}"),
        ("CHAR_LENGTH('é☃'), CHARACTER_LENGTH(s.t)", "{\"_1\":2,\"_2\":3}"),
        ("UPPER(s.t), LOWER('ÄB')", "{\"_1\":\"ABC\",\"_2\":\"äb\"}"),
        (
            "SUBSTRING('123456789', 0), SUBSTRING('123456789', -1, 4), SUBSTRING('123456789' FROM 3 FOR 2)",
            "{\"_1\":\"123456789\",\"_2\":\"12\",\"_3\":\"34\"}",
        ),
        (
            "TRIM('  x '), TRIM(BOTH '1' FROM '1112x211'), TRIM(LEADING FROM ' x '), TRIM(TRAILING 'x' FROM 'xax')",
            "{\"_1\":\"x\",\"_2\":\"2x2\",\"_3\":\"x \",\"_4\":\"xa\"}",
        ),
        (
            "CAST('5' AS INT) + 1, CAST(5.9 AS INTEGER), CAST('1e2' AS FLOAT), CAST(1.005 AS DECIMAL(5, 2)), CAST(5 AS STRING)",
            "{\"_1\":6,\"_2\":5,\"_3\":100,\"_4\":1.00,\"_5\":\"5\"}",
        ),
        ("CAST('x' AS INT)", "InvalidCast"),
        ("CAST(1e30 AS INT)", "IntegerOverflow"),
        (
            "CAST('TRUE' AS BOOL), CAST('2007-04-05T14:30Z' AS TIMESTAMP)",
            "{\"_1\":true,\"_2\":\"2007-04-05T14:30Z\"}",
        ),
        (
            "DATE_ADD(month, 1, `2010T`), DATE_DIFF(year, `2010-01-01T`, `2011-01-01T`)",
            "{\"_1\":\"2010-02T\",\"_2\":1}",
        ),
        (
            "EXTRACT(year FROM `2010-01-01T`), EXTRACT(timezone_hour FROM `2017-01-02T03:04:05+07:08`), EXTRACT(timezone_minute FROM `2017-01-02T03:04:05+07:08`)",
            "{\"_1\":2010,\"_2\":7,\"_3\":8}",
        ),
        (
            "TO_STRING(TO_TIMESTAMP(s.d), 'MMMM d, y'), TO_TIMESTAMP('2007T')",
            "{\"_1\":\"January 2, 2017\",\"_2\":\"2007T\"}",
        ),
        (
            "UTCNOW(), UTCNOW() > `2026-11-21T13:39Z`",
            "{\"_1\":\"2026-11-21T13:40:00.000Z\",\"_2\":true}",
        ),
        ("TO_TIMESTAMP('soon')", "ValueParseFailure"),
        ("s.t + 1", "IncorrectSqlFunctionArgumentType"),
        ("s.t > 1, '10' > 9, s.t = 1", "{\"_1\":null,\"_2\":true,\"_3\":false}"),
        ("9223372036854775807 + 1", "IntegerOverflow"),
        ("-9223372036854775808", "{\"_1\":-9223372036854775808}"),
        ("s.t LIKE 'a%' AND s.t NOT LIKE '_'", "{\"_1\":true}"),
        ("'10%' LIKE '10!%' ESCAPE '!'", "{\"_1\":true}"),
        ("'a' LIKE '!a' ESCAPE '!'", "EvaluatorLikePatternInvalidEscapeSequence"),
        ("s.i AND TRUE", "IncorrectSqlFunctionArgumentType"),
        ("SUM(s.i), MIN(s.t), AVG(s.i)", "{\"_1\":7,\"_2\":\"abc\",\"_3\":7}"),
        ("(1, 2) = [1, 2]", "{\"_1\":true}"),
    ] {
        assert_eq!(of(expression), expected, "{expression}");
    }
}

#[test]
fn what_is_wrong_has_a_code_of_aws() {
    let code = |expression: &str| {
        answer(expression, csv(Header::Use), PEOPLE)
            .map(|_| "fine")
            .unwrap_or_else(|error| error.code)
    };
    for (expression, expected) in [
        ("", "ParseUnsupportedSelect"),
        ("delete from S3Object", "ParseUnsupportedSelect"),
        ("SELECT", "ParseUnexpectedTerm"),
        ("SELECT FROM S3Object", "ParseEmptySelect"),
        ("SELECT *", "ParseSelectMissingFrom"),
        ("SELECT *, _1 FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
        ("SELECT _1, * FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
        ("SELECT * FROM stdin", "EvaluatorBindingDoesNotExist"),
        ("SELECT * FROM S3Object.path", "ParseInvalidPathComponent"),
        ("SELECT * FROM S3Object[*].path", "InvalidKeyPath"),
        ("SELECT * FROM S3Object a, S3Object b", "MultipleDataSourcesUnsupported"),
        ("SELECT * FROM S3Object a JOIN S3Object b", "UnsupportedSqlStructure"),
        ("SELECT * FROM S3Object GROUP BY name", "UnsupportedSqlStructure"),
        ("SELECT DISTINCT name FROM S3Object", "UnsupportedSqlStructure"),
        ("SELECT * FROM S3Object ORDER BY name", "ParseUnexpectedToken"),
        ("SELECT name, COUNT(*) FROM S3Object", "UnsupportedSqlStructure"),
        ("SELECT * FROM S3Object WHERE COUNT(*) > 1", "UnsupportedSqlStructure"),
        ("SELECT SUM(*) FROM S3Object", "ParseUnsupportedCallWithStar"),
        ("SELECT SUM(_1, _2) FROM S3Object", "ParseNonUnaryAgregateFunctionCall"),
        ("SELECT * FROM S3Object LIMIT x", "ParseExpectedNumber"),
        ("SELECT * FROM S3Object LIMIT -1", "EvaluatorNegativeLimit"),
        ("SELECT * FROM S3Object s WHERE s.'odd' = 1", "ParseInvalidPathComponent"),
        ("SELECT * FROM S3Object s WHERE s.odd IS \"true\"", "ParseExpectedTypeName"),
        ("SELECT s.cast FROM S3Object s", "ParseInvalidPathComponent"),
        ("SELECT * FROM S3Object s WHERE % 2", "ParseUnexpectedOperator"),
        ("SELECT int(_1) FROM S3Object", "ParseUnexpectedToken"),
        ("SELECT nothing(_1) FROM S3Object", "UnsupportedFunction"),
        ("SELECT LOWER(_1, _2) FROM S3Object", "EvaluatorInvalidArguments"),
        ("SELECT CAST(_1 AS thing) FROM S3Object", "ParseExpectedTypeName"),
        ("SELECT CAST _1 FROM S3Object", "ParseExpectedLeftParenAfterCast"),
        ("SELECT CASE ELSE 1 END FROM S3Object", "ParseUnexpectedToken"),
        ("SELECT CASE _1 ELSE 1 END FROM S3Object", "ParseExpectedWhenClause"),
        ("SELECT EXTRACT(week FROM _1) FROM S3Object", "ParseExpectedDatePart"),
        ("SELECT (SELECT 1) FROM S3Object", "UnsupportedSqlStructure"),
        ("SELECT s.nobody FROM S3Object s", "MissingHeaders"),
        ("SELECT s.\"NAME\" FROM S3Object s", "MissingHeaders"),
        ("SELECT s.name.given FROM S3Object s", "InvalidKeyPath"),
        ("SELECT * FROM S3Object WHERE name", "IncorrectSqlFunctionArgumentType"),
        ("SELECT ? FROM S3Object", "LexerInvalidChar"),
        ("SELECT 'x FROM S3Object", "LexerInvalidLiteral"),
        ("SELECT `maybe` FROM S3Object", "LexerInvalidIONLiteral"),
    ] {
        assert_eq!(code(expression), expected, "{expression}");
    }
    let unnamed = answer("SELECT * FROM S3OBJECT WHERE odd = true", csv(Header::None), PEOPLE);
    let unnamed = unnamed.expect_err("no such column");
    assert_eq!(unnamed.code, "InvalidColumnIndex");
    assert_eq!(
        unnamed.message,
        "The column index at line 1, column 30 is invalid. Please check the service documentation and try again."
    );
    let path = answer("SELECT * FROM S3OBJECT s WHERE s.'odd' is 1", csv(Header::None), PEOPLE);
    assert_eq!(
        path.expect_err("no path").message,
        "Invalid Path component, expecting either an IDENTIFIER or STAR, got: LITERAL, at line 1, column 34."
    );
}

#[test]
fn expressions_of_any_depth_and_length_are_refused_or_work() {
    let of =
        |expression: String| answer(&expression, json(), "{\"a\":1}").map_err(|error| error.code);
    for count in [10, 60, 240, 3000] {
        let deep = format!("SELECT {}1{} FROM S3Object", "(".repeat(count), ")".repeat(count));
        assert_eq!(of(deep).is_ok(), count <= 40, "{count} parentheses");
        let negated = format!("SELECT {} TRUE FROM S3Object", "NOT ".repeat(count));
        assert_eq!(of(negated).is_ok(), count <= 40, "{count} negations");
        let long = format!("SELECT 1{} FROM S3Object", " + 1".repeat(count));
        assert_eq!(of(long).is_ok(), count <= 240, "{count} sums");
        let wide = format!("SELECT 1 FROM S3Object s WHERE s.a = 0{}", " OR s.a = 1".repeat(count));
        assert!(of(wide).is_ok(), "{count} alternatives");
    }
    assert_eq!(of(" ".repeat(300_000)), Err("ExpressionTooLong"));
    assert_eq!(of(format!("SELECT 1{}", ",1".repeat(30_000))), Err("MaxOperatorsExceeded"));
}

#[test]
fn what_a_row_makes_is_bounded() {
    let object = format!("{{\"a\":\"{}\",\"l\":[1]}}", "x".repeat(900_000));
    let code = |expression: String| {
        let asked = request(&expression, json());
        run(asked, object.as_bytes(), 1 << 20).map(|_| ()).map_err(|error| error.code)
    };
    assert_eq!(code("SELECT s.a FROM S3Object s".to_owned()), Ok(()));
    let twice = format!("SELECT s.a{} FROM S3Object s", ", s.a".repeat(2000));
    assert_eq!(code(twice), Err("OverMaxRecordSize"));
    assert_eq!(
        code("SELECT CHAR_LENGTH(s.a || s.a) FROM S3Object s".to_owned()),
        Err("OverMaxRecordSize")
    );
    assert_eq!(
        code("SELECT [s.l, s.l] FROM S3Object s".to_owned()),
        Err("IncorrectSqlFunctionArgumentType")
    );
    assert_eq!(code("SELECT s = s FROM S3Object s".to_owned()), Ok(()));
}

#[test]
fn every_record_is_in_one_range_of_a_partition() {
    let mut object = String::from("id,text\n");
    for id in 0..40 {
        object.push_str(&format!("{id},{}\n", "x".repeat(id % 7)));
        if id % 5 == 0 {
            object.push_str("# not a record\n\n");
        }
    }
    let lines: String = (0..40).map(|id| format!("{{\"id\":{id}}}\r\n")).collect();
    let all: String = (0..40).map(|id| format!("{id}\n")).collect();
    let with = |input: &Input, object: &str, size: usize, piece: usize| {
        let mut whole = String::new();
        for start in (0..object.len()).step_by(size) {
            let scan = Some(Scan { start: start as u64, end: (start + size - 1) as u64 });
            let output = Output::Csv(CsvOutput::default());
            let request =
                Request { scan, output, ..request("SELECT s.id FROM S3Object s", input.clone()) };
            whole.push_str(&run(request, object.as_bytes(), piece).expect("an answer").0);
        }
        whole
    };
    for size in [1, 2, 3, 7, 16, 50, 1000] {
        for piece in [1, 5, 4096] {
            assert_eq!(with(&csv(Header::Use), &object, size, piece), all, "{size} {piece}");
            let lines = with(&Input::Json { is_lines: true }, &lines, size, piece);
            assert_eq!(lines, all, "{size} {piece}");
        }
    }
    let scan = Some(Scan { start: 0, end: 9 });
    let refused = |request| run(request, b"", 1).map(|_| ()).map_err(|error| error.code);
    let document = Request { scan, ..request("SELECT 1 FROM S3Object", json()) };
    assert_eq!(refused(document), Err("UnsupportedScanRangeInput"));
    let scan = Some(Scan { start: 9, end: 8 });
    let backwards = Request { scan, ..request("SELECT 1 FROM S3Object", csv(Header::None)) };
    assert_eq!(refused(backwards), Err("InvalidScanRange"));
}

#[test]
fn compressed_objects_are_read_in_pieces() {
    use std::io::Write;
    let mut plain = String::new();
    for id in 0..30_000 {
        plain.push_str(&format!("{id},some text\n"));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(plain.as_bytes()).expect("memory");
    let bzip2 = bzip2.finish().expect("memory");
    let count = || request("SELECT COUNT(*), SUM(_1) FROM S3Object", csv(Header::None));
    for (compression, object) in [(Compression::Gzip, &gzip), (Compression::Bzip2, &bzip2)] {
        for size in [1, 1000, 1 << 20] {
            let whole = run(Request { compression, ..count() }, object, size).expect("an answer");
            assert_eq!(whole.0, "30000,449985000\n");
            let (scanned, processed) = (object.len() as u64, plain.len() as u64);
            assert_eq!(whole.1, Counts { scanned, processed, returned: 16 });
            let refused = |object: &[u8]| {
                run(Request { compression, ..count() }, object, size).expect_err("refused").code
            };
            assert_eq!(refused(&object[..object.len() - 20]), "TruncatedInput");
            assert_eq!(refused(plain.as_bytes()), "InvalidCompressionFormat");
        }
        // Two streams after each other are one object.
        let twice = [&object[..], &object[..]].concat();
        let whole = run(Request { compression, ..count() }, &twice, 999).expect("an answer");
        assert_eq!(whole.0, "60000,899970000\n");
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let mut object = "a,b\n".repeat(3000).into_bytes();
    object.extend_from_slice(b"c,\xff\n");
    let refused = run(request("SELECT * FROM S3Object", csv(Header::None)), &object, 100);
    let refused = refused.expect_err("no text");
    assert_eq!(refused.code, "InvalidTextEncoding");
    assert_eq!(
        refused.message,
        "UTF-8 encoding is required. The text encoding error was found near byte 12,001."
    );
}

#[test]
fn csv_is_written_as_it_is_asked_for() {
    let output = Output::Csv(CsvOutput {
        always_quotes: true,
        escape: "\\".to_owned(),
        record_delimiter: "|\n".to_owned(),
        field_delimiter: ";".to_owned(),
        quote: "'".to_owned(),
    });
    let asked =
        Request { output, ..request("SELECT _1, 'it''s', NULL FROM S3Object", csv(Header::None)) };
    assert_eq!(run(asked, b"x\n", 1).expect("an answer").0, "'x';'it\\'s';''|\n");
}

proptest::proptest! {
    #[test]
    fn no_expression_and_no_object_panics(
        words in proptest::collection::vec(
            proptest::sample::select(&[
                "select", "*", "from", "s3object", "where", "limit", "(", ")", "[", "]", ",", ".", "_1", "s", "1", "'x'", "\"y\"",
                "`2017T`", "and", "or", "not", "in", "like", "between", "is", "null", "missing", "case", "when", "then", "else",
                "end", "cast", "as", "int", "count", "sum", "substring", "trim", "for", "extract", "year", "date_add", "-", "+",
                "/", "=", "<", "||", "utcnow", "to_string", "escape", ";",
            ]),
            0..24,
        ),
        object in "[\\[\\]{}\":,0-9a-z\\\\\n# ]{0,60}",
        piece in 1usize..9,
    ) {
        let expression = format!("select {}", words.join(" "));
        for input in [csv(Header::Use), json()] {
            let _ = run(request(&expression, input.clone()), object.as_bytes(), piece);
            let _ = run(request("select s.a, s.b[0] from s3object s", input), object.as_bytes(), piece);
        }
    }
}

#[cfg(feature = "parquet")]
mod columns {
    use fogbank_columns::{Cell, Column, Kind, Writer};

    use super::*;

    /// Rows in groups of some thousands.
    fn table(rows: i64) -> Bytes {
        let column = Column::new;
        let columns = vec![
            column("Name", Kind::Text, true),
            column("len", Kind::Int, false),
            column("at", Kind::Millis, false),
            column("latest", Kind::Bool, false),
        ];
        let mut writer = Writer::new("rows", columns).expect("a writer");
        for row in 0..rows {
            let size = if row % 3 == 0 { Cell::None } else { Cell::Int(row) };
            let name = Cell::Text(format!("name, {row}"));
            writer
                .push(vec![name, size, Cell::Int(row * 1000), Cell::Bool(row % 2 == 0)])
                .expect("a row");
        }
        writer.finish().expect("a file")
    }

    fn asked(
        expression: &str,
        object: &Bytes,
        output: Output,
        scan: Option<Scan>,
    ) -> Result<(String, Counts), Error> {
        let size = object.len() as u64;
        let request = Request { output, scan, ..request(expression, Input::Parquet { size }) };
        run(request, object, 0)
    }

    fn of(expression: &str, object: &Bytes) -> Result<String, Error> {
        asked(expression, object, to_json(), None).map(|(answer, _)| answer)
    }

    #[test]
    fn columns_have_their_names() {
        let object = table(5);
        let csv = |expression| {
            asked(expression, &object, Output::Csv(CsvOutput::default()), None)
                .map(|(answer, _)| answer)
        };
        assert_eq!(
            csv("SELECT * FROM S3Object LIMIT 2").as_deref(),
            Ok(
                "\"name, 0\",,1970-01-01T00:00:00.000Z,true\n\"name, 1\",1,1970-01-01T00:00:01.000Z,false\n"
            )
        );
        assert_eq!(
            of("SELECT s.NAME, s.len FROM S3Object s WHERE s.len > 1 AND s.\"at\" < TO_TIMESTAMP('1970-01-01T00:00:04Z')", &object).as_deref(),
            Ok("{\"NAME\":\"name, 2\",\"len\":2}\n")
        );
        assert_eq!(
            of("SELECT * FROM S3Object s WHERE s.len IS NULL AND s.latest", &object).as_deref(),
            Ok(
                "{\"Name\":\"name, 0\",\"len\":null,\"at\":\"1970-01-01T00:00:00.000Z\",\"latest\":true}\n"
            )
        );
        assert_eq!(
            csv("SELECT COUNT(*), SUM(len), AVG(len) FROM S3Object").as_deref(),
            Ok("5,7,2.3333333333333333333333333333\n")
        );
        // Long integers are decimals in SQL, and their quotients have a fraction.
        assert_eq!(csv("SELECT len / 2 FROM S3Object WHERE len = 1").as_deref(), Ok("0.5\n"));
        assert_eq!(
            of("SELECT \"name\" FROM S3Object", &object).expect_err("no such name").code,
            "MissingHeaders"
        );
        assert_eq!(
            of("SELECT s.none FROM S3Object s", &object).expect_err("no such name").code,
            "MissingHeaders"
        );
    }

    #[test]
    fn only_what_counts_is_read() {
        let object = table(60_000);
        let output = || Output::Csv(CsvOutput::default());
        let (answer, all) = asked("SELECT * FROM S3Object", &object, output(), None).expect("rows");
        assert_eq!(answer.lines().count(), 60_000);
        let (answer, some) =
            asked("SELECT COUNT(latest) FROM S3Object", &object, output(), None).expect("rows");
        assert_eq!(answer, "60000\n");
        assert!(
            some.scanned * 3 < all.scanned && some.processed * 3 < all.processed,
            "{some:?} {all:?}"
        );
        assert!(all.scanned >= object.len() as u64 && all.returned > 1_000_000);
        let (answer, none) =
            asked("SELECT COUNT(*) FROM S3Object", &object, output(), None).expect("rows");
        assert_eq!((&*answer, none.processed), ("60000\n", 0));
        // Groups that begin in one of the ranges are each read once.
        let (mut rows, mut parts) = (String::new(), Vec::new());
        for start in (0..object.len() as u64).step_by(100_000) {
            let scan = Some(Scan { start, end: start + 99_999 });
            let (answer, _) =
                asked("SELECT Name FROM S3Object", &object, output(), scan).expect("rows");
            parts.push(answer.lines().count());
            rows.push_str(&answer);
        }
        let (whole, _) = asked("SELECT Name FROM S3Object", &object, output(), None).expect("rows");
        assert!(rows == whole);
        assert!(
            parts.iter().filter(|count| **count > 0).count() > 1 && parts.contains(&0),
            "{parts:?}"
        );
    }

    #[test]
    fn what_is_no_parquet_is_refused() {
        let object = table(5);
        for wrong in [
            &b""[..],
            b"PAR1",
            b"PAR1PAR1",
            b"name,size\n1,2\n",
            &object[..object.len() - 1],
            &[&object[..20], &object[21..]].concat(),
        ] {
            let error = of("SELECT * FROM S3Object", &Bytes::copy_from_slice(wrong))
                .expect_err("no Parquet");
            assert_eq!(error.code, "ParquetParsingError");
        }
        let damaged = [b"PAR1", &[0xff; 300][..], &object[304..]].concat();
        let error = of("SELECT * FROM S3Object", &damaged.into()).expect_err("damaged");
        assert_eq!(error.code, "ParquetParsingError");
    }
}
