//! A standard queue with dead letters: every acknowledged message arrives, hidden ones stay hidden, removed ones stay
//! away.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use fogbank_testkit::{Value, json};

use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

pub(crate) const ACCOUNT_URL: &str = "http://127.0.0.1:4566/000000000000";
const JOBS: &str = "jobs";
const DEAD: &str = "jobs-dead";
const VISIBILITY_SECS: i64 = 30;
/// How often a message is received before it is a dead letter.
const MAX_RECEIVES: u32 = 4;

/// Whether something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Known {
    #[default]
    No,
    Perhaps,
    Yes,
}

#[derive(Debug, Default)]
struct Message {
    sent: Known,
    removed: Known,
    received: bool,
    /// Seen in the queue of dead letters, from where it does not come back.
    dead: bool,
    /// Not to be seen before this time, in milliseconds.
    hidden_until: i64,
}

/// What sender and receivers know together.
#[derive(Default)]
struct Model {
    messages: BTreeMap<String, Message>,
    next: u64,
}

type Shared = Rc<RefCell<Model>>;

/// The sender and the receivers of one queue.
pub(super) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let model = Shared::default();
    let sender = Sender { model: model.clone(), chance: chance.fork() };
    let receiver = |number: usize, chance: Chance| Receiver {
        name: format!("receiver{number}"),
        model: model.clone(),
        chance,
    };
    let (one, two) = (receiver(0, chance.fork()), receiver(1, chance.fork()));
    vec![Box::new(sender), Box::new(one), Box::new(two)]
}

/// The URL of a queue.
pub(super) fn url(queue: &str) -> String {
    format!("{ACCOUNT_URL}/{queue}")
}

/// The ARN of a queue.
pub(super) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

struct Sender {
    model: Shared,
    chance: Chance,
}

impl Sender {
    fn next(&mut self, delay_secs: u64, life: &Life) -> String {
        let mut model = self.model.borrow_mut();
        model.next += 1;
        let body = format!("message-{}", model.next);
        let hidden_until = life.millis() + 1000 * delay_secs as i64;
        let message = Message { sent: Known::Perhaps, hidden_until, ..Message::default() };
        model.messages.insert(body.clone(), message);
        body
    }

    fn acknowledge(&self, body: &str) {
        if let Some(message) = self.model.borrow_mut().messages.get_mut(body) {
            message.sent = Known::Yes;
        }
    }

    async fn send(&mut self, life: &Life) -> Result<(), Broken> {
        let delay_secs = if self.chance.percent(20) { self.chance.between(1, 60) } else { 0 };
        let body = self.next(delay_secs, life);
        let input = json!({"QueueUrl": url(JOBS), "MessageBody": body, "DelaySeconds": delay_secs});
        if life.call("sender", "sqs:SendMessage", input).await.done("SendMessage")?.is_some() {
            self.acknowledge(&body);
        }
        Ok(())
    }

    async fn send_batch(&mut self, life: &Life) -> Result<(), Broken> {
        let bodies: Vec<String> = (0..5).map(|_| self.next(0, life)).collect();
        let entry = |(id, body)| json!({"Id": format!("e{id}"), "MessageBody": body});
        let entries: Vec<Value> = bodies.iter().enumerate().map(entry).collect();
        let input = json!({"QueueUrl": url(JOBS), "Entries": entries});
        let answer = life.call("sender", "sqs:SendMessageBatch", input).await;
        let Some(output) = answer.done("SendMessageBatch")? else { return Ok(()) };
        for told in output["Successful"].as_array().into_iter().flatten() {
            let id = told["Id"].as_str().and_then(|id| id[1..].parse::<usize>().ok());
            self.acknowledge(&bodies[id.unwrap_or_default()]);
        }
        Ok(())
    }
}

impl Actor for Sender {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            life.call("sender", "sqs:CreateQueue", json!({"QueueName": DEAD}))
                .await
                .done("CreateQueue")?;
            let redrive =
                json!({"deadLetterTargetArn": arn(DEAD), "maxReceiveCount": MAX_RECEIVES});
            let attributes = json!({
                "VisibilityTimeout": VISIBILITY_SECS.to_string(),
                "RedrivePolicy": redrive.to_string(),
            });
            let input = json!({"QueueName": JOBS, "Attributes": attributes});
            life.call("sender", "sqs:CreateQueue", input).await.done("CreateQueue").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(15) {
                self.send_batch(life).await
            } else {
                self.send(life).await
            }
        })
    }

    fn settle<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct Receiver {
    name: String,
    model: Shared,
    chance: Chance,
}

