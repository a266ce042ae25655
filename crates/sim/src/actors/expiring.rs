//! Lifecycles of S3: what is due goes, whole and with its bytes, however often the sweep is cut short; nothing else does.

use fogbank_core::bytes::Bytes;
use fogbank_testkit::{Value, json};

use super::objects::{clear, content};
use super::{Acted, Actor, Possible};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const BUCKET: &str = "expiring";
const NAME: &str = "expiring";
/// How many keys there are that no rule is about, and how many that are always due.
const STAYING: usize = 3;
const GOING: usize = 12;
/// The day before the simulation begins, in seconds since 1970.
const YESTERDAY_SECS: i64 = 1_767_139_200;

/// The number and the length of what was written, if anything is there.
type Written = Option<(u64, u64)>;

/// Writes objects of which some are due at once, and sets and removes the rules by which they are.
pub(crate) struct Expiring {
    chance: Chance,
    version: u64,
    staying: Vec<Possible<Written>>,
    going: Vec<Possible<Written>>,
}

impl Expiring {
    pub(crate) fn new(chance: Chance) -> Expiring {
        let keys = |count: usize| (0..count).map(|_| Possible::new(None)).collect();
        Expiring { chance, version: 0, staying: keys(STAYING), going: keys(GOING) }
    }

    async fn put(&mut self, life: &Life) -> Result<(), Broken> {
        // In the row or in a segment.
        let len = match self.chance.index(3) {
            0 => self.chance.between(16 << 10, 60 << 10),
            _ => self.chance.skewed(4 << 10),
        };
        self.version += 1;
        let (version, is_going) = (self.version, self.chance.percent(75));
        let index = self.chance.index(if is_going { GOING } else { STAYING });
        let possible = if is_going { &mut self.going[index] } else { &mut self.staying[index] };
        possible.begin(Some((version, len)));
        let mut input = json!({"Bucket": BUCKET, "Key": key(is_going, index)});
        input["Metadata"] = json!({"version": version.to_string()});
        let (answer, _) = life.send(NAME, "s3:PutObject", input, content(NAME, version, len)).await;
        if answer.done("PutObject")?.is_some() {
            possible.settle();
        }
        Ok(())
    }

    /// Reads a key; nothing if that fails.
    async fn get(
        &mut self,
        life: &Life,
        is_going: bool,
        index: usize,
    ) -> Result<Option<Written>, Broken> {
        let key = key(is_going, index);
        let input = json!({"Bucket": BUCKET, "Key": key});
        let (answer, body) = life.send(NAME, "s3:GetObject", input, Bytes::new()).await;
        let seen = match answer {
            Answer::Done(output) => {
                let version = output["Metadata"]["version"].as_str();
                let version = version.and_then(|text| text.parse().ok()).unwrap_or_default();
                let len = body.len() as u64;
                hold!(body == content(NAME, version, len), "{key} has bytes that nobody wrote");
                Some((version, len))
            }
            Answer::Refused(name) if name == "NoSuchKey" => None,
            Answer::Refused(name) => return Err(Broken(format!("GetObject was refused: {name}"))),
            Answer::Unknown => return Ok(None),
        };
        match (is_going, &seen) {
            (false, _) => self.staying[index].see(&seen, &key)?,
            (true, Some(_)) => self.going[index].see(&seen, &key)?,
            // It was due.
            (true, None) => {}
        }
        Ok(Some(seen))
    }

    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let mut there = Vec::new();
        for index in 0..STAYING {
            if let Some(Some((_, len))) = self.get(life, false, index).await? {
                there.push((key(false, index), len));
            }
        }
        let listed = listed(life).await?;
        hold!(listed == there, "listed {listed:?}, read {there:?}");
        Ok(())
    }
}

fn key(is_going: bool, index: usize) -> String {
    format!("{}/{index:02}", if is_going { "going" } else { "staying" })
}

async fn listed(life: &Life) -> Result<Vec<(String, u64)>, Broken> {
    let answer = life.call(NAME, "s3:ListObjectsV2", json!({"Bucket": BUCKET})).await;
    let output = answer.done("ListObjectsV2")?.unwrap_or_default();
    let contents = output["Contents"].as_array().cloned().unwrap_or_default();
    let object =
        |object: &Value| Some((object["Key"].as_str()?.to_owned(), object["Size"].as_u64()?));
    Ok(contents.iter().filter_map(object).collect())
}

/// Sets the rules anew, by which the bucket is swept.
async fn set_rules(life: &Life) -> Result<(), Broken> {
    let rule = json!({
        "ID": "going", "Status": "Enabled", "Filter": {"Prefix": "going/"},
        "Expiration": {"Date": YESTERDAY_SECS},
    });
    let input = json!({"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [rule]}});
    let action = "s3:PutBucketLifecycleConfiguration";
    life.call(NAME, action, input).await.done(action).map(drop)
}

impl Actor for Expiring {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let input = json!({"Bucket": BUCKET});
            life.call(NAME, "s3:CreateBucket", input).await.done("CreateBucket").map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match self.chance.index(12) {
                0 | 1 => set_rules(life).await,
                2 => {
                    let action = "s3:DeleteBucketLifecycle";
                    let answer = life.call(NAME, action, json!({"Bucket": BUCKET})).await;
                    answer.done(action).map(drop)
                }
                3 | 4 => {
                    let is_going = self.chance.percent(50);
                    let index = self.chance.index(if is_going { GOING } else { STAYING });
                    self.get(life, is_going, index).await.map(drop)
                }
                _ => self.put(life).await,
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            set_rules(life).await?;
            let mut minutes = 0;
            while listed(life).await?.iter().any(|(key, _)| key.starts_with("going/")) {
                hold!(minutes < 60, "what is due is not swept");
                minutes += 1;
                life.sleep(60_000).await;
            }
            self.check(life).await
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(clear(life, BUCKET))
    }
}
