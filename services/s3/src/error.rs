//! What S3 refuses, with the elements that its errors carry beside the message.

use fogbank_core::{Fault, store};

/// Declares the errors: a variant bears the name of the model's error; a field with a name in quotes
/// becomes that element of the answer, one with `?=` only where it has a value, a field without one stands in the
/// message only.
macro_rules! errors {
    ($( $variant:ident $({
        $( $field:ident $(= $element:literal)? $(? = $optional:literal)? ),+ $(,)?
    })? : $message:literal; )*) => {
        /// What S3 refuses.
        #[derive(Debug, thiserror::Error)]
        #[allow(missing_docs)]
        pub enum Error {
            $( #[error($message)] $variant $({ $( $field: String ),+ })?, )*
            #[error("{0}")]
            Fault(Fault),
        }

        impl Error {
            /// The names of all errors that S3 raises by itself.
            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$( stringify!($variant) ),*];
        }

        impl From<Error> for Fault {
            fn from(error: Error) -> Fault {
                let message = error.to_string();
                match error {
                    Error::Fault(fault) => fault,
                    $( Error::$variant $({ $( $field ),+ })? => {
                        let fault = Fault::new(stringify!($variant), message);
                        $( $( let fault = errors!(@element fault $field $($element)? $(? $optional)?); )+ )?
                        fault
                    } )*
                }
            }
        }
    };
    (@element $fault:ident $field:ident $element:literal) => { $fault.with($element, $field) };
    (@element $fault:ident $field:ident ? $element:literal) => {
        if $field.is_empty() { $fault } else { $fault.with($element, $field) }
    };
    (@element $fault:ident $field:ident) => {{ let _ = $field; $fault }};
}

errors! {
    AccessControlListNotSupported: "The bucket does not allow ACLs";
    AccessDenied: "Access Denied";
    AnnotationLimitExceeded:
        "The request would exceed the maximum number of annotations allowed per object.";
    AnnotationNameTooLong: "The annotation name exceeds 512 bytes.";
    BadDigest { algorithm }: "The {algorithm} you specified did not match the calculated checksum.";
    BadRequest { message }: "{message}";
    BucketAlreadyExists { bucket = "BucketName" }:
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BucketAlreadyOwnedByYou { bucket = "BucketName" }:
        "Your previous request to create the named bucket succeeded and you already own it.";
    // S3's list of errors has this one; its words are a guess.
    BucketHasAccessPointsAttached { bucket = "BucketName" }:
        "The bucket you are attempting to delete has access points attached.";
    BucketNotEmpty { bucket = "BucketName" }: "The bucket you tried to delete is not empty";
    ConditionalRequestConflict { condition = "Condition", key = "Key" }:
        "The conditional request cannot succeed due to a conflicting operation against this resource.";
    EncryptionTypeMismatch:
        "The existing object was created with a different encryption type. Subsequent write requests must include the appropriate encryption parameters in the request or while creating the session.";
    EntityTooLarge { size = "ProposedSize", limit = "MaxSizeAllowed" }:
        "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall { e_tag = "ETag", limit = "MinSizeAllowed", part = "PartNumber", size = "ProposedSize" }:
        "Your proposed upload is smaller than the minimum allowed size";
    IdempotencyParameterMismatch:
        "Parameters on this idempotent request are inconsistent with parameters used in previous request(s).";
    IllegalLocationConstraintException { constraint }:
        "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to.";
    IllegalVersioningConfigurationException: "The Versioning element must be specified";
    IncompleteBody:
        "You did not provide the number of bytes specified by the Content-Length HTTP header";
    InvalidArgument { message, name = "ArgumentName", value = "ArgumentValue" }: "{message}";
    InvalidAnnotationName: "The annotation name you provided is invalid.";
    InvalidBucketAclWithObjectOwnership:
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    InvalidBucketName { bucket = "BucketName" }: "The specified bucket is not valid.";
    InvalidBucketOwnerAWSAccountID { account }:
        "The value of the expected bucket owner parameter must be an AWS Account ID... [{account}]";
    InvalidConfigurationId: "The specified configuration id is invalid.";
    InvalidDigest { digest = "Content-MD5" }: "The Content-MD5 you specified was invalid.";
    InvalidLocationConstraint { constraint = "LocationConstraint" }:
        "The specified location-constraint is not valid";
    InvalidObjectState { class = "StorageClass" }:
        "The operation is not valid for the object's storage class";
    InvalidPart { e_tag = "ETag", part = "PartNumber", upload = "UploadId" }:
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    InvalidPartNumber { actual = "ActualPartCount", requested = "PartNumberRequested" }:
        "The requested partnumber is not satisfiable";
    InvalidPartOrder { upload = "UploadId" }:
        "The list of parts was not in ascending order. Parts must be ordered by part number.";
    InvalidPrefix: "The annotation prefix you provided is invalid.";
    InvalidRange { requested = "RangeRequested", size = "ActualObjectSize" }:
        "The requested range is not satisfiable";
    InvalidRedirectLocation { message }: "{message}";
    InvalidRequest { message }: "{message}";
    InvalidS3DestinationBucket { message }: "{message}";
    InvalidStorageClass { class = "StorageClassRequested" }:
        "The storage class you specified is not valid";
    InvalidTag { message, key = "TagKey" }: "{message}";
    InvalidWriteOffset:
        "The write offset value that you specified does not match the current object size.";
    KeyTooLongError { size = "Size", limit = "MaxSizeAllowed" }: "Your key is too long";
    MalformedPolicy { message }: "{message}";
    MalformedXML:
        "The XML you provided was not well-formed or did not validate against our published schema";
    // The words of these two are guesses; AWS's page of the first has none.
    MetadataConfigurationAlreadyExists { bucket = "BucketName" }:
        "The metadata configuration already exists";
    MetadataConfigurationNotFound { bucket = "BucketName" }:
        "The metadata configuration does not exist";
    MetadataTooLarge { size = "Size", limit = "MaxSizeAllowed" }:
        "Your metadata headers exceed the maximum allowed metadata size";
    MissingContentLength: "You must provide the Content-Length HTTP header.";
    MethodNotAllowed { method = "Method", kind = "ResourceType" }:
        "The specified method is not allowed against this resource.";
    NoSuchAnnotation: "The specified annotation does not exist on this object.";
    NoSuchAccessPoint { point = "AccessPointName" }: "The specified accesspoint does not exist";
    NoSuchBucket { bucket = "BucketName" }: "The specified bucket does not exist";
    NoSuchBucketPolicy { bucket = "BucketName" }: "The bucket policy does not exist";
    NoSuchCORSConfiguration { bucket = "BucketName" }: "The CORS configuration does not exist";
    NoSuchKey { key = "Key" }: "The specified key does not exist.";
    NoSuchLifecycleConfiguration { bucket = "BucketName" }:
        "The lifecycle configuration does not exist";
    NoSuchPublicAccessBlockConfiguration { bucket = "BucketName" }:
        "The public access block configuration was not found";
    NoSuchTagSet { bucket = "BucketName" }: "The TagSet does not exist";
    NoSuchUpload { upload = "UploadId" }:
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NoSuchVersion { key = "Key", version = "VersionId" }: "The specified version does not exist.";
    NoSuchWebsiteConfiguration { bucket = "BucketName" }:
        "The specified bucket does not have a website configuration";
    OwnershipControlsNotFoundError { bucket = "BucketName" }:
        "The bucket ownership controls were not found";
    NotImplemented { header = "Header", detail ?= "additionalMessage" }:
        "A header you provided implies functionality that is not implemented";
    ObjectLockConfigurationNotFoundError { bucket = "BucketName" }:
        "Object Lock configuration does not exist for this bucket";
    PreconditionFailed { condition = "Condition" }:
        "At least one of the pre-conditions you specified did not hold";
    ReplicationConfigurationNotFoundError { bucket = "BucketName" }:
        "The replication configuration was not found";
    TooManyBuckets: "You have attempted to create more buckets than allowed";
    TooManyParts:
        "You have attempted to add more parts than the maximum of 10000 that are allowed for this object. You can use the CopyObject operation to copy this object to another and then add more data to the newly copied object.";
    TooManyConfigurations:
        "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.";
    UnsupportedMediaType: "The annotation payload is not valid UTF-8 encoded text.";
}

