//! Rules: which events of a bus they want, or when they make one themselves.

use fogbank_core::{PrincipalKind, ReadTx, Tx, WriteTx};

use crate::error::Error;
use crate::model::{
    DeleteRuleInput, DeleteRuleOutput, DescribeRuleInput, DescribeRuleOutput, DisableRuleInput,
    DisableRuleOutput, EnableRuleInput, EnableRuleOutput, ListRuleNamesByTargetInput,
    ListRuleNamesByTargetOutput, ListRulesInput, ListRulesOutput, PutRuleInput, PutRuleOutput,
    Rule, RuleState, TestEventPatternInput, TestEventPatternOutput,
};
use crate::patterns;
use crate::rules::json::Json;
use crate::rules::names::{self, BusKey, DEFAULT, RuleKey};
use crate::rules::pattern::Pattern;
use crate::rules::schedule::Schedule;
use crate::store::{self, RULES, TARGETS};
use crate::{pages, tags};

/// How many rules a bus may have.
const MOST: usize = 300;

fn key_of(bus: BusKey, name: &str) -> RuleKey {
    (bus.0, bus.1, bus.2, name.to_owned())
}

/// The rule that two parameters name; its bus must be there.
pub(crate) fn find(tx: &impl Tx, bus: Option<&str>, name: &str) -> Result<RuleKey, Error> {
    let bus = names::bus(tx.request(), bus);
    store::bus(tx, &bus)?;
    Ok(key_of(bus, name))
}

/// Refuses a change of a rule that a service keeps for itself.
pub(crate) fn refuse_managed(
    tx: &impl Tx,
    rule: &store::Rule,
    key: &RuleKey,
    force: Option<bool>,
) -> Result<(), Error> {
    let Some(service) = &rule.managed_by else { return Ok(()) };
    if force == Some(true) || is_service(tx, service) {
        return Ok(());
    }
    // AWS's words are not known.
    let message = format!("Rule {} is managed by {service} and can only be changed by it.", key.3);
    Err(Error::ManagedRuleException(message))
}

fn is_service(tx: &impl Tx, service: &str) -> bool {
    matches!(&tx.request().principal.kind, PrincipalKind::Service { name } if name == service)
}

/// Makes a rule, or puts another in its place; its targets and tags stay.
pub(crate) fn put(tx: &mut WriteTx<'_>, input: PutRuleInput) -> Result<PutRuleOutput, Error> {
    let key = find(tx, input.event_bus_name.as_deref(), &input.name)?;
    let pattern = input.event_pattern.filter(|pattern| !pattern.is_empty());
    let schedule = input.schedule_expression.filter(|schedule| !schedule.is_empty());
    if pattern.is_none() && schedule.is_none() {
        let message = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
        return Err(Error::invalid(message));
    }
    if let Some(pattern) = &pattern {
        Pattern::parse(pattern).map_err(Error::InvalidEventPatternException)?;
    }
    if let Some(schedule) = &schedule {
        if key.2 != DEFAULT {
            let message = "ScheduleExpression is supported only on the default event bus.";
            return Err(Error::invalid(message));
        }
        if Schedule::parse(schedule).is_none() {
            return Err(Error::invalid("Parameter ScheduleExpression is not valid."));
        }
    }
    let before = RULES.get(tx, &key)?;
    match &before {
        Some(before) => refuse_managed(tx, before, &key, None)?,
        None if RULES.range(&(&key.0, &key.1, &key.2)).limit(MOST).count(tx)? >= MOST => {
            return Err(Error::LimitExceededException);
        }
        None => {}
    }
    let by = match &tx.request().principal.kind {
        PrincipalKind::Service { name } => Some(name.clone()),
        _ => None,
    };
    let now = tx.now().millis();
    let keeps_time = before.as_ref().filter(|before| before.schedule == schedule);
    let mut rule = store::Rule {
        pattern,
        schedule,
        state: input.state.unwrap_or(RuleState::Enabled).as_str().to_owned(),
        description: input.description,
        role_arn: input.role_arn,
        managed_by: before.as_ref().map_or(by, |before| before.managed_by.clone()),
        created_by: before
            .as_ref()
            .map_or_else(|| tx.request().account.clone(), |before| before.created_by.clone()),
        tags: match &before {
            Some(before) => before.tags.clone(),
            None => tags::of_list(input.tags.unwrap_or_default())?,
        },
        since_millis: keeps_time.map_or(now, |before| before.since_millis),
        due_millis: keeps_time.and_then(|before| before.due_millis),
    };
    plan(&mut rule, now);
    store::put_rule(tx, &key, before.as_ref(), &rule)?;
    Ok(PutRuleOutput { rule_arn: Some(names::rule_arn(&key)) })
}

/// Says when a rule fires next, if its schedule is on and it was not said.
fn plan(rule: &mut store::Rule, now: i64) {
    let schedule = rule.schedule.as_deref().filter(|_| rule.is_enabled()).and_then(Schedule::parse);
    rule.due_millis = match schedule {
        Some(schedule) => rule.due_millis.or_else(|| schedule.next(rule.since_millis, now)),
        None => None,
    };
}

