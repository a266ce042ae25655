//! Encodes responses.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::cbor::CborWriter;
use crate::json::JsonWriter;
use crate::read::Names;
use crate::rest::Bindings;
use crate::xml::{XmlWriter, attributes, escape};
use crate::{
    Body, Item, Kind, Member, Operation, Protocol, Service, Slot, Struct, Style, Value, XmlFlavour,
    rest,
};

/// A response ready to send.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without those of the connection (`date`, `content-length`).
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The namespace of S3's documents.
pub(crate) const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Writes an operation's output. A streaming body is taken out of it.
pub fn encode(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    style: &Style,
    output: &mut dyn Struct,
    request_id: &str,
) -> Response {
    let mut response = match protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            let mut out = Vec::with_capacity(256);
            JsonWriter { out: &mut out, names: Names::Model }.structure(output, false);
            Response::with(200, content_type(protocol), out)
        }
        Protocol::RpcV2Cbor => {
            let mut out = Vec::with_capacity(256);
            CborWriter { out: &mut out }.structure(output);
            Response::with(200, content_type(protocol), out)
        }
        Protocol::AwsQuery => query(service, operation, output, request_id),
        Protocol::Ec2Query => ec2(service, operation, output, request_id),
        Protocol::RestJson1 => return rest_json(operation, style, output, request_id),
        Protocol::RestXml => return rest_xml(service, operation, style, output, request_id),
    };
    identify(protocol, style, &mut response.headers, text_value(request_id));
    response
}

/// The media type of a protocol's documents.
pub(crate) fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson1_0 => "application/x-amz-json-1.0",
        Protocol::AwsJson1_1 => "application/x-amz-json-1.1",
        Protocol::AwsQuery => "text/xml",
        Protocol::Ec2Query => "text/xml;charset=UTF-8",
        Protocol::RestJson1 => "application/json",
        Protocol::RestXml => "application/xml",
        Protocol::RpcV2Cbor => "application/cbor",
    }
}

impl Response {
    pub(crate) fn with(status: u16, media: &'static str, body: impl Into<Body>) -> Response {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        Response { status, headers, body: body.into() }
    }

