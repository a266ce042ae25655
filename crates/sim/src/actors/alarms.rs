//! CloudWatch: data that was taken counts once, an alarm follows it, and its history and EventBridge tell of the same changes.

use std::collections::BTreeSet;

use fogbank_testkit::{Value, json};

use super::queue::arn;
use super::topics::{drain, policy};
use super::{Acted, Actor, until_quiet};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const NAME: &str = "alarms";
const ALARM: &str = "high";
const RULE: &str = "alarm-changes";
const QUEUE: &str = "alarm-changes";
const THRESHOLD: u64 = 50;
/// The last second before the simulation begins at which a minute and a day begin, in seconds since 1970.
const BEGINNING_SECS: i64 = 1_767_225_600;

/// Publishes values, and reads what the alarm makes of them.
pub(crate) struct Alarms {
    chance: Chance,
    /// How many values may have been taken, and how many certainly were.
    sent: u64,
    acknowledged: u64,
    /// The changes that EventBridge told of: the new state and when.
    told: BTreeSet<(String, String)>,
}

impl Alarms {
    pub(crate) fn new(chance: Chance) -> Alarms {
        Alarms { chance, sent: 0, acknowledged: 0, told: BTreeSet::new() }
    }

    async fn publish(&mut self, life: &Life, value: u64) -> Result<(), Broken> {
        self.sent += 1;
        let datum = json!({"MetricName": "Load", "Value": value});
        let input = json!({"Namespace": "Sim", "MetricData": [datum]});
        let action = "cloudwatch:PutMetricData";
        if life.call(NAME, action, input).await.done(action)?.is_some() {
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// Sets the state by hand, which the next evaluation may undo.
    async fn set(&mut self, life: &Life) -> Result<(), Broken> {
        let state = ["OK", "ALARM", "INSUFFICIENT_DATA"][self.chance.index(3)];
        let input = json!({"AlarmName": ALARM, "StateValue": state, "StateReason": "by hand"});
        let action = "cloudwatch:SetAlarmState";
        life.call(NAME, action, input).await.done(action).map(drop)
    }

    async fn listen(&mut self, life: &Life) -> Result<usize, Broken> {
        let told = &mut self.told;
        drain(life, NAME, QUEUE, |body| {
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            let state = &event["detail"]["state"];
            let (Some(value), Some(at)) = (state["value"].as_str(), state["timestamp"].as_str())
            else {
                return Err(Broken(format!("what came is no change of an alarm: {body}")));
            };
            hold!(event["detail"]["alarmName"] == ALARM, "a change of another alarm: {body}");
            told.insert((value.to_owned(), at.to_owned()));
            Ok(())
        })
        .await
    }

    /// Waits until the alarm has a state, while values like this one come.
    async fn reach(&mut self, life: &Life, value: u64, state: &str) -> Result<(), Broken> {
        for _ in 0..30 {
            self.publish(life, value).await?;
            life.sleep(60_000).await;
            if self.state(life).await? == state {
                return Ok(());
            }
        }
        Err(Broken(format!("the alarm does not become {state}")))
    }

    async fn state(&self, life: &Life) -> Result<String, Broken> {
        let input = json!({"AlarmNames": [ALARM]});
        let action = "cloudwatch:DescribeAlarms";
        let output = life.call(NAME, action, input).await.done(action)?.unwrap_or_default();
        let state = output["MetricAlarms"][0]["StateValue"].as_str();
        Ok(state.unwrap_or_default().to_owned())
    }

    /// The changes of which the history tells.
    async fn history(&self, life: &Life) -> Result<BTreeSet<(String, String)>, Broken> {
        let mut input = json!({"AlarmName": ALARM, "HistoryItemType": "StateUpdate"});
        let mut found = BTreeSet::new();
        let action = "cloudwatch:DescribeAlarmHistory";
        loop {
            let answer = life.call(NAME, action, input.clone()).await;
            let output = answer.done(action)?.unwrap_or_default();
            for item in output["AlarmHistoryItems"].as_array().into_iter().flatten() {
                let data = item["HistoryData"].as_str().unwrap_or_default();
                let data: Value = serde_json::from_str(data).unwrap_or_default();
                let state = data["newState"]["stateValue"].as_str().unwrap_or_default();
                found.insert((state.to_owned(), item["Timestamp"].to_string()));
            }
            match &output["NextToken"] {
                Value::Null => return Ok(found),
                token => input["NextToken"] = token.clone(),
            }
        }
    }

    /// How many values are there.
    async fn count(&self, life: &Life) -> Result<u64, Broken> {
        let input = json!({
            "Namespace": "Sim", "MetricName": "Load", "Statistics": ["SampleCount"],
            "Period": 86_400, "StartTime": BEGINNING_SECS,
            "EndTime": BEGINNING_SECS + 86_400 * 1_000,
        });
        let action = "cloudwatch:GetMetricStatistics";
        let output = life.call(NAME, action, input).await.done(action)?.unwrap_or_default();
        let points = output["Datapoints"].as_array().cloned().unwrap_or_default();
        Ok(points.iter().filter_map(|point| point["SampleCount"].as_f64()).sum::<f64>() as u64)
    }

    async fn check_count(&self, life: &Life) -> Result<(), Broken> {
        let (count, acknowledged, sent) = (self.count(life).await?, self.acknowledged, self.sent);
        let is_right = (acknowledged..=sent).contains(&count);
        hold!(is_right, "{count} values are there, {acknowledged} were taken of {sent}");
        Ok(())
    }
}

impl Actor for Alarms {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let attributes = policy("events.amazonaws.com", QUEUE);
            let input = json!({"QueueName": QUEUE, "Attributes": attributes});
            life.call(NAME, "sqs:CreateQueue", input).await.done("CreateQueue")?;
            let pattern = json!({"source": ["aws.cloudwatch"]}).to_string();
            let input = json!({"Name": RULE, "EventPattern": pattern});
            life.call(NAME, "events:PutRule", input).await.done("PutRule")?;
            let input = json!({"Rule": RULE, "Targets": [{"Id": "queue", "Arn": arn(QUEUE)}]});
            life.call(NAME, "events:PutTargets", input).await.done("PutTargets")?;
            let input = json!({
                "AlarmName": ALARM, "Namespace": "Sim", "MetricName": "Load",
                "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1,
                "Threshold": THRESHOLD, "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            });
            let action = "cloudwatch:PutMetricAlarm";
            life.call(NAME, action, input).await.done(action).map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match self.chance.index(10) {
                0 => self.set(life).await,
                1 | 2 => self.listen(life).await.map(drop),
                _ => {
                    let value = self.chance.between(0, THRESHOLD * 2);
                    self.publish(life, value).await
                }
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            self.reach(life, THRESHOLD + 1, "ALARM").await?;
            self.reach(life, 0, "OK").await?;
            until_quiet(life, async || self.listen(life).await).await?;
            let history = self.history(life).await?;
            hold!(history.len() == self.told.len(), "history {history:?}, told {:?}", self.told);
            self.check_count(life).await
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let state = self.state(life).await?;
            hold!(state == "OK", "the alarm was OK, and is {state} after another start");
            self.check_count(life).await
        })
    }
}
