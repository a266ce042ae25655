//! EventBridge: each accepted event that a rule wants comes to its queue, under the id that was answered; no other does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use fogbank_testkit::{Value, json};

use super::queue::arn;
use super::topics::{drain, policy};
use super::{Acted, Actor, until_quiet};
use crate::chance::Chance;
use crate::life::{Broken, Life, hold};

const RULE: &str = "wanted-ones";
const QUEUE: &str = "wanted-events";
/// How many events a call sends at most.
const MOST: u64 = 4;

#[derive(Default)]
struct Model {
    /// The events that were sent and that the rule wants; the id of those that were accepted.
    wanted: BTreeMap<u64, Option<String>>,
    next: u64,
    /// The id under which each came.
    came: BTreeMap<u64, String>,
}

type Shared = Rc<RefCell<Model>>;

/// The sender and the reader of the queue.
pub(super) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let model = Shared::default();
    let sender = Sender { model: model.clone(), chance: chance.fork() };
    vec![Box::new(sender), Box::new(Reader { model })]
}

struct Sender {
    model: Shared,
    chance: Chance,
}

impl Sender {
    async fn send(&mut self, life: &Life) -> Result<(), Broken> {
        let mut sent = Vec::new();
        for _ in 0..self.chance.between(1, MOST + 1) {
            let mut model = self.model.borrow_mut();
            model.next += 1;
            let (number, is_wanted) = (model.next, self.chance.percent(70));
            if is_wanted {
                model.wanted.insert(number, None);
            }
            sent.push((number, is_wanted));
        }
        let entry = |(number, is_wanted): &(u64, bool)| {
            let kind = if *is_wanted { "wanted" } else { "other" };
            let detail = json!({"kind": kind, "number": number}).to_string();
            json!({"Source": "sim", "DetailType": "Something", "Detail": detail})
        };
        let entries: Vec<Value> = sent.iter().map(entry).collect();
        let answer = life.call("sender", "events:PutEvents", json!({"Entries": entries})).await;
        let Some(output) = answer.done("PutEvents")? else { return Ok(()) };
        for (index, (number, _)) in sent.into_iter().enumerate() {
            // An entry without an id failed, and may be there or not.
            let id = output["Entries"][index]["EventId"].as_str();
            if let Some(of) = self.model.borrow_mut().wanted.get_mut(&number) {
                *of = id.map(str::to_owned);
            }
        }
        Ok(())
    }
}

impl Actor for Sender {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let who = "sender";
            let attributes = policy("events.amazonaws.com", QUEUE);
            let input = json!({"QueueName": QUEUE, "Attributes": attributes});
            life.call(who, "sqs:CreateQueue", input).await.done("CreateQueue")?;
            let pattern = json!({"source": ["sim"], "detail": {"kind": ["wanted"]}});
            let input = json!({"Name": RULE, "EventPattern": pattern.to_string()});
            life.call(who, "events:PutRule", input).await.done("PutRule")?;
            let input = json!({"Rule": RULE, "Targets": [{"Id": "queue", "Arn": arn(QUEUE)}]});
            life.call(who, "events:PutTargets", input).await.done("PutTargets").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.send(life))
    }

    fn settle<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct Reader {
    model: Shared,
}

impl Reader {
    async fn read(&mut self, life: &Life) -> Result<usize, Broken> {
        drain(life, "reader of events", QUEUE, |body| {
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            let (number, id) = (event["detail"]["number"].as_u64(), event["id"].as_str());
            let (Some(number), Some(id)) = (number, id) else {
                return Err(Broken(format!("what came is no event of ours: {body}")));
            };
            let mut model = self.model.borrow_mut();
            let Some(accepted) = model.wanted.get(&number) else {
                return Err(Broken(format!("the event {number} came, which nobody wants")));
            };
            let is_right = accepted.as_ref().is_none_or(|accepted| accepted == id);
            hold!(is_right, "the event {number} was accepted as {accepted:?} and came as {id}");
            let first = model.came.entry(number).or_insert_with(|| id.to_owned());
            hold!(first == id, "the event {number} came as {first} and as {id}");
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
        Box::pin(async move { self.read(life).await.map(drop) })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            until_quiet(life, async || self.read(life).await).await?;
            let model = self.model.borrow();
            let accepted = model.wanted.iter().filter(|(_, id)| id.is_some());
            let lost: Vec<_> =
                accepted.filter(|(number, _)| !model.came.contains_key(number)).collect();
            hold!(lost.is_empty(), "{lost:?} were accepted and never came");
            Ok(())
        })
    }
}
