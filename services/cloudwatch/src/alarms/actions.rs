//! What alarms do when their state changes: messages to topics, calls of functions, events.
//!
//! They are effects of the transaction that changes the state: each happens at least once.

use std::collections::BTreeSet;

use fogbank_core::outbox::ServiceEvent;
use fogbank_core::{Arn, Effect, Principal, Tx, WriteTx};
use serde_json::{Value, json};

use super::{Configuration, arn, stamp, state};
use crate::error::Error;
use crate::model::*;
use crate::store::{Alarm, AlarmKey};

/// Who publishes to topics.
const PUBLISHER: &str = "cloudwatch.amazonaws.com";
/// Who sends events, by the name under which CloudWatch signs.
const SENDER: &str = "monitoring.amazonaws.com";
/// Who calls functions.
const CALLER: &str = "lambda.alarms.cloudwatch.amazonaws.com";
/// The most characters of a subject.
const MAX_SUBJECT: usize = 100;

/// Does what an alarm does in its new state, and tells EventBridge.
pub(super) fn perform(
    tx: &mut WriteTx<'_>,
    key: &AlarmKey,
    before: &Alarm,
    alarm: &Alarm,
) -> Result<(), Error> {
    let configuration = Configuration::of(alarm)?;
    let own = arn(key);
    let actions: BTreeSet<&String> = match alarm.actions_enabled {
        true => configuration.actions(state(alarm)).iter().collect(),
        false => BTreeSet::new(),
    };
    for action in actions {
        let Some(target) = Arn::parse(action) else { continue };
        let effect = match target.service {
            "sns" => {
                let region = region_name(&key.1);
                let subject = format!("{}: \"{}\" in {region}", alarm.state, key.2);
                let message = message(key, before, alarm, &configuration).to_string();
                let subject: String = subject.chars().take(MAX_SUBJECT).collect();
                let input = json!({ "TopicArn": action, "Subject": subject, "Message": message });
                Effect::call("sns:Publish", Principal::service(PUBLISHER), &input)
            }
            "lambda" => {
                let payload = base64(call(key, before, alarm, &configuration).to_string());
                let input = json!({ "FunctionName": action, "InvocationType": "Event", "Payload": payload });
                Effect::call("lambda:Invoke", Principal::service(CALLER), &input)
            }
            _ => continue,
        };
        let effect = effect.on_behalf_of(&own, &key.0).in_lane(action);
        tx.emit(effect.located(target.account, target.region))?;
    }
    let event = ServiceEvent {
        sender: SENDER,
        source: "aws.cloudwatch",
        detail_type: "CloudWatch Alarm State Change",
        resource: &own,
        detail: detail(key, before, alarm, &configuration),
    };
    Ok(tx.emit(Effect::event(&event, (&key.0, &key.1), tx.now()))?)
}

fn base64(text: String) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The message to a topic.
fn message(key: &AlarmKey, before: &Alarm, alarm: &Alarm, configuration: &Configuration) -> Value {
    let actions = |state| json!(configuration.actions(state));
    let mut message = json!({
        "AlarmName": key.2,
        "AlarmDescription": configuration.description(),
        "AWSAccountId": key.0,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_millis),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(alarm.updated_millis),
        "Region": region_name(&key.1),
        "AlarmArn": arn(key),
        "OldStateValue": before.state,
        "OKActions": actions(StateValue::Ok),
        "AlarmActions": actions(StateValue::Alarm),
        "InsufficientDataActions": actions(StateValue::InsufficientData),
    });
    match configuration {
        Configuration::Composite(input) => {
            message["AlarmRule"] = input.alarm_rule.clone().into();
            let data = alarm.reason_data.as_deref().map(serde_json::from_str::<Value>);
            if let Some(Ok(data)) = data {
                message["TriggeringChildren"] = triggering(&data);
            }
        }
        Configuration::Metric(input) => message["Trigger"] = trigger(input),
    }
    message
}

fn triggering(data: &Value) -> Value {
    let children = data["triggeringAlarms"].as_array().into_iter().flatten();
    let told = children.map(|child| json!({ "Arn": child["arn"], "State": child["state"] }));
    told.collect()
}

