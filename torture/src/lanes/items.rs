//! Items of DynamoDB with a global and a local index: put with and without conditions, updated, removed.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use serde_json::{Value, json};

use super::{Failures, Next, Step, read};
use crate::client::{Answer, Client, Outcome};

/// The table of all lanes.
pub const TABLE: &str = "items";
const KEYS: u64 = 16;
const COLOURS: u64 = 3;

/// One lane of items: one partition.
#[derive(Clone)]
pub struct Items {
    lane: u64,
    keys: BTreeMap<u64, BTreeSet<Option<Item>>>,
    made: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    /// Every write of the lane has another.
    version: u64,
    /// The sort key of both indexes; without it the item is in neither.
    rank: Option<u64>,
    /// The partition key of the global index.
    colour: u64,
    /// Length of a filling that follows from the version.
    filling: usize,
}

impl Items {
    /// A lane with nothing in it.
    pub fn new(lane: u64) -> Items {
        Items { lane, keys: BTreeMap::new(), made: 0, acknowledged: 0 }
    }

    fn partition(&self) -> String {
        format!("lane-{:02}", self.lane)
    }

    fn colour(&self, colour: u64) -> String {
        format!("lane-{:02}-colour-{colour}", self.lane)
    }

    fn key(&self, key: u64) -> Value {
        json!({ "pk": { "S": self.partition() }, "sk": { "N": key.to_string() } })
    }

    fn states(&self, key: u64) -> BTreeSet<Option<Item>> {
        self.keys.get(&key).cloned().unwrap_or_else(|| BTreeSet::from([None]))
    }

    fn some_item(&mut self, random: &mut impl Rng) -> Item {
        self.made += 1;
        let long = if random.random_bool(0.1) { 20_000 } else { 300 };
        Item {
            version: self.made,
            rank: random.random_bool(0.8).then(|| random.random_range(0..1000)),
            colour: random.random_range(0..COLOURS),
            filling: random.random_range(0..long),
        }
    }

    fn written(&self, key: u64, item: &Item) -> Value {
        let mut written = self.key(key);
        written["version"] = json!({ "N": item.version.to_string() });
        written["colour"] = json!({ "S": self.colour(item.colour) });
        written["filling"] = json!({ "S": filling(item.version, item.filling) });
        if let Some(rank) = item.rank {
            written["rank"] = json!({ "N": rank.to_string() });
        }
        written
    }

    fn settle(&mut self, key: u64, state: Option<Item>, outcome: Result<(), Next>) -> Next {
        match outcome {
            Ok(()) => {
                self.acknowledged += 1;
                self.keys.insert(key, BTreeSet::from([state]));
                Next::Go
            }
            Err(next) => {
                let mut states = self.states(key);
                states.insert(state);
                self.keys.insert(key, states);
                next
            }
        }
    }

