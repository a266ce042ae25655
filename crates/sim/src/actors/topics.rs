//! A topic with two queues: what is published arrives in both, or, if it was not acknowledged, perhaps in neither.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use fogbank_testkit::{Value, json};

use super::queue::{arn, url};
use super::{Acted, Actor, until_quiet};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news";
const QUEUES: [&str; 2] = ["news-a", "news-b"];

#[derive(Default)]
struct Model {
    next: u64,
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    arrived: [BTreeSet<String>; 2],
}

type Shared = Rc<RefCell<Model>>;

/// The publisher and the reader of both queues.
pub(super) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let model = Shared::default();
    let reader = Reader { model: model.clone(), chance: chance.fork() };
    vec![Box::new(Publisher { model, chance: chance.fork() }), Box::new(reader)]
}

/// A policy by which a service may send to a queue.
pub(super) fn policy(service: &str, queue: &str) -> Value {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service},
        "Action": "sqs:SendMessage", "Resource": arn(queue),
    }]});
    json!({"Policy": policy.to_string(), "VisibilityTimeout": "10"})
}

/// Receives what is in a queue, shows each body and removes it; how many there were.
pub(super) async fn drain(
    life: &Life,
    who: &str,
    queue: &str,
    mut see: impl FnMut(&str) -> Result<(), Broken>,
) -> Result<usize, Broken> {
    let input = json!({"QueueUrl": url(queue), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    let answer = life.call(who, "sqs:ReceiveMessage", input).await.done("ReceiveMessage")?;
    let output = answer.unwrap_or_default();
    let messages = output["Messages"].as_array().cloned().unwrap_or_default();
    for message in &messages {
        // Before it is removed, since this may end at any call.
        see(message["Body"].as_str().unwrap_or_default())?;
        let input = json!({"QueueUrl": url(queue), "ReceiptHandle": message["ReceiptHandle"]});
        life.call(who, "sqs:DeleteMessage", input).await.done("DeleteMessage")?;
    }
    Ok(messages.len())
}

struct Publisher {
    model: Shared,
    chance: Chance,
}

impl Actor for Publisher {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let who = "publisher";
            life.call(who, "sns:CreateTopic", json!({"Name": "news"})).await.done("CreateTopic")?;
            for (queue, raw) in QUEUES.into_iter().zip(["true", "false"]) {
                let attributes = policy("sns.amazonaws.com", queue);
                let input = json!({"QueueName": queue, "Attributes": attributes});
                life.call(who, "sqs:CreateQueue", input).await.done("CreateQueue")?;
                let input = json!({
                    "TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": arn(queue),
                    "Attributes": {"RawMessageDelivery": raw},
                });
                life.call(who, "sns:Subscribe", input).await.done("Subscribe")?;
            }
            Ok(())
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(30) {
                life.sleep(3_000).await;
            }
            let text = {
                let mut model = self.model.borrow_mut();
                model.next += 1;
                let text = format!("news {}", model.next);
                model.sent.insert(text.clone());
                text
            };
            let input = json!({"TopicArn": TOPIC, "Message": text});
            if life.call("publisher", "sns:Publish", input).await.done("Publish")?.is_some() {
                self.model.borrow_mut().acknowledged.insert(text);
            }
            Ok(())
        })
    }

    fn settle<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct Reader {
    model: Shared,
    chance: Chance,
}

impl Reader {
    async fn read(&mut self, life: &Life, index: usize) -> Result<usize, Broken> {
        let model = &self.model;
        drain(life, "reader", QUEUES[index], |body| {
            let envelope: Option<Value> = serde_json::from_str(body).ok();
            let text = envelope.and_then(|it| it["Message"].as_str().map(str::to_owned));
            let text = text.unwrap_or_else(|| body.to_owned());
            let mut model = model.borrow_mut();
            hold!(model.sent.contains(&text), "{text:?} arrived, but nobody published it");
            model.arrived[index].insert(text);
            Ok(())
        })
        .await
    }
}

impl Actor for Reader {
    fn prepare<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let index = self.chance.index(2);
            self.read(life, index).await.map(drop)
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            until_quiet(life, async || Ok(self.read(life, 0).await? + self.read(life, 1).await?))
                .await?;
            let model = self.model.borrow();
            let [a, b] = &model.arrived;
            hold!(a == b, "only one queue has {:?}", a.symmetric_difference(b));
            let lost: Vec<_> = model.acknowledged.difference(a).collect();
            hold!(lost.is_empty(), "{lost:?} were acknowledged and never came");
            Ok(())
        })
    }
}