/// Shows a rule.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeRuleInput,
) -> Result<DescribeRuleOutput, Error> {
    let key = find(tx, input.event_bus_name.as_deref(), &input.name)?;
    let rule = store::rule(tx, &key)?;
    Ok(DescribeRuleOutput {
        arn: Some(names::rule_arn(&key)),
        event_bus_name: Some(key.2),
        name: Some(key.3),
        event_pattern: rule.pattern,
        schedule_expression: rule.schedule,
        state: RuleState::from_name(&rule.state),
        description: rule.description,
        role_arn: rule.role_arn,
        managed_by: rule.managed_by,
        created_by: Some(rule.created_by),
    })
}

/// Lists the rules of a bus by name.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListRulesInput) -> Result<ListRulesOutput, Error> {
    let bus = names::bus(tx.request(), input.event_bus_name.as_deref());
    store::bus(tx, &bus)?;
    let mut rules = RULES.list(tx, &(&bus.0, &bus.1, &bus.2))?;
    let prefix = input.name_prefix.unwrap_or_default();
    rules.retain(|(key, _)| key.3.starts_with(&prefix));
    let (page, next_token) =
        pages::of(rules, |(key, _)| &key.3, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, rule): (RuleKey, store::Rule)| Rule {
        arn: Some(names::rule_arn(&key)),
        event_bus_name: Some(key.2),
        name: Some(key.3),
        event_pattern: rule.pattern,
        state: RuleState::from_name(&rule.state),
        description: rule.description,
        schedule_expression: rule.schedule,
        role_arn: rule.role_arn,
        managed_by: rule.managed_by,
    };
    Ok(ListRulesOutput { rules: Some(page.into_iter().map(shown).collect()), next_token })
}

/// Lists the names of the rules that have a target with an ARN.
pub(crate) fn list_by_target(
    tx: &ReadTx<'_>,
    input: ListRuleNamesByTargetInput,
) -> Result<ListRuleNamesByTargetOutput, Error> {
    let bus = names::bus(tx.request(), input.event_bus_name.as_deref());
    store::bus(tx, &bus)?;
    let mut rule_names: Vec<String> = Vec::new();
    for ((_, _, _, rule, _), target) in TARGETS.list(tx, &(&bus.0, &bus.1, &bus.2))? {
        if target.arn == input.target_arn && rule_names.last() != Some(&rule) {
            rule_names.push(rule);
        }
    }
    let (page, next_token) =
        pages::of(rule_names, |name| name, input.next_token.as_deref(), input.limit)?;
    Ok(ListRuleNamesByTargetOutput { rule_names: Some(page), next_token })
}

/// Turns a rule on.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    input: EnableRuleInput,
) -> Result<EnableRuleOutput, Error> {
    let key = find(tx, input.event_bus_name.as_deref(), &input.name)?;
    switch(tx, &key, RuleState::Enabled)?;
    Ok(EnableRuleOutput {})
}

/// Turns a rule off.
pub(crate) fn disable(
    tx: &mut WriteTx<'_>,
    input: DisableRuleInput,
) -> Result<DisableRuleOutput, Error> {
    let key = find(tx, input.event_bus_name.as_deref(), &input.name)?;
    switch(tx, &key, RuleState::Disabled)?;
    Ok(DisableRuleOutput {})
}

fn switch(tx: &mut WriteTx<'_>, key: &RuleKey, state: RuleState) -> Result<(), Error> {
    let before = store::rule(tx, key)?;
    refuse_managed(tx, &before, key, None)?;
    let mut rule = store::Rule { state: state.as_str().to_owned(), ..before.clone() };
    let now = tx.now().millis();
    if rule.is_enabled() && !before.is_enabled() {
        rule.since_millis = now;
        rule.due_millis = None;
    }
    plan(&mut rule, now);
    store::put_rule(tx, key, Some(&before), &rule)
}

/// Removes a rule without targets; one that is not there is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteRuleInput,
) -> Result<DeleteRuleOutput, Error> {
    let key = find(tx, input.event_bus_name.as_deref(), &input.name)?;
    let Some(rule) = RULES.get(tx, &key)? else { return Ok(DeleteRuleOutput {}) };
    refuse_managed(tx, &rule, &key, input.force)?;
    if TARGETS.first(tx, &(&key.0, &key.1, &key.2, &key.3))?.is_some() {
        return Err(Error::invalid("Rule can't be deleted since it has targets."));
    }
    store::remove_rule(tx, &key, &rule)?;
    Ok(DeleteRuleOutput {})
}

/// The members that AWS wants an event to have before it tests it.
const MANDATORY: [&str; 7] =
    ["id", "account", "source", "time", "region", "resources", "detail-type"];

/// Says whether a pattern takes an event.
pub(crate) fn test(
    tx: &ReadTx<'_>,
    input: TestEventPatternInput,
) -> Result<TestEventPatternOutput, Error> {
    let pattern = patterns::get(tx.cx().cloud(), &input.event_pattern)
        .map_err(Error::InvalidEventPatternException)?;
    let event = Json::parse(&input.event).filter(|event| matches!(event, Json::Object(_)));
    // AWS's words are not known.
    let Some(event) = event else { return Err(Error::invalid("Parameter Event is not valid.")) };
    if let Some(missing) = MANDATORY.iter().find(|name| event.get(name).is_none()) {
        let message = format!("Parameter Event is not valid. Reason: {missing} is missing.");
        return Err(Error::invalid(message));
    }
    Ok(TestEventPatternOutput { result: Some(pattern.matches(&event)) })
}
