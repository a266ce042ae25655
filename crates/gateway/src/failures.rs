//! Faults and refusals on the wire: the code, status and form that the service uses.

use fogbank_core::Fault;
use fogbank_core::wire::{self, Failure, Protocol, Response};

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
    let code = code(fault.name(), form);
    let shape = service.model.error(code);
    let failure = Failure {
        code,
        message: fault.message(),
        shape,
        members: fault.members(),
        extra: fault.extra(),
        status: fault.status(),
        sender: shape.is_none_or(|shape| shape.sender),
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

/// The name of the error in the service's model. Names that AWS's services have in common are the
/// protocol's matter.
fn code<'a>(name: &'a str, form: &Form<'_>) -> &'a str {
    let model = form.entry.service.model;
    let is_json =
        !matches!(form.protocol, Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml);
    match name {
        // SNS has an error of its own for what everybody else calls AccessDenied.
        "AccessDenied" if model.error("AuthorizationErrorException").is_some() => {
            "AuthorizationErrorException"
        }
        // So that the old code of services that once spoke query is found as well.
        "AccessDenied" if is_json && model.error("AccessDeniedException").is_some() => {
            "AccessDeniedException"
        }
        "UnknownOperation" if is_json => "UnknownOperationException",
        "UnknownOperation" if model.name == "s3" => "MethodNotAllowed",
        "UnknownOperation" => "InvalidAction",
        name => name,
    }
}