impl Receiver {
    /// Receives from a queue and compares with the model; the messages as body and receipt.
    async fn receive(
        &mut self,
        life: &Life,
        queue: &str,
        wait_secs: u64,
    ) -> Result<Option<Vec<(String, String)>>, Broken> {
        let input = json!({
            "QueueUrl": url(queue), "MaxNumberOfMessages": self.chance.between(1, 11),
            "WaitTimeSeconds": wait_secs,
        });
        let begun = life.millis();
        let answer = life.call(&self.name, "sqs:ReceiveMessage", input).await;
        let Some(output) = answer.done("ReceiveMessage")? else { return Ok(None) };
        let mut received = Vec::new();
        for message in output["Messages"].as_array().into_iter().flatten() {
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            let (body, receipt) = (text("Body"), text("ReceiptHandle"));
            self.see(life, queue, &body, begun)?;
            received.push((body, receipt));
        }
        Ok(Some(received))
    }

    fn see(&self, life: &Life, queue: &str, body: &str, begun: i64) -> Result<(), Broken> {
        let now = life.millis();
        let mut model = self.model.borrow_mut();
        let Some(message) = model.messages.get_mut(body) else {
            return Err(Broken(format!("{body:?} was received, but nobody sent it")));
        };
        hold!(message.removed != Known::Yes, "{body} is back after it was removed");
        hold!(now >= message.hidden_until, "{body} is seen before {}", message.hidden_until);
        hold!(queue == DEAD || !message.dead, "{body} is back from the dead letters");
        message.dead |= queue == DEAD;
        message.received = true;
        message.sent = Known::Yes;
        let hidden_secs = if queue == JOBS { VISIBILITY_SECS } else { 30 };
        message.hidden_until = begun + 1000 * hidden_secs;
        Ok(())
    }

    async fn remove(
        &self,
        life: &Life,
        queue: &str,
        body: &str,
        receipt: &str,
    ) -> Result<(), Broken> {
        let set = |known: Known| {
            if let Some(message) = self.model.borrow_mut().messages.get_mut(body) {
                message.removed = message.removed.max_with(known);
            }
        };
        set(Known::Perhaps);
        let input = json!({"QueueUrl": url(queue), "ReceiptHandle": receipt});
        if life.call(&self.name, "sqs:DeleteMessage", input).await.done("DeleteMessage")?.is_some()
        {
            set(Known::Yes);
        }
        Ok(())
    }

    async fn show_again(&mut self, life: &Life, body: &str, receipt: &str) -> Result<(), Broken> {
        let secs = self.chance.skewed(90);
        // Until the answer is there, either time may hold.
        if let Some(message) = self.model.borrow_mut().messages.get_mut(body) {
            message.hidden_until = 0;
        }
        let begun = life.millis();
        let input = json!({
            "QueueUrl": url(JOBS), "ReceiptHandle": receipt, "VisibilityTimeout": secs,
        });
        match life.call(&self.name, "sqs:ChangeMessageVisibility", input).await {
            Answer::Done(_) => {
                let mut model = self.model.borrow_mut();
                let message = model.messages.get_mut(body);
                // Somebody else may have received it by now.
                if let Some(message) = message.filter(|message| message.hidden_until == 0) {
                    message.hidden_until = begun + 1000 * secs as i64;
                }
            }
            Answer::Refused(name) => {
                let late = name == "MessageNotInflight" || name == "InvalidParameterValue";
                hold!(late, "ChangeMessageVisibility was refused: {name}");
            }
            Answer::Unknown => {}
        }
        Ok(())
    }
}

impl Known {
    fn max_with(self, other: Known) -> Known {
        if other as u8 > self as u8 { other } else { self }
    }
}

impl Actor for Receiver {
    fn prepare<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let wait_secs = self.chance.between(0, 21);
            let queue = if self.chance.percent(10) { DEAD } else { JOBS };
            let Some(received) = self.receive(life, queue, wait_secs).await? else { return Ok(()) };
            for (body, receipt) in received {
                if self.chance.percent(20) {
                    let millis = self.chance.skewed(10_000);
                    life.sleep(millis).await;
                }
                match self.chance.index(10) {
                    0..6 => self.remove(life, queue, &body, &receipt).await?,
                    6 if queue == JOBS => self.show_again(life, &body, &receipt).await?,
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// Empties both queues; what was promised must have come by then.
    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let mut quiet = 0;
            while quiet < 10 {
                let mut found = 0;
                for queue in [JOBS, DEAD] {
                    for (body, receipt) in self.receive(life, queue, 0).await?.unwrap_or_default() {
                        found += 1;
                        self.remove(life, queue, &body, &receipt).await?;
                    }
                }
                quiet = if found == 0 { quiet + 1 } else { 0 };
                life.sleep(20_000).await;
            }
            let model = self.model.borrow();
            for (body, message) in &model.messages {
                let kept = message.sent != Known::Yes || message.received;
                hold!(kept, "{body} was acknowledged and never came: {message:?}");
            }
            Ok(())
        })
    }
}
