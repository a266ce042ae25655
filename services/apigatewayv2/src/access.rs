//! For every operation: API Gateway's IAM actions are HTTP methods, its resources are paths.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

/// The method of the operation on its path.
pub(crate) fn path(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let operation = request.operation;
    let (verb, noun) = split(operation);
    let is_listing = verb == "Get" && noun.ends_with('s');
    let collection = collection(noun);
    let mut path = "/apis".to_owned();
    let api = input.text("ApiId");
    if let Some(api) = api {
        path = format!("{path}/{api}");
        if collection != "apis" {
            path = format!("{path}/{collection}");
        }
    }
    let own = match collection {
        "integrations" => input.text("IntegrationId"),
        "routes" => input.text("RouteId"),
        "stages" => input.text("StageName"),
        "deployments" => input.text("DeploymentId"),
        _ => None,
    };
    if let Some(own) = own.filter(|_| !is_listing && verb != "Create") {
        path = format!("{path}/{own}");
    }
    Ok(Access::to(action(verb), resource(request, &path)))
}

/// Tags: the resource is the one that is tagged, under `/tags/`.
pub(crate) fn tags(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let tagged = input.text("ResourceArn").unwrap_or_default();
    let path = format!("/tags/{tagged}");
    let action = match request.operation {
        "GetTags" => "apigateway:GET",
        "TagResource" => "apigateway:POST",
        _ => "apigateway:DELETE",
    };
    Ok(Access::to(action, resource(request, &path)))
}

fn split(operation: &str) -> (&str, &str) {
    let at = operation[1..].find(char::is_uppercase).map_or(operation.len(), |at| at + 1);
    operation.split_at(at)
}

fn collection(noun: &str) -> &'static str {
    match noun.trim_end_matches('s') {
        "Integration" => "integrations",
        "Route" => "routes",
        "Stage" => "stages",
        "Deployment" => "deployments",
        _ => "apis",
    }
}

fn action(verb: &str) -> &'static str {
    match verb {
        "Create" => "apigateway:POST",
        "Update" => "apigateway:PATCH",
        "Delete" => "apigateway:DELETE",
        _ => "apigateway:GET",
    }
}

/// `arn:aws:apigateway:REGION::/path`, without an account.
fn resource(request: &Request, path: &str) -> String {
    arn::arn("apigateway", &request.region, "", path)
}
