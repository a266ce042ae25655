//! Faults and refusals on the wire: the code, status and form that the service uses.

use fogbank_core::Fault;
use fogbank_core::wire::{self, Failure, Protocol, Response};

use crate::catalogue::Entry;
use crate::route::Head;

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

/// The status of `fault` as the service would send it.
pub(crate) fn status(fault: &Fault, service: &wire::Service) -> u16 {
    let is_ours = fault.name() == "InternalFailure";
    let shape = service.error(fault.name()).map(|shape| shape.status);
    fault.status().or(shape).unwrap_or(if is_ours { 500 } else { 400 })
}

/// The fault of a request that no service claims.
pub(crate) fn unclaimed(head: &Head<'_>) -> Fault {
    let is_name = |scope: &&str| scope.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match head.scope.filter(is_name) {
        Some(scope) => {
            let message = format!("Fogbank does not have {scope} yet; see COMPATIBILITY.md.");
            Fault::new("NotImplemented", message).with_status(501)
        }
        None => Fault::new("UnknownOperationException", "No service claims this request.")
            .with_status(400),
    }
}

/// Stands for the service of a request that no service claims.
static NOBODY: wire::Service = wire::Service {
    name: "",
    sdk_id: "",
    signing_name: "",
    endpoint_prefix: "",
    target_prefix: "",
    service_shape: "",
    api_version: "",
    namespace: "com.amazonaws",
    xml_namespace: "",
    protocols: &[],
    query_compatible: false,
    operations: &[],
    errors: &[],
};

/// Writes `fault` in the protocol that the request seems to speak.
pub(crate) fn render_for_nobody(fault: &Fault, head: &Head<'_>, request_id: &str) -> Response {
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    let is_form =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form"));
    let protocol = match head.scope {
        Some("ec2") => Protocol::Ec2Query,
        Some("route53" | "cloudfront") => Protocol::RestXml,
        _ if is_form => Protocol::AwsQuery,
        _ if head.headers.contains_key("x-amz-target") => Protocol::AwsJson1_1,
        _ => Protocol::RestJson1,
    };
    let failure = Failure {
        code: fault.name(),
        message: fault.message(),
        shape: None,
        members: None,
        extra: fault.extra(),
        status: fault.status(),
        sender: true,
    };
    wire::encode_failure(protocol, &NOBODY, &wire::Style::DEFAULT, &failure, request_id, false)
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
