//! For every operation: API Gateway's IAM actions are HTTP methods, its resources are paths.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

use crate::model::{
    AccessLogSettings, CreateApiInput, CreateDeploymentInput, CreateRouteInput, CreateStageInput,
    TagResourceInput, UntagResourceInput, UpdateApiInput, UpdateRouteInput, UpdateStageInput,
};

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
    let resource = resource(request, &path);
    let access = with_facts(Access::to(action(verb), resource.clone()), input);
    // A pattern in place of a role stands for the caller's own identity, which is nobody's to pass.
    Ok(match input.text("CredentialsArn").filter(|role| !role.contains('*')) {
        Some(role) if !role.is_empty() => {
            access.and_pass_role(role, "apigateway.amazonaws.com", resource)
        }
        _ => access,
    })
}

/// What the request wants the API, route, stage or deployment to be.
fn with_facts(mut access: Access, input: &dyn Struct) -> Access {
    let mut fact = |key: &'static str, value: Option<String>| {
        let Some(value) = value else { return };
        access = std::mem::take(&mut access).with(format!("apigateway:Request/{key}"), [value]);
    };
    let truth = |value: Option<bool>| value.map(|value| value.to_string());
    let mut log = |settings: &Option<AccessLogSettings>| {
        let Some(settings) = settings else { return };
        fact("AccessLoggingDestination", settings.destination_arn.clone());
        fact("AccessLoggingFormat", settings.format.clone());
    };
    let mut tags = None;
    if let Some(input) = input.downcast_ref::<CreateStageInput>() {
        log(&input.access_log_settings);
        tags = input.tags.as_ref();
    } else if let Some(input) = input.downcast_ref::<UpdateStageInput>() {
        log(&input.access_log_settings);
    } else if let Some(input) = input.downcast_ref::<CreateApiInput>() {
        fact("ApiName", Some(input.name.clone()));
        fact("DisableExecuteApiEndpoint", truth(input.disable_execute_api_endpoint));
        fact("EndpointType", Some("REGIONAL".to_owned()));
        tags = input.tags.as_ref();
    } else if let Some(input) = input.downcast_ref::<UpdateApiInput>() {
        fact("ApiName", input.name.clone());
        fact("DisableExecuteApiEndpoint", truth(input.disable_execute_api_endpoint));
    } else if let Some(input) = input.downcast_ref::<CreateRouteInput>() {
        fact("ApiKeyRequired", truth(input.api_key_required));
        let kind = input.authorization_type.map(|kind| kind.as_str().to_owned());
        fact("RouteAuthorizationType", kind);
    } else if let Some(input) = input.downcast_ref::<UpdateRouteInput>() {
        fact("ApiKeyRequired", truth(input.api_key_required));
        let kind = input.authorization_type.map(|kind| kind.as_str().to_owned());
        fact("RouteAuthorizationType", kind);
    } else if let Some(input) = input.downcast_ref::<CreateDeploymentInput>() {
        fact("StageName", input.stage_name.clone());
    }
    access.with_tags(tags.into_iter().flatten())
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
    let access = Access::to(action, resource(request, &path));
    if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        return Ok(access.with_tags(input.tags.iter().flatten()));
    }
    Ok(match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    })
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
