//! Items of DynamoDB: what is acknowledged is there, and the index agrees with the table.

use std::collections::BTreeMap;

use fogbank_testkit::{Value, json};

use super::{Acted, Actor, Possible};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const TABLE: &str = "items";
const KEYS: usize = 4;

/// Writes and reads items that are its own, one after the other.
pub(crate) struct Items {
    name: String,
    chance: Chance,
    /// The version of each item, if it exists.
    items: Vec<Possible<Option<u64>>>,
    version: u64,
}

impl Items {
    pub(crate) fn new(number: usize, chance: Chance) -> Items {
        let items = (0..KEYS).map(|_| Possible::new(None)).collect();
        Items { name: format!("items{number}"), chance, items, version: 0 }
    }

    fn key(&self, index: usize) -> Value {
        json!({"pk": {"S": format!("{}-{index}", self.name)}})
    }

    fn item(&self, index: usize, version: u64) -> Value {
        let mut item = self.key(index);
        item["n"] = json!({"N": version.to_string()});
        item["owner"] = json!({"S": self.name});
        item["text"] = json!({"S": "x".repeat((version % 7 * 100) as usize)});
        item
    }

    async fn change(&mut self, life: &Life) -> Result<(), Broken> {
        let index = self.chance.index(KEYS);
        self.version += 1;
        let version = self.version;
        let (action, input, value) = match self.chance.index(4) {
            0 => {
                let input = json!({"TableName": TABLE, "Key": self.key(index)});
                ("dynamodb:DeleteItem", input, None)
            }
            1 => {
                let input = json!({
                    "TableName": TABLE, "Key": self.key(index),
                    "UpdateExpression": "SET n = :n, #o = :o",
                    "ExpressionAttributeNames": {"#o": "owner"},
                    "ExpressionAttributeValues":
                        {":n": {"N": version.to_string()}, ":o": {"S": self.name}},
                });
                ("dynamodb:UpdateItem", input, Some(version))
            }
            _ => {
                let input = json!({"TableName": TABLE, "Item": self.item(index, version)});
                ("dynamodb:PutItem", input, Some(version))
            }
        };
        self.items[index].begin(value);
        if life.call(&self.name, action, input).await.done(action)?.is_some() {
            self.items[index].settle();
        }
        Ok(())
    }

    /// Writes only if the item is as it was seen: the refusal must be right.
    async fn change_if_as_seen(&mut self, life: &Life) -> Result<(), Broken> {
        let index = self.chance.index(KEYS);
        let Some(seen) = self.get(life, index).await? else { return Ok(()) };
        self.version += 1;
        let mut input = json!({"TableName": TABLE, "Item": self.item(index, self.version)});
        match seen {
            Some(version) => {
                input["ConditionExpression"] = json!("n = :seen");
                input["ExpressionAttributeValues"] = json!({":seen": {"N": version.to_string()}});
            }
            None => input["ConditionExpression"] = json!("attribute_not_exists(pk)"),
        }
        self.items[index].begin(Some(self.version));
        match life.call(&self.name, "dynamodb:PutItem", input).await {
            Answer::Done(_) => {
                hold!(self.items[index].may_be(&seen), "a condition held that could not");
                self.items[index].settle();
            }
            Answer::Refused(name) => {
                hold!(name == "ConditionalCheckFailedException", "PutItem was refused: {name}");
                self.items[index].refuse();
            }
            Answer::Unknown => {}
        }
        Ok(())
    }

    async fn batch(&mut self, life: &Life) -> Result<(), Broken> {
        let mut requests = Vec::new();
        for index in 0..KEYS {
            self.version += 1;
            self.items[index].begin(Some(self.version));
            requests.push(json!({"PutRequest": {"Item": self.item(index, self.version)}}));
        }
        let input = json!({"RequestItems": {TABLE: requests}});
        let answer = life.call(&self.name, "dynamodb:BatchWriteItem", input).await;
        if answer.done("BatchWriteItem")?.is_some() {
            self.items.iter_mut().for_each(Possible::settle);
        }
        Ok(())
    }

    async fn get(&mut self, life: &Life, index: usize) -> Result<Option<Option<u64>>, Broken> {
        let input = json!({"TableName": TABLE, "Key": self.key(index), "ConsistentRead": true});
        let answer = life.call(&self.name, "dynamodb:GetItem", input).await;
        let Some(output) = answer.done("GetItem")? else { return Ok(None) };
        let seen = version(&output["Item"]);
        self.items[index].see(&seen, &format!("{}-{index}", self.name))?;
        Ok(Some(seen))
    }

    /// Reads everything, in every way.
    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let mut mine = BTreeMap::new();
        for index in 0..KEYS {
            if let Some(Some(version)) = self.get(life, index).await? {
                mine.insert(format!("{}-{index}", self.name), version);
            }
        }
        let query = json!({
            "TableName": TABLE, "IndexName": "by-owner",
            "KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": self.name}},
        });
        let scan = json!({
            "TableName": TABLE, "ConsistentRead": true, "FilterExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": self.name}},
        });
        for (action, input) in [("dynamodb:Query", query), ("dynamodb:Scan", scan)] {
            let Some(output) = life.call(&self.name, action, input).await.done(action)? else {
                return Err(Broken(format!("{action} fails in a life without faults")));
            };
            let rows = output["Items"].as_array().cloned().unwrap_or_default();
            let found: BTreeMap<String, u64> = rows
                .iter()
                .filter_map(|item| Some((item["pk"]["S"].as_str()?.to_owned(), version(item)?)))
                .collect();
            hold!(found == mine, "{action} finds {found:?}, GetItem {mine:?}");
        }
        Ok(())
    }
}

fn version(item: &Value) -> Option<u64> {
    item["n"]["N"].as_str()?.parse().ok()
}

impl Actor for Items {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let input = json!({
                "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "owner", "AttributeType": "S"},
                    {"AttributeName": "n", "AttributeType": "N"},
                ],
                "GlobalSecondaryIndexes": [{
                    "IndexName": "by-owner",
                    "KeySchema": [
                        {"AttributeName": "owner", "KeyType": "HASH"},
                        {"AttributeName": "n", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }],
            });
            match life.call(&self.name, "dynamodb:CreateTable", input).await {
                Answer::Refused(name) if name == "ResourceInUseException" => Ok(()),
                other => other.done("CreateTable").map(drop),
            }
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match self.chance.index(8) {
                0 => self.batch(life).await,
                1 => self.change_if_as_seen(life).await,
                2 | 3 => {
                    let index = self.chance.index(KEYS);
                    self.get(life, index).await.map(drop)
                }
                _ => self.change(life).await,
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }
}
