//! Tasks that compute the checksum of an object as it lies there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
use fogbank_core::{Body, Fault, Principal};
use md5::Md5;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::Running;
use super::work::Outcome;
use crate::model::{
    ComputeObjectChecksumAlgorithm as Algorithm, ComputeObjectChecksumType as Kind,
    S3ComputeObjectChecksumOperation,
};
use crate::store::Entry;

/// A checksum in the making.
enum Hasher {
    Crc(crc_fast::Digest, usize),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// None for algorithms that are not there yet.
    fn new(algorithm: Algorithm) -> Option<Hasher> {
        Some(match algorithm {
            Algorithm::Crc32 => Hasher::Crc(crc_fast::Digest::new(Crc32IsoHdlc), 4),
            Algorithm::Crc32C => Hasher::Crc(crc_fast::Digest::new(Crc32Iscsi), 4),
            Algorithm::Crc64Nvme => Hasher::Crc(crc_fast::Digest::new(Crc64Nvme), 8),
            Algorithm::Md5 => Hasher::Md5(Md5::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
            Algorithm::Xxhash64 | Algorithm::Xxhash3 | Algorithm::Xxhash128 => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Crc(state, _) => state.update(bytes),
            Hasher::Md5(state) => state.update(bytes),
            Hasher::Sha1(state) => state.update(bytes),
            Hasher::Sha256(state) => state.update(bytes),
            Hasher::Sha512(state) => state.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Crc(state, len) => state.finalize().to_be_bytes()[8 - len..].to_vec(),
            Hasher::Md5(state) => state.finalize().to_vec(),
            Hasher::Sha1(state) => state.finalize().to_vec(),
            Hasher::Sha256(state) => state.finalize().to_vec(),
            Hasher::Sha512(state) => state.finalize().to_vec(),
        }
    }
}

/// Whether checksums of this algorithm and kind can be computed. AWS has no composite CRC-64.
pub(crate) fn is_known(operation: &S3ComputeObjectChecksumOperation) -> bool {
    let (algorithm, kind) = meant(operation);
    Hasher::new(algorithm).is_some() && (kind, algorithm) != (Kind::Composite, Algorithm::Crc64Nvme)
}

fn meant(operation: &S3ComputeObjectChecksumOperation) -> (Algorithm, Kind) {
    let algorithm = operation.checksum_algorithm.unwrap_or(Algorithm::Crc64Nvme);
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
                text(algorithm.as_str()),
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
    fn hasher(&self) -> Result<Hasher, Fault> {
        Hasher::new(self.algorithm)
            .ok_or_else(|| Fault::not_implemented("s3control", self.algorithm.as_str()))
    }

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
        let mut hasher = self.hasher()?;
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
        let mut whole = self.hasher()?;
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
