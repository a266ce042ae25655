//! Tasks that compute the checksum of an object as it lies there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_checksums::{Algorithm, Hasher};
use fogbank_core::{Body, Fault, Principal};
use serde_json::{Value, json};

use super::Running;
use super::work::Outcome;
use crate::model::{ComputeObjectChecksumType as Kind, S3ComputeObjectChecksumOperation};
use crate::store::Entry;

/// Whether there are checksums of this algorithm and kind. AWS has no composite CRC-64.
pub(crate) fn is_known(operation: &S3ComputeObjectChecksumOperation) -> bool {
    meant(operation) != (Algorithm::Crc64Nvme, Kind::Composite)
}

fn meant(operation: &S3ComputeObjectChecksumOperation) -> (Algorithm, Kind) {
    let named = operation.checksum_algorithm.and_then(|named| Algorithm::from_name(named.as_str()));
    let algorithm = named.unwrap_or(Algorithm::Crc64Nvme);
    (algorithm, operation.checksum_type.unwrap_or(Kind::FullObject))
}

/// Reads the object and tells its checksum.
pub(super) async fn compute(
    running: &Running<'_>,
    role: &Principal,
    operation: &S3ComputeObjectChecksumOperation,
    entry: &Entry,
) -> Outcome {
    let (algorithm, kind) = meant(operation);
    let reader = Reader { running, role, entry, algorithm };
    let found = match kind {
        Kind::FullObject => reader.whole().await,
        Kind::Composite => reader.composite().await,
    };
    match found {
        Ok(Found { checksum, count, e_tag }) => {
            let count = count.map(|count| format!("-{count}")).unwrap_or_default();
            let base64 = STANDARD.encode(&checksum) + &count;
            let hex = hex::encode_upper(&checksum) + &count;
            let text = |text: &str| Value::from(text).to_string();
            // In the order of AWS's example.
            Outcome::Succeeded(format!(
                r#"{{"checksum_base64":{},"etag":{},"checksumAlgorithm":{},"checksumType":{},"checksum_hex":{}}}"#,
                text(&base64),
                text(&e_tag),
                text(algorithm.name()),
                text(kind.as_str()),
                text(&hex)
            ))
        }
        Err(fault) => Outcome::of_fault(&fault),
    }
}

struct Found {
    checksum: Vec<u8>,
    /// Of how many parts it is the checksum of checksums.
    count: Option<u64>,
    e_tag: String,
}

struct Reader<'a> {
    running: &'a Running<'a>,
    role: &'a Principal,
    entry: &'a Entry,
    algorithm: Algorithm,
}

impl Reader<'_> {
    async fn get(&self, part: Option<u64>) -> Result<(Value, Body), Fault> {
        let mut input = json!({ "Bucket": self.entry.bucket, "Key": self.entry.key });
        if let Some(version) = &self.entry.version {
            input["VersionId"] = version.clone().into();
        }
        if let Some(part) = part {
            input["PartNumber"] = part.into();
        }
        let reply = self.running.cx.call(self.role.clone(), "s3:GetObject", input).await?;
        Ok((reply.output, reply.body))
    }

    async fn read(&self, mut body: Body) -> Result<Vec<u8>, Fault> {
        let mut hasher = Hasher::new(self.algorithm);
        while let Some(piece) = body.next().await {
            let piece: Bytes = piece.map_err(Fault::internal)?;
            hasher.update(&piece);
        }
        Ok(hasher.finish())
    }

    async fn whole(&self) -> Result<Found, Fault> {
        let (output, body) = self.get(None).await?;
        Ok(Found { checksum: self.read(body).await?, count: None, e_tag: e_tag(&output) })
    }

    async fn composite(&self) -> Result<Found, Fault> {
        let mut whole = Hasher::new(self.algorithm);
        let (mut number, mut e_tags) = (1, Vec::new());
        loop {
            let (output, body) = self.get(Some(number)).await?;
            let Some(count) = output["PartsCount"].as_u64() else {
                let message = "A composite checksum can only be computed of an object that was uploaded in parts.";
                return Err(Fault::new("InvalidRequest", message));
            };
            e_tags.push(e_tag(&output));
            whole.update(&self.read(body).await?);
            if e_tags.first() != e_tags.last() {
                return Err(Fault::new("OperationAborted", "The object was changed meanwhile."));
            }
            if number == count {
                let e_tag = e_tags.swap_remove(0);
                return Ok(Found { checksum: whole.finish(), count: Some(count), e_tag });
            }
            number += 1;
        }
    }
}

fn e_tag(output: &Value) -> String {
    output["ETag"].as_str().unwrap_or_default().trim_matches('"').to_owned()
}
