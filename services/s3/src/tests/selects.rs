//! S3 Select: queries over objects, answered as events.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::bytes::{Bytes, BytesMut};
use fogbank_core::wire::eventstream::Message;
use fogbank_core::{Body, Fault, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, json};
use md5::Digest;

use super::{put, refused, send, with, with_bucket};

/// The events of an answer: their names, the records, and the error that ends them.
struct Answer {
    names: Vec<String>,
    records: Vec<u8>,
    last: Message,
    error: Option<String>,
}

fn asked(key: &str, expression: &str, more: Value) -> Value {
    let input = json!({
        "Bucket": "photos", "Key": key, "Expression": expression, "ExpressionType": "SQL",
        "InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}},
    });
    with(input, more)
}

async fn reply(world: &World, input: Value) -> Result<Bytes, Fault> {
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:SelectObjectContent", input, Body::empty()).await?;
    reply.bytes(256 << 20).await
}

async fn answer(world: &World, input: Value) -> Result<Answer, Fault> {
    let mut events = BytesMut::from(&reply(world, input).await?[..]);
    let (mut names, mut records) = (Vec::new(), Vec::new());
    let (mut last, mut error) = (Message::default(), None);
    while let Some(message) = Message::decode(&mut events).expect("a message") {
        match message.text(":event-type") {
            Some("Records") => records.extend_from_slice(&message.payload),
            Some("Stats") => last = message.clone(),
            Some(_) => {}
            None => error = message.text(":error-code").map(str::to_owned),
        }
        names.push(message.text(":event-type").unwrap_or("error").to_owned());
    }
    assert!(events.is_empty(), "half a message at the end");
    Ok(Answer { names, records, last, error })
}

async fn text(world: &World, input: Value) -> String {
    let answer = answer(world, input).await.expect("an answer");
    assert_eq!(answer.names.last().map(String::as_str), Some("End"));
    String::from_utf8(answer.records).expect("text")
}

#[tokio::test]
async fn a_query_is_answered_by_events() {
    let world = with_bucket().await;
    put(&world, "people.csv", Bytes::from("name,age\nAnn,31\nBob,9\n")).await;
    let input = asked(
        "people.csv",
        "SELECT s.name FROM S3Object s WHERE s.age > 10",
        json!({
            "InputSerialization": {"CSV": {"FileHeaderInfo": "USE"}},
            "OutputSerialization": {"JSON": {}}, "RequestProgress": {"Enabled": true},
        }),
    );
    let answer = answer(&world, input).await.expect("an answer");
    assert_eq!(answer.names, ["Records", "Progress", "Stats", "End"]);
    assert_eq!(answer.records, b"{\"name\":\"Ann\"}\n");
    assert_eq!(answer.last.text(":message-type"), Some("event"));
    assert_eq!(answer.last.text(":content-type"), Some("text/xml"));
    assert_eq!(
        answer.last.payload,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Stats><BytesScanned>22</BytesScanned><BytesProcessed>22</BytesProcessed><BytesReturned>15</BytesReturned></Stats>"
    );
}

