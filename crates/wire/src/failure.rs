//! Encodes errors, each protocol in its own envelope.

use http::HeaderMap;

use crate::cbor::CborWriter;
use crate::json::{JsonWriter, write_text};
use crate::read::Names;
use crate::response::{content_type, identify, namespace, text_value};
use crate::xml::XmlWriter;
use crate::{
    Body, ErrorShape, Item, Kind, Location, Member, Protocol, Rejection, Response, Schema, Service,
    Struct, Style, XmlFlavour, rest,
};

/// An error to send.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The error shape's name, or a name that AWS's services have in common (`AccessDenied`,
    /// `InternalFailure`, `ValidationException`, …); empty: the style's validation code.
    pub code: &'a str,
    /// The message.
    pub message: &'a str,
    /// The error in the model, if it is there.
    pub shape: Option<&'a ErrorShape>,
    /// The members of the error's shape beyond its message.
    pub members: Option<&'a dyn Struct>,
    /// Elements that AWS sends though the model does not list them.
    pub extra: &'a [(&'static str, String)],
    /// The HTTP status, where it is not the model's.
    pub status: Option<u16>,
    /// Whether the caller is at fault.
    pub sender: bool,
}

impl<'a> Failure<'a> {
    /// A failure of the service's model with nothing but a message.
    pub fn new(service: &'a Service, code: &'a str, message: &'a str) -> Failure<'a> {
        let shape = service.error(code);
        let sender = shape.is_none_or(|shape| shape.sender);
        Failure { code, message, shape, members: None, extra: &[], status: None, sender }
    }
}

/// A failure with every question answered.
struct Facts<'a> {
    failure: &'a Failure<'a>,
    code: &'a str,
    status: u16,
    sender: bool,
}

/// Writes a rejected request's answer.
pub fn encode_rejection(
    protocol: Protocol,
    service: &Service,
    style: &Style,
    rejection: &Rejection,
    request_id: &str,
    query_mode: bool,
) -> Response {
    let message = rejection.message(protocol, style);
    let extra = rejection.extra(style);
    let code = rejection.code(protocol, style);
    let failure = Failure { extra: &extra, ..Failure::new(service, code, &message) };
    encode_failure(protocol, service, style, &failure, request_id, query_mode)
}

/// Writes an error. `query_mode`: whether the client sent `x-amzn-query-mode: true`.
pub fn encode_failure(
    protocol: Protocol,
    service: &Service,
    style: &Style,
    failure: &Failure<'_>,
    request_id: &str,
    query_mode: bool,
) -> Response {
    let facts = facts(protocol, service, style, failure, query_mode);
    let mut response = match protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 | Protocol::RpcV2Cbor => {
            rpc(protocol, service, style, &facts)
        }
        Protocol::RestJson1 => rest_json(style, &facts),
        Protocol::AwsQuery => query(service, &facts, request_id),
        Protocol::Ec2Query => ec2(&facts, request_id),
        Protocol::RestXml if style.xml == XmlFlavour::S3 => s3(&facts, request_id),
        Protocol::RestXml => rest_xml(service, &facts, request_id),
    };
    response.status = facts.status;
    identify(protocol, style, &mut response.headers, text_value(request_id));
    if service.query_compatible && is_rpc(protocol) {
        let query_code = failure.shape.map_or(facts.code, |shape| shape.query_code);
        // Observed: SQS names the sender even for faults of its own.
        let value = format!("{query_code};Sender");
        rest::insert(&mut response.headers, "x-amzn-query-error", &value);
    }
    response
}

fn is_rpc(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::AwsJson1_0 | Protocol::AwsJson1_1 | Protocol::RpcV2Cbor)
}

fn facts<'a>(
    protocol: Protocol,
    service: &Service,
    style: &Style,
    failure: &'a Failure<'a>,
    query_mode: bool,
) -> Facts<'a> {
    let code = match failure.shape {
        Some(shape) if matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query) => {
            shape.query_code
        }
        // JSON's `__type` names the shape; the code is for protocols that have one.
        Some(shape) if is_rpc(protocol) => shape.name,
        Some(shape) => shape.code,
        None => common_code(protocol, style, failure.code),
    };
    let modelled = failure.status.or(failure.shape.map(|shape| shape.status));
    let mut status = modelled.unwrap_or_else(|| common_status(protocol, failure.code));
    // Without the query mode, the JSON services that once spoke query know but one client error.
    if service.query_compatible && is_rpc(protocol) && !query_mode && (400..500).contains(&status) {
        status = 400;
    }
    Facts { failure, code, status, sender: failure.sender && status < 500 }
}

