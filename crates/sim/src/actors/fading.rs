//! Messages that a queue keeps for a short time only: there until then, never seen after it.

use std::collections::BTreeMap;

use fogbank_testkit::json;

use super::queue::url;
use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const QUEUE: &str = "fading";
const NAME: &str = "fading";
const RETENTION_MILLIS: i64 = 60_000;

/// Sends messages and looks at them without removing any.
pub(crate) struct Fading {
    chance: Chance,
    next: u64,
    /// When the sending of each acknowledged message began and ended.
    sent: BTreeMap<String, (i64, i64)>,
}

impl Fading {
    pub(crate) fn new(chance: Chance) -> Fading {
        Fading { chance, next: 0, sent: BTreeMap::new() }
    }

    async fn send(&mut self, life: &Life) -> Result<(), Broken> {
        self.next += 1;
        let body = format!("fading-{}", self.next);
        let begun = life.millis();
        let input = json!({"QueueUrl": url(QUEUE), "MessageBody": body});
        if life.call(NAME, "sqs:SendMessage", input).await.done("SendMessage")?.is_some() {
            self.sent.insert(body, (begun, life.millis()));
        }
        Ok(())
    }

    /// Receives all that is there; nothing of it may be too old.
    async fn receive(&mut self, life: &Life) -> Result<Vec<String>, Broken> {
        let mut bodies = Vec::new();
        loop {
            let begun = life.millis();
            // Seen by everybody again at once.
            let input = json!({
                "QueueUrl": url(QUEUE), "MaxNumberOfMessages": 10, "VisibilityTimeout": 5,
            });
            let answer = life.call(NAME, "sqs:ReceiveMessage", input).await;
            let Some(output) = answer.done("ReceiveMessage")? else { return Ok(bodies) };
            let messages = output["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return Ok(bodies);
            }
            for message in messages {
                let body = message["Body"].as_str().unwrap_or_default().to_owned();
                if let Some((_, acknowledged)) = self.sent.get(&body) {
                    let age = begun - acknowledged;
                    hold!(age <= RETENTION_MILLIS, "{body} was received at the age of {age} ms");
                }
                bodies.push(body);
            }
        }
    }
}

impl Actor for Fading {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let attributes =
                json!({"MessageRetentionPeriod": (RETENTION_MILLIS / 1000).to_string()});
            let input = json!({"QueueName": QUEUE, "Attributes": attributes});
            life.call(NAME, "sqs:CreateQueue", input).await.done("CreateQueue").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(25) {
                self.receive(life).await.map(drop)
            } else {
                self.send(life).await
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            // What was hidden by a receipt whose answer was lost is seen again.
            life.sleep(6_000).await;
            let now = life.millis();
            let there = self.receive(life).await?;
            for (body, (begun, _)) in &self.sent {
                let young = life.millis() - begun < RETENTION_MILLIS && now > *begun;
                hold!(!young || there.contains(body), "{body} is gone before its time");
            }
            life.sleep(RETENTION_MILLIS.unsigned_abs() + 1_000).await;
            let there = self.receive(life).await?;
            hold!(there.is_empty(), "{there:?} have outlived their time");
            life.sleep(10 * 60_000).await;
            let input = json!({"QueueUrl": url(QUEUE), "AttributeNames": ["All"]});
            let answer = life.call(NAME, "sqs:GetQueueAttributes", input).await;
            let output = answer.done("GetQueueAttributes")?.unwrap_or_default();
            let left = &output["Attributes"]["ApproximateNumberOfMessages"];
            hold!(*left == json!("0"), "the queue counts {left}");
            Ok(())
        })
    }
}