#[tokio::test]
async fn objects_of_every_size_and_encryption_are_queried() {
    let world = with_bucket().await;
    super::allow_customer_keys(&world, "photos").await;
    let secret = [9; 32];
    let keys = json!({
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": STANDARD.encode(secret),
        "SSECustomerKeyMD5": STANDARD.encode(md5::Md5::digest(secret)),
    });
    for rows in [0, 1, 5_000, 300_000] {
        let object: String =
            (0..rows).map(|row| format!("{row},some text that is not short\n")).collect();
        put(&world, "plain.csv", object.clone()).await;
        let count = "SELECT COUNT(*) FROM S3Object";
        let counted = text(&world, asked("plain.csv", count, json!({}))).await;
        assert_eq!(counted, format!("{rows}\n"));
        let all = text(&world, asked("plain.csv", "SELECT * FROM S3Object", json!({}))).await;
        assert!(all == object, "{rows} rows are not as they were");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(object.as_bytes()).expect("memory");
        let to = with(json!({"Key": "sealed.gz"}), keys.clone());
        send(&world, "PutObject", to, gzip.finish().expect("memory")).await.expect("written");
        let form = json!({"InputSerialization": {"CSV": {}, "CompressionType": "GZIP"}});
        let input = asked("sealed.gz", count, form);
        assert!(
            refused(reply(&world, input.clone()).await)
                .starts_with("InvalidRequest: The object was stored")
        );
        assert_eq!(text(&world, with(input, keys.clone())).await, format!("{rows}\n"));
    }
    // Ranges whose records are in one of them each, with the header that stands before all.
    let object: String = (0..20_000).map(|row| format!("{row},x\n")).collect();
    put(&world, "ranged.csv", format!("id,x\n{object}")).await;
    let size = object.len() + 5;
    let mut ids = String::new();
    for start in (0..size).step_by(40_000) {
        let more = json!({
            "InputSerialization": {"CSV": {"FileHeaderInfo": "USE"}},
            "ScanRange": {"Start": start, "End": start + 39_999},
        });
        ids.push_str(&text(&world, asked("ranged.csv", "SELECT id FROM S3Object", more)).await);
    }
    assert!(ids == (0..20_000).map(|row| format!("{row}\n")).collect::<String>());
    let more = json!({"ScanRange": {"End": 9}});
    assert_eq!(text(&world, asked("ranged.csv", "SELECT _1 FROM S3Object", more)).await, "19999\n");
}

#[tokio::test]
async fn what_is_wrong_later_ends_the_events() {
    let world = with_bucket().await;
    let mut object = "1,a\n".repeat(2_000_000);
    object.push_str("x,a\n");
    put(&world, "late.csv", object).await;
    let query = "SELECT CAST(_1 AS INT) FROM S3Object";
    let late = answer(&world, asked("late.csv", query, json!({}))).await.expect("a beginning");
    assert_eq!(late.error.as_deref(), Some("InvalidCast"));
    assert_eq!(late.names.last().map(String::as_str), Some("error"));
    put(&world, "early.csv", Bytes::from("x,a\n")).await;
    let early = refused(reply(&world, asked("early.csv", query, json!({}))).await);
    assert!(early.starts_with("InvalidCast: "), "{early}");
    // Who asks for nothing long enough hears that it goes on.
    put(&world, "long.csv", "1,a\n".repeat(5_000_000)).await;
    let none = asked("long.csv", "SELECT * FROM S3Object WHERE _1 = '2'", json!({}));
    let names = answer(&world, none).await.expect("an answer").names;
    assert_eq!(names, ["Cont", "Cont", "Stats", "End"]);
}

