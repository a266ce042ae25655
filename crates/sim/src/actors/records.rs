//! Events of CloudWatch Logs: what is acknowledged is there once, in the order of time, until its retention ends.

use std::collections::BTreeMap;

use fogbank_testkit::{Value, json};

use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const GROUP: &str = "app";
const NAME: &str = "records";

/// Puts events into one stream.
pub(crate) struct Records {
    chance: Chance,
    next: u64,
    /// Whether each event that was sent is acknowledged.
    sent: BTreeMap<String, bool>,
    /// Whether it waits for the end of the retention.
    is_patient: bool,
}

impl Records {
    pub(crate) fn new(mut chance: Chance) -> Records {
        let is_patient = chance.percent(5);
        Records { chance, next: 0, sent: BTreeMap::new(), is_patient }
    }

    async fn put(&mut self, life: &Life) -> Result<(), Broken> {
        let mut events = Vec::new();
        let mut messages = Vec::new();
        for _ in 0..self.chance.between(1, 4) {
            self.next += 1;
            let message = format!("record-{}", self.next);
            self.sent.insert(message.clone(), false);
            events.push(json!({"timestamp": life.millis(), "message": message}));
            messages.push(message);
        }
        let input = json!({"logGroupName": GROUP, "logStreamName": "one", "logEvents": events});
        if life.call(NAME, "logs:PutLogEvents", input).await.done("PutLogEvents")?.is_some() {
            self.sent.extend(messages.into_iter().map(|message| (message, true)));
        }
        Ok(())
    }

    /// Reads all events, page by page.
    async fn read(&mut self, life: &Life) -> Result<Option<Vec<String>>, Broken> {
        let mut messages = Vec::new();
        let mut times = Vec::new();
        let mut token = Value::Null;
        loop {
            let mut input = json!({
                "logGroupName": GROUP, "logStreamName": "one", "startFromHead": true, "limit": 50,
            });
            if !token.is_null() {
                input["nextToken"] = token.clone();
            }
            let answer = life.call(NAME, "logs:GetLogEvents", input).await;
            let Some(output) = answer.done("GetLogEvents")? else { return Ok(None) };
            for event in output["events"].as_array().into_iter().flatten() {
                messages.push(event["message"].as_str().unwrap_or_default().to_owned());
                times.push(event["timestamp"].as_i64().unwrap_or_default());
            }
            if output["nextForwardToken"] == token {
                break;
            }
            token = output["nextForwardToken"].clone();
        }
        hold!(times.is_sorted(), "the events are not in the order of time");
        Ok(Some(messages))
    }

    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let Some(found) = self.read(life).await? else { return Ok(()) };
        for (message, acknowledged) in &self.sent {
            let count = found.iter().filter(|one| *one == message).count();
            let right = if *acknowledged { count == 1 } else { count <= 1 };
            hold!(right, "{message} is there {count} times; acknowledged: {acknowledged}");
        }
        let strange = found.iter().find(|message| !self.sent.contains_key(*message));
        hold!(strange.is_none(), "{strange:?} was never sent");
        Ok(())
    }
}

impl Actor for Records {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let group = json!({"logGroupName": GROUP});
            life.call(NAME, "logs:CreateLogGroup", group).await.done("CreateLogGroup")?;
            let stream = json!({"logGroupName": GROUP, "logStreamName": "one"});
            life.call(NAME, "logs:CreateLogStream", stream).await.done("CreateLogStream")?;
            let input = json!({"logGroupName": GROUP, "retentionInDays": 1});
            let answer = life.call(NAME, "logs:PutRetentionPolicy", input).await;
            answer.done("PutRetentionPolicy").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(15) { self.check(life).await } else { self.put(life).await }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            self.check(life).await?;
            if self.is_patient {
                life.sleep(26 * 60 * 60_000).await;
                let left = self.read(life).await?.unwrap_or_default();
                hold!(left.is_empty(), "{} events have outlived their retention", left.len());
            }
            Ok(())
        })
    }
}
