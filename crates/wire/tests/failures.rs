//! Golden errors of every protocol.

mod dynamic;

use dynamic::{Any, Model};
use fogbank_wire::{
    ErrorShape, Failure, Protocol, Rejection, Response, Service, Struct, Style, XmlFlavour,
    encode_failure, encode_rejection,
};
use serde_json::{Value as Json, json};

fn service(query_compatible: bool, errors: &'static [ErrorShape]) -> Service {
    let shapes = json!({});
    let (_, service) = Model::new(&shapes).operation(&json!({"name": "Test"}));
    Service {
        namespace: "com.amazonaws.sqs",
        xml_namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
        query_compatible,
        errors,
        ..*service
    }
}

/// The model's `QueueDoesNotExist`, with members that the real one does not have.
fn shapes() -> Json {
    json!({
        "String": {"type": "string"},
        "Error": {"type": "structure", "members": {
            "Message": {"shape": "String"},
            "Type": {"shape": "String"},
            "Queue": {"shape": "String", "locationName": "queue"},
            "Marker": {"shape": "String", "location": "header", "locationName": "x-amz-marker"},
        }},
    })
}

fn queue_does_not_exist() -> &'static [ErrorShape] {
    let shapes = shapes();
    let schema = Model::new(&shapes).schema(Some(&json!({"shape": "Error"})));
    let shape = ErrorShape {
        name: "QueueDoesNotExist",
        code: "QueueDoesNotExist",
        query_code: "AWS.SimpleQueueService.NonExistentQueue",
        status: 404,
        sender: true,
        schema,
    };
    Box::leak(Box::new([shape]))
}

/// The status, headers and body of the modelled error.
fn modelled(protocol: Protocol, style: &Style, query_mode: bool) -> Response {
    let service = service(true, queue_does_not_exist());
    let schema = service.errors[0].schema;
    let members = Any::from_params(schema, &json!({"Queue": "q", "Marker": "m"}));
    let failure = Failure {
        members: Some(&members as &dyn Struct),
        extra: &[("BucketName", "b".to_owned())],
        ..Failure::new(&service, "QueueDoesNotExist", "No <queue>.")
    };
    encode_failure(protocol, &service, style, &failure, "id", query_mode)
}

fn text(response: &Response) -> String {
    let bytes = response.body.bytes().cloned().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.get(name).and_then(|value| value.to_str().ok())
}

