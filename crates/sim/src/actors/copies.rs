//! Replication of S3: the copy comes to hold what the original does, version by version, once each.

use std::collections::BTreeMap;

use fogbank_core::bytes::Bytes;
use fogbank_testkit::{Value, json};

use super::objects::content;
use super::{Acted, Actor};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const NAME: &str = "copies";
const FROM: &str = "originals";
const TO: &str = "copies";
const ROLE: &str = "copier";
const KEYS: usize = 3;

/// Writes and removes objects of a bucket that is replicated.
pub(crate) struct Copies {
    chance: Chance,
    version: u64,
    /// The ids of versions and delete markers that were acknowledged, with their keys.
    acknowledged: BTreeMap<String, String>,
}

/// A version or delete marker: its key and id, and its ETag and size if it is a version.
type Listed = BTreeMap<(String, String), Option<(String, u64)>>;

impl Copies {
    pub(crate) fn new(chance: Chance) -> Copies {
        Copies { chance, version: 0, acknowledged: BTreeMap::new() }
    }

    async fn change(&mut self, life: &Life) -> Result<(), Broken> {
        let key = format!("key-{}", self.chance.index(KEYS));
        let mut input = json!({"Bucket": FROM, "Key": key});
        let (action, body) = match self.chance.percent(20) {
            true => ("s3:DeleteObject", Bytes::new()),
            false => {
                self.version += 1;
                input["Metadata"] = json!({"version": self.version.to_string()});
                let len = match self.chance.index(3) {
                    0 => self.chance.between(16 << 10, 60 << 10),
                    _ => self.chance.skewed(4 << 10),
                };
                ("s3:PutObject", content(NAME, self.version, len))
            }
        };
        let (answer, _) = life.send(NAME, action, input, body).await;
        if let Some(output) = answer.done(action)?
            && let Some(id) = output["VersionId"].as_str()
        {
            self.acknowledged.insert(id.to_owned(), key);
        }
        Ok(())
    }

    /// Both buckets hold the same, and what was acknowledged.
    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let (originals, copies) = (listed(life, FROM).await?, listed(life, TO).await?);
        hold!(originals == copies, "{FROM} holds {originals:?}, {TO} {copies:?}");
        for (id, key) in &self.acknowledged {
            let is_there = originals.contains_key(&(key.clone(), id.clone()));
            hold!(is_there, "the version {id} of {key} was acknowledged and is gone");
        }
        for ((key, id), version) in &copies {
            let Some((_, size)) = version else { continue };
            for (bucket, status) in [(FROM, "COMPLETED"), (TO, "REPLICA")] {
                let input = json!({"Bucket": bucket, "Key": key, "VersionId": id});
                let (answer, body) = life.send(NAME, "s3:GetObject", input, Bytes::new()).await;
                let output = answer.done("GetObject")?.unwrap_or_default();
                let told = &output["ReplicationStatus"];
                hold!(*told == json!(status), "{key} {id} in {bucket} is {told}");
                let number = output["Metadata"]["version"].as_str();
                let number = number.and_then(|text| text.parse().ok()).unwrap_or_default();
                let right = body == content(NAME, number, *size);
                hold!(right, "{key} {id} in {bucket} has bytes that nobody wrote");
            }
        }
        Ok(())
    }
}

async fn listed(life: &Life, bucket: &str) -> Result<Listed, Broken> {
    let mut listed = Listed::new();
    let mut input = json!({"Bucket": bucket});
    loop {
        let answer = life.call(NAME, "s3:ListObjectVersions", input.clone()).await;
        let output = answer.done("ListObjectVersions")?.unwrap_or_default();
        for (member, is_version) in [("Versions", true), ("DeleteMarkers", false)] {
            for entry in output[member].as_array().into_iter().flatten() {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                let size = entry["Size"].as_u64().unwrap_or_default();
                let version = is_version.then(|| (text("ETag"), size));
                listed.insert((text("Key"), text("VersionId")), version);
            }
        }
        if output["IsTruncated"] != json!(true) {
            return Ok(listed);
        }
        input["KeyMarker"] = output["NextKeyMarker"].clone();
        input["VersionIdMarker"] = output["NextVersionIdMarker"].clone();
    }
}

async fn done(life: &Life, action: &str, input: Value) -> Result<(), Broken> {
    life.call(NAME, action, input).await.done(action).map(drop)
}

impl Actor for Copies {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            for bucket in [FROM, TO] {
                done(life, "s3:CreateBucket", json!({"Bucket": bucket})).await?;
                let versioning = json!({"Status": "Enabled"});
                let input = json!({"Bucket": bucket, "VersioningConfiguration": versioning});
                done(life, "s3:PutBucketVersioning", input).await?;
            }
            let statement = |more: Value| {
                let mut statement = json!({"Effect": "Allow"});
                for (name, value) in more.as_object().into_iter().flatten() {
                    statement[name] = value.clone();
                }
                json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
            };
            let trust = statement(json!({
                "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole",
            }));
            let input = json!({"RoleName": ROLE, "AssumeRolePolicyDocument": trust});
            done(life, "iam:CreateRole", input).await?;
            let policy = statement(json!({"Action": "s3:*", "Resource": "*"}));
            let input = json!({"RoleName": ROLE, "PolicyName": "copy", "PolicyDocument": policy});
            done(life, "iam:PutRolePolicy", input).await?;
            let rule = json!({
                "ID": "all", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "Destination": {"Bucket": format!("arn:aws:s3:::{TO}")},
            });
            let role = format!("arn:aws:iam::{}:role/{ROLE}", fogbank_testkit::ACCOUNT);
            let configuration = json!({"Role": role, "Rules": [rule]});
            let input = json!({"Bucket": FROM, "ReplicationConfiguration": configuration});
            done(life, "s3:PutBucketReplication", input).await
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.change(life))
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            for _ in 0..600 {
                if listed(life, FROM).await? == listed(life, TO).await? {
                    break;
                }
                life.sleep(60_000).await;
            }
            // The status of the last one is written after its copy.
            life.sleep(60 * 60_000).await;
            self.check(life).await
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            for bucket in [FROM, TO] {
                for (key, id) in listed(life, bucket).await?.into_keys() {
                    let input = json!({"Bucket": bucket, "Key": key, "VersionId": id});
                    match life.call(NAME, "s3:DeleteObject", input).await {
                        Answer::Refused(name) => {
                            return Err(Broken(format!("DeleteObject was refused: {name}")));
                        }
                        Answer::Done(_) | Answer::Unknown => {}
                    }
                }
            }
            Ok(())
        })
    }
}
