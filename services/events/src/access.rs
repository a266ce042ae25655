//! For every operation: the ARN of the bus or rule, and the condition keys.

use std::collections::BTreeMap;

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Check, Fault, ReadTx, Request, arn};

use crate::model::{
    CreateEventBusInput, PutEventsInput, PutRuleInput, PutTargetsInput, StartReplayInput,
    TagResourceInput, UntagResourceInput,
};
use crate::rules::json::Json;
use crate::rules::names;
use crate::store::RULES;

/// The service to which roles of targets are passed.
const SERVICE: &str = "events.amazonaws.com";

fn input<T: Struct>(input: &dyn Struct) -> Result<&T, Fault> {
    input.downcast_ref().ok_or_else(|| Fault::internal("the input is of another operation"))
}

fn bus_arn(request: &Request, given: Option<&str>) -> String {
    names::bus_arn(&names::bus(request, given))
}

fn rule_arn(request: &Request, bus: Option<&str>, rule: &str) -> String {
    let (account, region, bus) = names::bus(request, bus);
    names::rule_arn(&(account, region, bus, rule.to_owned()))
}

/// Operations that AWS authorises on nothing in particular.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// The operation on the bus that `Name` names.
pub(crate) fn bus(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let access = Access::on(bus_arn(request, given.text("Name")));
    Ok(match given.downcast_ref::<CreateEventBusInput>() {
        Some(given) => {
            let tags = given.tags.iter().flatten();
            access.with_tags(tags.map(|tag| (&tag.key, &tag.value)))
        }
        None => access,
    })
}

/// `PutEvents` on every bus that an entry names, with what the entries for it tell of themselves.
pub(crate) fn put_events(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<PutEventsInput>(given)?;
    let mut buses: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for entry in &given.entries {
        let arn = bus_arn(request, entry.event_bus_name.as_deref());
        let (sources, detail_types) = buses.entry(arn).or_default();
        sources.extend(entry.source.clone());
        detail_types.extend(entry.detail_type.clone());
    }
    let mut access = Access::default();
    for (arn, (sources, detail_types)) in buses {
        access = access
            .and("events:PutEvents", arn)
            .last_with("events:eventBusInvocation", ["false".to_owned()])
            .last_with("events:source", sources)
            .last_with("events:detail-type", detail_types);
    }
    Ok(access)
}

/// The operation on a rule that `Name` or `Rule` names.
pub(crate) fn rule(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("Name").or_else(|| given.text("Rule")).unwrap_or_default();
    let arn = rule_arn(request, given.text("EventBusName"), name);
    Ok(Access::on(arn).refined(of_rule))
}

/// The same for those that only look, of which AWS does not tell who manages the rule.
pub(crate) fn seen_rule(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access { refine: Some(creator), ..rule(request, given)? })
}

/// Who made a rule, and the service that manages it.
fn of_rule(tx: &ReadTx<'_>, given: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    creator(tx, given, checks)?;
    for check in checks {
        let Some(key) = names::rule_of_arn(&check.resource) else { continue };
        if let Some(service) = RULES.get(tx, &key)?.and_then(|rule| rule.managed_by) {
            check.context.push(("events:ManagedBy".into(), vec![service]));
        }
    }
    Ok(())
}

fn creator(tx: &ReadTx<'_>, _: &dyn Struct, checks: &mut [Check]) -> Result<(), Fault> {
    for check in checks {
        let Some(key) = names::rule_of_arn(&check.resource) else { continue };
        // Of a rule that is about to be made, its account.
        let creator = RULES.get(tx, &key)?.map_or(key.0, |rule| rule.created_by);
        check.context.push(("events:creatorAccount".into(), vec![creator]));
    }
    Ok(())
}

