//! Alarms: what they are made of, and their states.

mod actions;
mod describe;
mod evaluation;
mod put;

use fogbank_core::wire::{self, Struct};
use fogbank_core::{Arn, Cx, Fault, Tx, WriteTx};
use serde_json::{Value, json};

pub(crate) use describe::{for_metric, history, list};
pub(crate) use evaluation::evaluate_all;
pub(crate) use put::{put, put_composite};

use crate::error::Error;
use crate::model::*;
use crate::store::{ALARMS, Alarm, AlarmKey, HISTORY, History};

/// How an alarm was configured.
pub(crate) enum Configuration {
    Metric(Box<PutMetricAlarmInput>),
    Composite(Box<PutCompositeAlarmInput>),
}

impl Configuration {
    /// The configuration of an alarm's row.
    pub(crate) fn of(alarm: &Alarm) -> Result<Configuration, Fault> {
        fn read<T: Struct + Default>(text: &str) -> Result<Box<T>, Fault> {
            let value: Value = serde_json::from_str(text).map_err(Fault::internal)?;
            let mut input = Box::<T>::default();
            wire::from_json(&value, &mut *input)
                .map_err(|_| Fault::internal("an alarm cannot be read"))?;
            Ok(input)
        }
        Ok(match alarm.is_composite {
            true => Configuration::Composite(read(&alarm.configuration)?),
            false => Configuration::Metric(read(&alarm.configuration)?),
        })
    }

    /// The actions of a state.
    pub(crate) fn actions(&self, state: StateValue) -> &[String] {
        let (alarm, ok, unknown) = match self {
            Configuration::Metric(it) => {
                (&it.alarm_actions, &it.ok_actions, &it.insufficient_data_actions)
            }
            Configuration::Composite(it) => {
                (&it.alarm_actions, &it.ok_actions, &it.insufficient_data_actions)
            }
        };
        let actions = match state {
            StateValue::Alarm => alarm,
            StateValue::Ok => ok,
            StateValue::InsufficientData => unknown,
        };
        actions.as_deref().unwrap_or_default()
    }

    pub(crate) fn description(&self) -> Option<&String> {
        match self {
            Configuration::Metric(it) => it.alarm_description.as_ref(),
            Configuration::Composite(it) => it.alarm_description.as_ref(),
        }
    }
}

/// The state of a row.
pub(crate) fn state(alarm: &Alarm) -> StateValue {
    StateValue::from_name(&alarm.state).unwrap_or(StateValue::InsufficientData)
}

/// The key of an alarm of the caller.
pub(crate) fn key(tx: &impl Tx, name: &str) -> AlarmKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

/// The ARN of an alarm.
pub(crate) fn arn((account, region, name): &AlarmKey) -> String {
    fogbank_core::arn::arn("cloudwatch", region, account, format_args!("alarm:{name}"))
}

/// The name in an alarm's ARN, or the text itself.
pub(crate) fn name(text: &str) -> &str {
    Arn::parse(text).and_then(|arn| arn.resource.strip_prefix("alarm:")).unwrap_or(text)
}

/// Writes down what happened to an alarm. `place` tells apart what one transaction writes.
pub(crate) fn remember(
    tx: &mut WriteTx<'_>,
    key: &AlarmKey,
    (kind, is_composite): (HistoryItemType, bool),
    summary: String,
    data: &Value,
    place: u64,
) -> Result<(), Error> {
    let (account, region, name) = key.clone();
    let at = (account, region, tx.now().millis(), tx.version() << 8 | (place & 0xff), name);
    let kind = kind.as_str().to_owned();
    Ok(HISTORY.put(tx, &at, &History { is_composite, kind, summary, data: data.to_string() })?)
}

