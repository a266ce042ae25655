//! Runs protocol test cases in botocore's format against the codecs.
//!
//! `protocols [--verbose] FILE…`: each file's folder says whether its cases are of `input` (a
//! request is decoded and compared with the case's parameters) or of `output` (the result is encoded
//! and compared with the case's response). Exits with 1 if a case fails that is not known to.

#![allow(clippy::print_stdout, reason = "the figures and findings are the output")]

mod compare;
#[path = "../../tests/dynamic/mod.rs"]
mod dynamic;

use std::path::Path;
use std::process::ExitCode;

use compare::{same_json, same_xml};
use dynamic::{Any, Model};
use fogbank_wire::{
    Body, ErrorShape, Failure, Operation, Protocol, Request, Response, Schema, Service, Struct,
    Style, route,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

/// Cases that differ by intent, by a part of their name, and why.
const KNOWN: &[(&str, &str)] = &[
    ("IdempotencyTokenAutoFill", "the client fills the token in"),
    ("Idempotency token auto fill #1", "the client fills the token in"),
    ("EmptyQueryLists", "the protocol cannot tell an empty list from none"),
    ("QueryEmptyQueryMaps", "the protocol cannot tell an empty map from none"),
    ("OmitsEmptyListQueryValues", "the protocol cannot tell an empty list from none"),
    ("List in header", "white space and empty lists do not survive a header"),
    ("QueryPrecedence", "a server puts all query parameters in the map"),
    ("QueryParamsStringListMap", "a server puts all query parameters in the map"),
    ("WithNegativeOffset", "times are written in UTC"),
    ("WithPositiveOffset", "times are written in UTC"),
    ("Timestamp members", "times are written with Z"),
    ("FooErrorUsing", "clients must read spellings that servers need not write"),
    ("FooErrorWithDunderType", "clients must read spellings that servers need not write"),
    ("Modeled exceptions", "clients must read spellings that servers need not write"),
    ("DeserializeIgnoreType", "clients must ignore what servers need not write"),
    ("nexpectedJsonOutput", "clients must ignore what servers need not write"),
    ("handles_unexpected_json_output", "clients must ignore what servers need not write"),
    ("Ignores extra data", "clients must ignore what servers need not write"),
    ("Ignores undefined output", "clients must ignore what servers need not write"),
    ("Tagged Unions #2", "clients must ignore what servers need not write"),
    ("Unions #2", "clients must ignore what servers need not write"),
    ("Lists #1", "nulls of dense lists are not written"),
    ("parses_the_request_id", "the request id is the server's own"),
    ("AwsJson11IntEnums", "the case asks a response for a request's header"),
    ("InvalidGreetingError", "the case has a member that the model does not have"),
    ("HostWithPath", "the path belongs to the endpoint"),
    ("EmptyStructurePayload", "an empty document is an empty structure"),
    ("Structure payload #1", "an empty document is an empty structure"),
    ("RestXmlHttpResponseCode", "a body without a byte has no media type"),
    ("ComplexError", "the case expects a message that it does not give"),
    ("HeadersButNoPayload", "an empty document is an empty structure"),
    ("Content-Type and JSON body", "an empty document is an empty structure"),
    ("XmlNamespaces", "only members and roots have namespaces"),
    ("XmlLists", "only members and roots have namespaces"),
    ("MapWithXmlNamespace", "only members and roots have namespaces"),
    ("RPC JSON Event Stream", "event streams are framed by the service"),
];

/// The outcome of one case.
enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let verbose = arguments.iter().any(|argument| argument == "--verbose");
    arguments.retain(|argument| argument != "--verbose");
    let mut failed = 0;
    for file in &arguments {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        };
        let suites: Json = serde_json::from_str(&text).unwrap_or_default();
        failed += run_file(Path::new(file), &suites, verbose);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a file's cases; returns how many failed.
fn run_file(file: &Path, suites: &Json, verbose: bool) -> usize {
    let is_input = file.parent().is_some_and(|folder| folder.ends_with("input"));
    let (mut passed, mut skipped, mut known, mut failed) = (0, 0, 0, 0);
    for suite in suites.as_array().into_iter().flatten() {
        for (index, case) in suite["cases"].as_array().into_iter().flatten().enumerate() {
            let suite_name = suite["description"].as_str().unwrap_or_default();
            let id = case["id"].as_str().map_or(format!("{suite_name} #{index}"), str::to_owned);
            let outcome = if is_input { input(suite, case) } else { output(suite, case) };
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Skipped(why) => {
                    skipped += 1;
                    if verbose {
                        println!("skip {id}: {why}");
                    }
                }
                Outcome::Failed(why) => match KNOWN.iter().find(|(name, _)| id.contains(name)) {
                    Some((_, reason)) => {
                        known += 1;
                        if verbose {
                            println!("known {id}: {reason}");
                        }
                    }
                    None => {
                        failed += 1;
                        println!("FAIL {} {id}\n  {why}", file.display());
                    }
                },
            }
        }
    }
    println!(
        "{}: {passed} passed, {failed} failed, {known} known, {skipped} skipped",
        file.display()
    );
    failed
}