    /// One request.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let key = step.random.random_range(0..KEYS);
        match step.random.random_range(0..100) {
            0..30 => self.put(step, key).await,
            30..50 => self.put_if(step, key).await,
            50..70 => self.update(step, key).await,
            70..82 => self.delete(step, key).await,
            _ => self.get(step, key).await,
        }
    }

    async fn put(&mut self, step: &mut Step, key: u64) -> Next {
        let item = self.some_item(&mut step.random);
        let input = json!({ "TableName": TABLE, "Item": self.written(key, &item) });
        let outcome = step.client.dynamodb("PutItem", &input).await;
        let outcome = succeed(step, "PutItem", outcome);
        self.settle(key, Some(item), outcome)
    }

    /// A write whose condition holds, or does not, as far as is known.
    async fn put_if(&mut self, step: &mut Step, key: u64) -> Next {
        let states = self.states(key);
        let (true, Some(state)) = (states.len() == 1, states.first()) else { return Next::Go };
        let item = self.some_item(&mut step.random);
        let holds = step.random.random_bool(0.7);
        let mut input = json!({ "TableName": TABLE, "Item": self.written(key, &item) });
        match (state, holds) {
            (None, true) | (Some(_), false) => {
                input["ConditionExpression"] = json!("attribute_not_exists(pk)");
            }
            (known, _) => {
                let version = known.as_ref().map_or(0, |item| item.version);
                input["ConditionExpression"] = json!("version = :version");
                input["ExpressionAttributeValues"] =
                    json!({ ":version": { "N": version.to_string() } });
            }
        }
        let outcome = step.client.dynamodb("PutItem", &input).await;
        match step.sort("PutItem with a condition", outcome) {
            Ok(answer) if holds => {
                check(&step.failures, "PutItem with a condition that holds", &answer);
                self.settle(key, Some(item), Ok(()))
            }
            Ok(answer) => {
                let refused = answer.error() == "ConditionalCheckFailedException";
                step.failures.check(refused, || {
                    format!("a condition that does not hold: {} {}", answer.status, answer.text())
                });
                Next::Go
            }
            Err(next) if holds => self.settle(key, Some(item), Err(next)),
            Err(next) => next,
        }
    }

    /// Changes some attributes of an item, or makes it.
    async fn update(&mut self, step: &mut Step, key: u64) -> Next {
        let states = self.states(key);
        let (true, Some(state)) = (states.len() == 1, states.first().cloned()) else {
            return Next::Go;
        };
        let mut item = self.some_item(&mut step.random);
        item.rank = Some(step.random.random_range(0..1000));
        item.filling = state.as_ref().map_or(0, |old| old.filling.min(100));
        let input = json!({
            "TableName": TABLE,
            "Key": self.key(key),
            "UpdateExpression": "SET #rank = :rank, version = :version, colour = :colour, filling = :filling",
            "ExpressionAttributeNames": { "#rank": "rank" },
            "ExpressionAttributeValues": {
                ":rank": { "N": item.rank.unwrap_or_default().to_string() },
                ":version": { "N": item.version.to_string() },
                ":colour": { "S": self.colour(item.colour) },
                ":filling": { "S": filling(item.version, item.filling) },
            },
            "ReturnValues": "ALL_NEW",
        });
        let outcome = step.client.dynamodb("UpdateItem", &input).await;
        let outcome = step.sort("UpdateItem", outcome).map(|answer| {
            let returned = &answer.json()["Attributes"];
            let expected = self.written(key, &item);
            step.failures.check(*returned == expected, || {
                format!("UpdateItem returned {} {}, not {expected}", answer.status, answer.text())
            });
        });
        self.settle(key, Some(item), outcome)
    }

    async fn delete(&mut self, step: &mut Step, key: u64) -> Next {
        let input = json!({ "TableName": TABLE, "Key": self.key(key) });
        let outcome = step.client.dynamodb("DeleteItem", &input).await;
        let outcome = succeed(step, "DeleteItem", outcome);
        self.settle(key, None, outcome)
    }

    async fn get(&mut self, step: &mut Step, key: u64) -> Next {
        let input = json!({ "TableName": TABLE, "Key": self.key(key), "ConsistentRead": true });
        match step.sort("GetItem", step.client.dynamodb("GetItem", &input).await) {
            Ok(answer) => {
                check(&step.failures, "GetItem", &answer);
                let found = answer.json()["Item"].clone();
                self.compare(&step.failures, key, &found);
                Next::Go
            }
            Err(next) => next,
        }
    }

    fn compare(&self, failures: &Failures, key: u64, found: &Value) -> Option<Option<Item>> {
        let states = self.states(key);
        let fits = |state: &&Option<Item>| match state {
            None => found.is_null(),
            Some(item) => *found == self.written(key, item),
        };
        let state = states.iter().find(fits).cloned();
        if state.is_none() {
            let partition = self.partition();
            failures.add(format!("{partition}/{key} is {found}; possible were {states:?}"));
        }
        state
    }

    async fn query(
        &self,
        client: &Client,
        index: Option<&str>,
        key: (&str, String),
    ) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut input = json!({
                "TableName": TABLE,
                "KeyConditionExpression": format!("{} = :key", key.0),
                "ExpressionAttributeValues": { ":key": { "S": key.1 } },
            });
            if let Some(index) = index {
                input["IndexName"] = json!(index);
            }
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = client.dynamodb("Query", &input).await.success()?.json();
            items.extend(page["Items"].as_array().cloned().unwrap_or_default());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(items);
            }
        }
    }

    /// After a restart: the table and both indexes must tell the same, and what is possible.
    pub async fn check(&mut self, client: &Client, failures: &Failures) {
        let partition = self.partition();
        let items = match self.query(client, None, ("pk", partition.clone())).await {
            Ok(items) => items,
            Err(error) => return failures.add(format!("{partition} cannot be read: {error:#}")),
        };
        let by_key = |items: &[Value]| -> BTreeMap<String, Value> {
            let key = |item: &Value| item["sk"]["N"].as_str().unwrap_or_default().to_owned();
            items.iter().map(|item| (key(item), item.clone())).collect()
        };
        let table = by_key(&items);
        for key in 0..KEYS {
            let found = table.get(&key.to_string()).cloned().unwrap_or_default();
            if let Some(state) = self.compare(failures, key, &found) {
                self.keys.insert(key, BTreeSet::from([state]));
            }
        }
        let ranked: BTreeMap<String, Value> = table
            .iter()
            .filter(|(_, item)| !item["rank"].is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let local = self.query(client, Some("by-rank"), ("pk", partition.clone())).await;
        let mut global = Ok(Vec::new());
        for colour in 0..COLOURS {
            let page = self.query(client, Some("by-colour"), ("colour", self.colour(colour))).await;
            global = global.and_then(|mut all: Vec<Value>| {
                all.extend(page?);
                Ok(all)
            });
        }
        for (index, found) in [("by-rank", local), ("by-colour", global)] {
            match found {
                Ok(found) => {
                    failures.check(by_key(&found) == ranked && found.len() == ranked.len(), || {
                        format!(
                            "{partition}: the index {index} says {found:?}, the table {ranked:?}"
                        )
                    })
                }
                Err(error) => failures.add(format!("{partition}: the index {index}: {error:#}")),
            }
        }
        let input = json!({ "TableName": TABLE, "Key": self.key(0), "ConsistentRead": true });
        if let Some(answer) = read(failures, "an item", client.dynamodb("GetItem", &input)).await {
            let queried = table.get("0").cloned().unwrap_or_default();
            let got = answer.json()["Item"].clone();
            failures.check(got == queried, || format!("GetItem says {got}, Query {queried}"));
        }
    }
}

/// A text that follows from a number.
fn filling(number: u64, len: usize) -> String {
    let unit = format!("{number:x}.");
    let mut text = unit.repeat(len / unit.len() + 1);
    text.truncate(len);
    text
}

fn succeed(step: &Step, what: &str, outcome: Outcome) -> Result<(), Next> {
    step.sort(what, outcome).map(|answer| check(&step.failures, what, &answer))
}

/// Notes a failure unless the answer is a success.
pub(super) fn check(failures: &Failures, what: &str, answer: &Answer) {
    failures.check(answer.status == 200, || {
        format!("{what}: status {}: {}", answer.status, answer.text())
    });
}
