//! What Organizations refuses, in AWS's words.

use fogbank_core::Fault;
use fogbank_core::policy::Malformed;

use crate::model;

fogbank_core::errors! {
    /// What Organizations refuses.
    pub enum Error {
        #[error("Your account is not a member of an organization.")]
        AWSOrganizationsNotInUseException,
        #[error("You don't have permissions to access this resource.")]
        AccessDeniedException,
        #[error("The provided account is already a delegated administrator for your organization.")]
        AccountAlreadyRegisteredException,
        #[error("The provided account is already closed.")]
        AccountAlreadyClosedException,
        #[error("You specified an account that doesn't exist.")]
        AccountNotFoundException,
        #[error("The provided account is not a registered delegated administrator for your organization.")]
        AccountNotRegisteredException,
        #[error("The AWS account is already a member of an organization.")]
        AlreadyInOrganizationException,
        #[error("You specified a child that doesn't exist.")]
        ChildNotFoundException,
        #[error("You specified an account creation request that doesn't exist.")]
        CreateAccountStatusNotFoundException,
        #[error("You specified a destination container that doesn't exist.")]
        DestinationParentNotFoundException,
        #[error("The account is already a child of the destination container.")]
        DuplicateAccountException,
        #[error("The account was already invited to the organization.")]
        DuplicateHandshakeException,
        #[error("An organizational unit with the same name already exists.")]
        DuplicateOrganizationalUnitException,
        #[error("The selected policy is already attached to the specified target.")]
        DuplicatePolicyAttachmentException,
        #[error("A policy with the same name already exists.")]
        DuplicatePolicyException,
        #[error("You specified a handshake that doesn't exist.")]
        HandshakeNotFoundException,
        #[error("The account has no effective policy of this type, or the type is not enabled.")]
        EffectivePolicyNotFoundException,
        #[error("The handshake is already {0}.")]
        HandshakeAlreadyInStateException(String),
        #[error("You can't perform the operation on a handshake in its current state.")]
        InvalidHandshakeTransitionException,
        #[error("{0}")]
        MalformedPolicyDocumentException(String),
        #[error("The management account can't leave the organization.")]
        MasterCannotLeaveOrganizationException,
        #[error("To delete an organization you must first remove all member accounts (except the management account).")]
        OrganizationNotEmptyException,
        #[error("The specified organizational unit is not empty.")]
        OrganizationalUnitNotEmptyException,
        #[error("You specified an organizational unit that doesn't exist.")]
        OrganizationalUnitNotFoundException,
        #[error("You specified a parent that doesn't exist.")]
        ParentNotFoundException,
        #[error("The policy is attached to one or more entities.")]
        PolicyInUseException,
        #[error("The policy isn't attached to the specified target.")]
        PolicyNotAttachedException,
        #[error("You specified a policy that doesn't exist.")]
        PolicyNotFoundException,
        #[error("The specified policy type is already enabled.")]
        PolicyTypeAlreadyEnabledException,
        #[error("The specified policy type isn't currently enabled in this root.")]
        PolicyTypeNotEnabledException,
        #[error("We can't find a resource policy request with the parameter that you specified.")]
        ResourcePolicyNotFoundException,
        #[error("You specified a root that doesn't exist.")]
        RootNotFoundException,
        #[error("You specified a source container that doesn't exist, or that doesn't hold the account.")]
        SourceParentNotFoundException,
        #[error("You specified a target that doesn't exist.")]
        TargetNotFoundException,
    }
}

impl Error {
    /// A quota or a rule of the organization stands in the way.
    pub(crate) fn constraint(reason: &str, message: &str) -> Error {
        let members = model::ConstraintViolationException {
            reason: Some(reason.to_owned()),
            ..model::ConstraintViolationException::default()
        };
        let fault = Fault::new("ConstraintViolationException", message);
        Error::Fault(fault.with_members(members))
    }

    /// A parameter breaks a rule that the model does not state.
    pub(crate) fn invalid(reason: &str, message: &str) -> Error {
        let members = model::InvalidInputException {
            reason: Some(reason.to_owned()),
            ..model::InvalidInputException::default()
        };
        let fault = Fault::new("InvalidInputException", message);
        Error::Fault(fault.with_members(members))
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        Error::MalformedPolicyDocumentException(malformed.to_string())
    }
}
