//! What a call must be allowed to do.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request};

use crate::layers::LayerId;
use crate::mappings;
use crate::model::{
    AddPermissionInput, CreateFunctionInput, DeleteLayerVersionInput, GetLayerVersionInput,
    TagResourceInput, UntagResourceInput, UpdateFunctionConfigurationInput,
};
use crate::rules::target::Target;
use crate::tags;

/// Actions without a resource: AWS authorises them on `*`.
pub(crate) fn everything(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// The function, version or alias that `FunctionName` and `Qualifier` name.
pub(crate) fn function(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(target(request, input)?.arn()).refined(resource_tags))
}

/// The function itself, for operations on its versions and aliases.
pub(crate) fn whole_function(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(target(request, input)?.function_arn()).refined(resource_tags))
}

/// Running the function, version or alias.
pub(crate) fn invoke(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.arn();
    Ok(Access::to("lambda:InvokeFunction", arn).refined(resource_tags))
}

/// Creating a function, and passing its role to Lambda.
pub(crate) fn create(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.function_arn();
    let input = typed::<CreateFunctionInput>(input)?;
    let mut access = Access::on(arn.clone());
    if let Some(tags) = &input.tags {
        access = tagged(access, tags);
    }
    let access = with_layers(access, input.layers.as_ref());
    Ok(passing(access, &input.role, arn))
}

/// Changing a function's configuration, and passing its new role to Lambda.
pub(crate) fn configure(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.function_arn();
    let input = typed::<UpdateFunctionConfigurationInput>(input)?;
    let access = Access::on(arn.clone()).refined(resource_tags);
    let access = with_layers(access, input.layers.as_ref());
    Ok(match &input.role {
        Some(role) => passing(access, role, arn),
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

/// Giving a queue's messages to a function.
pub(crate) fn create_mapping(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let arn = target(request, input)?.arn();
    Ok(Access::on_all().with("lambda:FunctionArn", [arn]))
}

/// The event source mapping that `UUID` names.
pub(crate) fn mapping(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let uuid = input.text("UUID").unwrap_or_default();
    let arn = mappings::arn(&request.account, &request.region, uuid);
    Ok(Access::on(arn).refined(resource_tags))
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
    Ok(Access::on(input.text("Resource").unwrap_or("*")).refined(resource_tags))
}

/// The resource that gets tags.
pub(crate) fn tag(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<TagResourceInput>(input)?;
    Ok(tagged(Access::on(input.resource.clone()), &input.tags).refined(resource_tags))
}

/// The resource that loses tags.
pub(crate) fn untag(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<UntagResourceInput>(input)?;
    let access = Access::on(input.resource.clone()).refined(resource_tags);
    Ok(access.with("aws:TagKeys", input.tag_keys.iter().cloned()))
}

/// `aws:ResourceTag/…` for every resource that exists.
fn resource_tags(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    for check in checks {
        for (key, value) in tags::of_arn(tx, &check.resource)? {
            check.context.push((Cow::Owned(format!("aws:ResourceTag/{key}")), vec![value]));
        }
    }
    Ok(())
}

fn target(request: &Request, input: &dyn Struct) -> Result<Target, Fault> {
    let name = input.text("FunctionName").unwrap_or_default();
    let qualifier = input.text("Qualifier");
    Ok(Target::parse(name, qualifier, &request.account, &request.region)?)
}

fn tagged(access: Access, tags: &BTreeMap<String, String>) -> Access {
    let access = access.with("aws:TagKeys", tags.keys().cloned());
    tags.iter().fold(access, |access, (key, value)| {
        access.with(Cow::Owned(format!("aws:RequestTag/{key}")), [value.clone()])
    })
}

/// Also passing a role to Lambda.
fn passing(mut access: Access, role: &str, function_arn: String) -> Access {
    access.checks.push(Check {
        action: "iam:PassRole".into(),
        resource: role.to_owned(),
        context: vec![
            ("iam:PassedToService".into(), vec!["lambda.amazonaws.com".to_owned()]),
            ("iam:AssociatedResourceArn".into(), vec![function_arn]),
        ],
    });
    access
}

fn typed<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    let any: &dyn std::any::Any = input;
    any.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}
