//! What Rekognition refuses.

use crate::detector::ImageError;

fogbank_core::errors! {
    /// What Rekognition refuses, with AWS's messages.
    pub enum Error {
        #[error("Request has invalid image format")]
        InvalidImageFormatException,
        #[error("{0}")]
        ImageTooLargeException(String),
        #[error("{0}")]
        InvalidParameterException(String),
        #[error("Unable to get object metadata from S3. Check object key, region and/or access permissions.")]
        InvalidS3ObjectException,
    }
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Error {
        match error {
            ImageError::InvalidFormat => Error::InvalidImageFormatException,
            ImageError::TooManyBytes { .. } | ImageError::TooLarge { .. } => {
                Error::ImageTooLargeException(error.to_string())
            }
            ImageError::TooSmall => Error::InvalidParameterException(error.to_string()),
            ImageError::Detector { .. } => Error::Fault(fogbank_core::Fault::internal(error)),
        }
    }
}
