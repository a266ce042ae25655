//! What a call must be allowed to do.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request};

use crate::layers::LayerId;
use crate::model::{
    AddPermissionInput, CreateEventSourceMappingInput, CreateFunctionInput,
    DeleteLayerVersionInput, GetLayerVersionInput, TagResourceInput, UntagResourceInput,
    UpdateFunctionConfigurationInput, VpcConfig,
};
use crate::rules::target::Target;
use crate::{mappings, permissions};

/// Actions without a resource: AWS authorises them on `*`.
pub(crate) fn everything(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// The function, version or alias that `FunctionName` and `Qualifier` name.
pub(crate) fn function(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(target(request, input)?.arn()))
}

/// The function itself, for operations on its versions and aliases.
pub(crate) fn whole_function(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(target(request, input)?.function_arn()))
}

/// Running the function, version or alias.
pub(crate) fn invoke(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.arn();
    Ok(Access::to("lambda:InvokeFunction", arn))
}

/// Creating a function, and passing its role to Lambda.
pub(crate) fn create(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.function_arn();
    let input = typed::<CreateFunctionInput>(input)?;
    let mut access = Access::on(arn.clone());
    if let Some(tags) = &input.tags {
        access = access.with_tags(tags);
    }
    if let Some(signing) = &input.code_signing_config_arn {
        access = access.with("lambda:CodeSigningConfigArn", [signing.clone()]);
    }
    let access = in_network(access, input.vpc_config.as_ref());
    let access = with_layers(access, input.layers.as_ref());
    Ok(access.and_pass_role(&input.role, "lambda.amazonaws.com", arn))
}

/// Changing a function's configuration, and passing its new role to Lambda.
pub(crate) fn configure(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.function_arn();
    let input = typed::<UpdateFunctionConfigurationInput>(input)?;
    let access = Access::on(arn.clone());
    let access = in_network(access, input.vpc_config.as_ref());
    let access = with_layers(access, input.layers.as_ref());
    Ok(match &input.role {
        Some(role) => access.and_pass_role(role, "lambda.amazonaws.com", arn),
        None => access,
    })
}

/// Letting somebody call a function.
pub(crate) fn add_permission(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = function(request, input)?;
    let input = typed::<AddPermissionInput>(input)?;
    let access = access.with("lambda:Principal", [input.principal.clone()]);
    Ok(match input.function_url_auth_type {
        Some(auth_type) => {
            access.with("lambda:FunctionUrlAuthType", [auth_type.as_str().to_owned()])
        }
        None => access,
    })
}

/// Taking back that somebody may call a function.
pub(crate) fn remove_permission(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(function(request, input)?.refined(permission_facts))
}

/// Whom the statement that is to be removed lets call, and the function's tags.
fn permission_facts(
    tx: &ReadTx<'_>,
    input: &dyn Struct,
    checks: &mut [Check],
) -> Result<(), Fault> {
    let statement = input.text("StatementId").unwrap_or_default();
    let target = target(fogbank_core::Tx::request(tx), input)?;
    if let Some(principal) = permissions::principal(tx, &target, statement)? {
        for check in &mut *checks {
            check.context.push(("lambda:Principal".into(), vec![principal.clone()]));
        }
    }
    Ok(())
}

/// Giving a queue's messages to a function.
pub(crate) fn create_mapping(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.arn();
    let input = typed::<CreateEventSourceMappingInput>(input)?;
    let access = Access::on_all().with("lambda:FunctionArn", [arn]);
    Ok(access.with_tags(input.tags.iter().flatten()))
}

/// The event source mapping that `UUID` names; twice if it is to feed another function from now on.
pub(crate) fn mapping(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let uuid = input.text("UUID").unwrap_or_default();
    let arn = mappings::arn(&request.account, &request.region, uuid);
    let access = Access::on(arn.clone()).refined(mapping_facts);
    if input.text("FunctionName").is_none() {
        return Ok(access);
    }
    let function = target(request, input)?.arn();
    Ok(access.and("", arn).last_with("lambda:FunctionArn", [function]))
}

/// The layer that `LayerName` names.
pub(crate) fn layer(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let name = input.text("LayerName").unwrap_or_default();
    Ok(Access::on(LayerId::parse(name, &request.account, &request.region).arn()))
}

/// Reading the version of a layer.
pub(crate) fn get_layer_version(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<GetLayerVersionInput>(input)?;
    Ok(Access::on(layer_version(request, &input.layer_name, input.version_number)))
}

/// Deleting the version of a layer.
pub(crate) fn delete_layer_version(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<DeleteLayerVersionInput>(input)?;
    Ok(Access::on(layer_version(request, &input.layer_name, input.version_number)))
}

/// Reading the version of a layer that `Arn` names.
pub(crate) fn layer_version_arn(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::to("lambda:GetLayerVersion", input.text("Arn").unwrap_or("*")))
}

fn layer_version(request: &Request, name: &str, version: i64) -> String {
    let id = LayerId::parse(name, &request.account, &request.region);
    format!("{}:{version}", id.arn())
}

/// Also reading the layers that a function gets.
fn with_layers(access: Access, layers: Option<&Vec<String>>) -> Access {
    let Some(layers) = layers else { return access };
    let access = access.with("lambda:Layer", layers.iter().cloned());
    layers.iter().fold(access, |access, arn| access.and("lambda:GetLayerVersion", arn.clone()))
}

/// The resource of which tags are listed.
pub(crate) fn resource(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(input.text("Resource").unwrap_or("*")))
}

/// The resource that gets tags.
pub(crate) fn tag(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<TagResourceInput>(input)?;
    Ok(Access::on(input.resource.clone()).with_tags(&input.tags))
}

/// The resource that loses tags.
pub(crate) fn untag(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<UntagResourceInput>(input)?;
    let access = Access::on(input.resource.clone());
    Ok(access.with_tag_keys(&input.tag_keys))
}

/// The function that a mapping feeds.
fn mapping_facts(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let is_told = |check: &Check| check.context.iter().any(|(key, _)| key == "lambda:FunctionArn");
    for check in checks.iter_mut().filter(|check| !is_told(check)) {
        if let Some(function) = mappings::function_arn(tx, &check.resource)? {
            check.context.push(("lambda:FunctionArn".into(), vec![function]));
        }
    }
    Ok(())
}

fn target(request: &Request, input: &dyn Struct) -> Result<Target, Fault> {
    let name = input.text("FunctionName").unwrap_or_default();
    let qualifier = input.text("Qualifier");
    Ok(Target::parse(name, qualifier, &request.account, &request.region)?)
}

/// The subnets and security groups that a function gets.
fn in_network(access: Access, network: Option<&VpcConfig>) -> Access {
    let Some(network) = network else { return access };
    let members = [
        ("lambda:SubnetIds", &network.subnet_ids),
        ("lambda:SecurityGroupIds", &network.security_group_ids),
    ];
    members.into_iter().fold(access, |access, (key, ids)| match ids {
        Some(ids) if !ids.is_empty() => access.with(key, ids.iter().cloned()),
        _ => access,
    })
}

fn typed<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    let any: &dyn std::any::Any = input;
    any.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}