#[tokio::test]
async fn requests_that_make_no_sense_have_their_own_errors() {
    let world = with_bucket().await;
    put(&world, "a", Bytes::from("1,2\n")).await;
    let input =
        |member: &str, value: Value| asked("a", "SELECT * FROM S3Object", json!({ member: value }));
    for (input, expected) in [
        (asked("none", "SELECT * FROM S3Object", json!({})), "NoSuchKey"),
        (asked("a", "SELECT", json!({})), "ParseUnexpectedTerm"),
        (asked("a", "SELECT * FROM S3Object s WHERE s.x = 1", json!({})), "InvalidColumnIndex"),
        (input("ExpressionType", json!("XQUERY")), "InvalidExpressionType"),
        (input("InputSerialization", json!({})), "InvalidDataSource"),
        (
            input("InputSerialization", json!({"CSV": {}, "JSON": {"Type": "LINES"}})),
            "ObjectSerializationConflict",
        ),
        (input("InputSerialization", json!({"JSON": {"Type": "TREE"}})), "InvalidJsonType"),
        (
            input("InputSerialization", json!({"CSV": {}, "CompressionType": "ZIP"})),
            "InvalidCompressionFormat",
        ),
        (
            input("InputSerialization", json!({"CSV": {}, "CompressionType": "GZIP"})),
            "InvalidCompressionFormat",
        ),
        (
            input("InputSerialization", json!({"CSV": {"FileHeaderInfo": "MAYBE"}})),
            "InvalidFileHeaderInfo",
        ),
        (
            input("InputSerialization", json!({"CSV": {"QuoteCharacter": "ab"}})),
            "InvalidRequestParameter",
        ),
        (
            input("InputSerialization", json!({"CSV": {"RecordDelimiter": ""}})),
            "InvalidRequestParameter",
        ),
        (input("OutputSerialization", json!({})), "MissingRequiredParameter"),
        (
            input("OutputSerialization", json!({"CSV": {}, "JSON": {}})),
            "ObjectSerializationConflict",
        ),
        (
            input("OutputSerialization", json!({"CSV": {"QuoteFields": "NEVER"}})),
            "InvalidQuoteFields",
        ),
        (input("ScanRange", json!({"Start": 5, "End": 4})), "InvalidScanRange"),
        (input("ScanRange", json!({"Start": -1})), "InvalidScanRange"),
        (input("ExpectedBucketOwner", json!("999999999999")), "AccessDenied"),
    ] {
        let outcome = refused(reply(&world, input.clone()).await);
        assert_eq!(outcome.split(':').next(), Some(expected), "{input}");
    }
    let cold = json!({"Key": "cold", "StorageClass": "GLACIER"});
    send(&world, "PutObject", cold, Bytes::from("1")).await.expect("written");
    let outcome = reply(&world, asked("cold", "SELECT * FROM S3Object", json!({}))).await;
    let outcome = refused(outcome);
    assert!(outcome.starts_with("UnsupportedStorageClass"), "{outcome}");
}

#[test]
fn every_error_of_the_engine_stands_in_the_model() {
    let codes = fogbank_select::Error::PLAIN_CODES.iter().chain(fogbank_select::WORDED_CODES);
    for code in codes {
        let known = crate::model::SERVICE.errors.iter().any(|error| error.name == *code);
        assert!(known, "{code} is not in models/operations/s3.toml");
    }
}

