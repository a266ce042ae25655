//! Faults and refusals on the wire: the code, status and form that the service uses.

use fogbank_core::Fault;
use fogbank_core::wire::{self, ErrorShape, Failure, Protocol, Response};

use crate::catalogue::Entry;

/// How a failure is to be written.
pub(crate) struct Form<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) protocol: Protocol,
    /// Whether the client asked for the query protocol's status codes.
    pub(crate) query_mode: bool,
    pub(crate) request_id: &'a str,
}

/// Writes `fault` as the service would.
pub(crate) fn render(fault: &Fault, form: &Form<'_>) -> Response {
    let service = form.entry.service;
    let shape = service.model.error(fault.name());
    let (code, status, sender) = code(fault, shape, form);
    let failure = Failure {
        code: &code,
        message: fault.message(),
        shape,
        members: fault.members(),
        extra: fault.extra(),
        status: Some(fault.status().unwrap_or(status)),
        sender,
    };
    wire::encode_failure(
        form.protocol,
        service.model,
        &service.style,
        &failure,
        form.request_id,
        form.query_mode,
    )
}

/// The code on the wire, the status and whether the caller is at fault.
fn code(
    fault: &Fault,
    shape: Option<&ErrorShape>,
    form: &Form<'_>,
) -> (String, u16, bool) {
    if let Some(shape) = shape {
        return (shape.name.to_owned(), shape.status, shape.sender);
    }
    let service = form.entry.service;
    let is_json = !matches!(
        form.protocol,
        Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml
    );
    match fault.name() {
        "AccessDenied" => access_denied(service.model.name, is_json, form.protocol),
        "ValidationException" => (service.style.validation_code.to_owned(), 400, true),
        "InternalFailure" if service.model.name == "s3" => ("InternalError".to_owned(), 500, false),
        "InternalFailure" if is_json => ("InternalServerError".to_owned(), 500, false),
        "InternalFailure" => ("InternalFailure".to_owned(), 500, false),
        "NotImplemented" => ("NotImplemented".to_owned(), 501, false),
        "UnknownOperation" if is_json => ("UnknownOperationException".to_owned(), 400, true),
        "UnknownOperation" if service.model.name == "s3" => {
            ("MethodNotAllowed".to_owned(), 405, true)
        }
        "UnknownOperation" => ("InvalidAction".to_owned(), 400, true),
        name => (name.to_owned(), 400, true),
    }
}

/// AWS's services never agreed on the name of the refusal.
fn access_denied(service: &str, is_json: bool, protocol: Protocol) -> (String, u16, bool) {
    let (code, status) = match service {
        "sns" => ("AuthorizationError", 403),
        "sqs" => ("AccessDenied", 403),
        "lambda" => ("AccessDeniedException", 403),
        "ec2" => ("UnauthorizedOperation", 403),
        _ if protocol == Protocol::RestJson1 => ("AccessDeniedException", 403),
        _ if is_json => ("AccessDeniedException", 400),
        _ => ("AccessDenied", 403),
    };
    (code.to_owned(), status, true)
}
