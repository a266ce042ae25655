//! Transactions of DynamoDB: money moves between accounts that several clients share, and none is made or lost. A
//! transaction that is repeated with its token happens once.

use std::collections::BTreeSet;

use fogbank_testkit::{Value, json};

use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const TABLE: &str = "accounts";
const ACCOUNTS: usize = 3;
const EACH: i64 = 100;

/// Moves money, each time until it knows that it has moved.
pub(crate) struct Transfers {
    name: String,
    chance: Chance,
    next: u64,
    /// A transaction whose outcome is not known, to be repeated, and when it was tried first.
    open: Option<(Value, i64)>,
    /// The transfers that are acknowledged.
    done: BTreeSet<String>,
    /// The transfers of which nobody knows: their token had run out before they could be repeated.
    unclear: BTreeSet<String>,
}

impl Transfers {
    pub(crate) fn new(number: usize, chance: Chance) -> Transfers {
        let (done, unclear) = (BTreeSet::new(), BTreeSet::new());
        Transfers { name: format!("transfers{number}"), chance, next: 0, open: None, done, unclear }
    }

    fn transaction(&mut self) -> Value {
        self.next += 1;
        let id = format!("{}-{}", self.name, self.next);
        let from = self.chance.index(ACCOUNTS);
        let to = (from + 1 + self.chance.index(ACCOUNTS - 1)) % ACCOUNTS;
        let sum = self.chance.between(1, 30);
        let change = |account: usize, sum: String, condition: Value| {
            let mut update = json!({
                "TableName": TABLE, "Key": {"pk": {"S": format!("account-{account}")}},
                "UpdateExpression": "ADD balance :sum",
                "ExpressionAttributeValues": {":sum": {"N": sum}},
            });
            if let Some(least) = condition.as_str() {
                update["ConditionExpression"] = json!("balance >= :least");
                update["ExpressionAttributeValues"][":least"] = json!({"N": least});
            }
            json!({"Update": update})
        };
        json!({
            "ClientRequestToken": format!("token-{id}"),
            "TransactItems": [
                change(from, format!("-{sum}"), json!(sum.to_string())),
                change(to, sum.to_string(), Value::Null),
                {"Put": {
                    "TableName": TABLE,
                    "Item": {"pk": {"S": id}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }},
            ],
        })
    }

    async fn transfer(&mut self, life: &Life) -> Result<(), Broken> {
        let (input, begun) = match self.open.take() {
            Some(open) => open,
            None => (self.transaction(), life.millis()),
        };
        let id = input["TransactItems"][2]["Put"]["Item"]["pk"]["S"].as_str().unwrap_or_default();
        let id = id.to_owned();
        // A token holds for ten minutes.
        if life.millis() - begun > 9 * 60_000 {
            self.unclear.insert(id);
            return Ok(());
        }
        self.open = Some((input.clone(), begun));
        match life.call(&self.name, "dynamodb:TransactWriteItems", input).await {
            Answer::Done(_) => {
                self.done.insert(id);
                self.open = None;
            }
            Answer::Refused(name) => {
                hold!(name == "TransactionCanceledException", "a transaction was refused: {name}");
                self.open = None;
            }
            Answer::Unknown => {}
        }
        Ok(())
    }

    async fn audit(&mut self, life: &Life) -> Result<(), Broken> {
        let gets: Vec<Value> = (0..ACCOUNTS)
            .map(|account| {
                json!({"Get": {
                    "TableName": TABLE, "Key": {"pk": {"S": format!("account-{account}")}},
                }})
            })
            .collect();
        let input = json!({"TransactItems": gets});
        let answer = life.call(&self.name, "dynamodb:TransactGetItems", input).await;
        let Some(output) = answer.done("TransactGetItems")? else { return Ok(()) };
        let balances: Vec<i64> = output["Responses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|response| response["Item"]["balance"]["N"].as_str()?.parse().ok())
            .collect();
        let sum: i64 = balances.iter().sum();
        let whole = balances.len() == ACCOUNTS && sum == EACH * ACCOUNTS as i64;
        hold!(whole, "the balances are {balances:?}");
        hold!(balances.iter().all(|balance| *balance >= 0), "an account is below zero");
        Ok(())
    }
}

impl Actor for Transfers {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let input = json!({
                "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            });
            match life.call(&self.name, "dynamodb:CreateTable", input).await {
                Answer::Refused(name) if name == "ResourceInUseException" => return Ok(()),
                other => drop(other.done("CreateTable")?),
            }
            for account in 0..ACCOUNTS {
                let item = json!({
                    "pk": {"S": format!("account-{account}")}, "balance": {"N": EACH.to_string()},
                });
                let input = json!({"TableName": TABLE, "Item": item});
                life.call(&self.name, "dynamodb:PutItem", input).await.done("PutItem")?;
            }
            Ok(())
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(30) { self.audit(life).await } else { self.transfer(life).await }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            while self.open.is_some() {
                life.sleep(1_000).await;
                self.transfer(life).await?;
            }
            self.audit(life).await?;
            self.look(life).await
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let input = json!({"TableName": TABLE, "ConsistentRead": true});
            let answer = life.call(&self.name, "dynamodb:Scan", input).await.done("Scan")?;
            let Some(output) = answer else { return Ok(()) };
            let prefix = format!("{}-", self.name);
            let rows = output["Items"].as_array().cloned().unwrap_or_default();
            let found: BTreeSet<String> = rows
                .iter()
                .filter_map(|item| item["pk"]["S"].as_str())
                .filter(|id| id.starts_with(&prefix) && !self.unclear.contains(*id))
                .map(str::to_owned)
                .collect();
            hold!(found == self.done, "transfers {found:?}, acknowledged {:?}", self.done);
            Ok(())
        })
    }
}