/// What an alarm watches, as messages have it.
fn trigger(input: &PutMetricAlarmInput) -> Value {
    let mut trigger = json!({
        "Period": input.period,
        "EvaluationPeriods": input.evaluation_periods,
        "ComparisonOperator": input.comparison_operator.map(ComparisonOperator::as_str),
        "Threshold": input.threshold,
        "TreatMissingData": input.treat_missing_data.as_deref().unwrap_or("missing"),
        "EvaluateLowSampleCountPercentile":
            input.evaluate_low_sample_count_percentile.as_deref().unwrap_or_default(),
    });
    if input.datapoints_to_alarm.is_some() {
        trigger["DatapointsToAlarm"] = json!(input.datapoints_to_alarm);
    }
    if let Some(metrics) = &input.metrics {
        trigger["Metrics"] = metrics.iter().map(of_query).collect();
        return trigger;
    }
    trigger["MetricName"] = json!(input.metric_name);
    trigger["Namespace"] = json!(input.namespace);
    trigger["Unit"] = json!(input.unit.map(StandardUnit::as_str));
    trigger["Dimensions"] = dimensions(input.dimensions.as_deref());
    match (&input.statistic, &input.extended_statistic) {
        (Some(statistic), _) => {
            trigger["StatisticType"] = "Statistic".into();
            let name = match statistic {
                Statistic::SampleCount => "SAMPLE_COUNT".to_owned(),
                other => other.as_str().to_uppercase(),
            };
            trigger["Statistic"] = name.into();
        }
        (None, statistic) => {
            trigger["StatisticType"] = "ExtendedStatistic".into();
            trigger["ExtendedStatistic"] = json!(statistic);
        }
    }
    trigger
}

fn dimensions(dimensions: Option<&[Dimension]>) -> Value {
    let all = dimensions.into_iter().flatten();
    all.map(|one| json!({ "value": one.value, "name": one.name })).collect()
}

fn of_query(query: &MetricDataQuery) -> Value {
    let mut told = json!({
        "Id": query.id,
        "ReturnData": query.return_data != Some(false),
    });
    for (name, value) in [("Expression", &query.expression), ("Label", &query.label)] {
        if let Some(value) = value {
            told[name] = value.clone().into();
        }
    }
    if let Some(stat) = &query.metric_stat {
        told["MetricStat"] = json!({
            "Metric": {
                "Dimensions": dimensions(stat.metric.dimensions.as_deref()),
                "MetricName": stat.metric.metric_name,
                "Namespace": stat.metric.namespace,
            },
            "Period": stat.period,
            "Stat": stat.stat,
        });
    }
    told
}

/// A state as events and functions see it.
fn told_state(alarm: &Alarm) -> Value {
    let mut told = json!({
        "value": alarm.state,
        "reason": alarm.reason,
        "timestamp": stamp(alarm.updated_millis),
    });
    if let Some(data) = &alarm.reason_data {
        told["reasonData"] = data.clone().into();
    }
    told
}

/// What an alarm is made of, as events and functions see it.
fn told_configuration(configuration: &Configuration) -> Value {
    let mut told = json!({});
    if let Some(description) = configuration.description() {
        told["description"] = description.clone().into();
    }
    match configuration {
        Configuration::Composite(input) => told["alarmRule"] = input.alarm_rule.clone().into(),
        Configuration::Metric(input) => told["metrics"] = metrics(input),
    }
    told
}

fn metrics(input: &PutMetricAlarmInput) -> Value {
    let of = |stat: &MetricStat| {
        let all = stat.metric.dimensions.iter().flatten();
        let dimensions: serde_json::Map<String, Value> =
            all.map(|one| (one.name.clone(), one.value.clone().into())).collect();
        json!({
            "metric": {
                "namespace": stat.metric.namespace,
                "name": stat.metric.metric_name,
                "dimensions": dimensions,
            },
            "period": stat.period,
            "stat": stat.stat,
        })
    };
    let (queries, _) = super::evaluation::queries_of(input);
    let told = queries.iter().map(|query| {
        let mut told = json!({ "id": query.id, "returnData": query.return_data != Some(false) });
        if let Some(stat) = &query.metric_stat {
            told["metricStat"] = of(stat);
        }
        for (name, value) in [("expression", &query.expression), ("label", &query.label)] {
            if let Some(value) = value {
                told[name] = value.clone().into();
            }
        }
        told
    });
    told.collect()
}

/// The details of an event.
fn detail(key: &AlarmKey, before: &Alarm, alarm: &Alarm, configuration: &Configuration) -> Value {
    json!({
        "alarmName": key.2,
        "state": told_state(alarm),
        "previousState": told_state(before),
        "configuration": told_configuration(configuration),
    })
}

/// What a function is called with.
fn call(key: &AlarmKey, before: &Alarm, alarm: &Alarm, configuration: &Configuration) -> Value {
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": arn(key),
        "accountId": key.0,
        "time": stamp(alarm.updated_millis),
        "region": key.1,
        "alarmData": detail(key, before, alarm, configuration),
    })
}

/// What AWS calls a region; its code where that is not known here.
fn region_name(code: &str) -> &str {
    match code {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "sa-east-1" => "South America (Sao Paulo)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-north-1" => "EU (Stockholm)",
        "eu-south-1" => "EU (Milan)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-northeast-3" => "Asia Pacific (Osaka)",
        "af-south-1" => "Africa (Cape Town)",
        "me-south-1" => "Middle East (Bahrain)",
        other => other,
    }
}