impl Error {
    /// An argument that is wrong in itself.
    pub(crate) fn argument(name: &str, value: impl ToString, message: impl Into<String>) -> Error {
        Error::InvalidArgument {
            message: message.into(),
            name: name.to_owned(),
            value: value.to_string(),
        }
    }

    /// The same under another name.
    pub(crate) fn renamed(self, name: &'static str) -> Error {
        let fault = Fault::from(self);
        let renamed = Fault::new(name, fault.message());
        let elements = fault.extra().iter();
        Error::Fault(elements.fold(renamed, |fault, (name, value)| fault.with(name, value.clone())))
    }

    /// A request that makes no sense as a whole.
    pub(crate) fn request(message: impl Into<String>) -> Error {
        Error::InvalidRequest { message: message.into() }
    }

    /// A header whose value is not supported, or whose meaning is not implemented.
    pub(crate) fn header(header: &str, detail: impl Into<String>) -> Error {
        Error::NotImplemented { header: header.to_owned(), detail: detail.into() }
    }

    /// The promised MD5 of a body does not match.
    pub(crate) fn bad_md5(expected: &str, calculated: &str) -> Error {
        let message = "The Content-MD5 you specified did not match what we received.";
        let fault = Fault::new("BadDigest", message);
        let fault = fault.with("ExpectedDigest", expected).with("CalculatedDigest", calculated);
        Error::Fault(fault)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Fault(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_stands_in_the_model() {
        for name in Error::NAMES {
            let known = crate::model::SERVICE.errors.iter().any(|error| error.name == *name);
            assert!(known, "{name} is not in models/operations/s3.toml");
        }
    }

    #[test]
    fn elements_follow_the_message() {
        let fault = Fault::from(Error::argument("partNumber", 0, "No such part"));
        assert_eq!(fault.message(), "No such part");
        let elements: Vec<_> = fault.extra().iter().map(|(name, _)| *name).collect();
        assert_eq!(elements, ["ArgumentName", "ArgumentValue"]);
    }
}
