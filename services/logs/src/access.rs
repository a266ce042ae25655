//! For every operation: the ARN of the group or stream.
//!
//! AWS authorises group actions on `…:log-group:NAME:log-stream:` with nothing after it, so that the usual policy for
//! `…:log-group:NAME:*` covers them.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Arn, Fault, Request, arn};

use crate::model::{
    CreateLogGroupInput, TagLogGroupInput, TagResourceInput, UntagLogGroupInput, UntagResourceInput,
};

/// Operations on a group.
pub(crate) fn group(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(resource_arn(request, group_name(input), "")))
}

/// Operations on a stream.
pub(crate) fn stream(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let stream = input.text("logStreamName").unwrap_or_default();
    Ok(Access::on(resource_arn(request, group_name(input), stream)))
}

/// Operations on a group that come with tags.
pub(crate) fn tagged_group(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    group(request, input).map(|access| with_tags(access, input))
}

/// Operations that name a resource by its ARN, and the tags that it gets or loses.
pub(crate) fn resource(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(with_tags(Access::on(input.text("resourceArn").unwrap_or("*")), input))
}

fn with_tags(access: Access, input: &dyn Struct) -> Access {
    if let Some(input) = input.downcast_ref::<CreateLogGroupInput>() {
        return access.with_tags(input.tags.iter().flatten());
    }
    if let Some(input) = input.downcast_ref::<TagLogGroupInput>() {
        return access.with_tags(&input.tags);
    }
    if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        return access.with_tags(&input.tags);
    }
    if let Some(input) = input.downcast_ref::<UntagLogGroupInput>() {
        return access.with_tag_keys(&input.tags);
    }
    match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    }
}

/// Operations that AWS authorises on no resource in particular.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

fn group_name(input: &dyn Struct) -> &str {
    let names = ["logGroupName", "logGroupIdentifier", "resourceIdentifier"];
    let identifier = names.into_iter().find_map(|name| input.text(name));
    identifier.map(crate::rules::group_name).unwrap_or_default()
}

fn resource_arn(request: &Request, group: &str, stream: &str) -> String {
    let resource = format!("log-group:{group}:log-stream:{stream}");
    arn::arn("logs", &request.region, &request.account, resource)
}

/// The group that a resource's ARN names.
pub(crate) fn group_of_arn(text: &str) -> Option<&str> {
    let parsed = Arn::parse(text)?;
    let name = parsed.resource.strip_prefix("log-group:")?;
    Some(name.strip_suffix(":*").unwrap_or(name))
}
