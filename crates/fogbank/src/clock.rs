//! `fogbank clock` and the calls behind it: the cloud's time.

use std::process::ExitCode;

use fogbank_core::clock::Change;
use fogbank_core::{BoxFuture, Clock, Cx, Fault, Timestamp};
use fogbank_gateway::{AdminRoute, AdminRun};
use serde_json::{Value, json};

use crate::admin_client::{self, AdminClient};
use crate::cli::{ClockChange, ClockOptions};

const PATH: &str = "/_fogbank/clock";

/// The calls.
pub(crate) const ROUTES: &[AdminRoute] = &[
    AdminRoute { method: "GET", path: PATH, action: "ReadClock", run: AdminRun::Json(read) },
    AdminRoute { method: "POST", path: PATH, action: "SetClock", run: AdminRun::Json(set) },
];

fn read(cx: Cx, _: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move { Ok(shown(cx.clock())) })
}

fn set(cx: Cx, input: Value) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let went_back_millis = cx.cloud().change_clock(change(&input)?).await?;
        let mut answer = shown(cx.clock());
        if went_back_millis > 0 {
            answer["went_back_secs"] = json!(went_back_millis as f64 / 1000.0);
            answer["note"] = json!(
                "Time went back. Queues and retries go on from the new time; dates that were stored keep what they \
                 say, so that sessions last and items stay until the clock reaches their ends."
            );
        }
        Ok(answer)
    })
}

/// What the clock shows, and how it differs from the machine's.
fn shown(clock: &Clock) -> Value {
    let (now, machine) = clock.both();
    json!({
        "now": iso(now),
        "machine": iso(machine),
        "lead_secs": (now.millis() - machine.millis()) as f64 / 1000.0,
        "rate": f64::from(clock.rate_permille()) / 1000.0,
        "state": state(clock),
    })
}

/// How the clock runs, in words.
pub(crate) fn state(clock: &Clock) -> &'static str {
    match clock.rate_permille() {
        0 => "frozen",
        fogbank_core::clock::REAL_RATE_PERMILLE if clock.is_machines() => "the machine's time",
        fogbank_core::clock::REAL_RATE_PERMILLE => "shifted",
        _ => "scaled",
    }
}

pub(crate) fn iso(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or_default();
    format!("{time:.3}")
}

/// The change that an input asks for: exactly one of `advance`, `freeze`, `scale` and `reset`.
fn change(input: &Value) -> Result<Change, Fault> {
    let refused = |message: String| Fault::validation(message);
    let object = input.as_object().map(|object| object.iter().collect::<Vec<_>>());
    let Some([(name, value)]) = object.as_deref() else {
        let message = "Exactly one of advance, freeze, scale and reset is wanted.";
        return Err(refused(message.to_owned()));
    };
    match (name.as_str(), value) {
        ("advance", Value::String(text)) => {
            span_millis(text).map(Change::Advance).ok_or_else(|| {
                refused(format!(
                    "{text:?} is no span of time: 3d, 90s and 1d12h are, in s, m, h, d and w."
                ))
            })
        }
        ("freeze", Value::Bool(true)) => Ok(Change::Freeze(None)),
        ("freeze", Value::String(text)) => {
            time(text).map(|time| Change::Freeze(Some(time))).ok_or_else(|| {
                refused(format!("{text:?} is no time: 2027-01-31 and 2027-01-31T12:00:00Z are."))
            })
        }
        ("scale", Value::Number(rate)) => {
            let permille = (rate.as_f64().unwrap_or(-1.0) * 1000.0).round();
            match (1.0..=f64::from(u32::MAX)).contains(&permille) {
                true => Ok(Change::Scale(permille as u32)),
                false => Err(refused(
                    "A rate is at least 0.001; freeze has the clock stand still.".to_owned(),
                )),
            }
        }
        ("reset", Value::Bool(true)) => Ok(Change::Reset),
        _ => Err(refused(format!("{name} cannot be {value}."))),
    }
}