/// `PutRule`, with what its pattern asks for, and passing its role.
pub(crate) fn put_rule(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<PutRuleInput>(given)?;
    let arn = rule_arn(request, given.event_bus_name.as_deref(), &given.name);
    let mut access = Access::on(arn.clone()).refined(of_rule);
    let pattern = given.event_pattern.as_deref().and_then(Json::parse);
    for (key, path) in [
        ("events:source", &["source"][..]),
        ("events:detail-type", &["detail-type"]),
        ("events:detail.service", &["detail", "service"]),
        ("events:detail.eventTypeCode", &["detail", "eventTypeCode"]),
        ("events:detail.userIdentity.principalId", &["detail", "userIdentity", "principalId"]),
    ] {
        let whole = pattern.as_ref();
        let wanted = path.iter().fold(whole, |value, name| value?.get(name));
        if let Some(Json::Array(values)) = wanted {
            access = access.with(key, values.iter().filter_map(Json::as_str).map(str::to_owned));
        }
    }
    let tags = given.tags.iter().flatten();
    access = access.with_tags(tags.map(|tag| (&tag.key, &tag.value)));
    Ok(match &given.role_arn {
        Some(role) => access.and_pass_role(role, SERVICE, arn),
        None => access,
    })
}

/// `PutTargets`, with the ARNs of the targets, and passing their roles.
pub(crate) fn put_targets(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let given = input::<PutTargetsInput>(given)?;
    let arn = rule_arn(request, given.event_bus_name.as_deref(), &given.rule);
    let targets = given.targets.iter().map(|target| target.arn.clone());
    let access = Access::on(arn.clone()).refined(of_rule).with("events:TargetArn", targets);
    let mut roles: Vec<&String> =
        given.targets.iter().filter_map(|target| target.role_arn.as_ref()).collect();
    roles.sort_unstable();
    roles.dedup();
    Ok(roles.into_iter().fold(access, |access, role| access.and_pass_role(role, SERVICE, &arn)))
}

fn named_arn(request: &Request, kind: &str, name: &str) -> String {
    names::named_arn(kind, &(request.account.clone(), request.region.clone(), name.to_owned()))
}

/// The operation on an archive.
pub(crate) fn archive(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("ArchiveName").unwrap_or_default();
    Ok(Access::on(named_arn(request, "archive", name)))
}

/// `CreateArchive` on the archive and on the bus.
pub(crate) fn create_archive(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let bus = bus_arn(request, given.text("EventSourceArn"));
    Ok(archive(request, given)?.and("events:CreateArchive", bus))
}

/// The operation on a replay.
pub(crate) fn replay(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("ReplayName").unwrap_or_default();
    Ok(Access::on(named_arn(request, "replay", name)))
}

/// `StartReplay` on the replay, the archive and the bus.
pub(crate) fn start_replay(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let started = input::<StartReplayInput>(given)?;
    Ok(replay(request, given)?
        .and("events:StartReplay", &started.event_source_arn)
        .and("events:StartReplay", &started.destination.arn))
}

/// The operation on a connection.
pub(crate) fn connection(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("Name").unwrap_or_default();
    Ok(Access::on(named_arn(request, "connection", name)))
}

/// The operation on an API destination.
pub(crate) fn destination(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("Name").unwrap_or_default();
    Ok(Access::on(named_arn(request, "api-destination", name)))
}

/// `CreateApiDestination` on the destination and on its connection.
pub(crate) fn create_destination(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let connection = given.text("ConnectionArn").unwrap_or_default();
    Ok(destination(request, given)?.and("events:CreateApiDestination", connection))
}

/// The operation on a partner's event source, which is nobody's in particular.
pub(crate) fn source(request: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let name = given.text("Name").unwrap_or_default();
    Ok(Access::on(arn::arn("events", &request.region, "", format_args!("event-source/{name}"))))
}

/// The operation on the bus or rule that `ResourceARN` names.
pub(crate) fn resource(_: &Request, given: &dyn Struct) -> Result<Access, Fault> {
    let access = Access::on(given.text("ResourceARN").unwrap_or("*")).refined(creator);
    if let Some(given) = given.downcast_ref::<TagResourceInput>() {
        return Ok(access.with_tags(given.tags.iter().map(|tag| (&tag.key, &tag.value))));
    }
    Ok(match given.downcast_ref::<UntagResourceInput>() {
        Some(given) => access.with_tag_keys(&given.tag_keys),
        None => access,
    })
}
