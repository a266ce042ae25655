//! Writes the operations' markers and tables, and the service.

use anyhow::{Result, bail};

use super::{literal, schemas};
use crate::botocore::{Operation, Reference, Shape};
use crate::plan::Plan;

/// The markers of the implemented operations.
pub(super) fn emit(plan: &Plan) -> Result<String> {
    let mut text = String::new();
    let xml = protocols(plan)?.iter().any(|protocol| protocol == "RestXml");
    let query = protocols(plan)?.iter().any(|protocol| protocol == "AwsQuery");
    for name in &plan.operations {
        let operation = &plan.model.operations[name];
        let (input, output) = plan.ends(name);
        let errors: Vec<&str> = operation.errors.iter().map(|e| e.shape.as_str()).collect();
        let unsigned = operation.authtype.as_deref() == Some("none")
            || operation.auth.iter().any(|auth| auth == "smithy.api#noAuth");
        let checksum =
            operation.http_checksum_required || operation.http_checksum.request_checksum_required;
        text.push_str(&format!(
            "pub struct {name};\n\n\
             impl wire::OperationShape for {name} {{\n\
                type Input = {name}Input;\n\
                type Output = {name}Output;\n\
                const MODEL: &'static wire::Operation = {{\n\
                    static OPERATION: wire::Operation = wire::Operation {{\n\
                        name: {name:?},\n\
                        method: {:?},\n\
                        uri: {:?},\n\
                        status: {},\n\
                        input: &schema::{},\n\
                        output: &schema::{},\n\
                        result_wrapper: {:?},\n\
                        input_root: {:?},\n\
                        output_root: {:?},\n\
                        errors: &{errors:?},\n\
                        unsigned: {unsigned},\n\
                        checksum_required: {checksum},\n\
                    }};\n\
                    &OPERATION\n\
                }};\n\
             }}\n\n",
            operation.http.method,
            operation.http.request_uri,
            operation.http.response_code.unwrap_or(200),
            schemas::constant(plan, &input.shape),
            schemas::constant(plan, &output.shape),
            if query { result_wrapper(plan, name, output) } else { String::new() },
            if xml { input_root(plan, input) } else { String::new() },
            if xml { output_root(plan, output) } else { String::new() },
        ));
    }
    Ok(text)
}

/// The element that wraps a result in awsQuery; an output that the model lacks has none.
fn result_wrapper(plan: &Plan, name: &str, output: &Reference) -> String {
    if let Some(wrapper) = &output.result_wrapper {
        return wrapper.clone();
    }
    if let Some(wrapper) = plan.overlay.result_wrappers.get(name) {
        return wrapper.clone();
    }
    let lacking =
        output.shape == format!("{name}Output") && plan.shape(&output.shape).order.is_empty();
    if lacking { String::new() } else { format!("{name}Result") }
}

/// The member that is the whole body, if it is a structure.
fn payload<'p>(plan: &'p Plan, shape: &str) -> Option<&'p Reference> {
    let shape = plan.shape(shape);
    let member = &shape.members[shape.payload.as_deref()?];
    plan.shape(&member.shape).is_structure().then_some(member)
}

fn input_root(plan: &Plan, input: &Reference) -> String {
    if let Some(name) = &input.location_name {
        return name.clone();
    }
    let Some(member) = payload(plan, &input.shape) else { return String::new() };
    member.location_name.clone().unwrap_or_else(|| member.shape.clone())
}

/// The root of a response: what npm calls it, else the shape's name, where there is a body.
fn output_root(plan: &Plan, output: &Reference) -> String {
    let of_shape = |name: &String| plan.overlay.roots.get(name).unwrap_or(name).clone();
    if let Some(member) = payload(plan, &output.shape) {
        return member.location_name.clone().unwrap_or_else(|| of_shape(&member.shape));
    }
    let shape = plan.shape(&output.shape);
    if shape.payload.is_some() {
        // A text that the model names an element for stands in that element.
        return plan.overlay.roots.get(&output.shape).cloned().unwrap_or_default();
    }
    let has_body = shape.members.values().any(|member| member.location.is_none());
    if has_body { of_shape(&output.shape) } else { String::new() }
}

