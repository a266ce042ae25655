//! Showing alarms and what happened to them.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp, Tx, page};

use super::{Configuration, arn, key, name, state};
use crate::error::Error;
use crate::model::*;
use crate::rules::composite::Rule;
use crate::store::{ALARMS, Alarm, AlarmKey, HISTORY, History, HistoryKey, dimensions_key};

/// How many alarms or things that happened a page has, unless the caller wants fewer.
const PAGE: usize = 100;

fn page_size(given: Option<i32>) -> usize {
    given.map_or(PAGE, |given| usize::try_from(given).unwrap_or(PAGE)).min(PAGE)
}

fn time(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

/// An alarm as it is shown: what both kinds have in common, and its own members.
macro_rules! shown {
    ($type:ident, ($key:ident, $alarm:ident, $input:ident), { $($own:ident),* }) => {{
        let state = state(&$alarm);
        $type {
            alarm_arn: Some(arn($key)),
            alarm_name: Some($key.2.clone()),
            alarm_description: $input.alarm_description,
            alarm_configuration_updated_timestamp: time($alarm.configured_millis),
            actions_enabled: Some($alarm.actions_enabled),
            ok_actions: Some($input.ok_actions.unwrap_or_default()),
            alarm_actions: Some($input.alarm_actions.unwrap_or_default()),
            insufficient_data_actions: Some($input.insufficient_data_actions.unwrap_or_default()),
            state_value: Some(state),
            state_reason: Some($alarm.reason),
            state_reason_data: $alarm.reason_data,
            state_updated_timestamp: time($alarm.updated_millis),
            state_transitioned_timestamp: time($alarm.transitioned_millis),
            $($own: $input.$own,)*
            ..$type::default()
        }
    }};
}

fn shown_metric(key: &AlarmKey, alarm: Alarm, mut input: PutMetricAlarmInput) -> MetricAlarm {
    input.dimensions.get_or_insert_default();
    shown!(MetricAlarm, (key, alarm, input), {
        metric_name, namespace, statistic, extended_statistic, dimensions, period, unit,
        evaluation_periods, datapoints_to_alarm, threshold, comparison_operator,
        treat_missing_data, evaluate_low_sample_count_percentile, metrics, evaluation_window
    })
}

fn shown_composite(key: &AlarmKey, alarm: Alarm, input: PutCompositeAlarmInput) -> CompositeAlarm {
    let alarm_rule = Some(input.alarm_rule);
    let shown = shown!(CompositeAlarm, (key, alarm, input), {});
    CompositeAlarm { alarm_rule, ..shown }
}

/// Which alarms are wanted.
struct Wanted {
    names: Option<Vec<String>>,
    prefix: String,
    types: Vec<AlarmType>,
    state: Option<StateValue>,
    action_prefix: Option<String>,
    /// The alarm whose rule must name them.
    parent: Option<Rule>,
    /// The alarm that their rule must name.
    child: Option<String>,
}

impl Wanted {
    fn of(tx: &ReadTx<'_>, input: &DescribeAlarmsInput) -> Result<Wanted, Error> {
        if input.alarm_names.is_some() && input.alarm_name_prefix.is_some() {
            let message = "AlarmNames and AlarmNamePrefix cannot be specified together.";
            return Err(Error::validation(message));
        }
        let is_relation =
            input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some();
        // "If you omit this parameter, only metric alarms are returned, even if composite alarms exist."
        let types = match &input.alarm_types {
            Some(types) if !types.is_empty() => types.clone(),
            _ if is_relation => vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm],
            _ => vec![AlarmType::MetricAlarm],
        };
        let parent = match &input.children_of_alarm_name {
            Some(parent) => Some(rule_of(tx, parent)?),
            None => None,
        };
        Ok(Wanted {
            names: input.alarm_names.clone(),
            prefix: input.alarm_name_prefix.clone().unwrap_or_default(),
            types,
            state: input.state_value,
            action_prefix: input.action_prefix.clone(),
            parent,
            child: input.parents_of_alarm_name.clone(),
        })
    }

    fn takes(&self, key: &AlarmKey, alarm: &Alarm, configuration: &Configuration) -> bool {
        let kind =
            if alarm.is_composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
        let named = self.names.as_ref().is_none_or(|names| names.contains(&key.2));
        let acts = self.action_prefix.as_ref().is_none_or(|prefix| {
            let states = [StateValue::Ok, StateValue::Alarm, StateValue::InsufficientData];
            states.iter().any(|it| configuration.actions(*it).iter().any(|a| a.starts_with(prefix)))
        });
        let is_child = self
            .parent
            .as_ref()
            .is_none_or(|rule| rule.alarms().into_iter().any(|child| name(child) == key.2));
        let is_parent = self.child.as_ref().is_none_or(|child| match configuration {
            Configuration::Composite(input) => Rule::parse(&input.alarm_rule)
                .is_ok_and(|rule| rule.alarms().into_iter().any(|of| name(of) == child)),
            Configuration::Metric(_) => false,
        });
        named
            && key.2.starts_with(&self.prefix)
            && self.types.contains(&kind)
            && self.state.is_none_or(|wanted| wanted == state(alarm))
            && acts
            && is_child
            && is_parent
    }
}

fn rule_of(tx: &ReadTx<'_>, parent: &str) -> Result<Rule, Error> {
    let alarm = ALARMS.get(tx, &key(tx, parent))?;
    let rule = match alarm.map(|alarm| Configuration::of(&alarm)).transpose()? {
        Some(Configuration::Composite(input)) => Rule::parse(&input.alarm_rule).ok(),
        _ => None,
    };
    Ok(rule.unwrap_or(Rule::Constant(false)))
}

