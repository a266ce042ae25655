//! For every operation: the action and the ARN of the access point.

use std::borrow::Cow;

use fogbank_accesspoints as points;
use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request};

use crate::model::{
    CreateAccessPointInput, CreateJobInput, PutJobTaggingInput, TagResourceInput,
    UntagResourceInput, UpdateJobPriorityInput, UpdateJobStatusInput,
};
use crate::store::{JOBS, Status};
use crate::{jobs, running};

type Allowed = Result<Access, Fault>;

/// Refuses calls about another account than the caller's, whatever its policies say.
pub(crate) fn own(access: Access, request: &Request, input: &dyn Struct) -> Allowed {
    if input.text("AccountId") == Some(&request.account) {
        return Ok(access);
    }
    let caller = &request.principal.arn;
    let check = access.checks.first();
    let (action, resource) = check.map_or(("", ""), |check| (&*check.action, &*check.resource));
    Err(Fault::access_denied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
    )))
}

/// An action on the access point that the input names; those of directory buckets have a prefix of their own.
pub(crate) fn point(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let name = input.text("Name").unwrap_or_default();
    // Policies' operations take the ARN in place of the name.
    let name = points::parse(name).map_or(name, |(_, _, name)| name);
    let account = input.text("AccountId").unwrap_or_default();
    let arn = points::arn((account, &request.region, name));
    let keys = match points::is_directory(name) || action.starts_with(EXPRESS) {
        true => ["s3express:DataAccessPointArn", "s3express:DataAccessPointAccount"],
        false => ["s3:DataAccessPointArn", "s3:DataAccessPointAccount"],
    };
    let access = Access::to(prefixed(action, &arn), arn.clone())
        .with(keys[0], [arn])
        .with(keys[1], [account.to_owned()]);
    own(access, request, input)
}

/// The prefix of actions on directory buckets and their access points.
const EXPRESS: &str = "s3express:";

/// An action of S3 with the prefix that it has for a resource.
fn prefixed(action: &'static str, resource: &str) -> Cow<'static, str> {
    match action.strip_prefix("s3:") {
        Some(name) if resource.starts_with("arn:aws:s3express:") => [EXPRESS, name].concat().into(),
        _ => action.into(),
    }
}

/// An action that AWS defines on no resource, though the input names an access point.
pub(crate) fn found(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let mut access = point(action, request, input)?;
    for check in access.checks.iter_mut().filter(|check| !check.action.starts_with(EXPRESS)) {
        "*".clone_into(&mut check.resource);
    }
    Ok(access)
}

/// Creating an access point, with where it may be used from, and its tags.
pub(crate) fn create(request: &Request, input: &dyn Struct) -> Allowed {
    let access = point("s3:CreateAccessPoint", request, input)?;
    let Some(input) = input.downcast_ref::<CreateAccessPointInput>() else { return Ok(access) };
    let origin = if input.vpc_configuration.is_some() { "VPC" } else { "Internet" };
    let access = match points::directory_parts(&input.name) {
        Some((_, zone)) => access
            .with("s3express:AccessPointNetworkOrigin", [origin.to_owned()])
            .with("s3express:LocationName", [zone.to_owned()]),
        None => access.with("s3:AccessPointNetworkOrigin", [origin.to_owned()]),
    };
    let tags = input.tags.as_deref().unwrap_or_default();
    if tags.is_empty() {
        return Ok(access);
    }
    let arn = points::arn((&request.account, &request.region, &input.name));
    let access = access.and(prefixed("s3:TagResource", &arn), arn);
    Ok(access.with_tags(tags.iter().map(|tag| (&tag.key, &tag.value))))
}

/// An action that AWS defines on no resource.
pub(crate) fn account(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    own(Access::to(action, "*"), request, input)
}

/// An action on the resource that the input names by its ARN, with the tags that it gets or loses.
pub(crate) fn resource(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let resource = input.text("ResourceArn").unwrap_or_default();
    let access = own(Access::to(prefixed(action, resource), resource), request, input)?;
    if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        return Ok(access.with_tags(input.tags.iter().map(|tag| (&tag.key, &tag.value))));
    }
    match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => Ok(access.with_tag_keys(&input.tag_keys)),
        None => Ok(access),
    }
}

/// An action on the job that the input names, with what the job is now and what is asked for.
pub(crate) fn job(action: &'static str, request: &Request, input: &dyn Struct) -> Allowed {
    let account = input.text("AccountId").unwrap_or_default();
    let arn = jobs::arn((account, &request.region, jobs::named(input)));
    let mut access = Access::to(action, arn);
    if let Some(input) = input.downcast_ref::<UpdateJobPriorityInput>() {
        access = access.with("s3:RequestJobPriority", [input.priority.to_string()]);
    }
    if let Some(input) = input.downcast_ref::<PutJobTaggingInput>() {
        access = access.with_tags(input.tags.iter().map(|tag| (&tag.key, &tag.value)));
    }
    Ok(own(access, request, input)?.refined(refine_job))
}

/// Adds what the job is now, as far as AWS lets an action depend on it.
fn refine_job(tx: &ReadTx<'_>, input: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    let Some(job) = JOBS.get(tx, &jobs::key(tx, jobs::named(input)))? else { return Ok(()) };
    let is_status = input.downcast_ref::<UpdateJobStatusInput>().is_some();
    for check in checks {
        let is_change = !matches!(&*check.action, "s3:DescribeJob" | "s3:GetJobTagging");
        let mut add =
            |key: Cow<'static, str>, value: String| check.context.push((key, vec![value]));
        for (key, value) in &job.tags {
            add(format!("aws:ResourceTag/{key}").into(), value.clone());
        }
        if is_change {
            add("s3:ExistingJobPriority".into(), job.priority.to_string());
            add("s3:ExistingJobOperation".into(), job.operation.clone());
        }
        if is_status && job.status == Status::Suspended {
            add("s3:JobSuspendedCause".into(), jobs::UNCONFIRMED.to_owned());
        }
    }
    Ok(())
}

/// Creating a job, to which a role is passed.
pub(crate) fn create_job(request: &Request, input: &dyn Struct) -> Allowed {
    let access = own(Access::to("s3:CreateJob", "*"), request, input)?;
    let Some(input) = input.downcast_ref::<CreateJobInput>() else { return Ok(access) };
    let operation = jobs::operation(&input.operation).map(str::to_owned);
    let tags = input.tags.as_deref().unwrap_or_default();
    let access = access
        .with("s3:RequestJobPriority", [input.priority.to_string()])
        .with("s3:RequestJobOperation", operation)
        .with_tags(tags.iter().map(|tag| (&tag.key, &tag.value)));
    let all = jobs::arn((&request.account, &request.region, "*"));
    Ok(access.and_pass_role(&*input.role_arn, running::SERVICE, all))
}
