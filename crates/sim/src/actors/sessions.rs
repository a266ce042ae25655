//! Items with a time to live: there until then, and gone some time after.

use std::collections::BTreeMap;

use fogbank_testkit::json;

use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const TABLE: &str = "sessions";
const NAME: &str = "sessions";

/// Puts items that expire, and looks at them.
pub(crate) struct Sessions {
    chance: Chance,
    next: u64,
    /// When each acknowledged item expires, in seconds.
    items: BTreeMap<String, i64>,
}

impl Sessions {
    pub(crate) fn new(chance: Chance) -> Sessions {
        Sessions { chance, next: 0, items: BTreeMap::new() }
    }

    async fn put(&mut self, life: &Life) -> Result<(), Broken> {
        self.next += 1;
        let id = format!("session-{}", self.next);
        let until = life.millis() / 1000 + self.chance.between(1, 400) as i64;
        let input = json!({
            "TableName": TABLE,
            "Item": {"pk": {"S": id}, "until": {"N": until.to_string()}},
        });
        if life.call(NAME, "dynamodb:PutItem", input).await.done("PutItem")?.is_some() {
            self.items.insert(id, until);
        }
        Ok(())
    }

    async fn get(&mut self, life: &Life) -> Result<(), Broken> {
        if self.items.is_empty() {
            return Ok(());
        }
        let index = self.chance.index(self.items.len());
        let (id, until) = self
            .items
            .iter()
            .nth(index)
            .map(|(id, until)| (id.clone(), *until))
            .unwrap_or_default();
        let input = json!({"TableName": TABLE, "Key": {"pk": {"S": id}}, "ConsistentRead": true});
        let answer = life.call(NAME, "dynamodb:GetItem", input).await.done("GetItem")?;
        let Some(output) = answer else { return Ok(()) };
        let expired = life.millis() / 1000 >= until;
        if output["Item"].is_object() {
            return Ok(());
        }
        hold!(expired, "{id} is gone, but lives until {until}");
        self.items.remove(&id);
        Ok(())
    }
}

impl Actor for Sessions {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let input = json!({
                "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            });
            life.call(NAME, "dynamodb:CreateTable", input).await.done("CreateTable")?;
            let input = json!({
                "TableName": TABLE,
                "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "until"},
            });
            life.call(NAME, "dynamodb:UpdateTimeToLive", input).await.done("UpdateTimeToLive")?;
            Ok(())
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.chance.percent(40) { self.get(life).await } else { self.put(life).await }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            // All that must be there now, then nothing.
            let kept: Vec<_> = self.items.iter().map(|(id, until)| (id.clone(), *until)).collect();
            for (id, until) in kept {
                let input = json!({"TableName": TABLE, "Key": {"pk": {"S": id}}});
                let answer = life.call(NAME, "dynamodb:GetItem", input).await;
                let Answer::Done(output) = answer else { continue };
                let is_there = output["Item"].is_object();
                hold!(is_there || life.millis() / 1000 >= until, "{id} is gone before {until}");
            }
            life.sleep(30 * 60_000).await;
            let input = json!({"TableName": TABLE, "ConsistentRead": true});
            let answer = life.call(NAME, "dynamodb:Scan", input).await.done("Scan")?;
            let count = answer.map_or(json!(0), |output| output["Count"].clone());
            hold!(count == json!(0), "{count} items have outlived their time");
            Ok(())
        })
    }
}
