//! All lanes together: making what they need, driving them, checking them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::lanes::appends::Appends;
use crate::lanes::counters::{self, Counter};
use crate::lanes::fifo::Fifo;
use crate::lanes::functions::{self, Causes};
use crate::lanes::items::{self, Items};
use crate::lanes::money::{self, Money};
use crate::lanes::objects::{self, Objects};
use crate::lanes::queues::{self, Messages, Queue};
use crate::lanes::snapshots::Snapshots;
use crate::lanes::{Failures, Next, Step};

/// The load and its model.
pub struct World {
    lanes: Vec<Lane>,
    messages: Messages,
    balances: [i64; money::COUNT],
    counter: u64,
    with_functions: bool,
}

#[derive(Clone)]
enum Lane {
    Objects(Objects),
    Appends(Appends),
    Items(Items),
    Counter(Counter),
    Money(Money),
    Queue(Queue),
    Fifo(Fifo),
    Causes(Causes),
    Snapshots(Snapshots),
}

/// How much a check looks at.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// Queues are emptied.
    pub drain: bool,
    /// Functions must have left all their marks.
    pub marks: bool,
}

/// Writes that were acknowledged, by service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Writes of objects.
    pub s3: u64,
    /// Writes of items.
    pub dynamodb: u64,
    /// Sends and deletions.
    pub sqs: u64,
    /// Causes of events.
    pub events: u64,
    /// Snapshots that were saved and removed under load.
    pub snapshots: u64,
}

impl World {
    /// A world with nothing in it.
    pub fn new(with_functions: bool) -> World {
        let messages = Messages::default();
        let mut lanes = Vec::new();
        lanes.extend((0..4).map(|lane| Lane::Objects(Objects::new(lane))));
        lanes.push(Lane::Appends(Appends::default()));
        lanes.extend((0..4).map(|lane| Lane::Items(Items::new(lane))));
        lanes.extend((0..2).map(|_| Lane::Counter(Counter::new())));
        lanes.extend((0..3).map(|lane| Lane::Money(Money::new(lane))));
        lanes.extend((0..4).map(|lane| Lane::Queue(Queue::new(lane, messages.clone()))));
        lanes.extend((0..3).map(|lane| Lane::Fifo(Fifo::new(lane))));
        lanes.extend((0..2).map(|lane| Lane::Causes(Causes::new(lane, with_functions))));
        lanes.push(Lane::Snapshots(Snapshots::new()));
        let balances = [money::START; money::COUNT];
        World { lanes, messages, balances, counter: 0, with_functions }
    }

    /// The same world, to be gone back to.
    pub fn fork(&self) -> World {
        let messages = self.messages.fork();
        let lane = |lane: &Lane| match lane.clone() {
            Lane::Queue(queue) => Lane::Queue(queue.with(messages.clone())),
            other => other,
        };
        World {
            lanes: self.lanes.iter().map(lane).collect(),
            messages: messages.clone(),
            balances: self.balances,
            counter: self.counter,
            with_functions: self.with_functions,
        }
    }

    /// An earlier world in the place of this one, of which only stays what is no state: the snapshots.
    #[must_use]
    pub fn back_to(self, mut past: World) -> World {
        past.lanes.retain(|lane| !matches!(lane, Lane::Snapshots(_)));
        past.lanes.extend(self.lanes.into_iter().filter(|lane| matches!(lane, Lane::Snapshots(_))));
        past
    }

