//! Faces in images.

use bytes::Bytes;
use fogbank_core::{Cx, Fault};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::detector::{self, Face, MAX_BYTES};
use crate::error::Error;
use crate::model::{
    BoundingBox, DetectFacesInput, DetectFacesOutput, FaceDetail, Image, ImageQuality, S3Object,
};

/// How many images are searched at once; each takes a core and up to 200 MB.
const AT_ONCE: usize = 2;

struct Searches(Semaphore);

/// Finds the faces in an image and says where they are.
pub(crate) async fn detect(cx: &Cx, input: DetectFacesInput) -> Result<DetectFacesOutput, Error> {
    let bytes = image(cx, input.image).await?;
    let searches = cx.state(|| Searches(Semaphore::new(AT_ONCE)));
    let _turn = searches.0.acquire().await.map_err(|error| Error::Fault(Fault::internal(error)))?;
    let detection = cx.work(move || detector::detect(&bytes)).await??;
    Ok(DetectFacesOutput {
        face_details: Some(detection.faces.iter().map(detail).collect()),
        ..DetectFacesOutput::default()
    })
}

/// Only what the detector knows; the rest stays absent.
fn detail(face: &Face) -> FaceDetail {
    FaceDetail {
        bounding_box: Some(BoundingBox {
            width: Some(face.bounding_box.width),
            height: Some(face.bounding_box.height),
            left: Some(face.bounding_box.left),
            top: Some(face.bounding_box.top),
        }),
        confidence: Some(face.confidence),
        quality: Some(ImageQuality {
            brightness: Some(face.quality.brightness),
            sharpness: Some(face.quality.sharpness),
        }),
        ..FaceDetail::default()
    }
}

async fn image(cx: &Cx, image: Image) -> Result<Bytes, Error> {
    match (image.bytes, image.s3_object) {
        (Some(bytes), None) => Ok(bytes),
        (None, Some(object)) => stored(cx, object).await,
        _ => Err(Error::InvalidParameterException("Request has Invalid Parameters".to_owned())),
    }
}

/// Reads an object with the permissions of the caller, as AWS does.
async fn stored(cx: &Cx, object: S3Object) -> Result<Bytes, Error> {
    let (Some(bucket), Some(key)) = (object.bucket, object.name) else {
        return Err(Error::InvalidParameterException("Request has Invalid Parameters".to_owned()));
    };
    let mut input = json!({ "Bucket": bucket, "Key": key });
    if let Some(version) = object.version {
        input["VersionId"] = version.into();
    }
    let mut call = cx.prepare(cx.request().principal.clone(), "s3:GetObject", input);
    call.via = Some("rekognition.amazonaws.com".to_owned());
    let reply = match cx.cloud().call(call).await {
        Ok(reply) => reply,
        Err(fault) if fault.name() == "InternalFailure" => return Err(fault.into()),
        Err(_) => return Err(Error::InvalidS3ObjectException),
    };
    if reply.body.len().is_none_or(|len| len > MAX_BYTES as u64) {
        return Err(Error::ImageTooLargeException("Image size is too large".to_owned()));
    }
    reply.bytes(MAX_BYTES).await.map_err(Error::from)
}
