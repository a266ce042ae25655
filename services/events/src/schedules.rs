//! Rules that fire by themselves.
//!
//! When a rule fires next is a row, ordered by time. Firing it writes the deliveries and the next time in one transaction:
//! killed anywhere, it fires once. A rule that was due several times while nothing ran, or that the clock went past,
//! fires once for all of them.

use fogbank_core::{Cx, Fault, Tx, WriteTx};

use crate::delivery;
use crate::entries::to_the_second;
use crate::error::Error;
use crate::routing::Event;
use crate::rules::json::Json;
use crate::rules::names::{self, DEFAULT, RuleKey};
use crate::rules::schedule::Schedule;
use crate::store::{self, DUE, RULES, Rule};

/// How many rules one transaction fires.
const AT_ONCE: usize = 50;

/// Fires the rules that are due.
pub(crate) async fn fire(cx: Cx) -> Result<(), Fault> {
    loop {
        let now = cx.now().millis();
        let until = (now.max(0).unsigned_abs() + 1, "", "", "");
        let due = cx.read(|tx| DUE.range(&()).before(&until).limit(AT_ONCE).keys(tx))?;
        if due.is_empty() {
            return Ok(());
        }
        cx.write(|tx| {
            for (due, account, region, rule) in &due {
                let key = (account.clone(), region.clone(), DEFAULT.to_owned(), rule.clone());
                fire_one(tx, &key, *due, now)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    }
}

fn fire_one(tx: &mut WriteTx<'_>, key: &RuleKey, due: u64, now: i64) -> Result<(), Error> {
    let due_millis = i64::try_from(due).unwrap_or(i64::MAX);
    let rule = RULES.get(tx, key)?.filter(|rule| rule.due_millis == Some(due_millis));
    let Some(rule) = rule else {
        return Ok(DUE.delete(tx, &(due, &key.0, &key.1, &key.3))?);
    };
    let event = event(tx, key, due_millis, now);
    for (_, target) in store::targets(tx, key)? {
        delivery::emit(tx, &event, (key, &rule), &target)?;
    }
    let schedule = rule.schedule.as_deref().and_then(Schedule::parse);
    let next = Rule {
        due_millis: schedule.and_then(|schedule| schedule.next(rule.since_millis, now)),
        ..rule.clone()
    };
    store::put_rule(tx, key, Some(&rule), &next)
}

/// The event of a rule that fires; no other rule hears of it.
fn event(tx: &WriteTx<'_>, key: &RuleKey, due_millis: i64, now: i64) -> Event {
    let text = |text: &str| Json::String(text.to_owned());
    let id = tx.ids().uuid();
    let time = fogbank_core::Timestamp::from_millis(due_millis);
    let json = Json::Object(vec![
        ("version".to_owned(), text("0")),
        ("id".to_owned(), text(&id)),
        ("detail-type".to_owned(), text("Scheduled Event")),
        ("source".to_owned(), text("aws.events")),
        ("account".to_owned(), text(&key.0)),
        ("time".to_owned(), Json::String(to_the_second(time))),
        ("region".to_owned(), text(&key.1)),
        ("resources".to_owned(), Json::Array(vec![Json::String(names::rule_arn(key))])),
        ("detail".to_owned(), Json::Object(Vec::new())),
    ]);
    let bus = (key.0.clone(), key.1.clone(), key.2.clone());
    Event::new(id, bus, json, now)
}

/// Plans anew, after the clock was set back, what was put off until a time that has yet to come again.
pub(crate) async fn time_went_back(cx: Cx) -> Result<(), Fault> {
    let now = cx.now().millis();
    let mut after = None;
    loop {
        let mut range = DUE.range(&()).limit(AT_ONCE);
        if let Some(after) = &after {
            range = range.after(after);
        }
        let found = cx.read(|tx| range.keys(tx))?;
        let Some(last) = found.last().cloned() else { return Ok(()) };
        cx.write(|tx| {
            for (_, account, region, rule) in &found {
                let key = (account.clone(), region.clone(), DEFAULT.to_owned(), rule.clone());
                plan_anew(tx, &key, now)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
        after = Some(last);
    }
}

fn plan_anew(tx: &mut WriteTx<'_>, key: &RuleKey, now: i64) -> Result<(), Error> {
    let Some(rule) = RULES.get(tx, key)? else { return Ok(()) };
    let Some(schedule) = rule.schedule.as_deref().and_then(Schedule::parse) else { return Ok(()) };
    let since_millis = rule.since_millis.min(now);
    let due_millis = schedule.next(since_millis, now);
    let planned = Rule { since_millis, due_millis, ..rule.clone() };
    match planned == rule {
        true => Ok(()),
        false => store::put_rule(tx, key, Some(&rule), &planned),
    }
}
