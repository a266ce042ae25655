//! Events of S3 in a queue: one for each object that was written, none for one that was not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use fogbank_core::bytes::Bytes;
use fogbank_testkit::{Value, json};

use super::objects;
use super::queue::arn;
use super::topics::{drain, policy};
use super::{Acted, Actor, until_quiet};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const BUCKET: &str = "uploads";
const QUEUE: &str = "arrivals";

#[derive(Default)]
struct Model {
    next: u64,
    acknowledged: BTreeSet<String>,
    told: BTreeSet<String>,
}

type Shared = Rc<RefCell<Model>>;

/// The uploader and the reader of the events.
pub(super) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    let model = Shared::default();
    let uploader = Uploader { model: model.clone(), chance: chance.fork() };
    vec![Box::new(uploader), Box::new(Listener { model })]
}

struct Uploader {
    model: Shared,
    chance: Chance,
}

impl Actor for Uploader {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let who = "uploader";
            let input =
                json!({"QueueName": QUEUE, "Attributes": policy("s3.amazonaws.com", QUEUE)});
            life.call(who, "sqs:CreateQueue", input).await.done("CreateQueue")?;
            life.call(who, "s3:CreateBucket", json!({"Bucket": BUCKET}))
                .await
                .done("CreateBucket")?;
            let configuration = json!({"QueueConfigurations": [
                {"QueueArn": arn(QUEUE), "Events": ["s3:ObjectCreated:*"]},
            ]});
            let input = json!({"Bucket": BUCKET, "NotificationConfiguration": configuration});
            let action = "s3:PutBucketNotificationConfiguration";
            life.call(who, action, input).await.done(action).map(drop)
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            let key = {
                let mut model = self.model.borrow_mut();
                model.next += 1;
                format!("upload-{}", model.next)
            };
            let len = if self.chance.percent(10) { 20_000 } else { self.chance.skewed(1_000) };
            let input = json!({"Bucket": BUCKET, "Key": key});
            let body = Bytes::from(vec![b'x'; len as usize]);
            let (answer, _) = life.send("uploader", "s3:PutObject", input, body).await;
            if answer.done("PutObject")?.is_some() {
                self.model.borrow_mut().acknowledged.insert(key);
            }
            Ok(())
        })
    }

    fn settle<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(objects::clear(life, BUCKET))
    }
}

struct Listener {
    model: Shared,
}

impl Listener {
    async fn listen(&mut self, life: &Life) -> Result<usize, Broken> {
        let mut keys = Vec::new();
        let count = drain(life, "listener", QUEUE, |body| {
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            if let Some(key) = event["Records"][0]["s3"]["object"]["key"].as_str() {
                self.model.borrow_mut().told.insert(key.to_owned());
                keys.push(key.to_owned());
            }
            Ok(())
        })
        .await?;
        for key in keys {
            let input = json!({"Bucket": BUCKET, "Key": key});
            match life.call("listener", "s3:HeadObject", input).await {
                Answer::Done(_) | Answer::Unknown => {}
                Answer::Refused(name) => {
                    return Err(Broken(format!("{key} was told of, and HeadObject says {name}")));
                }
            }
        }
        Ok(count)
    }
}

impl Actor for Listener {
    fn prepare<'a>(&'a mut self, _: &'a Life) -> Acted<'a> {
        Box::pin(async { Ok(()) })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move { self.listen(life).await.map(drop) })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            until_quiet(life, async || self.listen(life).await).await?;
            let mut listed = BTreeSet::new();
            let mut after = String::new();
            loop {
                let input = json!({"Bucket": BUCKET, "StartAfter": after, "MaxKeys": 100});
                let answer = life.call("listener", "s3:ListObjectsV2", input).await;
                let output = answer.done("ListObjectsV2")?.unwrap_or_default();
                let contents = output["Contents"].as_array().cloned().unwrap_or_default();
                let keys = contents.iter().filter_map(|object| object["Key"].as_str());
                listed.extend(keys.map(str::to_owned));
                match listed.last() {
                    Some(last) if output["IsTruncated"] == json!(true) => after.clone_from(last),
                    _ => break,
                }
            }
            let model = self.model.borrow();
            hold!(
                listed == model.told,
                "listed and told of differ: {:?}",
                listed.symmetric_difference(&model.told)
            );
            let lost: Vec<_> = model.acknowledged.difference(&listed).collect();
            hold!(lost.is_empty(), "{lost:?} were acknowledged and are gone");
            Ok(())
        })
    }
}