/// The protocol's name for an error that the model does not list.
fn common_code<'a>(protocol: Protocol, style: &Style, code: &'a str) -> &'a str {
    let json = is_rpc(protocol) || protocol == Protocol::RestJson1;
    let s3 = protocol == Protocol::RestXml && style.xml == XmlFlavour::S3;
    match code {
        "AccessDenied" | "AccessDeniedException" if json => "AccessDeniedException",
        "AccessDenied" | "AccessDeniedException" if protocol == Protocol::Ec2Query => {
            "UnauthorizedOperation"
        }
        "AccessDeniedException" => "AccessDenied",
        "InternalFailure" if s3 => "InternalError",
        "InternalFailure" if protocol == Protocol::Ec2Query => "InternalError",
        "ValidationException" | "" => {
            let rejection = Rejection::Invalid(String::new());
            rejection.code(protocol, style)
        }
        other => other,
    }
}

/// The status of an error that the model does not list.
fn common_status(protocol: Protocol, code: &str) -> u16 {
    let rpc = is_rpc(protocol);
    match code {
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceException" => 500,
        "NotImplemented" => 501,
        "ServiceUnavailable" | "ServiceUnavailableException" | "SlowDown" => 503,
        "RequestEntityTooLarge" | "RequestEntityTooLargeException" => 413,
        "RequestTimeout" => 400,
        "UnknownOperationException" if !rpc => 404,
        "MethodNotAllowed" => 405,
        // AWS's JSON services answer every fault of the caller with 400.
        "AccessDenied"
        | "AccessDeniedException"
        | "SignatureDoesNotMatch"
        | "OptInRequired"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "UnrecognizedClientException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
            if !rpc =>
        {
            403
        }
        "AuthFailure" => 401,
        _ => 400,
    }
}

/// What stands in `__type`: awsJson 1.0 and CBOR name the whole shape, awsJson 1.1 its last part.
fn type_id(protocol: Protocol, service: &Service, style: &Style, facts: &Facts<'_>) -> String {
    if protocol == Protocol::AwsJson1_1 {
        return facts.code.to_owned();
    }
    let namespace = match facts.failure.shape {
        Some(_) => service.namespace,
        None if !style.framework_namespace.is_empty() => style.framework_namespace,
        None if facts.code == "ValidationException" => "com.amazon.coral.validate",
        None => "com.amazon.coral.service",
    };
    if namespace.is_empty() { facts.code.to_owned() } else { format!("{namespace}#{}", facts.code) }
}