/// Brings an alarm into a state, and does what it does then.
pub(crate) fn change_state(
    tx: &mut WriteTx<'_>,
    key: &AlarmKey,
    mut alarm: Alarm,
    (new, reason, reason_data): (StateValue, String, Option<String>),
) -> Result<(), Error> {
    let now = tx.now().millis();
    let before = alarm.clone();
    new.as_str().clone_into(&mut alarm.state);
    (alarm.reason, alarm.reason_data, alarm.updated_millis) = (reason, reason_data, now);
    if before.state == alarm.state {
        return Ok(ALARMS.put(tx, key, &alarm)?);
    }
    alarm.transitioned_millis = now;
    ALARMS.put(tx, key, &alarm)?;
    let told = |alarm: &Alarm| {
        let data = alarm.reason_data.as_deref().map(serde_json::from_str::<Value>);
        json!({
            "stateValue": alarm.state,
            "stateReason": alarm.reason,
            "stateReasonData": data.and_then(Result::ok),
        })
    };
    let data = json!({ "version": "1.0", "oldState": told(&before), "newState": told(&alarm) });
    let summary = format!("Alarm updated from {} to {}", before.state, alarm.state);
    let kind = (HistoryItemType::StateUpdate, alarm.is_composite);
    remember(tx, key, kind, summary, &data, 0)?;
    actions::perform(tx, key, &before, &alarm)
}

/// Sets an alarm's state until it is evaluated again.
pub(crate) fn set_state(
    tx: &mut WriteTx<'_>,
    input: SetAlarmStateInput,
) -> Result<SetAlarmStateOutput, Error> {
    let key = key(tx, &input.alarm_name);
    let Some(alarm) = ALARMS.get(tx, &key)? else {
        let message = format!("Could not find alarm with name: {}", input.alarm_name);
        return Err(Error::ResourceNotFound(message));
    };
    if let Some(data) = &input.state_reason_data
        && serde_json::from_str::<Value>(data).is_err()
    {
        return Err(Error::InvalidFormatFault("StateReasonData is not valid JSON.".to_owned()));
    }
    let new = (input.state_value, input.state_reason, input.state_reason_data);
    change_state(tx, &key, alarm, new)?;
    Ok(SetAlarmStateOutput {})
}

fn set_actions(tx: &mut WriteTx<'_>, names: &[String], enabled: bool) -> Result<(), Error> {
    for (place, name) in names.iter().enumerate() {
        let key = key(tx, name);
        let Some(mut alarm) = ALARMS.get(tx, &key)? else { continue };
        if alarm.actions_enabled == enabled {
            continue;
        }
        alarm.actions_enabled = enabled;
        ALARMS.put(tx, &key, &alarm)?;
        let kind = (HistoryItemType::ConfigurationUpdate, alarm.is_composite);
        let data = json!({ "version": "1.0", "type": "Update", "actionsEnabled": enabled });
        remember(tx, &key, kind, format!("Alarm \"{name}\" updated"), &data, place as u64)?;
    }
    Ok(())
}

/// Lets alarms act.
pub(crate) fn enable(
    tx: &mut WriteTx<'_>,
    input: EnableAlarmActionsInput,
) -> Result<EnableAlarmActionsOutput, Error> {
    set_actions(tx, &input.alarm_names, true)?;
    Ok(EnableAlarmActionsOutput {})
}

/// Keeps alarms from acting.
pub(crate) fn disable(
    tx: &mut WriteTx<'_>,
    input: DisableAlarmActionsInput,
) -> Result<DisableAlarmActionsOutput, Error> {
    set_actions(tx, &input.alarm_names, false)?;
    Ok(DisableAlarmActionsOutput {})
}

/// Deletes alarms. One that is not there is no error.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteAlarmsInput,
) -> Result<DeleteAlarmsOutput, Error> {
    for (place, name) in input.alarm_names.iter().enumerate() {
        let key = key(tx, name);
        let Some(alarm) = ALARMS.get(tx, &key)? else { continue };
        ALARMS.delete(tx, &key)?;
        let kind = (HistoryItemType::ConfigurationUpdate, alarm.is_composite);
        let data = json!({ "version": "1.0", "type": "Delete" });
        remember(tx, &key, kind, format!("Alarm \"{name}\" deleted"), &data, place as u64)?;
    }
    Ok(DeleteAlarmsOutput {})
}

/// A time as messages of alarms have it.
pub(crate) fn stamp(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())
        .unwrap_or_default()
}

/// The context of an alarm's own account and region.
pub(crate) fn located(cx: &Cx, (account, region, _): &AlarmKey) -> Cx {
    cx.located(account, region)
}
