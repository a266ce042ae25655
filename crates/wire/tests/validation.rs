//! What is said of inputs that break the model, word for word.

mod item;

use fogbank_wire::{Protocol, Rejection, Style, TypeTexts, XmlFlavour};

const JSON: Protocol = Protocol::AwsJson1_0;

/// The code and message of a rejected body, or `accepted`.
fn refusal(protocol: Protocol, style: Style, body: &str) -> String {
    match item::decode(protocol, &style, body.to_owned()) {
        Ok(_) => "accepted".to_owned(),
        Err(rejection) => {
            format!("{}: {}", rejection.code(protocol, &style), rejection.message(protocol, &style))
        }
    }
}

fn json(body: &str) -> String {
    refusal(JSON, Style::DEFAULT, body)
}

/// The message of the one violation in an otherwise complete input.
fn violation(members: &str) -> String {
    let text = json(&format!(r#"{{"TableName":"Orders","Item":{{}},{members}}}"#));
    text.strip_prefix("ValidationException: 1 validation error detected: ")
        .unwrap_or(&text)
        .to_owned()
}

#[test]
fn missing_members() {
    let text = "ValidationException: 2 validation errors detected: \
        Value null at 'tableName' failed to satisfy constraint: Member must not be null; \
        Value null at 'item' failed to satisfy constraint: Member must not be null";
    assert_eq!(json("{}"), text);
    assert_eq!(json(""), text);
    assert_eq!(json(r#"{"TableName":null,"Unknown":{"a":[1,{}]},"__type":"x"}"#), text);
    assert_eq!(
        violation(r#""Tags":[{"Key":"a"},{"Value":"b"}]"#),
        "Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn patterns_come_before_lengths() {
    assert_eq!(
        json(r#"{"TableName":"","Item":{}}"#),
        "ValidationException: 2 validation errors detected: \
         Value '' at 'tableName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
         Value '' at 'tableName' failed to satisfy constraint: \
         Member must have length greater than or equal to 3"
    );
}

#[test]
fn numbers_and_enumerations() {
    assert_eq!(
        violation(r#""Limit":101"#),
        "Value '101' at 'limit' failed to satisfy constraint: \
         Member must have value less than or equal to 100"
    );
    assert_eq!(
        violation(r#""ReturnValues":"FOO""#),
        "Value 'FOO' at 'returnValues' failed to satisfy constraint: \
         Member must satisfy enum value set: [NONE, ALL_OLD, ALL_NEW]"
    );
}

#[test]
fn elements_are_reported_at_their_list() {
    assert_eq!(
        violation(r#""TagKeys":["a",""]"#),
        "Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: \
         [Member must have length less than or equal to 8, \
         Member must have length greater than or equal to 1]"
    );
    assert_eq!(
        violation(r#""Wanted":["NONE","FOO"]"#),
        "Value '[NONE, FOO]' at 'wanted' failed to satisfy constraint: \
         Member must satisfy constraint: \
         [Member must satisfy enum value set: [NONE, ALL_OLD, ALL_NEW]]"
    );
    assert_eq!(
        violation(r#""TagKeys":[]"#),
        "Value '[]' at 'tagKeys' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
    assert_eq!(
        json(r#"{"TableName":"Orders","Item":{"":{"S":"a"}}}"#),
        "ValidationException: 1 validation error detected: \
         Value '{=AttributeValue(s=a)}' at 'item' failed to satisfy constraint: \
         Map keys must satisfy constraint: [Member must have length less than or equal to 16, \
         Member must have length greater than or equal to 1]"
    );
    let lambda = Style { elements_not_null: true, ..Style::DEFAULT };
    let text = refusal(JSON, lambda, r#"{"TableName":"Orders","Item":{},"Wanted":["FOO"]}"#);
    assert!(text.ends_with("[NONE, ALL_OLD, ALL_NEW], Member must not be null]"), "{text}");
}

#[test]
fn paths_lead_through_maps_and_unions() {
    assert_eq!(
        json(r#"{"TableName":"Orders","Item":{"a":{"M":{"b":{"M":{"":{"S":"x"}}}}}}}"#)
            .split("' at '")
            .nth(1)
            .and_then(|rest| rest.split('\'').next()),
        Some("item.a.member.m.b.member.m")
    );
}

#[test]
fn sensitive_values_are_not_shown() {
    assert_eq!(
        json(r#"{"TableName":"Orders","Item":{},"Secret":"X"}"#),
        "ValidationException: 2 validation errors detected: \
         Value at 'secret' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-z]+; \
         Value at 'secret' failed to satisfy constraint: \
         Member must have length greater than or equal to 3"
    );
}

#[test]
fn every_protocol_finds_the_same_violations() {
    let wanted = "Value '' at 'tags.2.member.key' failed to satisfy constraint: \
                  Member must have length greater than or equal to 1";
    let bodies = [
        (JSON, r#"{"TableName":"Orders","Item":{},"Tags":[{"Key":"a"},{"Key":""}]}"#),
        (
            Protocol::RestJson1,
            r#"{"TableName":"Orders","Item":{},"Tags":[{"Key":"a"},{"Key":""}]}"#,
        ),
        (
            Protocol::RestXml,
            "<x><TableName>Orders</TableName><Item/><Tags><member><Key>a</Key></member>\
             <member><Key/></member></Tags></x>",
        ),
        (Protocol::AwsQuery, "TableName=Orders&Item=&Tags.member.1.Key=a&Tags.member.2.Key="),
        (Protocol::Ec2Query, "TableName=Orders&Item=&Tags.1.Key=a&Tags.2.Key="),
    ];
    for (protocol, body) in bodies {
        match item::decode(protocol, &Style::DEFAULT, body.to_owned()) {
            Err(Rejection::Validation(violations)) => {
                assert_eq!(violations.len(), 1, "{protocol:?}");
                assert_eq!(violations[0].to_string(), wanted, "{protocol:?}");
            }
            other => panic!("{protocol:?}: {other:?}"),
        }
    }
}

#[test]
fn codes_are_the_protocols_or_the_styles() {
    let invalid = "TableName=x&Item=";
    let code = |protocol, style| {
        refusal(protocol, style, invalid).split(':').next().unwrap_or_default().to_owned()
    };
    assert_eq!(code(Protocol::AwsQuery, Style::DEFAULT), "ValidationError");
    assert_eq!(code(Protocol::Ec2Query, Style::DEFAULT), "InvalidParameterValue");
    let logs = Style { validation_code: "InvalidParameterException", ..Style::DEFAULT };
    assert_eq!(refusal(JSON, logs, "{}").split(':').next(), Some("InvalidParameterException"));
    let s3 = Style { xml: XmlFlavour::S3, ..Style::DEFAULT };
    assert_eq!(
        refusal(Protocol::RestXml, s3, "<x><TableName>x</TableName><Item/></x>"),
        "MalformedXML: The XML you provided was not well-formed or did not validate against our \
         published schema"
    );
    assert_eq!(
        refusal(Protocol::Ec2Query, Style::DEFAULT, "TableName=Orders"),
        "MissingParameter: The request must contain the parameter Item"
    );
    let gateway = Style { prefixed_paths: true, ..Style::DEFAULT };
    assert!(refusal(JSON, gateway, "{}").contains("Value null at 'putItemInput.tableName'"));
}

#[test]
fn wrong_types_in_the_current_words() {
    let item = |value: &str| json(&format!(r#"{{"TableName":"Orders","Item":{{"a":{value}}}}}"#));
    for (value, text) in [
        (r#"{"S":true}"#, "TRUE_VALUE cannot be converted to String"),
        (r#"{"S":23}"#, "NUMBER_VALUE cannot be converted to String"),
        (r#"{"S":34.56}"#, "DECIMAL_VALUE cannot be converted to String"),
        (r#"{"S":[]}"#, "Unrecognized collection type class java.lang.String"),
        (r#"{"S":{}}"#, "Start of structure or map found where not expected"),
        (r#"{"BOOL":"23"}"#, "Unexpected token received from parser"),
        (r#"{"B":23}"#, "only base-64-encoded strings are convertible to bytes"),
        (
            r#"{"B":"23456"}"#,
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        (r#"{"B":"+/+="}"#, "Invalid last non-pad Base64 character dectected"),
        (r#"{"SS":"23"}"#, "Unexpected field type"),
        (r#"{"SS":{}}"#, "Start of structure or map found where not expected"),
        (r#"{"M":"23"}"#, "Unexpected field type"),
        (r#""23""#, "Unexpected value type in payload"),
        ("[]", "Unrecognized collection type class AttributeValue"),
    ] {
        assert_eq!(item(value), format!("SerializationException: {text}"), "{value}");
    }
    assert_eq!(
        json(r#"{"TableName":"Orders","Item":{},"Limit":"23"}"#),
        "SerializationException: STRING_VALUE cannot be converted to Integer"
    );
    let dynamodb = Style { java_package: "com.amazonaws.dynamodb.v20120810", ..Style::DEFAULT };
    assert_eq!(
        refusal(JSON, dynamodb, r#"{"Item":[]}"#),
        "SerializationException: Unrecognized collection type \
         class java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
            .replace("class java.util", "java.util")
    );
}

#[test]
fn wrong_types_in_the_classic_words() {
    let classic = Style { type_texts: TypeTexts::Classic, ..Style::DEFAULT };
    for (body, text) in [
        (r#"{"TableName":true}"#, "class java.lang.Boolean can not be converted to an String"),
        (r#"{"TableName":[]}"#, "Start of list found where not expected"),
        (r#"{"TableName":{}}"#, "Start of structure or map found where not expected."),
    ] {
        assert_eq!(refusal(JSON, classic, body), format!("SerializationException: {text}"));
    }
}

#[test]
fn unions_hold_one_member() {
    let body = r#"{"TableName":"Orders","Item":{"a":{"S":"x","N":"1"}}}"#;
    let text = "Supplied AttributeValue has more than one datatypes set, must contain exactly one \
                of the supported datatypes";
    let style = Style { union_message: text, ..Style::DEFAULT };
    assert_eq!(refusal(JSON, style, body), format!("ValidationException: {text}"));
    assert!(json(body).starts_with("SerializationException: "));
    let one = json(r#"{"TableName":"Orders","Item":{"a":{"S":"x","N":null,"Z":1}}}"#);
    assert_eq!(one, "accepted");
}

#[test]
fn malformed_documents_are_refused() {
    for body in ["{", "[]", "1", "{\"a\"}", "{} x", "{\"a\":1,}", "{\"a\":\"\u{1}\"}", "{\"a\":01}"]
    {
        assert!(json(body).starts_with("SerializationException: "), "{body}");
    }
    let deep = format!(r#"{{"X":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
    assert!(json(&deep).starts_with("SerializationException: "), "deep");
    let xml = refusal(Protocol::RestXml, Style::DEFAULT, "<x><TableName></x>");
    assert!(xml.starts_with("MalformedInput: "), "{xml}");
    let query = refusal(Protocol::AwsQuery, Style::DEFAULT, "TableName=Orders&Item=&Limit=x");
    assert!(query.starts_with("MalformedInput: "), "{query}");
}

#[test]
fn a_hostile_request_cannot_make_the_answer_huge() {
    let tags = r#"{"Value":"v"},"#.repeat(5_000);
    let body = format!(r#"{{"TableName":"Orders","Item":{{}},"Tags":[{}{{}}]}}"#, tags);
    let text = json(&body);
    assert!(text.starts_with("ValidationException: 100 validation errors detected: "));
    assert!(text.len() < 20_000);
}
