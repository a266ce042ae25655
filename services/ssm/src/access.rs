//! What a call must be allowed to do, as the Service Authorization Reference says.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, Tx, arn};

use crate::model::{
    AddTagsToResourceInput, DeleteParametersInput, GetParametersByPathInput, GetParametersInput,
    PutParameterInput, RemoveTagsFromResourceInput, Tag,
};
use crate::rules::names::Named;
use crate::{published, store};

/// Operations that AWS authorises on no parameter in particular.
pub(crate) fn everything(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// Operations on the parameter that `Name` means.
pub(crate) fn parameter(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let name = input.text("Name").unwrap_or_default();
    Ok(Access::on(parameter_arn(request, name)).refined(refine))
}

/// Reading several parameters: all must be allowed.
pub(crate) fn get_several(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(each(request, &typed::<GetParametersInput>(input)?.names))
}

/// Deleting several parameters: all must be allowed.
pub(crate) fn delete_several(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(each(request, &typed::<DeleteParametersInput>(input)?.names))
}

fn each(request: &Request, names: &[String]) -> Access {
    let all = names
        .iter()
        .fold(Access::default(), |access, name| access.and("", parameter_arn(request, name)));
    all.refined(refine)
}

/// Reading what is below a path.
pub(crate) fn by_path(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<GetParametersByPathInput>(input)?;
    let path = match input.path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let recursive = input.recursive.unwrap_or_default().to_string();
    let access = Access::on(parameter_arn(request, path));
    Ok(access.with("ssm:Recursive", [recursive]).refined(refine))
}

/// Writing a parameter.
pub(crate) fn put(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let input = typed::<PutParameterInput>(input)?;
    let overwrite = input.overwrite.unwrap_or_default().to_string();
    let resource = parameter_arn(request, &input.name);
    let mut access = Access::on(resource.clone()).with("ssm:Overwrite", [overwrite]);
    if let Some(policies) = &input.policies {
        access = access.with("ssm:Policies", [policies.clone()]);
    }
    let tags = input.tags.as_deref().unwrap_or_default();
    if !tags.is_empty() {
        access = access.and("ssm:AddTagsToResource", resource);
    }
    Ok(tagged(access, tags).refined(refine))
}

/// Operations on the tags of the resource that `ResourceId` means.
pub(crate) fn tags(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let id = input.text("ResourceId").unwrap_or_default();
    Ok(Access::on(parameter_arn(request, id)).refined(refine))
}

/// Adding tags.
pub(crate) fn tag(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = tags(request, input)?;
    Ok(tagged(access, &typed::<AddTagsToResourceInput>(input)?.tags))
}

/// Removing tags.
pub(crate) fn untag(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = tags(request, input)?;
    Ok(access.with_tag_keys(&typed::<RemoveTagsFromResourceInput>(input)?.tag_keys))
}

/// Operations on the policies of the resource that `ResourceArn` names.
pub(crate) fn policies(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(input.text("ResourceArn").unwrap_or("*")).refined(refine))
}

/// Operations on a service setting.
pub(crate) fn setting(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let id = input.text("SettingId").unwrap_or_default();
    if id.starts_with("arn:") {
        return Ok(Access::on(id));
    }
    let resource = format!("servicesetting/{}", id.trim_start_matches('/'));
    Ok(Access::on(arn::arn("ssm", &request.region, &request.account, resource)))
}

fn typed<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

fn tagged(access: Access, tags: &[Tag]) -> Access {
    access.with_tags(tags.iter().map(|tag| (&tag.key, &tag.value)))
}

/// The ARN of a parameter by its name or ARN, without what selects a version.
fn parameter_arn(request: &Request, name: &str) -> String {
    let named = Named::parse(name, &request.account, &request.region);
    let first = named.names.into_iter().next().unwrap_or_default();
    if published::is_public(&first) {
        return published::arn(&named.region, &first);
    }
    store::arn_of(&(named.account, named.region, first))
}

/// Adds the tags of the parameters that exist.
fn refine(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    for check in checks {
        let named = Named::parse(&check.resource, tx.account(), tx.region());
        let Some((_, parameter)) = store::look_up(tx, &named)? else { continue };
        for (key, value) in parameter.tags {
            check.context.push((format!("aws:ResourceTag/{key}").into(), vec![value.clone()]));
            check.context.push((format!("ssm:resourceTag/{key}").into(), vec![value]));
        }
    }
    Ok(())
}