    /// Makes buckets, tables, queues and functions.
    pub async fn set_up(&self, client: &Client) -> anyhow::Result<()> {
        let path = format!("/{}", objects::BUCKET);
        client.s3(Method::PUT, &path, "", Bytes::new()).await.success()?;
        Appends::set_up(client).await?;
        for table in tables() {
            client.dynamodb("CreateTable", &table).await.success()?;
        }
        wait_for_tables(client).await?;
        for account in 0..money::COUNT {
            let item = json!({
                "id": { "N": account.to_string() },
                "balance": { "N": money::START.to_string() },
            });
            let input = json!({ "TableName": money::ACCOUNTS, "Item": item });
            client.dynamodb("PutItem", &input).await.success()?;
        }
        let hidden = queues::HIDDEN_SECS.to_string();
        let dead = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{}", queues::DEAD),
            "maxReceiveCount": 4,
        });
        let input = json!({ "QueueName": queues::DEAD });
        client.sqs("CreateQueue", &input).await.success()?;
        let input = json!({ "QueueName": queues::QUEUE, "Attributes": {
            "VisibilityTimeout": hidden,
            "RedrivePolicy": dead.to_string(),
        }});
        client.sqs("CreateQueue", &input).await.success()?;
        for lane in &self.lanes {
            if let Lane::Fifo(fifo) = lane {
                let input = json!({ "QueueName": fifo.queue(), "Attributes": {
                    "FifoQueue": "true",
                    "VisibilityTimeout": hidden,
                }});
                client.sqs("CreateQueue", &input).await.success()?;
            }
        }
        functions::set_up(client, self.with_functions).await
    }

    /// Starts the load; [`Load::end`] gives the world back.
    pub fn drive(self, client: &Client, seed: u64, cycle: u64, failures: &Failures) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let World { lanes, messages, balances, counter, with_functions } = self;
        let tasks = lanes
            .into_iter()
            .zip(0..)
            .map(|(lane, number)| {
                let step = Step::new(client.clone(), seed, cycle, number, failures.clone());
                tokio::spawn(drive(lane, step, stop.clone()))
            })
            .collect();
        let rest = World { lanes: Vec::new(), messages, balances, counter, with_functions };
        Load { tasks, stop, rest }
    }

    /// After a restart: compares all that is there with all that must be.
    pub async fn check(&mut self, client: &Client, depth: Depth, failures: &Failures) {
        let (mut monies, mut counters, mut causes) = (Vec::new(), Vec::new(), Vec::new());
        for lane in &mut self.lanes {
            match lane {
                Lane::Objects(lane) => lane.check(client, failures).await,
                Lane::Appends(lane) => lane.check(client, failures).await,
                Lane::Items(lane) => lane.check(client, failures).await,
                Lane::Counter(lane) => counters.push(lane),
                Lane::Money(lane) => monies.push(lane),
                Lane::Queue(_) => {}
                Lane::Fifo(lane) => {
                    lane.check(client, failures).await;
                    if depth.drain {
                        lane.drain(client, failures).await;
                    }
                }
                Lane::Causes(lane) => causes.push(lane),
                Lane::Snapshots(lane) => lane.check(client, failures).await,
            }
        }
        money::check_all(&mut self.balances, &mut monies, client, failures).await;
        counters::check_all(&mut self.counter, &mut counters, client, failures).await;
        queues::check_count(&self.messages, client, failures).await;
        if depth.drain {
            queues::drain(&self.messages, client, failures).await;
            functions::check_queue(&mut causes, client, failures).await;
        }
        if depth.marks && self.with_functions {
            functions::check_marks(&mut causes, client, failures).await;
        }
    }

    /// How much was acknowledged so far.
    pub fn acknowledged(&self) -> Acknowledged {
        let mut all = Acknowledged::default();
        for lane in &self.lanes {
            match lane {
                Lane::Objects(lane) => all.s3 += lane.acknowledged,
                Lane::Appends(lane) => all.s3 += lane.acknowledged,
                Lane::Items(lane) => all.dynamodb += lane.acknowledged,
                Lane::Counter(lane) => all.dynamodb += lane.acknowledged,
                Lane::Money(lane) => all.dynamodb += lane.acknowledged,
                Lane::Queue(lane) => all.sqs += lane.acknowledged,
                Lane::Fifo(lane) => all.sqs += lane.acknowledged,
                Lane::Causes(lane) => all.events += lane.acknowledged,
                Lane::Snapshots(lane) => all.snapshots += lane.acknowledged,
            }
        }
        all
    }
}

/// A load that runs.
pub struct Load {
    tasks: Vec<tokio::task::JoinHandle<Lane>>,
    stop: Arc<AtomicBool>,
    rest: World,
}

impl Load {
    /// Lets every lane finish its step and returns the world.
    pub async fn end(self) -> anyhow::Result<World> {
        self.stop.store(true, Ordering::Relaxed);
        let mut world = self.rest;
        for task in self.tasks {
            world.lanes.push(task.await?);
        }
        Ok(world)
    }
}

async fn drive(mut lane: Lane, mut step: Step, stop: Arc<AtomicBool>) -> Lane {
    while !stop.load(Ordering::Relaxed) {
        let next = match &mut lane {
            Lane::Objects(lane) => lane.step(&mut step).await,
            Lane::Appends(lane) => lane.step(&mut step).await,
            Lane::Items(lane) => lane.step(&mut step).await,
            Lane::Counter(lane) => lane.step(&mut step).await,
            Lane::Money(lane) => lane.step(&mut step).await,
            Lane::Queue(lane) => lane.step(&mut step).await,
            Lane::Fifo(lane) => lane.step(&mut step).await,
            Lane::Causes(lane) => lane.step(&mut step).await,
            Lane::Snapshots(lane) => lane.step(&mut step).await,
        };
        match next {
            Next::Go => {}
            Next::Wait => tokio::time::sleep(Duration::from_millis(5)).await,
            Next::Stop => break,
        }
    }
    lane
}

fn tables() -> [Value; 4] {
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let attribute =
        |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let index = |name: &str, keys: [Value; 2]| json!({ "IndexName": name, "KeySchema": keys, "Projection": { "ProjectionType": "ALL" } });
    [
        json!({
            "TableName": items::TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            "AttributeDefinitions": [
                attribute("pk", "S"), attribute("sk", "N"), attribute("rank", "N"), attribute("colour", "S"),
            ],
            "LocalSecondaryIndexes": [index("by-rank", [key("pk", "HASH"), key("rank", "RANGE")])],
            "GlobalSecondaryIndexes": [index("by-colour", [key("colour", "HASH"), key("rank", "RANGE")])],
        }),
        json!({
            "TableName": money::ACCOUNTS,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("id", "HASH")],
            "AttributeDefinitions": [attribute("id", "N")],
        }),
        json!({
            "TableName": money::LEDGER,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("lane", "HASH"), key("number", "RANGE")],
            "AttributeDefinitions": [attribute("lane", "S"), attribute("number", "N")],
        }),
        json!({
            "TableName": functions::MARKS,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("id", "HASH")],
            "AttributeDefinitions": [attribute("id", "S")],
        }),
    ]
}

async fn wait_for_tables(client: &Client) -> anyhow::Result<()> {
    for table in tables() {
        let input = json!({ "TableName": table["TableName"] });
        for attempt in 0.. {
            let found = client.dynamodb("DescribeTable", &input).await.success()?.json();
            if found["Table"]["TableStatus"] == "ACTIVE" {
                break;
            }
            anyhow::ensure!(attempt < 500, "the table does not become active: {found}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
