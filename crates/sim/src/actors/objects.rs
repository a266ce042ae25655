//! Objects of S3: what is acknowledged is read as it was written, whole, and listed.

use fogbank_core::bytes::Bytes;
use fogbank_testkit::{Value, json};

use super::{Acted, Actor, Possible};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const BUCKET: &str = "files";
const KEYS: usize = 4;
/// The least size of a part that is not the last.
const PART_BYTES: u64 = 5 << 20;

/// A version of an object: its number and its length.
type Version = Option<(u64, u64)>;

/// Writes and reads objects that are its own.
pub(crate) struct Objects {
    name: String,
    chance: Chance,
    objects: Vec<Possible<Version>>,
    version: u64,
}

impl Objects {
    pub(crate) fn new(number: usize, chance: Chance) -> Objects {
        let objects = (0..KEYS).map(|_| Possible::new(None)).collect();
        Objects { name: format!("objects{number}"), chance, objects, version: 0 }
    }

    fn key(&self, index: usize) -> String {
        format!("{}/{index}", self.name)
    }

    fn input(&self, index: usize) -> Value {
        json!({"Bucket": BUCKET, "Key": self.key(index)})
    }

    async fn put(&mut self, life: &Life) -> Result<(), Broken> {
        let index = self.chance.index(KEYS);
        // In the row, in a segment, in a file of its own.
        let len = match self.chance.index(40) {
            0 => self.chance.between(4 << 20, 5 << 20),
            1..15 => self.chance.between(16 << 10, 200 << 10),
            _ => self.chance.skewed(16 << 10),
        };
        self.version += 1;
        let mut input = self.input(index);
        input["Metadata"] = json!({"version": self.version.to_string()});
        if self.chance.percent(20) {
            input["ServerSideEncryption"] = json!("aws:kms");
        }
        self.objects[index].begin(Some((self.version, len)));
        let body = content(&self.name, self.version, len);
        let (answer, _) = life.send(&self.name, "s3:PutObject", input, body).await;
        if answer.done("PutObject")?.is_some() {
            self.objects[index].settle();
        }
        Ok(())
    }

    async fn delete(&mut self, life: &Life) -> Result<(), Broken> {
        let index = self.chance.index(KEYS);
        self.objects[index].begin(None);
        let answer = life.call(&self.name, "s3:DeleteObject", self.input(index)).await;
        if answer.done("DeleteObject")?.is_some() {
            self.objects[index].settle();
        }
        Ok(())
    }

    /// Copies an object onto another one.
    async fn copy(&mut self, life: &Life) -> Result<(), Broken> {
        let (from, to) = (self.chance.index(KEYS), self.chance.index(KEYS));
        if from == to {
            return Ok(());
        }
        let Some(Some(seen)) = self.get(life, from).await? else { return Ok(()) };
        // A later version of the source may arrive meanwhile if it was not acknowledged.
        if self.objects[from].values.len() > 1 {
            return Ok(());
        }
        let mut input = self.input(to);
        input["CopySource"] = json!(format!("{BUCKET}/{}", self.key(from)));
        self.objects[to].begin(Some(seen));
        let answer = life.call(&self.name, "s3:CopyObject", input).await;
        if answer.done("CopyObject")?.is_some() {
            self.objects[to].settle();
        }
        Ok(())
    }

    async fn upload(&mut self, life: &Life) -> Result<(), Broken> {
        let index = self.chance.index(KEYS);
        self.version += 1;
        let len = PART_BYTES + self.chance.between(1, 100 << 10);
        let body = content(&self.name, self.version, len);
        let mut input = self.input(index);
        input["Metadata"] = json!({"version": self.version.to_string()});
        let answer = life.call(&self.name, "s3:CreateMultipartUpload", input).await;
        let Some(upload) = answer.done("CreateMultipartUpload")? else { return Ok(()) };
        let mut parts = Vec::new();
        for number in 1..=2u64 {
            let (start, end) = ((number - 1) * PART_BYTES, (number * PART_BYTES).min(len));
            let mut input = self.input(index);
            input["UploadId"] = upload["UploadId"].clone();
            input["PartNumber"] = json!(number);
            let part = body.slice(start as usize..end as usize);
            let (answer, _) = life.send(&self.name, "s3:UploadPart", input, part).await;
            let Some(told) = answer.done("UploadPart")? else { return Ok(()) };
            parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
        }
        let mut input = self.input(index);
        input["UploadId"] = upload["UploadId"].clone();
        input["MultipartUpload"] = json!({"Parts": parts});
        self.objects[index].begin(Some((self.version, len)));
        let answer = life.call(&self.name, "s3:CompleteMultipartUpload", input).await;
        if answer.done("CompleteMultipartUpload")?.is_some() {
            self.objects[index].settle();
        }
        Ok(())
    }

