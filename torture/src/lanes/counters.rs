//! A counter that all lanes add to at the same time.

use rand::Rng;
use serde_json::json;

use super::items::{TABLE, check};
use super::{Failures, Next, Step, read};
use crate::client::Client;

/// One lane that adds to the common counter.
#[derive(Clone)]
pub struct Counter {
    /// Additions since the last check that were acknowledged.
    sure: u64,
    /// Additions since then of unknown outcome.
    unsure: u64,
    /// The last value that an acknowledgement told.
    seen: u64,
    /// Additions that were acknowledged.
    pub acknowledged: u64,
}

impl Counter {
    /// A lane that has added nothing.
    pub fn new() -> Counter {
        Counter { sure: 0, unsure: 0, seen: 0, acknowledged: 0 }
    }

    /// One addition.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let by = step.random.random_range(1..4);
        let input = json!({
            "TableName": TABLE,
            "Key": { "pk": { "S": "counter" }, "sk": { "N": "0" } },
            "UpdateExpression": "ADD amount :by",
            "ExpressionAttributeValues": { ":by": { "N": by.to_string() } },
            "ReturnValues": "UPDATED_NEW",
        });
        match step.sort("UpdateItem", step.client.dynamodb("UpdateItem", &input).await) {
            Ok(answer) => {
                check(&step.failures, "UpdateItem", &answer);
                let value = answer.json()["Attributes"]["amount"]["N"]
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default();
                step.failures.check(value >= self.seen + by, || {
                    format!("the counter went from {} to {value} by {by}", self.seen)
                });
                self.seen = value;
                self.sure += by;
                self.acknowledged += 1;
                Next::Go
            }
            Err(next) => {
                self.unsure += by;
                next
            }
        }
    }
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

/// After a restart: the value is what was acknowledged, and at most what is unknown more.
pub async fn check_all(
    base: &mut u64,
    lanes: &mut [&mut Counter],
    client: &Client,
    failures: &Failures,
) {
    let input = json!({
        "TableName": TABLE,
        "Key": { "pk": { "S": "counter" }, "sk": { "N": "0" } },
        "ConsistentRead": true,
    });
    let Some(answer) = read(failures, "the counter", client.dynamodb("GetItem", &input)).await
    else {
        return;
    };
    check(failures, "GetItem", &answer);
    let text = answer.json()["Item"]["amount"]["N"].as_str().unwrap_or("0").to_owned();
    let value = text.parse().unwrap_or(0);
    let least = *base + lanes.iter().map(|lane| lane.sure).sum::<u64>();
    let most = least + lanes.iter().map(|lane| lane.unsure).sum::<u64>();
    failures.check((least..=most).contains(&value), || {
        format!("the counter is {value}; acknowledged were {least}, possible up to {most}")
    });
    *base = value;
    for lane in lanes {
        (lane.sure, lane.unsure, lane.seen) = (0, 0, value);
    }
}
