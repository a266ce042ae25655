//! Transactions that move money between accounts and write down that they did.

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::{Value, json};

use super::items::check;
use super::{Failures, Next, Step};
use crate::client::Client;

/// The table of accounts.
pub const ACCOUNTS: &str = "accounts";
/// The table of transfers.
pub const LEDGER: &str = "ledger";
/// How many accounts there are.
pub const COUNT: usize = 8;
/// What each has at first.
pub const START: i64 = 1000;

/// One lane of transfers.
#[derive(Clone)]
pub struct Money {
    lane: u64,
    last: u64,
    /// Transfers since the last check, with whether it is known that they happened.
    made: BTreeMap<u64, (Transfer, Known)>,
    /// A transfer of unknown outcome, to be asked for again with the same token.
    again: Option<Again>,
    checked: u64,
    /// Transfers that were acknowledged.
    pub acknowledged: u64,
}

/// A transfer that is asked for again.
#[derive(Clone, Copy)]
struct Again {
    number: u64,
    transfer: Transfer,
    /// It was found written down, so that asking again must succeed and change nothing.
    is_done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transfer {
    from: usize,
    to: usize,
    amount: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Done,
    Refused,
    Unknown,
}

impl Money {
    /// A lane that has moved nothing.
    pub fn new(lane: u64) -> Money {
        Money { lane, last: 0, made: BTreeMap::new(), again: None, checked: 0, acknowledged: 0 }
    }

    fn name(&self) -> String {
        format!("lane-{:02}", self.lane)
    }

    /// One transfer, or the one of unknown outcome again.
    pub async fn step(&mut self, step: &mut Step) -> Next {
        let Again { number, transfer, is_done } = match self.again.take() {
            Some(again) => again,
            None => {
                self.last += 1;
                let from = step.random.random_range(0..COUNT);
                let to = (from + step.random.random_range(1..COUNT)) % COUNT;
                let transfer = Transfer { from, to, amount: step.random.random_range(1..200) };
                Again { number: self.last, transfer, is_done: false }
            }
        };
        let outcome =
            step.client.dynamodb("TransactWriteItems", &self.input(number, transfer)).await;
        let (known, next) = match step.sort("TransactWriteItems", outcome) {
            Ok(answer) if answer.status == 200 => (Known::Done, Next::Go),
            Ok(answer) if answer.error() == "TransactionCanceledException" && !is_done => {
                let fits = answer.text().contains("ConditionalCheckFailed")
                    || answer.text().contains("TransactionConflict");
                step.failures.check(fits, || format!("a transfer: {}", answer.text()));
                (Known::Refused, Next::Go)
            }
            Ok(answer) => {
                check(&step.failures, "TransactWriteItems", &answer);
                (Known::Unknown, Next::Go)
            }
            Err(next) => {
                self.again = Some(Again { number, transfer, is_done });
                (Known::Unknown, next)
            }
        };
        if !is_done {
            self.acknowledged += u64::from(known == Known::Done);
            self.made.insert(number, (transfer, known));
        }
        next
    }

    fn input(&self, number: u64, transfer: Transfer) -> Value {
        let Transfer { from, to, amount } = transfer;
        let update = |account: usize, by: i64, condition: &str| {
            let mut update = json!({
                "TableName": ACCOUNTS,
                "Key": { "id": { "N": account.to_string() } },
                "UpdateExpression": "SET balance = balance + :by",
                "ExpressionAttributeValues": { ":by": { "N": by.to_string() } },
            });
            if !condition.is_empty() {
                update["ConditionExpression"] = json!(condition);
                update["ExpressionAttributeValues"][":least"] = json!({ "N": amount.to_string() });
            }
            json!({ "Update": update })
        };
        json!({
            "ClientRequestToken": format!("{}-{number}", self.name()),
            "TransactItems": [
                update(from, -amount, "balance >= :least"),
                update(to, amount, ""),
                { "Put": {
                    "TableName": LEDGER,
                    "Item": {
                        "lane": { "S": self.name() },
                        "number": { "N": number.to_string() },
                        "from": { "N": from.to_string() },
                        "to": { "N": to.to_string() },
                        "amount": { "N": amount.to_string() },
                    },
                    "ConditionExpression": "attribute_not_exists(lane)",
                } },
            ],
        })
    }