    async fn get(&mut self, life: &Life, index: usize) -> Result<Option<Version>, Broken> {
        let (answer, body) =
            life.send(&self.name, "s3:GetObject", self.input(index), Bytes::new()).await;
        let seen = match answer {
            Answer::Done(output) => {
                let version = output["Metadata"]["version"].as_str();
                let version = version.and_then(|text| text.parse().ok()).unwrap_or_default();
                let len = body.len() as u64;
                let right = body == content(&self.name, version, len);
                hold!(right, "{} has bytes that nobody wrote", self.key(index));
                Some((version, len))
            }
            Answer::Refused(name) if name == "NoSuchKey" => None,
            Answer::Refused(name) => return Err(Broken(format!("GetObject was refused: {name}"))),
            Answer::Unknown => return Ok(None),
        };
        let key = self.key(index);
        self.objects[index].see(&seen, &key)?;
        Ok(Some(seen))
    }

    async fn check(&mut self, life: &Life) -> Result<(), Broken> {
        let mut there = Vec::new();
        for index in 0..KEYS {
            match self.get(life, index).await? {
                Some(Some((_, len))) => there.push((self.key(index), len)),
                Some(None) => {}
                None => return Err(Broken("GetObject fails in a life without faults".to_owned())),
            }
        }
        let input = json!({"Bucket": BUCKET, "Prefix": format!("{}/", self.name)});
        let answer = life.call(&self.name, "s3:ListObjectsV2", input).await;
        let output = answer.done("ListObjectsV2")?.unwrap_or_default();
        let contents = output["Contents"].as_array().cloned().unwrap_or_default();
        let listed: Vec<(String, u64)> = contents
            .iter()
            .filter_map(|object| {
                Some((object["Key"].as_str()?.to_owned(), object["Size"].as_u64()?))
            })
            .collect();
        hold!(listed == there, "listed {listed:?}, read {there:?}");
        Ok(())
    }
}

/// Removes all objects and unfinished uploads of a bucket.
pub(super) async fn clear(life: &Life, bucket: &str) -> Result<(), Broken> {
    let listed = async |action: &str, member: &str| {
        let answer = life.call("clear", action, json!({"Bucket": bucket})).await;
        let output = answer.done(action)?.unwrap_or_default();
        Ok::<_, Broken>(output[member].as_array().cloned().unwrap_or_default())
    };
    loop {
        let objects = listed("s3:ListObjectsV2", "Contents").await?;
        let uploads = listed("s3:ListMultipartUploads", "Uploads").await?;
        if objects.is_empty() && uploads.is_empty() {
            return Ok(());
        }
        for object in objects {
            let input = json!({"Bucket": bucket, "Key": object["Key"]});
            life.call("clear", "s3:DeleteObject", input).await.done("DeleteObject")?;
        }
        for upload in uploads {
            let input = json!({
                "Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"],
            });
            let answer = life.call("clear", "s3:AbortMultipartUpload", input).await;
            answer.done("AbortMultipartUpload")?;
        }
    }
}

/// The bytes of a version: no two versions have a kilobyte in common, and no two kilobytes of a version are the same.
pub(super) fn content(name: &str, version: u64, len: u64) -> Bytes {
    let writer = u64::from(name.as_bytes()[name.len() - 1]);
    let mut state = version.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ writer;
    let noise: Vec<u8> = (0..127)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    let mut bytes = Vec::with_capacity(len as usize + 1024);
    for kilobyte in 0..len.div_ceil(1024) {
        bytes.extend_from_slice(&(kilobyte ^ state).to_le_bytes());
        bytes.extend_from_slice(&noise);
    }
    bytes.truncate(len as usize);
    bytes.into()
}

impl Actor for Objects {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match life.call(&self.name, "s3:CreateBucket", json!({"Bucket": BUCKET})).await {
                Answer::Refused(name) if name.starts_with("BucketAlready") => Ok(()),
                other => other.done("CreateBucket").map(drop),
            }
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match self.chance.index(60) {
                0 => self.upload(life).await,
                1..8 => self.delete(life).await,
                8..14 => self.copy(life).await,
                14..30 => {
                    let index = self.chance.index(KEYS);
                    self.get(life, index).await.map(drop)
                }
                _ => self.put(life).await,
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(self.check(life))
    }

    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(clear(life, BUCKET))
    }
}
