//! For every operation: the ARN of the alarm or dashboard, and the condition keys.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

use crate::dashboards;
use crate::model::*;

/// Operations that AWS authorises on no resource in particular.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// Publishing, which may be limited to namespaces.
pub(crate) fn namespace(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let namespace = input.downcast_ref::<PutMetricDataInput>().map(|input| input.namespace.clone());
    Ok(Access::on_all().with("cloudwatch:namespace", namespace))
}

fn alarm_arn(request: &Request, name: &str) -> String {
    arn::arn("cloudwatch", &request.region, &request.account, format_args!("alarm:{name}"))
}

/// Operations on all alarms of the region.
pub(crate) fn alarms(request: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(alarm_arn(request, "*")))
}

/// Operations on one alarm; on all where none is named.
pub(crate) fn alarm(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on(alarm_arn(request, input.text("AlarmName").unwrap_or("*"))))
}

/// Operations on alarms that are named: allowed on each.
pub(crate) fn named(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let names = input
        .downcast_ref::<DeleteAlarmsInput>()
        .map(|input| &input.alarm_names)
        .or_else(|| Some(&input.downcast_ref::<EnableAlarmActionsInput>()?.alarm_names))
        .or_else(|| Some(&input.downcast_ref::<DisableAlarmActionsInput>()?.alarm_names));
    let names = names.ok_or_else(|| Fault::internal("the input is of another operation"))?;
    let arns = names.iter().map(|name| alarm_arn(request, name));
    Ok(on_each(arns, || alarm_arn(request, "")))
}

/// The operation on each of some resources, and on `otherwise` where there are none.
fn on_each(arns: impl Iterator<Item = String>, otherwise: impl FnOnce() -> String) -> Access {
    let mut access = Access::default();
    for arn in arns {
        access = access.and("", arn);
    }
    if access.checks.is_empty() { Access::on(otherwise()) } else { access }
}

/// Making an alarm, with its tags and actions.
pub(crate) fn put_alarm(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = alarm(request, input)?;
    if let Some(input) = input.downcast_ref::<PutMetricAlarmInput>() {
        let actions = [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions];
        return Ok(with_tags(with_actions(access, actions), input.tags.as_deref()));
    }
    match input.downcast_ref::<PutCompositeAlarmInput>() {
        Some(input) => {
            let actions =
                [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions];
            Ok(with_tags(with_actions(access, actions), input.tags.as_deref()))
        }
        None => Err(Fault::internal("the input is of another operation")),
    }
}

fn with_actions(access: Access, actions: [&Option<Vec<String>>; 3]) -> Access {
    let actions: Vec<String> = actions.into_iter().flatten().flatten().cloned().collect();
    if actions.is_empty() { access } else { access.with("cloudwatch:AlarmActions", actions) }
}

fn with_tags(access: Access, tags: Option<&[Tag]>) -> Access {
    access.with_tags(tags.into_iter().flatten().map(|tag| (&tag.key, &tag.value)))
}

/// Operations on one dashboard.
pub(crate) fn dashboard(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let name = input.text("DashboardName").unwrap_or_default();
    Ok(Access::on(dashboards::arn(&request.account, name)))
}

/// Deleting dashboards: allowed on each.
pub(crate) fn named_dashboards(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let names = input.downcast_ref::<DeleteDashboardsInput>().map(|input| &input.dashboard_names);
    let names = names.ok_or_else(|| Fault::internal("the input is of another operation"))?;
    let arns = names.iter().map(|name| dashboards::arn(&request.account, name));
    Ok(on_each(arns, || dashboards::arn(&request.account, "")))
}

/// Operations that name a resource by its ARN, and the tags that it gets or loses.
pub(crate) fn resource(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let access = Access::on(input.text("ResourceARN").unwrap_or("*"));
    if let Some(input) = input.downcast_ref::<TagResourceInput>() {
        return Ok(with_tags(access, Some(&input.tags)));
    }
    Ok(match input.downcast_ref::<UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    })
}