/// `SERVICE` and what else holds for the service.
pub(super) fn service(plan: &Plan) -> Result<String> {
    let metadata = &plan.model.metadata;
    let protocols = protocols(plan)?;
    let xml = protocols.iter().any(|p| matches!(p.as_str(), "AwsQuery" | "Ec2Query" | "RestXml"));
    let namespace = metadata.xml_namespace.as_deref().unwrap_or(&plan.overlay.xml_namespace);
    let protocols: String =
        protocols.iter().map(|protocol| format!("wire::Protocol::{protocol},")).collect();
    let operations: String = plan
        .model
        .operations
        .iter()
        .map(|(name, operation)| operation_name(name, operation))
        .collect();
    let errors: String = plan.errors().map(|(name, shape)| error(plan, name, shape)).collect();
    Ok(format!(
        "/// The prefix of the service's IAM actions.\n\
         pub const IAM_PREFIX: &str = {:?};\n\n\
         /// The service in the model.\n\
         pub static SERVICE: wire::Service = wire::Service {{\n\
            name: {:?},\n\
            sdk_id: {:?},\n\
            signing_name: {:?},\n\
            endpoint_prefix: {:?},\n\
            target_prefix: {:?},\n\
            service_shape: {:?},\n\
            api_version: {:?},\n\
            namespace: {:?},\n\
            xml_namespace: {:?},\n\
            protocols: &[{protocols}],\n\
            query_compatible: {},\n\
            operations: &[{operations}],\n\
            errors: &[{errors}],\n\
         }};\n\n\
         const fn operation(name: &'static str, method: &'static str, uri: &'static str) \
            -> wire::OperationName {{ wire::OperationName {{ name, method, uri }} }}\n\n\
         const fn error(name: &'static str, codes: (&'static str, &'static str), status: u16, \
            sender: bool, schema: &'static wire::Schema) -> wire::ErrorShape {{ \
            wire::ErrorShape {{ name, code: codes.0, query_code: codes.1, status, sender, schema }} \
         }}\n\n",
        plan.spec.iam_prefix,
        plan.spec.name,
        metadata.service_id,
        metadata.signing_name.as_ref().unwrap_or(&metadata.endpoint_prefix),
        metadata.endpoint_prefix,
        metadata.target_prefix.as_deref().unwrap_or_default(),
        plan.overlay.service_shape,
        metadata.api_version,
        plan.spec.namespace.as_ref().unwrap_or(&plan.overlay.namespace),
        if xml { namespace } else { "" },
        metadata.aws_query_compatible.is_some(),
    ))
}

fn operation_name(name: &str, operation: &Operation) -> String {
    let http = &operation.http;
    format!("operation({name:?}, {:?}, {}),", http.method, literal(&http.request_uri))
}

fn error(plan: &Plan, name: &str, shape: &Shape) -> String {
    let traits = shape.error.clone().unwrap_or_default();
    let query = plan.overlay.query_errors.get(name);
    let code = traits.code.as_deref().unwrap_or(name);
    let extra = plan.spec.errors.iter().find(|extra| extra.name == name);
    let query_code = extra
        .and_then(|extra| extra.query_code.as_deref())
        .or(query.map(|query| query.code.as_str()))
        .unwrap_or(code);
    let status = traits
        .http_status_code
        .or(query.map(|query| query.status))
        .unwrap_or(if shape.fault { 500 } else { 400 });
    let sender = traits.sender_fault || (!shape.fault && status < 500);
    format!(
        "error({name:?}, ({code:?}, {query_code:?}), {status}, {sender}, &schema::{}),",
        schemas::constant(plan, name)
    )
}

/// The protocols that clients may speak.
fn protocols(plan: &Plan) -> Result<Vec<String>> {
    if !plan.spec.protocols.is_empty() {
        return Ok(plan.spec.protocols.clone());
    }
    let metadata = &plan.model.metadata;
    let named = match metadata.protocols.as_slice() {
        [] => std::slice::from_ref(&metadata.protocol),
        several => several,
    };
    named
        .iter()
        .map(|protocol| {
            Ok(match (protocol.as_str(), metadata.json_version.as_deref()) {
                ("json", Some("1.1")) => "AwsJson1_1",
                ("json", _) => "AwsJson1_0",
                ("query", _) => "AwsQuery",
                ("ec2", _) => "Ec2Query",
                ("rest-json", _) => "RestJson1",
                ("rest-xml", _) => "RestXml",
                ("smithy-rpc-v2-cbor", _) => "RpcV2Cbor",
                (other, _) => bail!("the protocol {other} is unknown"),
            }
            .to_owned())
        })
        .collect()
}