    /// The transfers written down since the last check.
    async fn ledger(&self, client: &Client) -> anyhow::Result<BTreeMap<u64, Transfer>> {
        let mut found = BTreeMap::new();
        let mut start = Value::Null;
        loop {
            let mut input = json!({
                "TableName": LEDGER,
                "KeyConditionExpression": "lane = :lane AND #number > :checked",
                "ExpressionAttributeNames": { "#number": "number" },
                "ExpressionAttributeValues": {
                    ":lane": { "S": self.name() },
                    ":checked": { "N": self.checked.to_string() },
                },
                "ConsistentRead": true,
            });
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = client.dynamodb("Query", &input).await.success()?.json();
            for item in page["Items"].as_array().into_iter().flatten() {
                let number = |name: &str| -> i64 {
                    item[name]["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1)
                };
                let transfer = Transfer {
                    from: number("from") as usize,
                    to: number("to") as usize,
                    amount: number("amount"),
                };
                found.insert(number("number") as u64, transfer);
            }
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(found);
            }
        }
    }
}

/// After a restart: every acknowledged transfer is written down, none that was refused, and each account has exactly
/// what the transfers that are written down say.
pub async fn check_all(
    balances: &mut [i64; COUNT],
    lanes: &mut [&mut Money],
    client: &Client,
    failures: &Failures,
) {
    let mut expected = *balances;
    for lane in lanes {
        let ledger = match lane.ledger(client).await {
            Ok(ledger) => ledger,
            Err(error) => return failures.add(format!("{}: ledger: {error:#}", lane.name())),
        };
        for (number, transfer) in &ledger {
            let fits = matches!(lane.made.get(number),
                Some((made, known)) if made == transfer && *known != Known::Refused);
            failures.check(fits, || {
                format!(
                    "{}: {number} is written down as {transfer:?}, made was {:?}",
                    lane.name(),
                    lane.made.get(number)
                )
            });
            if transfer.from < COUNT && transfer.to < COUNT {
                expected[transfer.from] -= transfer.amount;
                expected[transfer.to] += transfer.amount;
            }
        }
        for (number, (transfer, known)) in &lane.made {
            failures.check(*known != Known::Done || ledger.contains_key(number), || {
                format!("{}: the acknowledged transfer {number} {transfer:?} is lost", lane.name())
            });
        }
        lane.checked = lane.last;
        lane.made.clear();
        if let Some(again) = &mut lane.again {
            again.is_done |= ledger.contains_key(&again.number);
            if !again.is_done {
                lane.checked = again.number - 1;
                lane.made.insert(again.number, (again.transfer, Known::Unknown));
            }
        }
    }
    match read_balances(client).await {
        Ok(found) => {
            failures.check(found == expected, || {
                format!("the accounts have {found:?}; the transfers say {expected:?}")
            });
            let sum: i64 = found.iter().sum();
            failures.check(sum == START * COUNT as i64, || format!("there is {sum} in all"));
            *balances = found;
        }
        Err(error) => failures.add(format!("the accounts cannot be read: {error:#}")),
    }
}

async fn read_balances(client: &Client) -> anyhow::Result<[i64; COUNT]> {
    let input = json!({ "TableName": ACCOUNTS, "ConsistentRead": true });
    let page = client.dynamodb("Scan", &input).await.success()?.json();
    let mut found = [i64::MIN / 100; COUNT];
    for item in page["Items"].as_array().into_iter().flatten() {
        let number = |name: &str| -> Option<i64> { item[name]["N"].as_str()?.parse().ok() };
        if let (Some(id), Some(balance)) = (number("id"), number("balance"))
            && let Some(account) = found.get_mut(id as usize)
        {
            *account = balance;
        }
    }
    Ok(found)
}
