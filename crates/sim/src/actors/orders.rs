//! A FIFO queue: each group's messages come in order, each one once, though senders repeat themselves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use fogbank_testkit::json;

use super::queue::url;
use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const QUEUE: &str = "orders.fifo";
/// For how long a repeated message is recognised.
const DEDUPLICATION_MILLIS: i64 = 5 * 60_000;

/// One group's numbers.
#[derive(Default)]
struct Group {
    /// The number that is being sent, from one on, and when it was tried first.
    sending: u64,
    first_tried: Option<i64>,
    /// All up to this one are acknowledged.
    sent: u64,
    /// Numbers that may be in the queue twice: they were repeated too late to be recognised.
    doubtful: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    perhaps_removed: BTreeSet<u64>,
    received: BTreeSet<u64>,
}

type Groups = Rc<RefCell<Vec<Group>>>;

/// The senders of two groups and the receiver of both.
pub(super) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let groups: Groups = Rc::new(RefCell::new(vec![Group::default(), Group::default()]));
    let sender = |group, chance| Sender { group, groups: groups.clone(), chance };
    let (one, two) = (sender(0, chance.fork()), sender(1, chance.fork()));
    let receiver = Receiver { groups: groups.clone(), chance: chance.fork() };
    vec![Box::new(one), Box::new(two), Box::new(receiver)]
}

struct Sender {
    group: usize,
    groups: Groups,
    chance: Chance,
}

impl Sender {
    /// Sends the next number, or repeats the one of which it does not know.
    async fn send(&mut self, life: &Life) -> Result<(), Broken> {
        let now = life.millis();
        let number = {
            let group = &mut self.groups.borrow_mut()[self.group];
            if group.sending == group.sent {
                group.sending += 1;
                group.first_tried = None;
            }
            let first = *group.first_tried.get_or_insert(now);
            if now - first > DEDUPLICATION_MILLIS - 60_000 {
                let number = group.sending;
                group.doubtful.insert(number);
            }
            group.sending
        };
        let name = format!("group{}", self.group);
        let input = json!({
            "QueueUrl": url(QUEUE), "MessageBody": number.to_string(), "MessageGroupId": name,
            "MessageDeduplicationId": format!("{name}-{number}"),
        });
        if life.call(&name, "sqs:SendMessage", input).await.done("SendMessage")?.is_some() {
            self.groups.borrow_mut()[self.group].sent = number;
        }
        Ok(())
    }
}

impl Actor for Sender {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let attributes = json!({"FifoQueue": "true", "VisibilityTimeout": "20"});
            let input = json!({"QueueName": QUEUE, "Attributes": attributes});
            life.call("orders", "sqs:CreateQueue", input).await.done("CreateQueue").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(5) {
                // Repeats what was acknowledged, as a client does whose answer was lost on the way.
                let group = &mut self.groups.borrow_mut()[self.group];
                let tried = group.first_tried.unwrap_or(0);
                if group.sent > 0 && life.millis() - tried < DEDUPLICATION_MILLIS - 60_000 {
                    group.sent -= u64::from(group.sending == group.sent);
                }
            }
            self.send(life).await
        })
    }

    fn settle<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct Receiver {
    groups: Groups,
    chance: Chance,
}

struct Received {
    group: usize,
    number: u64,
    receipt: String,
}

impl Receiver {
    async fn receive(&mut self, life: &Life) -> Result<Option<Vec<Received>>, Broken> {
        let input = json!({
            "QueueUrl": url(QUEUE), "MaxNumberOfMessages": self.chance.between(1, 11),
            "WaitTimeSeconds": self.chance.between(0, 10), "AttributeNames": ["MessageGroupId"],
        });
        let answer = life.call("orders", "sqs:ReceiveMessage", input).await;
        let Some(output) = answer.done("ReceiveMessage")? else { return Ok(None) };
        let mut received = Vec::new();
        for message in output["Messages"].as_array().into_iter().flatten() {
            let group = message["Attributes"]["MessageGroupId"].as_str().unwrap_or_default();
            let group = group.trim_start_matches("group").parse().unwrap_or_default();
            let number = message["Body"].as_str().and_then(|body| body.parse().ok());
            let receipt = message["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
            received.push(Received { group, number: number.unwrap_or_default(), receipt });
        }
        self.check(&received)?;
        Ok(Some(received))
    }

    /// What comes of a group begins with its first message that is not removed, and goes on without a gap.
    fn check(&self, received: &[Received]) -> Result<(), Broken> {
        let mut groups = self.groups.borrow_mut();
        for (index, group) in groups.iter_mut().enumerate() {
            let numbers: Vec<u64> =
                received.iter().filter(|one| one.group == index).map(|one| one.number).collect();
            let Some(first) = numbers.first() else { continue };
            for number in &numbers {
                let doubtful = group.doubtful.contains(number);
                hold!(
                    doubtful || !group.removed.contains(number),
                    "{number} of group {index} is back after it was removed"
                );
                hold!(*number <= group.sending, "{number} of group {index} was never sent");
                group.received.insert(*number);
            }
            let skipped = (1..*first).find(|number| {
                !group.removed.contains(number) && !group.perhaps_removed.contains(number)
            });
            hold!(
                skipped.is_none(),
                "group {index} comes {numbers:?}, but {skipped:?} is not removed"
            );
            for pair in numbers.windows(2) {
                let repeats = pair[1] == pair[0] && group.doubtful.contains(&pair[0]);
                let gap = (pair[0] + 1..pair[1]).find(|number| {
                    !group.removed.contains(number) && !group.perhaps_removed.contains(number)
                });
                let in_order = repeats || (pair[1] > pair[0] && gap.is_none());
                hold!(in_order, "group {index} comes as {numbers:?}");
            }
        }
        Ok(())
    }

    async fn remove(&mut self, life: &Life, one: &Received) -> Result<bool, Broken> {
        self.groups.borrow_mut()[one.group].perhaps_removed.insert(one.number);
        let input = json!({"QueueUrl": url(QUEUE), "ReceiptHandle": one.receipt});
        match life.call("orders", "sqs:DeleteMessage", input).await {
            Answer::Done(_) => {
                self.groups.borrow_mut()[one.group].removed.insert(one.number);
                Ok(true)
            }
            // The receipt of a message of a FIFO queue ends with its visibility timeout.
            Answer::Refused(name) => {
                hold!(
                    name == "ReceiptHandleIsInvalid" || name == "InvalidParameterValue",
                    "DeleteMessage was refused: {name}"
                );
                Ok(false)
            }
            Answer::Unknown => Ok(false),
        }
    }
}

impl Actor for Receiver {
    fn prepare<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let Some(received) = self.receive(life).await? else { return Ok(()) };
            let mut stopped = [false; 2];
            for one in received {
                // In order, as a consumer of a FIFO queue does it.
                if stopped[one.group] || self.chance.percent(15) {
                    stopped[one.group] = true;
                } else {
                    stopped[one.group] = !self.remove(life, &one).await?;
                }
            }
            Ok(())
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let mut quiet = 0;
            while quiet < 10 {
                let received = self.receive(life).await?.unwrap_or_default();
                quiet = if received.is_empty() { quiet + 1 } else { 0 };
                for one in received {
                    self.remove(life, &one).await?;
                }
                life.sleep(10_000).await;
            }
            for (index, group) in self.groups.borrow().iter().enumerate() {
                let missing = (1..=group.sent).find(|number| !group.received.contains(number));
                hold!(missing.is_none(), "{missing:?} of group {index} never came");
            }
            Ok(())
        })
    }
}
