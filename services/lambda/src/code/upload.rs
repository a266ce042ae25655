//! How packages come in: with the request, or from S3 with the caller's permissions.

use bytes::Bytes;
use fogbank_core::store::BlobRef;
use fogbank_core::{Body, Cx, Fault};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::archive;
use super::files::BlobFile;
use crate::engine::engine;
use crate::error::{Error, invalid, unsupported};

/// Where a package comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// It came with the request.
    Zip(Bytes),
    /// It is an object in S3.
    S3 { bucket: String, key: String, version: Option<String> },
}

impl Source {
    /// Picks the source out of the members of a request.
    pub(crate) fn of(
        zip: Option<Bytes>,
        bucket: Option<String>,
        key: Option<String>,
        version: Option<String>,
        image: Option<String>,
    ) -> Result<Source, Error> {
        match (zip, bucket, key, image) {
            (_, _, _, Some(_)) => Err(unsupported("functions of container images")),
            (Some(zip), None, None, None) => Ok(Source::Zip(zip)),
            (Some(_), ..) => Err(invalid(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            )),
            (None, Some(bucket), Some(key), None) => Ok(Source::S3 { bucket, key, version }),
            _ => Err(invalid("Please provide a source for function code.")),
        }
    }
}

/// A package that was checked and lies as a blob, which no row names yet.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) zip: BlobRef,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) unzipped_bytes: u64,
}

/// Takes a package in and checks it.
pub(crate) async fn receive(cx: &Cx, source: Source) -> Result<Package, Error> {
    let mut package = match source {
        Source::Zip(bytes) => {
            if bytes.len() > archive::MAX_ZIPPED_BYTES {
                return Err(Error::RequestEntityTooLargeException(format!(
                    "Zipped size must be smaller than {} bytes",
                    archive::MAX_ZIPPED_BYTES
                )));
            }
            let sha256 = hex::encode(Sha256::digest(&bytes));
            let len = bytes.len() as u64;
            Package { zip: cx.blobs().put(bytes).await?, sha256, bytes: len, unzipped_bytes: 0 }
        }
        Source::S3 { bucket, key, version } => {
            let body = fetch(cx, &bucket, &key, version).await?;
            keep(cx, body).await?
        }
    };
    let file = BlobFile::new(cx.blobs().clone(), package.zip.clone());
    package.unzipped_bytes = cx.work(move || archive::check(file)).await??;
    // Only unpacking shows that a package is whole. It is needed soon anyway.
    match engine(cx).unpacked.folder(cx.blobs(), &package.zip, &package.sha256).await {
        Ok(_) => Ok(package),
        Err(error) if error.kind() == std::io::ErrorKind::Other => Err(archive::broken()),
        Err(error) => Err(Fault::internal(error).into()),
    }
}

/// Opens the object with the caller's own permissions.
async fn fetch(cx: &Cx, bucket: &str, key: &str, version: Option<String>) -> Result<Body, Error> {
    let mut input = json!({"Bucket": bucket, "Key": key});
    if let Some(version) = version {
        input["VersionId"] = json!(version);
    }
    let mut call = cx.prepare(cx.request().principal.clone(), "s3:GetObject", input);
    call.via = Some("lambda.amazonaws.com".to_owned());
    let reply = cx.cloud().call(call).await.map_err(|fault| match fault.name() {
        "InternalFailure" | "NotImplemented" => Error::Fault(fault),
        "AccessDenied" => Error::AccessDeniedException(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to \
             GetObject for {bucket}/{key}. S3 Error Code: AccessDenied. S3 Error Message: {}",
            fault.message()
        )),
        name => invalid(format!(
            "Error occurred while GetObject. S3 Error Code: {name}. S3 Error Message: {}",
            fault.message()
        )),
    })?;
    Ok(reply.body)
}

/// Writes a body into a blob. A zip file is never larger than what may come out of it, but for its directory.
async fn keep(cx: &Cx, mut body: Body) -> Result<Package, Error> {
    let too_large = || {
        invalid(format!("Unzipped size must be smaller than {} bytes", archive::MAX_UNZIPPED_BYTES))
    };
    let mut writer = cx.blobs().writer(body.len());
    let mut hash = Sha256::new();
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(Fault::internal)?;
        hash.update(&frame);
        writer.write(frame).await?;
        if writer.len() > archive::MAX_UNZIPPED_BYTES {
            return Err(too_large());
        }
    }
    let bytes = writer.len();
    let zip = writer.finish().await?;
    Ok(Package { zip, sha256: hex::encode(hash.finalize()), bytes, unzipped_bytes: 0 })
}