#[test]
fn json_errors() {
    let response = modelled(Protocol::AwsJson1_0, &Style::DEFAULT, true);
    assert_eq!(response.status, 404);
    assert_eq!(
        text(&response),
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","Message":"No <queue>.","Marker":"m","Queue":"q","Type":"User","BucketName":"b"}"#
    );
    let query_error = "AWS.SimpleQueueService.NonExistentQueue;Sender";
    assert_eq!(header(&response, "x-amzn-query-error"), Some(query_error));
    assert_eq!(header(&response, "x-amzn-errortype"), None);
    let response = modelled(Protocol::AwsJson1_1, &Style::DEFAULT, false);
    assert_eq!(response.status, 400);
    assert!(text(&response).starts_with(r#"{"__type":"QueueDoesNotExist","Message":"#));
}

#[test]
fn rest_json_errors() {
    let response = modelled(Protocol::RestJson1, &Style::DEFAULT, false);
    assert_eq!(response.status, 404);
    assert_eq!(
        text(&response),
        r#"{"Message":"No <queue>.","queue":"q","Type":"User","BucketName":"b"}"#
    );
    assert_eq!(header(&response, "x-amzn-errortype"), Some("QueueDoesNotExist"));
    assert_eq!(header(&response, "x-amz-marker"), Some("m"));
    assert_eq!(header(&response, "x-amzn-query-error"), None);
}

#[test]
fn query_errors() {
    let response = modelled(Protocol::AwsQuery, &Style::DEFAULT, false);
    assert_eq!(response.status, 404);
    assert_eq!(
        text(&response),
        "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>\
         <Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>\
         <Message>No &lt;queue&gt;.</Message><queue>q</queue><BucketName>b</BucketName></Error>\
         <RequestId>id</RequestId></ErrorResponse>"
    );
    assert_eq!(
        text(&modelled(Protocol::Ec2Query, &Style::DEFAULT, false)),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
         <Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>No &lt;queue&gt;.</Message>\
         <queue>q</queue><BucketName>b</BucketName></Error></Errors><RequestID>id</RequestID>\
         </Response>"
    );
}

#[test]
fn s3_errors() {
    let response = modelled(Protocol::RestXml, &Style::S3, false);
    assert_eq!(
        text(&response),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>QueueDoesNotExist</Code>\
         <Message>No &lt;queue&gt;.</Message><queue>q</queue><BucketName>b</BucketName>\
         <RequestId>id</RequestId><HostId>id</HostId></Error>"
    );
    assert_eq!(header(&response, "x-amz-request-id"), Some("id"));
    assert_eq!(header(&response, "x-amz-marker"), Some("m"));
}

#[test]
fn cbor_errors() {
    let response = modelled(Protocol::RpcV2Cbor, &Style::DEFAULT, false);
    assert_eq!(header(&response, "smithy-protocol"), Some("rpc-v2-cbor"));
    assert_eq!(header(&response, "x-amzn-errortype"), None);
    let bytes = response.body.bytes().cloned().unwrap_or_default();
    let read: Json = read_back(&bytes);
    assert_eq!(read["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    assert_eq!(read["Message"], "No <queue>.");
    assert_eq!(read["Queue"], "q");
}

/// Reads a map of texts back through the decoder.
fn read_back(bytes: &[u8]) -> Json {
    let shapes = json!({
        "String": {"type": "string"},
        "Map": {"type": "structure", "members": {
            "__type": {"shape": "String"}, "Message": {"shape": "String"}, "Queue": {"shape": "String"},
        }},
    });
    let given = json!({"name": "Test", "input": {"shape": "Map"}});
    let (operation, service) = Model::new(&shapes).operation(&given);
    let mut value = Any::empty(operation.input);
    let headers = http::HeaderMap::new();
    let request = fogbank_wire::Request {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        headers: &headers,
        labels: &[],
    };
    let body = bytes.to_vec().into();
    let (protocol, style) = (Protocol::RpcV2Cbor, Style::DEFAULT);
    fogbank_wire::decode(protocol, service, operation, &style, &request, body, &mut value)
        .expect("CBOR");
    value.to_params()
}

/// Code and status of an error that the model does not have.
fn common(protocol: Protocol, style: &Style, code: &str) -> (String, u16) {
    let service = service(false, &[]);
    let failure = Failure::new(&service, code, "m");
    let response = encode_failure(protocol, &service, style, &failure, "id", false);
    let body = text(&response);
    let code = match body.split_once("<Code>") {
        Some((_, rest)) => rest.split('<').next().unwrap_or_default().to_owned(),
        None => serde_json::from_str::<Json>(&body)
            .ok()
            .and_then(|body| body["__type"].as_str().map(str::to_owned))
            .or_else(|| header(&response, "x-amzn-errortype").map(str::to_owned))
            .unwrap_or_default(),
    };
    (code, response.status)
}

#[test]
fn errors_that_all_services_have() {
    let style = Style::DEFAULT;
    let s3 = Style { xml: XmlFlavour::S3, ..Style::DEFAULT };
    let denied = "AccessDenied";
    let is = |found: (String, u16), code: &str, status: u16| {
        assert_eq!(found, (code.to_owned(), status));
    };
    let coral = "com.amazon.coral.service#AccessDeniedException";
    is(common(Protocol::AwsJson1_0, &style, denied), coral, 400);
    is(common(Protocol::AwsJson1_1, &style, denied), "AccessDeniedException", 400);
    is(common(Protocol::RestJson1, &style, denied), "AccessDeniedException", 403);
    is(common(Protocol::AwsQuery, &style, denied), "AccessDenied", 403);
    is(common(Protocol::RestXml, &s3, denied), "AccessDenied", 403);
    is(common(Protocol::Ec2Query, &style, denied), "UnauthorizedOperation", 403);
    is(common(Protocol::RestXml, &s3, "InternalFailure"), "InternalError", 500);
    is(common(Protocol::AwsQuery, &style, "InternalFailure"), "InternalFailure", 500);
    is(common(Protocol::AwsQuery, &style, "NotImplemented"), "NotImplemented", 501);
    is(common(Protocol::AwsQuery, &style, "ValidationException"), "ValidationError", 400);
    let validate = "com.amazon.coral.validate#ValidationException";
    is(common(Protocol::AwsJson1_0, &style, "ValidationException"), validate, 400);
    let logs = Style { validation_code: "InvalidParameterException", ..style };
    is(
        common(Protocol::AwsJson1_1, &logs, "ValidationException"),
        "InvalidParameterException",
        400,
    );
}

#[test]
fn rejections() {
    let service = service(false, &[]);
    let rejection =
        Rejection::Serialization("NUMBER_VALUE cannot be converted to String".to_owned());
    let style = Style::DEFAULT;
    let response =
        encode_rejection(Protocol::AwsJson1_0, &service, &style, &rejection, "id", false);
    assert_eq!(response.status, 400);
    assert_eq!(
        text(&response),
        r#"{"__type":"com.amazon.coral.service#SerializationException","Message":"NUMBER_VALUE cannot be converted to String"}"#
    );
    let rejection = Rejection::Argument {
        name: "max-keys".to_owned(),
        value: "x".to_owned(),
        expected: "Integer",
    };
    let response =
        encode_rejection(Protocol::RestXml, &service, &Style::S3, &rejection, "id", false);
    let body = text(&response);
    assert!(body.contains("<ArgumentName>max-keys</ArgumentName><ArgumentValue>x</ArgumentValue>"));
}