    /// An answer with the headers that the output binds, which go before what is to be told of the body.
    fn bound(
        (protocol, style, request_id): (Protocol, &Style, &str),
        status: u16,
        bindings: Bindings,
        (media, body): (&'static str, Body),
    ) -> Response {
        let Bindings { mut headers, mut texts, .. } = bindings;
        if !media.is_empty() && !headers.contains_key(&header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        }
        let id = texts.value(request_id).unwrap_or(HeaderValue::from_static(""));
        identify(protocol, style, &mut headers, id);
        Response { status, headers, body }
    }
}

/// Adds the request's identity to the headers, under the protocol's names.
pub(crate) fn identify(
    protocol: Protocol,
    style: &Style,
    headers: &mut HeaderMap,
    id: HeaderValue,
) {
    // Names that are parsed once.
    static ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");
    static S3_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
    static ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    static PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
    if protocol == Protocol::RestXml && style.xml == XmlFlavour::S3 {
        headers.insert(ID_2.clone(), id.clone());
        headers.insert(S3_ID.clone(), id);
        return;
    }
    headers.insert(ID.clone(), id);
    if protocol == Protocol::RpcV2Cbor {
        headers.insert(PROTOCOL.clone(), HeaderValue::from_static("rpc-v2-cbor"));
    }
}

/// A text that is made here as a header's value.
pub(crate) fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The namespace of a query service's documents.
pub(crate) fn namespace(service: &Service) -> String {
    match service.xml_namespace {
        "" => {
            format!("http://{}.amazonaws.com/doc/{}/", service.endpoint_prefix, service.api_version)
        }
        namespace => namespace.to_owned(),
    }
}

fn query(
    service: &Service,
    operation: &Operation,
    output: &dyn Struct,
    request_id: &str,
) -> Response {
    let mut out = String::with_capacity(512);
    let mut writer = XmlWriter { out: &mut out, millis: false };
    let root = format!("{}Response", operation.name);
    writer.open(&root, &format!(" xmlns=\"{}\"", namespace(service)));
    match operation.result_wrapper {
        "" => writer.members(output, false),
        wrapper => {
            writer.open(wrapper, "");
            writer.members(output, false);
            writer.close(wrapper);
        }
    }
    writer.open("ResponseMetadata", "");
    writer.text("RequestId", request_id);
    writer.close("ResponseMetadata");
    writer.close(&root);
    Response::with(200, content_type(Protocol::AwsQuery), out)
}

fn ec2(
    service: &Service,
    operation: &Operation,
    output: &dyn Struct,
    request_id: &str,
) -> Response {
    let mut out = String::with_capacity(512);
    out.push_str(PROLOG);
    let mut writer = XmlWriter { out: &mut out, millis: true };
    let root = format!("{}Response", operation.name);
    writer.open(&root, &format!(" xmlns=\"{}\"", namespace(service)));
    writer.text("requestId", request_id);
    writer.members(output, false);
    writer.close(&root);
    Response::with(200, content_type(Protocol::Ec2Query), out)
}

/// Whether a status forbids a body.
fn bodiless(status: u16) -> bool {
    matches!(status, 100..200 | 204 | 205 | 304)
}

fn rest_json(
    operation: &Operation,
    style: &Style,
    output: &mut dyn Struct,
    request_id: &str,
) -> Response {
    let bindings = rest::bindings(output);
    let status = bindings.status.unwrap_or(operation.status);
    let media = content_type(Protocol::RestJson1);
    let body = match bindings.payload {
        Some(index) => payload(Protocol::RestJson1, output, index, |member, item| {
            let mut out = Vec::with_capacity(256);
            JsonWriter { out: &mut out, names: Names::Wire }.value(
                member.target,
                member.timestamp_format,
                item,
            );
            out
        }),
        None if bodiless(status) => ("", Body::empty()),
        // AWS's services answer with an object even where the model has nothing for it.
        None => (media, rest::json_document(output).into()),
    };
    Response::bound((Protocol::RestJson1, style, request_id), status, bindings, body)
}

/// Writes the member that is the whole body, and says of which type it is; `document`: how a structure is written.
fn payload(
    protocol: Protocol,
    output: &mut dyn Struct,
    index: usize,
    document: impl FnOnce(&Member, &Item<'_>) -> Vec<u8>,
) -> (&'static str, Body) {
    let Kind::Structure(members) = &output.schema().kind else { return ("", Body::empty()) };
    let member = &members[index];
    match output.member(index).item() {
        Item::Absent => ("", Body::empty()),
        Item::Body(_) => ("application/octet-stream", take(output.member_mut(index))),
        Item::Blob(bytes) => ("application/octet-stream", bytes.clone().into()),
        Item::Text(text) => ("text/plain", text.to_owned().into()),
        item => (content_type(protocol), document(member, &item).into()),
    }
}

fn take(value: &mut dyn Value) -> Body {
    match value.slot() {
        Slot::Body(body) => std::mem::take(body),
        _ => Body::empty(),
    }
}

/// Takes the streaming body out of a structure, if it has one.
pub fn take_body(value: &mut dyn Struct) -> Option<Body> {
    let index = crate::streaming_member(value.schema())?;
    match value.member(index).item() {
        Item::Body(_) => Some(take(value.member_mut(index))),
        _ => None,
    }
}

/// Puts a streaming body into a structure; false if it has no member for one.
pub fn put_body(value: &mut dyn Struct, body: Body) -> bool {
    let Some(index) = crate::streaming_member(value.schema()) else { return false };
    match value.member_mut(index).slot() {
        Slot::Body(slot) => {
            *slot = body;
            true
        }
        _ => false,
    }
}

fn rest_xml(
    service: &Service,
    operation: &Operation,
    style: &Style,
    output: &mut dyn Struct,
    request_id: &str,
) -> Response {
    let s3 = style.xml == XmlFlavour::S3;
    let bindings = rest::bindings(output);
    let status = bindings.status.unwrap_or(operation.status);
    let body = match bindings.payload {
        Some(index) => payload(Protocol::RestXml, output, index, |member, item| {
            let mut out = PROLOG.to_owned();
            let namespace = root_namespace(service, s3);
            let namespace = if member.xml_namespace.is_empty() { namespace } else { String::new() };
            let attributes = namespace + &attributes(member, item);
            let name = match operation.output_root {
                "" => member.wire,
                root => root,
            };
            let (schema, format) = (member.target, member.timestamp_format);
            XmlWriter { out: &mut out, millis: s3 }.value(
                name,
                &attributes,
                schema,
                format,
                false,
                item,
            );
            out.into_bytes()
        }),
        None if bindings.document && !bodiless(status) => {
            let document = xml_document(service, operation, s3, output);
            (content_type(Protocol::RestXml), document.into())
        }
        None => ("", Body::empty()),
    };
    Response::bound((Protocol::RestXml, style, request_id), status, bindings, body)
}

fn root_namespace(service: &Service, s3: bool) -> String {
    match service.xml_namespace {
        "" if s3 => format!(" xmlns=\"{S3_NAMESPACE}\""),
        "" => String::new(),
        namespace => format!(" xmlns=\"{namespace}\""),
    }
}

fn xml_document(service: &Service, operation: &Operation, s3: bool, output: &dyn Struct) -> String {
    let mut out = PROLOG.to_owned();
    let namespace = root_namespace(service, s3);
    // The one output whose member is the root element itself.
    if s3 && operation.name == "GetBucketLocation" {
        out.push_str(&format!("<LocationConstraint{namespace}>"));
        escape(&mut out, output.text("LocationConstraint").unwrap_or_default());
        out.push_str("</LocationConstraint>");
        return out;
    }
    let root = match operation.output_root {
        "" => operation.output.name,
        root => root,
    };
    let mut writer = XmlWriter { out: &mut out, millis: s3 };
    writer.open(root, &namespace);
    writer.members(output, true);
    writer.close(root);
    out
}