/// Shows alarms by their names.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput, Error> {
    let wanted = Wanted::of(tx, &input)?;
    let size = page_size(input.max_records);
    let after = match &input.next_token {
        Some(token) => Some(key(tx, &page::parse_text(token).ok_or_else(Error::token)?)),
        None => None,
    };
    let mut range = ALARMS.range(&(tx.account(), tx.region()));
    if let Some(after) = &after {
        range = range.after(after);
    }
    let (mut found, mut is_more) = (Vec::new(), false);
    range.try_visit::<Error>(tx, |key, alarm| {
        let configuration = Configuration::of(&alarm)?;
        if !wanted.takes(&key, &alarm, &configuration) {
            return Ok(ControlFlow::Continue(()));
        }
        is_more = found.len() == size;
        if is_more {
            return Ok(ControlFlow::Break(()));
        }
        found.push((key, alarm, configuration));
        Ok(ControlFlow::Continue(()))
    })?;
    let last = found.last().filter(|_| is_more).map(|(key, _, _)| page::text_token(&key.2));
    let (mut metric_alarms, mut composite_alarms) = (Vec::new(), Vec::new());
    for (key, alarm, configuration) in found {
        match configuration {
            Configuration::Metric(input) => metric_alarms.push(shown_metric(&key, alarm, *input)),
            Configuration::Composite(input) => {
                composite_alarms.push(shown_composite(&key, alarm, *input));
            }
        }
    }
    Ok(DescribeAlarmsOutput {
        metric_alarms: Some(metric_alarms),
        composite_alarms: Some(composite_alarms),
        next_token: last,
        ..DescribeAlarmsOutput::default()
    })
}

/// Shows the alarms on a metric.
pub(crate) fn for_metric(
    tx: &ReadTx<'_>,
    input: DescribeAlarmsForMetricInput,
) -> Result<DescribeAlarmsForMetricOutput, Error> {
    let dimensions =
        |given: &Option<Vec<Dimension>>| dimensions_key(given.as_deref().unwrap_or_default());
    let mut found = Vec::new();
    for (key, alarm) in ALARMS.list(tx, &(tx.account(), tx.region()))? {
        let Configuration::Metric(it) = Configuration::of(&alarm)? else { continue };
        let fits = it.metric_name.as_ref() == Some(&input.metric_name)
            && it.namespace.as_ref() == Some(&input.namespace)
            && dimensions(&it.dimensions) == dimensions(&input.dimensions)
            && (input.statistic.is_none() || input.statistic == it.statistic)
            && (input.extended_statistic.is_none()
                || input.extended_statistic == it.extended_statistic)
            && (input.period.is_none() || input.period == it.period)
            && (input.unit.is_none() || input.unit == it.unit);
        if fits {
            found.push(shown_metric(&key, alarm, *it));
        }
    }
    Ok(DescribeAlarmsForMetricOutput { metric_alarms: Some(found) })
}

/// Tells what happened to alarms, the newest first unless the caller wants otherwise.
pub(crate) fn history(
    tx: &ReadTx<'_>,
    input: DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput, Error> {
    let size = page_size(input.max_records);
    let whole = (tx.account(), tx.region());
    let mut range = HISTORY.range(&whole);
    let at = |millis: i64, number: u64| -> HistoryKey {
        (whole.0.to_owned(), whole.1.to_owned(), millis, number, String::new())
    };
    if let Some(start) = input.start_date {
        range = range.from(&at(start.millis(), 0));
    }
    if let Some(end) = input.end_date {
        range = range.before(&at(end.millis().saturating_add(1), 0));
    }
    let ascends = input.scan_by == Some(ScanBy::TimestampAscending);
    if let Some(token) = &input.next_token {
        let (millis, number) = parse_token(token)?;
        // Numbers of history are below the largest.
        range = match ascends {
            true => range.from(&at(millis, number.saturating_add(1))),
            false => range.before(&at(millis, number)),
        };
    }
    if !ascends {
        range = range.reverse();
    }
    let takes = |key: &HistoryKey, row: &History| {
        let kind =
            if row.is_composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
        let types = input.alarm_types.as_deref().unwrap_or(&[AlarmType::MetricAlarm]);
        input.alarm_name.as_ref().is_none_or(|name| *name == key.4)
            && (types.contains(&kind)
                || (input.alarm_types.is_none() && input.alarm_name.is_some()))
            && input.history_item_type.is_none_or(|wanted| wanted.as_str() == row.kind)
    };
    let (mut items, mut last, mut next_token) = (Vec::new(), None, None);
    range.visit(tx, |key, row| {
        if !takes(&key, &row) {
            return ControlFlow::Continue(());
        }
        if items.len() == size {
            next_token = last.map(|(millis, number): (i64, u64)| {
                page::text_token(&format!("{millis}:{number}"))
            });
            return ControlFlow::Break(());
        }
        last = Some((key.2, key.3));
        let kind =
            if row.is_composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
        items.push(AlarmHistoryItem {
            alarm_name: Some(key.4),
            alarm_type: Some(kind),
            timestamp: time(key.2),
            history_item_type: HistoryItemType::from_name(&row.kind),
            history_summary: Some(row.summary),
            history_data: Some(row.data),
            ..AlarmHistoryItem::default()
        });
        ControlFlow::Continue(())
    })?;
    Ok(DescribeAlarmHistoryOutput { alarm_history_items: Some(items), next_token })
}

fn parse_token(token: &str) -> Result<(i64, u64), Error> {
    let text = page::parse_text(token);
    let parts = text.as_ref().and_then(|text| {
        let (millis, number) = text.split_once(':')?;
        Some((millis.parse().ok()?, number.parse().ok()?))
    });
    parts.ok_or_else(Error::token)
}
