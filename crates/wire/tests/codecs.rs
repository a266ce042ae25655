//! Golden messages of every protocol, in both directions.

mod item;

use bytes::Bytes;
use fogbank_wire::{Protocol, Style, Timestamp, encode, from_json, to_json};
use item::{AttributeValue, DYNAMODB, PUT_ITEM, PutItemInput, ReturnValue, Tag};

/// An input that holds a value of every kind.
fn full() -> PutItemInput {
    let mut item = std::collections::BTreeMap::new();
    let inner = [("k".to_owned(), AttributeValue::Bool(true))].into_iter().collect();
    item.insert("a".to_owned(), AttributeValue::S("<\"é\n".to_owned()));
    item.insert("b".to_owned(), AttributeValue::B(Bytes::from_static(b"\0\xff!")));
    item.insert("c".to_owned(), AttributeValue::L(vec![AttributeValue::M(inner)]));
    item.insert("d".to_owned(), AttributeValue::Ss(vec!["x".to_owned(), String::new()]));
    PutItemInput {
        table_name: "Orders".to_owned(),
        item,
        return_values: Some(ReturnValue::AllOld),
        wanted: Some(vec![ReturnValue::None, ReturnValue::AllNew]),
        limit: Some(7),
        size: Some(-9_007_199_254_740_993),
        ratio: Some(0.5),
        since: Some(Timestamp::from_millis(1_763_672_160_123)),
        tags: Some(vec![Tag { key: "k".to_owned(), value: None }]),
        tag_keys: Some(vec!["k".to_owned()]),
        secret: None,
    }
}

/// The media type and text of the encoded value.
fn text(protocol: Protocol) -> (String, String) {
    let response = encode(protocol, &DYNAMODB, &PUT_ITEM, &Style::DEFAULT, &mut full(), "id");
    assert_eq!(response.status, 200);
    assert_eq!(response.headers["x-amzn-requestid"], "id");
    let media = response.headers["content-type"].to_str().expect("a media type").to_owned();
    let body = response.body.bytes().cloned().unwrap_or_default();
    (media, String::from_utf8_lossy(&body).into_owned())
}

const DOCUMENT: &str = concat!(
    r#"{"TableName":"Orders","Item":{"a":{"S":"<\"é\n"},"b":{"B":"AP8h"},"#,
    r#""c":{"L":[{"M":{"k":{"BOOL":true}}}]},"d":{"SS":["x",""]}},"ReturnValues":"ALL_OLD","#,
    r#""Wanted":["NONE","ALL_NEW"],"Limit":7,"Size":-9007199254740993,"Ratio":0.5,"#,
    r#""Since":1763672160.123,"Tags":[{"Key":"k"}],"TagKeys":["k"]}"#,
);

const ELEMENTS: &str = concat!(
    "<TableName>Orders</TableName><Item><entry><key>a</key><value><S>&lt;&quot;é\n</S></value>",
    "</entry><entry><key>b</key><value><B>AP8h</B></value></entry><entry><key>c</key><value><L>",
    "<member><M><entry><key>k</key><value><BOOL>true</BOOL></value></entry></M></member></L>",
    "</value></entry><entry><key>d</key><value><SS><member>x</member><member></member></SS>",
    "</value></entry></Item><ReturnValues>ALL_OLD</ReturnValues><Wanted><member>NONE</member>",
    "<member>ALL_NEW</member></Wanted><Limit>7</Limit><Size>-9007199254740993</Size>",
    "<Ratio>0.5</Ratio><Since>2025-11-20T20:56:00.123Z</Since><Tags><member><Key>k</Key>",
    "</member></Tags><TagKeys><member>k</member></TagKeys>",
);

#[test]
fn json_documents() {
    let media = |text: &str| (text.to_owned(), DOCUMENT.to_owned());
    assert_eq!(text(Protocol::AwsJson1_0), media("application/x-amz-json-1.0"));
    assert_eq!(text(Protocol::AwsJson1_1), media("application/x-amz-json-1.1"));
    assert_eq!(text(Protocol::RestJson1), media("application/json"));
    let read = item::decode(Protocol::AwsJson1_0, &Style::DEFAULT, DOCUMENT.to_owned());
    assert_eq!(read, Ok(full()));
}

#[test]
fn xml_documents() {
    assert_eq!(
        text(Protocol::AwsQuery),
        (
            "text/xml".to_owned(),
            format!(
                "<PutItemResponse xmlns=\"http://dynamodb.amazonaws.com/doc/2012-08-10/\">\
                 <PutItemResult>{ELEMENTS}</PutItemResult><ResponseMetadata><RequestId>id\
                 </RequestId></ResponseMetadata></PutItemResponse>"
            )
        )
    );
    assert_eq!(
        text(Protocol::Ec2Query),
        (
            "text/xml;charset=UTF-8".to_owned(),
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PutItemResponse \
                 xmlns=\"http://dynamodb.amazonaws.com/doc/2012-08-10/\"><requestId>id\
                 </requestId>{ELEMENTS}</PutItemResponse>"
            )
        )
    );
    let rest = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PutItemRequest>{ELEMENTS}</PutItemRequest>"
    );
    assert_eq!(text(Protocol::RestXml), ("application/xml".to_owned(), rest.clone()));
    assert_eq!(item::decode(Protocol::RestXml, &Style::DEFAULT, rest), Ok(full()));
}

