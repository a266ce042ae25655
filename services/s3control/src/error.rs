//! What S3 Control refuses.

use fogbank_core::Fault;

fogbank_core::errors! {
    /// What S3 Control refuses, with AWS's messages where they are known.
    pub enum Error {
        #[error("Access Denied")]
        AccessDenied,
        #[error("The specified access grant already exists")]
        AccessGrantAlreadyExists,
        #[error("Access Grants Instance already exists")]
        AccessGrantsInstanceAlreadyExists,
        #[error("Please clean up locations before deleting the access grants instance")]
        AccessGrantsInstanceNotEmptyError,
        #[error("Access Grants Instance does not exist")]
        AccessGrantsInstanceNotExistsError,
        #[error("Access Grants Instance Resource Policy does not exist")]
        AccessGrantsInstanceResourcePolicyNotExists,
        #[error("The specified access grants location already exists")]
        AccessGrantsLocationAlreadyExistsError,
        #[error("Please clean up access grants before deleting access grants location")]
        AccessGrantsLocationNotEmptyError,
        #[error("The access grants location quota has been exceeded. Access Grants Locations Quota: {0}. Please reach out to S3 if an increase is required.")]
        AccessGrantsLocationsQuotaExceededError(u32),
        #[error("The access grants quota has been exceeded. Access Grants Quota: {0}. Please reach out to S3 if an increase is required.")]
        AccessGrantsQuotaExceededError(u32),
        #[error("Your previous request to create the named accesspoint succeeded and you already own it.")]
        AccessPointAlreadyOwnedByYou,
        #[error("{0}")]
        BadRequestException(String),
        #[error("The ClientRequestToken was used before for a job that was asked for otherwise.")]
        IdempotencyException,
        #[error("The specified Access Grant is invalid")]
        InvalidAccessGrant,
        #[error("The specified Access Grants Location is invalid")]
        InvalidAccessGrantsLocation,
        #[error("The specified accesspoint name or account is not valid")]
        InvalidAccessPoint,
        #[error("The specified IAM Role is invalid")]
        InvalidIamRole,
        #[error("{0}")]
        InvalidRequest(String),
        #[error("The continuation token provided is incorrect")]
        InvalidNextTokenException,
        #[error("The specified Resource Policy is invalid")]
        InvalidResourcePolicy,
        #[error("{0}")]
        InvalidTag(String),
        #[error("{0}")]
        JobStatusException(String),
        #[error("{0}")]
        MalformedPolicy(String),
        #[error("The XML you provided was not well-formed or did not validate against our published schema")]
        MalformedXML,
        #[error("The specified access grant does not exist")]
        NoSuchAccessGrantError,
        #[error("The specified access grants location does not exist")]
        NoSuchAccessGrantsLocationError,
        #[error("The public access block configuration was not found")]
        NoSuchPublicAccessBlockConfiguration,
        #[error("The specified resource doesn't exist.")]
        NoSuchResource,
        #[error("No such job")]
        NotFoundException,
        #[error("{0}")]
        TooManyTagsException(String),
    }
}

impl Error {
    /// There is no access point of this name.
    pub(crate) fn no_point(name: &str) -> Error {
        let message = "The specified accesspoint does not exist";
        Error::Fault(Fault::new("NoSuchAccessPoint", message).with("AccessPointName", name))
    }

    /// The access point has no policy.
    pub(crate) fn no_policy(name: &str) -> Error {
        let message = "The specified accesspoint policy does not exist";
        Error::Fault(Fault::new("NoSuchAccessPointPolicy", message).with("AccessPointName", name))
    }
}