/// Rows as Parquet, in groups of some ten thousands.
#[cfg(feature = "parquet")]
fn table(rows: i64) -> Bytes {
    use fogbank_columns::{Cell, Column, Kind, Writer};
    let column = |name: &str, kind| Column::new(name, kind, false);
    let columns = vec![column("id", Kind::Int), column("name", Kind::Text)];
    let mut writer = Writer::new("rows", columns).expect("a writer");
    for row in 0..rows {
        // Digests, which Snappy does not make smaller.
        let name = Cell::Text(hex::encode(md5::Md5::digest(row.to_le_bytes())));
        writer.push(vec![Cell::Int(row), name]).expect("a row");
    }
    writer.finish().expect("a file")
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn parquet_is_read_by_its_columns() {
    let world = with_bucket().await;
    let form = json!({
        "InputSerialization": {"Parquet": {}}, "OutputSerialization": {"JSON": {}},
    });
    for rows in [0, 3, 150_000] {
        let object = table(rows);
        put(&world, "rows", object.clone()).await;
        let count = asked("rows", "SELECT COUNT(name) AS n FROM S3Object", form.clone());
        assert_eq!(text(&world, count).await, format!("{{\"n\":{rows}}}\n"));
        let all = text(&world, asked("rows", "SELECT s.id FROM S3Object s", form.clone())).await;
        assert!(all == (0..rows).map(|row| format!("{{\"id\":{row}}}\n")).collect::<String>());
    }
    let one = asked("rows", "SELECT * FROM S3Object s WHERE s.id = 149999", form.clone());
    let found = answer(&world, one).await.expect("an answer");
    assert_eq!(found.records, b"{\"id\":149999,\"name\":\"53b295e88e3a879714c5615d8ad977a2\"}\n");
    let told = String::from_utf8(found.last.payload.to_vec()).expect("text");
    let (small, size) = (table(3).len(), table(150_000).len());
    assert!(told.contains("<BytesReturned>56</BytesReturned>"), "{told}");
    assert!(!told.contains(&format!("<BytesScanned>{size}")) && size > small * 100, "{told}");
    // Each group is in one range.
    let mut ids = String::new();
    for start in (0..size).step_by(1 << 20) {
        let range = json!({"ScanRange": {"Start": start, "End": start + (1 << 20) - 1}});
        let more = with(form.clone(), range);
        ids.push_str(&text(&world, asked("rows", "SELECT id FROM S3Object", more)).await);
    }
    assert!(ids == (0..150_000).map(|row| format!("{{\"id\":{row}}}\n")).collect::<String>());
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn parquet_is_read_wherever_its_bytes_lie() {
    let world = with_bucket().await;
    super::allow_customer_keys(&world, "photos").await;
    let secret = [9; 32];
    let keys = json!({
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": STANDARD.encode(secret),
        "SSECustomerKeyMD5": STANDARD.encode(md5::Md5::digest(secret)),
    });
    let object = table(400_000);
    assert!(object.len() > 12 << 20);
    let to = with(json!({"Key": "parts"}), keys.clone());
    let upload = send(&world, "CreateMultipartUpload", to.clone(), Bytes::new()).await;
    let upload = upload.expect("an upload")["UploadId"].clone();
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(object.chunks(5 << 20)) {
        let more = json!({"UploadId": upload, "PartNumber": number});
        let part = Bytes::copy_from_slice(part);
        let sent = send(&world, "UploadPart", with(to.clone(), more), part).await.expect("a part");
        parts.push(json!({"PartNumber": number, "ETag": sent["ETag"]}));
    }
    let more = json!({"UploadId": upload, "MultipartUpload": {"Parts": parts}});
    send(&world, "CompleteMultipartUpload", with(to, more), Bytes::new()).await.expect("done");
    let form = with(json!({"InputSerialization": {"Parquet": {}}}), keys);
    let query = "SELECT COUNT(*), MIN(id), MAX(id), MAX(name) FROM S3Object";
    let largest = (0..400_000i64).map(|row| hex::encode(md5::Md5::digest(row.to_le_bytes()))).max();
    let expected = format!("400000,0,399999,{}\n", largest.expect("rows"));
    assert_eq!(text(&world, asked("parts", query, form)).await, expected);
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn parquet_that_cannot_be_read_says_why() {
    let world = with_bucket().await;
    put(&world, "csv", Bytes::from("1,2\n")).await;
    put(&world, "rows", table(3)).await;
    let parquet = json!({"InputSerialization": {"Parquet": {}}});
    let gzip = json!({"InputSerialization": {"Parquet": {}, "CompressionType": "GZIP"}});
    let both = json!({"InputSerialization": {"Parquet": {}, "CSV": {}}});
    for (key, query, form, expected) in [
        ("csv", "SELECT * FROM S3Object", &parquet, "ParquetParsingError"),
        ("rows", "SELECT none FROM S3Object", &parquet, "MissingHeaders"),
        ("rows", "SELECT * FROM S3Object", &gzip, "InvalidRequestParameter"),
        ("rows", "SELECT * FROM S3Object", &both, "ObjectSerializationConflict"),
    ] {
        let outcome = refused(reply(&world, asked(key, query, form.clone())).await);
        assert_eq!(outcome.split(':').next(), Some(expected), "{query}");
    }
}

#[cfg(not(feature = "parquet"))]
#[tokio::test]
async fn without_parquet_that_is_said() {
    let world = with_bucket().await;
    put(&world, "rows", Bytes::from("PAR1")).await;
    let parquet = json!({"InputSerialization": {"Parquet": {}}});
    let outcome = refused(reply(&world, asked("rows", "SELECT * FROM S3Object", parquet)).await);
    assert!(outcome.starts_with("NotImplemented"), "{outcome}");
}
