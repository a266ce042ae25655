//! The HTTP bindings of the REST protocols, with S3's ways.

mod dynamic;

use dynamic::{Any, Model};
use fogbank_wire::{
    Body, Operation, Protocol, Rejection, Request, Response, Service, Style, decode, encode, route,
    streaming_member, take_body,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

/// A model whose operations have an input `In` and an output `Out`.
struct Api {
    shapes: Json,
    given: Json,
}

impl Api {
    fn new(name: &str, http: Json, shapes: Json) -> Api {
        let mut all = json!({
            "String": {"type": "string"},
            "Integer": {"type": "integer", "max": 1000},
            "Boolean": {"type": "boolean"},
            "Blob": {"type": "blob"},
            "Body": {"type": "blob", "streaming": true},
            "Time": {"type": "timestamp"},
            "Strings": {"type": "list", "member": {"shape": "String"}},
            "Times": {"type": "list", "member": {"shape": "Time"}},
            "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
            "Multi": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Strings"}},
        });
        let members = shapes.as_object().cloned().unwrap_or_default();
        let merged = all.as_object_mut().expect("an object");
        merged.extend(members);
        let mut given = json!({"name": name, "http": http});
        for (key, shape) in [("input", "In"), ("output", "Out")] {
            if all.get(shape).is_some() {
                given[key] = json!({"shape": shape});
            }
        }
        Api { shapes: all, given }
    }

    fn operation(&self) -> (&'static Operation, &'static Service) {
        Model::new(&self.shapes).operation(&self.given)
    }

    /// Routes and decodes a request; what was read, as parameters.
    fn decode(
        &self,
        protocol: Protocol,
        style: Style,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Json, Rejection> {
        let (operation, service) = self.operation();
        let (raw_path, raw_query) = uri.split_once('?').unwrap_or((uri, ""));
        let headers = header_map(headers);
        let found = route::match_rest(service, operation.method, raw_path, raw_query, &headers)
            .expect("a route");
        let labels = &found.labels;
        let method = operation.method;
        let request = Request { method, raw_path, raw_query, headers: &headers, labels };
        let mut input = Any::empty(operation.input);
        let body = Body::from(body.to_owned());
        decode(protocol, service, operation, &style, &request, body, &mut input)?;
        Ok(input.to_params())
    }

    fn encode(&self, protocol: Protocol, style: Style, output: Json) -> Response {
        let (operation, service) = self.operation();
        let service = Box::leak(Box::new(Service { xml_namespace: "", ..*service }));
        let mut value = Any::from_params(operation.output, &output);
        encode(protocol, service, operation, &style, &mut value, "id")
    }
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    map
}

fn text(response: &Response) -> String {
    let bytes = response.body.bytes().cloned().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get_api() -> Api {
    Api::new(
        "GetThing",
        json!({"method": "GET", "requestUri": "/{Bucket}/{Key+}"}),
        json!({"In": {"type": "structure", "required": ["Bucket"], "members": {
            "Bucket": {"shape": "String", "location": "uri", "locationName": "Bucket"},
            "Key": {"shape": "String", "location": "uri", "locationName": "Key"},
            "Max": {"shape": "Integer", "location": "querystring", "locationName": "max-keys"},
            "Prefix": {"shape": "String", "location": "querystring", "locationName": "prefix"},
            "Ids": {"shape": "Strings", "location": "querystring", "locationName": "id"},
            "Since": {"shape": "Time", "location": "header", "locationName": "If-Modified-Since"},
            "Times": {"shape": "Times", "location": "header", "locationName": "x-times"},
            "Names": {"shape": "Strings", "location": "header", "locationName": "x-names"},
            "Force": {"shape": "Boolean", "location": "header", "locationName": "x-force"},
            "Token": {"shape": "String", "location": "header", "locationName": "x-amz-token"},
            "Sum": {"shape": "String", "location": "header", "locationName": "x-amz-checksum-crc32"},
            "Mode": {"shape": "String", "location": "header", "locationName": "x-amz-checksum-mode"},
            "Meta": {"shape": "Map", "location": "headers", "locationName": "x-amz-meta-"},
        }}}),
    )
}

#[test]
fn labels_queries_and_headers() {
    let read = get_api().decode(
        Protocol::RestXml,
        Style::S3,
        "/b/a%2Fb//c+d/?max-keys=7&prefix=&id=1&id=a%20b+c",
        &[
            ("if-modified-since", "Thu, 20 Nov 2025 20:56:00 GMT"),
            ("x-times", "Thu, 20 Nov 2025 20:56:00 GMT, Thu, 20 Nov 2025 20:56:01 GMT"),
            ("x-names", "a, \"b, \\\"c\""),
            ("x-names", "d"),
            ("x-force", "true"),
            ("x-amz-meta-Colour", "Red"),
        ],
        "",
    );
    assert_eq!(
        read,
        Ok(json!({
            "Bucket": "b", "Key": "a/b//c+d/", "Max": 7, "Prefix": "", "Ids": ["1", "a b c"],
            "Since": 1_763_672_160.0, "Times": [1_763_672_160.0, 1_763_672_161.0],
            "Names": ["a", "b, \"c", "d"], "Force": true, "Meta": {"colour": "Red"},
        }))
    );
}

#[test]
fn empty_and_wrong_parameters() {
    let read = get_api().decode(Protocol::RestXml, Style::S3, "/b/k?max-keys=", &[], "");
    assert_eq!(read, Ok(json!({"Bucket": "b", "Key": "k", "Meta": {}})));
    let wrong = get_api().decode(Protocol::RestXml, Style::S3, "/b/k?max-keys=x", &[], "");
    let wrong = wrong.expect_err("a rejection");
    assert_eq!(wrong.code(Protocol::RestXml, &Style::S3), "InvalidArgument");
    assert_eq!(
        wrong.message(Protocol::RestXml, &Style::S3),
        "Provided max-keys not an integer or within integer range"
    );
    assert_eq!(
        wrong.extra(&Style::S3),
        [("ArgumentName", "max-keys".to_owned()), ("ArgumentValue", "x".to_owned())]
    );
    let json = get_api().decode(Protocol::RestJson1, Style::DEFAULT, "/b/k?max-keys=x", &[], "");
    let json = json.expect_err("a rejection");
    assert_eq!(json.code(Protocol::RestJson1, &Style::DEFAULT), "SerializationException");
    let high = get_api().decode(Protocol::RestJson1, Style::DEFAULT, "/b/k?max-keys=1001", &[], "");
    assert_eq!(
        high.expect_err("a rejection").to_string(),
        "1 validation error detected: Value '1001' at 'max' failed to satisfy constraint: Member \
         must have value less than or equal to 1000"
    );
}

#[test]
fn presigned_urls_carry_headers_in_their_query() {
    let meta = |uri: &str| {
        let read = get_api().decode(Protocol::RestXml, Style::S3, uri, &[], "").expect("an input");
        (read["Token"].clone(), read["Meta"].clone())
    };
    let signed = "/b/k?X-Amz-Signature=s&x-amz-meta-a=1&X-Amz-Token=t";
    let old = "/b/k?AWSAccessKeyId=k&Signature=s&Expires=1&x-amz-meta-a=1&x-amz-token=t";
    for uri in [signed, old] {
        assert_eq!(meta(uri), (json!("t"), json!({ "a": "1" })), "{uri}");
    }
    assert_eq!(meta("/b/k?x-amz-meta-a=1").1, json!({}));

    let uri =
        "/b/k?X-Amz-Signature=s&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-checksum-mode=ENABLED";
    let read = get_api().decode(Protocol::RestXml, Style::S3, uri, &[], "").expect("an input");
    assert_eq!(read.get("Sum"), None, "S3 looks at no checksum in a query");
    assert_eq!(read["Mode"], "ENABLED");
}

#[test]
fn all_parameters_as_a_map() {
    let api = Api::new(
        "Find",
        json!({"method": "GET", "requestUri": "/find"}),
        json!({"In": {"type": "structure", "members": {
            "One": {"shape": "String", "location": "querystring", "locationName": "one"},
            "All": {"shape": "Multi", "location": "querystring"},
        }}}),
    );
    let read = api.decode(Protocol::RestJson1, Style::DEFAULT, "/find?a=1&one=2&a=3", &[], "");
    assert_eq!(read, Ok(json!({"One": "2", "All": {"a": ["1", "3"], "one": ["2"]}})));
}

fn put_api(payload: &str) -> Api {
    Api::new(
        "PutThing",
        json!({"method": "PUT", "requestUri": "/{Bucket}"}),
        json!({
            "In": {"type": "structure", "payload": "Payload", "members": {
                "Bucket": {"shape": "String", "location": "uri", "locationName": "Bucket"},
                "Payload": {"shape": payload, "locationName": "CORSConfiguration"},
            }},
            "Rule": {"type": "structure", "required": ["Method"], "members": {
                "Method": {"shape": "Strings", "locationName": "AllowedMethod", "flattened": true},
                "Age": {"shape": "Integer", "locationName": "MaxAgeSeconds"},
            }},
            "Rules": {"type": "list", "member": {"shape": "Rule"}, "flattened": true},
            "Cors": {"type": "structure", "members": {
                "Rules": {"shape": "Rules", "locationName": "CORSRule"},
            }},
        }),
    )
}

#[test]
fn payloads() {
    for shape in ["Blob", "Body", "String"] {
        let read = put_api(shape).decode(Protocol::RestXml, Style::S3, "/b", &[], " <x> ");
        assert_eq!(read, Ok(json!({"Bucket": "b", "Payload": " <x> "})), "{shape}");
    }
    let xml = "<?xml version=\"1.0\"?><c:CORSConfiguration xmlns:c=\"urn:x\">\
        <CORSRule><AllowedMethod>GET</AllowedMethod><Other/><AllowedMethod>PUT</AllowedMethod>\
        <MaxAgeSeconds> 5 </MaxAgeSeconds></CORSRule><CORSRule><AllowedMethod>HEAD</AllowedMethod>\
        </CORSRule></c:CORSConfiguration>";
    let read = put_api("Cors").decode(Protocol::RestXml, Style::S3, "/b", &[], xml);
    let rules = json!([{"Method": ["GET", "PUT"], "Age": 5}, {"Method": ["HEAD"]}]);
    assert_eq!(read, Ok(json!({"Bucket": "b", "Payload": {"Rules": rules}})));
    let json = r#"{"CORSRule":[{"AllowedMethod":["GET"]}]}"#;
    let read = put_api("Cors").decode(Protocol::RestJson1, Style::DEFAULT, "/b", &[], json);
    assert_eq!(read, Ok(json!({"Bucket": "b", "Payload": {"Rules": [{"Method": ["GET"]}]}})));
    let read = put_api("Cors").decode(Protocol::RestXml, Style::S3, "/b", &[], "");
    assert_eq!(read, Ok(json!({"Bucket": "b"})));
}

#[test]
fn malformed_payloads() {
    for xml in [
        "<Other/>",
        "<CORSConfiguration>",
        "<CORSConfiguration><CORSRule/></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>x\
         </MaxAgeSeconds></CORSRule></CORSConfiguration>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><CORSConfiguration/>",
    ] {
        let read = put_api("Cors").decode(Protocol::RestXml, Style::S3, "/b", &[], xml);
        let rejection = read.expect_err(xml);
        assert_eq!(rejection.code(Protocol::RestXml, &Style::S3), "MalformedXML", "{xml}");
    }
}

#[test]
fn a_missing_payload() {
    let api = Api::new(
        "PutThing",
        json!({"method": "PUT", "requestUri": "/{Bucket}"}),
        json!({
            "In": {"type": "structure", "payload": "Payload", "required": ["Bucket", "Payload"],
                "members": {
                    "Bucket": {"shape": "String", "location": "uri", "locationName": "Bucket"},
                    "Payload": {"shape": "Tags", "locationName": "Tagging"},
                }},
            "Tags": {"type": "structure", "members": {}},
        }),
    );
    let rejection = api.decode(Protocol::RestXml, Style::S3, "/b", &[], "").expect_err("no body");
    assert_eq!(rejection.code(Protocol::RestXml, &Style::S3), "MissingRequestBodyError");
    assert_eq!(rejection.message(Protocol::RestXml, &Style::S3), "Request Body is empty");
    assert!(api.decode(Protocol::RestXml, Style::S3, "/b", &[], "<Tagging/>").is_ok());
}

fn list_api(name: &str, root: &str, code: u16) -> Api {
    let mut out = json!({"type": "structure", "members": {
        "LocationConstraint": {"shape": "String"},
        "Etag": {"shape": "String", "location": "header", "locationName": "ETag"},
        "Modified": {"shape": "Time", "location": "header", "locationName": "Last-Modified"},
        "Names": {"shape": "Strings", "location": "header", "locationName": "x-names"},
        "Meta": {"shape": "Map", "location": "headers", "locationName": "x-amz-meta-"},
        "Status": {"shape": "Integer", "location": "statusCode"},
        "At": {"shape": "Time"},
        "Grantee": {"shape": "Grantee",
            "xmlNamespace": {"prefix": "xsi", "uri": "http://www.w3.org/2001/XMLSchema-instance"}},
    }});
    if !root.is_empty() {
        out["locationName"] = json!(root);
    }
    Api::new(
        name,
        json!({"method": "GET", "requestUri": "/", "responseCode": code}),
        json!({
            "Out": out,
            "Grantee": {"type": "structure", "members": {
                "Id": {"shape": "String", "locationName": "ID"},
                "Type": {"shape": "String", "locationName": "xsi:type", "xmlAttribute": true},
            }},
        }),
    )
}

const S3_ROOT: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

#[test]
fn outputs_in_headers_status_and_document() {
    let output = json!({
        "Etag": "\"e\"", "Modified": 1_763_672_160, "Names": ["a", "b,c"], "Meta": {"colour": "red"},
        "Status": 206, "At": 1_763_672_160, "Grantee": {"Id": "i", "Type": "CanonicalUser"},
    });
    let api = list_api("ListThings", "ListBucketResult", 200);
    let response = api.encode(Protocol::RestXml, Style::S3, output.clone());
    assert_eq!(response.status, 206);
    let header = |name: &str| response.headers[name].to_str().unwrap_or_default().to_owned();
    assert_eq!(header("etag"), "\"e\"");
    assert_eq!(header("last-modified"), "Thu, 20 Nov 2025 20:56:00 GMT");
    assert_eq!(header("x-names"), "a, \"b,c\"");
    assert_eq!(header("x-amz-meta-colour"), "red");
    assert_eq!(header("x-amz-request-id"), "id");
    assert_eq!(header("content-type"), "application/xml");
    assert!(!response.headers.contains_key("x-amzn-requestid"));
    assert_eq!(
        text(&response),
        format!(
            "{PROLOG}<ListBucketResult {S3_ROOT}><At>2025-11-20T20:56:00.000Z</At><Grantee \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">\
             <ID>i</ID></Grantee></ListBucketResult>"
        )
    );
    let response = api.encode(Protocol::RestJson1, Style::DEFAULT, output);
    let document: Json = serde_json::from_str(&text(&response)).expect("JSON");
    let wanted = json!({"At": 1_763_672_160, "Grantee": {"ID": "i", "xsi:type": "CanonicalUser"}});
    assert_eq!(document, wanted);
    assert_eq!(response.headers["x-amzn-requestid"], "id");
}

#[test]
fn the_bucket_location_is_its_own_root() {
    let api = list_api("GetBucketLocation", "", 200);
    let response =
        api.encode(Protocol::RestXml, Style::S3, json!({"LocationConstraint": "eu-west-1"}));
    let wanted = format!("{PROLOG}<LocationConstraint {S3_ROOT}>eu-west-1</LocationConstraint>");
    assert_eq!(text(&response), wanted);
    let response = api.encode(Protocol::RestXml, Style::S3, json!({}));
    assert_eq!(
        text(&response),
        format!("{PROLOG}<LocationConstraint {S3_ROOT}></LocationConstraint>")
    );
}

#[test]
fn some_statuses_have_no_body() {
    for protocol in [Protocol::RestXml, Protocol::RestJson1] {
        let response = list_api("DeleteThing", "", 204).encode(protocol, Style::S3, json!({}));
        assert_eq!(response.status, 204);
        assert!(response.body.is_empty());
        assert!(!response.headers.contains_key("content-type"));
    }
    let empty = Api::new("Nothing", json!({"method": "GET", "requestUri": "/"}), json!({}));
    assert_eq!(text(&empty.encode(Protocol::RestJson1, Style::DEFAULT, json!({}))), "{}");
    assert_eq!(text(&empty.encode(Protocol::RestXml, Style::S3, json!({}))), "");
}

#[test]
fn streaming_bodies_are_handed_over() {
    let api = Api::new(
        "GetObject",
        json!({"method": "GET", "requestUri": "/"}),
        json!({"Out": {"type": "structure", "payload": "Body", "members": {
            "Body": {"shape": "Body"},
            "Type": {"shape": "String", "location": "header", "locationName": "Content-Type"},
        }}}),
    );
    let output = json!({"Body": "bytes", "Type": "image/png"});
    let response = api.encode(Protocol::RestXml, Style::S3, output.clone());
    assert_eq!(text(&response), "bytes");
    assert_eq!(response.headers["content-type"], "image/png");
    let (operation, _) = api.operation();
    assert_eq!(streaming_member(operation.output), Some(0));
    let mut value = Any::from_params(operation.output, &output);
    assert_eq!(take_body(&mut value).and_then(|body| body.len()), Some(5));
    assert_eq!(take_body(&mut Any::empty(operation.output)).map(|body| body.is_empty()), None);
}