fn headers(json: &Json) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.insert(name, value);
        }
    }
    map
}

/// Decodes a case's request and compares the input with the case's parameters.
fn input(suite: &Json, case: &Json) -> Outcome {
    let Some(protocol) = dynamic::protocol(&suite["metadata"]) else {
        return Outcome::Skipped("unknown protocol");
    };
    let Some(serialized) = case.get("serialized") else { return Outcome::Skipped("no request") };
    let compressed = case["given"].get("requestcompression").is_some();
    if compressed && serialized.get("body").is_none() {
        return Outcome::Skipped("the compressed body is not given");
    }
    let model = Model::new(&suite["shapes"]);
    let (operation, service) = model.operation(&case["given"]);
    let uri = serialized["uri"].as_str().unwrap_or("/");
    let (raw_path, raw_query) = uri.split_once('?').unwrap_or((uri, ""));
    let headers = headers(&serialized["headers"]);
    let is_rest = matches!(protocol, Protocol::RestJson1 | Protocol::RestXml);
    let labels = if is_rest {
        let found = route::match_rest(service, operation.method, raw_path, raw_query, &headers);
        let Some(found) = found else { return Outcome::Failed(format!("no route for {uri}")) };
        found.labels
    } else {
        Vec::new()
    };
    let text = serialized["body"].as_str().unwrap_or_default();
    let body = match protocol {
        Protocol::RpcV2Cbor => Body::from(dynamic::base64(text)),
        _ => Body::from(text.to_owned()),
    };
    let request = Request {
        method: operation.method,
        raw_path,
        raw_query,
        headers: &headers,
        labels: &labels,
    };
    let mut value = Any::empty(operation.input);
    let decoded = fogbank_wire::decode(
        protocol,
        service,
        operation,
        &Style::DEFAULT,
        &request,
        body,
        &mut value,
    );
    if let Err(rejection) = decoded {
        return Outcome::Failed(format!("rejected: {rejection}"));
    }
    let wanted = Any::from_params(operation.input, &case["params"]).to_params();
    let mut found = value.to_params();
    // What a client need not send by itself, a server still shows: the parameters as a map.
    for name in ["queryParamsMapOfStrings", "queryParamsMapOfStringList"] {
        if wanted.get(name).is_none() {
            found.as_object_mut().and_then(|found| found.remove(name));
        }
    }
    if same_json(&wanted, &found) {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("wanted {wanted}\n  found  {found}"))
    }
}

/// Encodes a case's result or error and compares the response with the case's.
fn output(suite: &Json, case: &Json) -> Outcome {
    let Some(protocol) = dynamic::protocol(&suite["metadata"]) else {
        return Outcome::Skipped("unknown protocol");
    };
    let wanted = &case["response"];
    let model = Model::new(&suite["shapes"]);
    let (operation, service) = model.operation(&case["given"]);
    if case.get("error").is_some() || case.get("errorCode").is_some() {
        return error(suite, case, &model, protocol, service);
    }
    let mut value = Any::from_params(operation.output, &case["result"]);
    let operation = wrapped(operation, protocol);
    let response = fogbank_wire::encode(
        protocol,
        service,
        operation,
        &Style::DEFAULT,
        &mut value,
        "requestid",
    );
    if protocol == Protocol::RpcV2Cbor {
        return cbor_output(operation, service, &response, case);
    }
    compare_response(protocol, wanted, &response)
}

/// The query cases leave out the result wrapper that real models have.
fn wrapped(operation: &'static Operation, protocol: Protocol) -> &'static Operation {
    let members =
        matches!(&operation.output.kind, fogbank_wire::Kind::Structure(m) if !m.is_empty());
    if protocol != Protocol::AwsQuery || !operation.result_wrapper.is_empty() || !members {
        return operation;
    }
    let wrapper = format!("{}Result", operation.name).leak();
    Box::leak(Box::new(Operation { result_wrapper: wrapper, ..*operation }))
}

/// CBOR has many spellings of one value: ours is read back, and so is the case's.
fn cbor_output(
    operation: &'static Operation,
    service: &Service,
    response: &Response,
    case: &Json,
) -> Outcome {
    let read = |bytes: Vec<u8>, schema: &'static Schema| {
        let mut value = Any::empty(schema);
        let operation = Operation { input: schema, ..*operation };
        let request = Request {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            headers: &HeaderMap::new(),
            labels: &[],
        };
        fogbank_wire::decode(
            Protocol::RpcV2Cbor,
            service,
            &operation,
            &Style::DEFAULT,
            &request,
            bytes.into(),
            &mut value,
        )
        .map(|()| value.to_params())
        .map_err(|rejection| rejection.to_string())
    };
    let ours = response.body.bytes().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let theirs = dynamic::base64(case["response"]["body"].as_str().unwrap_or_default());
    let wanted = Any::from_params(operation.output, &case["result"]).to_params();
    for (whose, bytes) in [("ours", ours), ("theirs", theirs)] {
        match read(bytes, operation.output) {
            Ok(found) if same_json(&wanted, &found) => {}
            other => return Outcome::Failed(format!("wanted {wanted}\n  {whose} {other:?}")),
        }
    }
    Outcome::Passed
}