#[test]
fn cbor_documents() {
    let mut value = PutItemInput {
        table_name: "Orders".to_owned(),
        since: Some(Timestamp::from_secs(1)),
        limit: Some(300),
        tag_keys: Some(vec!["k".to_owned()]),
        ..PutItemInput::default()
    };
    let protocol = Protocol::RpcV2Cbor;
    let response = encode(protocol, &DYNAMODB, &PUT_ITEM, &Style::DEFAULT, &mut value, "id");
    assert_eq!(response.headers["smithy-protocol"], "rpc-v2-cbor");
    assert_eq!(response.headers["content-type"], "application/cbor");
    let golden = "bf695461626c654e616d65664f7264657273644974656da0654c696d697419012c6553696e6365\
                  c1fb3ff00000000000006754\
                  61674b65797381616bff";
    let golden: String = golden.split_whitespace().collect();
    assert_eq!(hex::encode(response.body.bytes().expect("a body")), golden);
}

#[test]
fn forms() {
    let form = "Action=PutItem&Version=2012-08-10&TableName=Orders&Item.entry.1.key=a\
        &Item.entry.1.value.S=%3C%22%C3%A9%0A&Item.entry.2.key=b&Item.entry.2.value.B=AP8h\
        &Item.entry.3.key=c&Item.entry.3.value.L.member.1.M.entry.1.key=k\
        &Item.entry.3.value.L.member.1.M.entry.1.value.BOOL=true&Item.entry.4.key=d\
        &Item.entry.4.value.SS.member.1=x&Item.entry.4.value.SS.member.2=&ReturnValues=ALL_OLD\
        &Wanted.member.1=NONE&Wanted.member.2=ALL_NEW&Limit=7&Size=-9007199254740993&Ratio=0.5\
        &Since=2025-11-20T20%3A56%3A00.123Z&Tags.member.1.Key=k&TagKeys.member.1=k";
    let read = item::decode(Protocol::AwsQuery, &Style::DEFAULT, form.to_owned());
    assert_eq!(read, Ok(full()));
    let spread = "TableName=Orders&Item=&TagKeys.member.10=c&TagKeys.member.2=b&TagKeys.member.1=a";
    let read = item::decode(Protocol::AwsQuery, &Style::DEFAULT, spread.to_owned());
    let keys = read.ok().and_then(|input| input.tag_keys).expect("keys");
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn lenient_forms() {
    let style = Style { lenient_query: true, ..Style::DEFAULT };
    let form = "TableName=Orders&Item.1.Name=a&Item.1.Value.S=x&TagKeys.1=k";
    let input = item::decode(Protocol::AwsQuery, &style, form.to_owned()).expect("an input");
    assert_eq!(input.item["a"], AttributeValue::S("x".to_owned()));
    assert_eq!(input.tag_keys, Some(vec!["k".to_owned()]));
}

#[test]
fn absent_and_odd_values() {
    let body = r#"{"TableName":"Orders","Item":{},"Ratio":"NaN","Limit":3.0,"Since":
        "2025-11-20T20:56:00.123Z","TagKeys":["a",null,"b"],"Tags":null}"#;
    let input = item::decode(Protocol::AwsJson1_0, &Style::DEFAULT, body.to_owned());
    let input = input.expect("an input");
    assert!(input.ratio.is_some_and(f64::is_nan));
    assert_eq!(input.limit, Some(3));
    assert_eq!(input.since, full().since);
    assert_eq!(input.tag_keys, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(input.tags, None);
    let mut value = PutItemInput { ratio: Some(f64::NEG_INFINITY), ..PutItemInput::default() };
    let protocol = Protocol::AwsJson1_0;
    let response = encode(protocol, &DYNAMODB, &PUT_ITEM, &Style::DEFAULT, &mut value, "id");
    let wanted = br#"{"TableName":"","Item":{},"Ratio":"-Infinity"}"#;
    assert_eq!(response.body.bytes().map(|bytes| bytes.to_vec()), Some(wanted.to_vec()));
}

#[test]
fn a_member_given_twice_has_its_last_value() {
    let body = r#"{"TableName":"Orders","Item":{},"TagKeys":["a"],"TagKeys":["b"]}"#;
    let input = item::decode(Protocol::AwsJson1_0, &Style::DEFAULT, body.to_owned());
    assert_eq!(input.ok().and_then(|input| input.tag_keys), Some(vec!["b".to_owned()]));
}

#[test]
fn escapes_in_json() {
    let body = r#"{"TableName":"\u0041\/\ud83d\ude39","Item":{"a":{"S":"\ud800x\t\b"}}}"#;
    let text = match item::decode(Protocol::AwsJson1_0, &Style::DEFAULT, body.to_owned()) {
        Err(rejection) => rejection.to_string(),
        Ok(_) => String::new(),
    };
    assert!(text.contains("Value 'A/😹' at 'tableName'"), "{text}");
    let body = r#"{"TableName":"Orders","Item":{"a":{"S":"\ud800x\t\b\u0000"}}}"#;
    let input = item::decode(Protocol::AwsJson1_0, &Style::DEFAULT, body.to_owned());
    let item = input.expect("an input").item;
    assert_eq!(item["a"], AttributeValue::S("\u{fffd}x\t\u{8}\0".to_owned()));
}

#[test]
fn inner_calls() {
    let json = to_json(&full());
    assert_eq!(json["Since"], 1_763_672_160.123);
    assert_eq!(json["Item"]["b"]["B"], "AP8h");
    let mut back = PutItemInput::default();
    assert_eq!(from_json(&json, &mut back), Ok(()));
    assert_eq!(back, full());
    let refused = from_json(&serde_json::json!({"TableName": "x"}), &mut PutItemInput::default());
    assert!(refused.is_err_and(|rejection| rejection.to_string().starts_with("2 validation")));
}
