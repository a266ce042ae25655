//! Decodes requests.

use http::HeaderMap;

use crate::cbor::Cbor;
use crate::check::{Checks, Path, Seen};
use crate::form::Form;
use crate::json::Json;
use crate::read::{Names, Reader};
use crate::tree::{Rules, TreeReader};
use crate::{Body, Kind, Operation, Protocol, Rejection, Service, Struct, Style, rest};

/// A request as it came, without its body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub raw_path: &'a str,
    /// What follows the question mark, still percent-encoded, else empty.
    pub raw_query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The path's labels by their names in the URI pattern, still percent-encoded.
    pub labels: &'a [(&'static str, &'a str)],
}

/// Reads a request into `input` and checks the model's constraints.
///
/// `body` must be in memory, unless the input has a streaming member ([`streaming_member`]), which
/// it is then moved into.
pub fn decode(
    protocol: Protocol,
    _service: &Service,
    operation: &Operation,
    style: &Style,
    request: &Request<'_>,
    body: Body,
    input: &mut dyn Struct,
) -> Result<(), Rejection> {
    let mut checks = Checks::new(style);
    let path = Path::root(operation.input, style);
    let mut seen = Seen::default();
    match protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            let bytes = buffered(&body)?;
            json_input(&bytes, &mut checks, Names::Model, input, &mut seen, false, &path)?;
        }
        Protocol::RpcV2Cbor => {
            let bytes = buffered(&body)?;
            if !bytes.is_empty() {
                let mut reader = Reader::new(Cbor::new(&bytes), &mut checks, Names::Model);
                reader.input(input, &mut seen, false, &path)?;
                reader.tokens.end()?;
            }
        }
        Protocol::AwsQuery | Protocol::Ec2Query => {
            let bytes = buffered(&body)?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Rejection::Serialization("The form is not UTF-8".to_owned()))?;
            let form = Form::parse(&join(request.raw_query, text.trim_end()))?;
            let ec2 = protocol == Protocol::Ec2Query;
            let rules = Rules { ec2, lenient: style.lenient_query, empty_absent: true };
            let mut reader = TreeReader { checks: &mut checks, rules };
            reader.members(&form.root(), input, &mut seen, false, &path, 0)?;
        }
        Protocol::RestJson1 | Protocol::RestXml => {
            rest::decode(protocol, style, request, body, input, &mut checks, &mut seen, &path)?;
        }
    }
    if let Kind::Structure(members) = &operation.input.kind {
        checks.required(members, &seen, &path, |_| true);
    }
    checks.finish()
}

/// The index of the structure's member that streams, if one does.
pub fn streaming_member(schema: &crate::Schema) -> Option<usize> {
    match &schema.kind {
        Kind::Structure(members) => crate::read::streaming(members),
        _ => None,
    }
}

/// The bytes of a body that is in memory.
pub(crate) fn buffered(body: &Body) -> Result<bytes::Bytes, Rejection> {
    match body.bytes() {
        Some(bytes) => Ok(bytes.clone()),
        None if body.is_empty() => Ok(bytes::Bytes::new()),
        None => Err(Rejection::Serialization("The body was not read".to_owned())),
    }
}

/// Reads a JSON object into the input; an empty text is an empty object.
pub(crate) fn json_input(
    bytes: &[u8],
    checks: &mut Checks<'_>,
    names: Names,
    input: &mut dyn Struct,
    seen: &mut Seen,
    body_only: bool,
    path: &Path<'_>,
) -> Result<(), Rejection> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let mut reader = Reader::new(Json::new(bytes)?, checks, names);
    reader.input(input, seen, body_only, path)?;
    reader.tokens.end()
}

/// A form may stand in the query, in the body, or in both.
fn join<'a>(query: &'a str, body: &'a str) -> std::borrow::Cow<'a, str> {
    match (query.is_empty(), body.is_empty()) {
        (true, _) => body.into(),
        (false, true) => query.into(),
        (false, false) => format!("{query}&{body}").into(),
    }
}