fn error(
    suite: &Json,
    case: &Json,
    model: &Model<'_>,
    protocol: Protocol,
    service: &'static Service,
) -> Outcome {
    let Some(reference) = case["given"]["errors"].get(0) else {
        return Outcome::Skipped("no error shape");
    };
    let schema = model.schema(Some(reference));
    let name = reference["shape"].as_str().unwrap_or_default();
    let traits = &suite["shapes"][name]["error"];
    let name: &'static str = name.to_owned().leak();
    let code = traits["code"].as_str().map_or(name, |code| code.to_owned().leak());
    let fault = suite["shapes"][name]["fault"].as_bool().unwrap_or_default();
    let status = case["response"]["status_code"].as_u64().unwrap_or(400) as u16;
    let is_query = matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query);
    let shape = ErrorShape {
        name,
        code: if is_query { code } else { name },
        query_code: code,
        status,
        sender: !fault,
        schema,
    };
    let members = Any::from_params(schema, &case["error"]);
    let message = case["errorMessage"].as_str().unwrap_or_default();
    let failure = Failure {
        code: name,
        message,
        shape: Some(&shape),
        members: Some(&members as &dyn Struct),
        extra: &[],
        status: None,
        sender: !fault,
    };
    let namespace = case["response"]["body"].as_str().and_then(|body| {
        let (_, rest) = body.split_once("\"__type\": \"")?;
        Some(rest.split_once('#')?.0.to_owned())
    });
    let service = Service {
        query_compatible: suite["metadata"].get("awsQueryCompatible").is_some(),
        namespace: namespace.unwrap_or_default().leak(),
        ..*service
    };
    let response = fogbank_wire::encode_failure(
        protocol,
        &service,
        &Style::DEFAULT,
        &failure,
        "foo-id",
        false,
    );
    if protocol == Protocol::RpcV2Cbor {
        // The body is compared by unit tests; here by the header and status alone.
        return compare_head(&case["response"], &response).unwrap_or(Outcome::Passed);
    }
    compare_response(protocol, &case["response"], &response)
}

/// Compares status and headers; none if they agree.
fn compare_head(wanted: &Json, response: &Response) -> Option<Outcome> {
    let status = wanted["status_code"].as_u64().unwrap_or(200);
    if u64::from(response.status) != status {
        return Some(Outcome::Failed(format!("status {} instead of {status}", response.status)));
    }
    for (name, value) in wanted["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let found = response.headers.get(name.as_str()).and_then(|found| found.to_str().ok());
        // The reader trims what stands between a list's commas.
        let plain = |text: &str| text.replace(", ", ",").to_ascii_lowercase();
        let media = |text: &str| plain(text).split(';').next().unwrap_or_default().to_owned();
        let same = match name.to_ascii_lowercase().as_str() {
            "content-length" => true,
            "content-type" => found.map(media) == Some(media(value)),
            _ => found.map(plain) == Some(plain(value)),
        };
        if !same {
            return Some(Outcome::Failed(format!("header {name}: {found:?} instead of {value:?}")));
        }
    }
    None
}

fn compare_response(protocol: Protocol, wanted: &Json, response: &Response) -> Outcome {
    if let Some(outcome) = compare_head(wanted, response) {
        return outcome;
    }
    let found = response.body.bytes().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let found = String::from_utf8_lossy(&found).into_owned();
    let wanted = wanted["body"].as_str().unwrap_or_default();
    let is_json =
        matches!(protocol, Protocol::AwsJson1_0 | Protocol::AwsJson1_1 | Protocol::RestJson1);
    let same = if wanted.trim() == found.trim() {
        true
    } else if is_json {
        let parse = |text: &str| {
            serde_json::from_str::<Json>(if text.trim().is_empty() { "{}" } else { text })
        };
        match (parse(wanted), parse(&found)) {
            (Ok(wanted), Ok(found)) => same_json(&wanted, &found),
            _ => false,
        }
    } else {
        same_xml(wanted, &found)
    };
    if same {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("wanted {wanted}\n  found  {found}"))
    }
}
