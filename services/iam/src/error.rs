//! What IAM refuses, in AWS's words.

use fogbank_core::Fault;
use fogbank_core::policy::Malformed;

fogbank_core::errors! {
    /// What IAM refuses.
    pub enum Error {
        // The texts of the features' errors are guesses after the documentation of their shapes.
        #[error("The account is not the management account or a delegated administrator of its organization.")]
        AccountNotManagementOrDelegatedAdministratorException,
        #[error("The account is not the management account of its organization.")]
        CallerIsNotManagementAccountException,
        #[error("Outbound identity federation is not enabled for this account.")]
        FeatureDisabledException,
        #[error("Outbound identity federation is already enabled for this account.")]
        FeatureEnabledException,
        #[error("The account is not a member of an organization.")]
        OrganizationNotFoundException,
        #[error("Trusted access for IAM is not enabled in the organization.")]
        ServiceAccessNotEnabledException,
        #[error("Unknown")]
        CredentialReportNotPresentException,
        #[error("Report has expired. Please generate a new one.")]
        CredentialReportExpiredException,
        #[error("{0}")]
        DeleteConflictException(&'static str),
        #[error("The signing certificate already exists.")]
        DuplicateCertificateException,
        #[error("The SSH public key already exists.")]
        DuplicateSSHPublicKeyException,
        #[error("{0}")]
        EntityAlreadyExistsException(String),
        #[error("{0}")]
        EntityTemporarilyUnmodifiableException(&'static str),
        #[error("Authentication code for device is not valid.")]
        InvalidAuthenticationCodeException,
        #[error("{0}")]
        InvalidInputException(String),
        #[error("The public key is malformed or otherwise invalid.")]
        InvalidPublicKeyException,
        #[error("Only IAM Users can change their own password")]
        InvalidUserTypeException,
        #[error("Certificate Body and Private Key do not match.")]
        KeyPairMismatchException,
        #[error("{0}")]
        LimitExceededException(String),
        #[error("{0}")]
        MalformedCertificateException(String),
        #[error("{0}")]
        MalformedPolicyDocumentException(String),
        #[error("{0}")]
        NoSuchEntityException(String),
        #[error("{0}")]
        PasswordPolicyViolationException(String),
        // The words that the CDK's users quote.
        #[error("Cannot attach a Service Role Policy to a Customer {0}.")]
        PolicyNotAttachableException(&'static str),
        #[error("{0}")]
        UnmodifiableEntityException(String),
        #[error("The public key encoding format is unsupported or unrecognized.")]
        UnrecognizedPublicKeyEncodingException,
    }
}

impl Error {
    /// There is no user, group, role or policy of this name.
    pub(crate) fn no_such(noun: &str, name: &str) -> Error {
        Error::NoSuchEntityException(format!("The {noun} with name {name} cannot be found."))
    }

    /// There is no managed policy of this ARN.
    pub(crate) fn no_policy(arn: &str) -> Error {
        Error::NoSuchEntityException(format!("Policy {arn} was not found."))
    }

    /// A quota is used up.
    pub(crate) fn quota(name: &str, quota: usize) -> Error {
        Error::LimitExceededException(format!("Cannot exceed quota for {name}: {quota}"))
    }

    /// The input breaks a rule that the model does not state.
    pub(crate) fn validation(message: impl Into<String>) -> Error {
        Error::Fault(Fault::validation(message))
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        Error::MalformedPolicyDocumentException(malformed.to_string())
    }
}