/// A span such as `1d12h`, in milliseconds.
pub(crate) fn span_millis(text: &str) -> Option<i64> {
    let mut millis: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let unit_millis = match unit {
            's' => 1000,
            'm' => 60 * 1000,
            'h' => 3600 * 1000,
            'd' => 24 * 3600 * 1000,
            'w' => 7 * 24 * 3600 * 1000,
            _ => return None,
        };
        millis = millis.checked_add(count.checked_mul(unit_millis)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (millis > 0).then_some(millis)
}

/// A date or a time; without an offset, it is UTC's.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

/// Shows or changes the time of a running cloud.
pub(crate) fn clock(options: &ClockOptions) -> anyhow::Result<ExitCode> {
    let client = AdminClient::new(&options.admin)?;
    let input = options.change.as_ref().map(|change| match change {
        ClockChange::Advance { span } => json!({ "advance": span }),
        ClockChange::Freeze { time: Some(time) } => json!({ "freeze": time }),
        ClockChange::Freeze { time: None } => json!({ "freeze": true }),
        ClockChange::Scale { rate } => json!({ "scale": rate }),
        ClockChange::Reset => json!({ "reset": true }),
    });
    let answer = match input {
        Some(input) => client.post(PATH, &input)?,
        None => client.get(PATH, &[])?,
    };
    admin_client::print(&options.admin, &answer, words)?;
    Ok(ExitCode::SUCCESS)
}

/// An answer in words.
fn words(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let lead = answer["lead_secs"].as_f64().unwrap_or_default();
    let rate = answer["rate"].as_f64().unwrap_or_default();
    let how = match text("state") {
        "the machine's time" => "the machine's time".to_owned(),
        state => {
            let side = if lead < 0.0 { "behind" } else { "ahead of" };
            let rate = if state == "scaled" {
                format!(" at {rate} times its speed")
            } else {
                String::new()
            };
            format!("{state}{rate}, {} s {side} the machine's {}", lead.abs(), text("machine"))
        }
    };
    let note = answer["note"].as_str().map(|note| format!("\n{note}")).unwrap_or_default();
    format!("{}  ({how}){note}", text("now"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sums_of_units() {
        for (text, secs) in [
            ("3d", 3 * 86_400),
            ("1d12h", 36 * 3600),
            ("90s", 90),
            ("1w", 7 * 86_400),
            ("2h30m", 9_000),
        ] {
            assert_eq!(span_millis(text), Some(secs * 1000), "{text}");
        }
        for text in ["", "90", "d", "-1d", "1.5h", "1y", "0s", "1é", "99999999999999999999d"] {
            assert_eq!(span_millis(text), None, "{text}");
        }
        assert_eq!(span_millis("9223372036854775807w"), None);
    }

    #[test]
    fn exactly_one_change_is_asked_for() {
        let asked = |input: Value| change(&input).ok();
        assert_eq!(asked(json!({"advance": "1s"})), Some(Change::Advance(1000)));
        assert_eq!(asked(json!({"freeze": true})), Some(Change::Freeze(None)));
        let day = Timestamp::from_secs(1_801_353_600);
        for text in ["2027-01-31", "2027-01-31T00:00:00Z", "2027-01-31T01:00:00+01:00"] {
            assert_eq!(asked(json!({"freeze": text})), Some(Change::Freeze(Some(day))), "{text}");
        }
        assert_eq!(asked(json!({"scale": 60})), Some(Change::Scale(60_000)));
        assert_eq!(asked(json!({"scale": 0.5})), Some(Change::Scale(500)));
        assert_eq!(asked(json!({"reset": true})), Some(Change::Reset));
        for wrong in [
            json!({}),
            json!([]),
            json!({"advance": "1s", "reset": true}),
            json!({"advance": 5}),
            json!({"scale": 0}),
            json!({"scale": -1}),
            json!({"scale": 1e300}),
            json!({"reset": false}),
            json!({"freeze": "tomorrow"}),
        ] {
            assert_eq!(asked(wrong.clone()), None, "{wrong}");
        }
    }
}