/// The members of a schema that stand in the document.
fn members(schema: &'static Schema) -> &'static [Member] {
    match &schema.kind {
        Kind::Structure(members) => members,
        _ => &[],
    }
}

fn is_message(member: &Member) -> bool {
    member.name.eq_ignore_ascii_case("message") || member.name == "errorMessage"
}

/// The name of the member that carries the message.
fn message_name<'a>(style: &'a Style, facts: &Facts<'_>, names: Names) -> &'a str {
    let shape = facts.failure.shape.map_or(&[][..], |shape| members(shape.schema));
    match shape.iter().find(|member| is_message(member)) {
        Some(member) => names.of(member),
        // Coral's own errors write the word with a capital, but for those of its validator.
        None if matches!(facts.code, "SerializationException" | "AccessDeniedException") => {
            "Message"
        }
        None => style.message_member,
    }
}

/// The document of an error in the making.
enum Sink<'o> {
    Json(JsonWriter<'o>, bool),
    Cbor(CborWriter<'o>),
}

impl Sink<'_> {
    fn text(&mut self, name: &str, value: &str) {
        match self {
            Sink::Json(writer, first) => {
                writer.key(name, first);
                write_text(writer.out, value);
            }
            Sink::Cbor(writer) => {
                writer.text(name);
                writer.text(value);
            }
        }
    }

    fn member(&mut self, member: &Member, item: &Item<'_>) {
        match self {
            Sink::Json(writer, first) => writer.member(member, item, first),
            Sink::Cbor(writer) => writer.member(member, item),
        }
    }
}

/// Writes the fields of an error that JSON and CBOR have in common.
fn fields(sink: &mut Sink<'_>, style: &Style, facts: &Facts<'_>, names: Names) {
    if !facts.failure.message.is_empty() {
        sink.text(message_name(style, facts, names), facts.failure.message);
    }
    let mut has_type = false;
    if let Some(value) = facts.failure.members {
        for (index, member) in members(value.schema()).iter().enumerate() {
            let item = value.member(index).item();
            let in_body = names == Names::Model || member.location == Location::Body;
            if in_body && !is_message(member) && !matches!(item, Item::Absent) {
                has_type |= member.name == "Type";
                sink.member(member, &item);
            }
        }
    }
    // Lambda's errors say who is at fault.
    let shape = facts.failure.shape.map_or(&[][..], |shape| members(shape.schema));
    if !has_type && shape.iter().any(|member| member.name == "Type" && member.wire == "Type") {
        sink.text("Type", if facts.sender { "User" } else { "Service" });
    }
    for (name, value) in facts.failure.extra {
        sink.text(name, value);
    }
}

fn json_body(style: &Style, facts: &Facts<'_>, names: Names, type_id: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    let mut sink = Sink::Json(JsonWriter { out: &mut out, names }, true);
    if let Some(type_id) = type_id {
        sink.text("__type", type_id);
    }
    fields(&mut sink, style, facts, names);
    out.push(b'}');
    out
}

fn cbor_body(style: &Style, facts: &Facts<'_>, type_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut writer = CborWriter { out: &mut out };
    writer.open();
    let mut sink = Sink::Cbor(writer);
    sink.text("__type", type_id);
    fields(&mut sink, style, facts, Names::Model);
    CborWriter { out: &mut out }.close();
    out
}

fn rpc(protocol: Protocol, service: &Service, style: &Style, facts: &Facts<'_>) -> Response {
    let type_id = type_id(protocol, service, style, facts);
    let body = match protocol {
        Protocol::RpcV2Cbor => cbor_body(style, facts, &type_id),
        _ => json_body(style, facts, Names::Model, Some(&type_id)),
    };
    Response::with(facts.status, content_type(protocol), body)
}

fn rest_json(style: &Style, facts: &Facts<'_>) -> Response {
    let body = json_body(style, facts, Names::Wire, None);
    let mut response = Response::with(facts.status, content_type(Protocol::RestJson1), body);
    rest::insert(&mut response.headers, "x-amzn-errortype", facts.code);
    bound_headers(&mut response.headers, facts);
    response
}

/// Adds the error's members that stand in headers.
fn bound_headers(headers: &mut HeaderMap, facts: &Facts<'_>) {
    if let Some(value) = facts.failure.members {
        headers.extend(rest::bindings(value).headers);
    }
}

/// Writes what every XML error holds: the modelled members beyond the message, and the others.
fn xml_members(writer: &mut XmlWriter<'_>, facts: &Facts<'_>) {
    if let Some(value) = facts.failure.members {
        for (index, member) in members(value.schema()).iter().enumerate() {
            let known = is_message(member) || matches!(member.name, "Code" | "Type");
            if !known && member.location == Location::Body {
                writer.member(member, value.member(index));
            }
        }
    }
    for (name, value) in facts.failure.extra {
        if !is_header(name) {
            writer.text(name, value);
        }
    }
}

/// Whether what S3 sends beside an error is a header of the answer and not an element.
fn is_header(name: &str) -> bool {
    name.starts_with("x-amz-") || matches!(name, "Allow" | "Last-Modified")
}

fn error_response(service_namespace: &str, facts: &Facts<'_>, request_id: &str) -> String {
    let mut out = String::with_capacity(512);
    let mut writer = XmlWriter { out: &mut out, millis: false };
    writer.open("ErrorResponse", &format!(" xmlns=\"{service_namespace}\""));
    writer.open("Error", "");
    writer.text("Type", if facts.sender { "Sender" } else { "Receiver" });
    writer.text("Code", facts.code);
    if !facts.failure.message.is_empty() {
        writer.text("Message", facts.failure.message);
    }
    xml_members(&mut writer, facts);
    writer.close("Error");
    writer.text("RequestId", request_id);
    writer.close("ErrorResponse");
    out
}

fn query(service: &Service, facts: &Facts<'_>, request_id: &str) -> Response {
    let body = error_response(&namespace(service), facts, request_id);
    Response::with(facts.status, content_type(Protocol::AwsQuery), body)
}

fn rest_xml(service: &Service, facts: &Facts<'_>, request_id: &str) -> Response {
    let body = error_response(&namespace(service), facts, request_id);
    let mut response = Response::with(facts.status, content_type(Protocol::RestXml), body);
    bound_headers(&mut response.headers, facts);
    response
}

fn ec2(facts: &Facts<'_>, request_id: &str) -> Response {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut writer = XmlWriter { out: &mut out, millis: true };
    writer.open("Response", "");
    writer.open("Errors", "");
    writer.open("Error", "");
    writer.text("Code", facts.code);
    writer.text("Message", facts.failure.message);
    xml_members(&mut writer, facts);
    writer.close("Error");
    writer.close("Errors");
    writer.text("RequestID", request_id);
    writer.close("Response");
    Response::with(facts.status, content_type(Protocol::Ec2Query), out)
}

fn s3(facts: &Facts<'_>, request_id: &str) -> Response {
    let mut response = if facts.status == 304 {
        Response { status: 304, headers: HeaderMap::new(), body: Body::empty() }
    } else {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut writer = XmlWriter { out: &mut out, millis: true };
        writer.open("Error", "");
        writer.text("Code", facts.code);
        writer.text("Message", facts.failure.message);
        xml_members(&mut writer, facts);
        writer.text("RequestId", request_id);
        writer.text("HostId", request_id);
        writer.close("Error");
        Response::with(facts.status, content_type(Protocol::RestXml), out)
    };
    bound_headers(&mut response.headers, facts);
    for (name, value) in facts.failure.extra {
        if is_header(name) {
            rest::insert(&mut response.headers, name, value);
        }
    }
    response
}
