//! Why a policy document was refused, in AWS's words.
//!
//! Two grammars exist. Policies that IAM stores for an identity (and session, boundary and control policies) go
//! through one parser; role trust policies and resource policies go through another, which words the same faults
//! differently. A service whose own API words them a third way maps the variants.

/// The fault of a policy document; its text is the message of IAM's `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The document of an identity policy is no JSON, or its elements have the wrong shape or name.
    #[error("Syntax errors in policy.")]
    Syntax,
    /// An identity policy must name the current version of the language.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    OldVersion,
    /// A value passes the grammar and fails IAM's older parser: the case of `Effect`, dates, short ARNs.
    #[error("The policy failed legacy parsing")]
    LegacyParsing,
    /// Two statements of an identity policy share a Sid.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid,
    /// A Sid of an identity policy holds more than letters and digits.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    SidNotAlphanumeric,
    /// A statement of an identity policy has neither `Action` nor `NotAction`, or an empty one.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// A statement of an identity policy has neither `Resource` nor `NotResource`, or an empty one.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// An identity policy names a principal, which is implied.
    #[error("Policy document should not specify a principal.")]
    PrincipalNotAllowed,
    /// A resource is neither an ARN nor `*`.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    ResourceNotArn(String),
    /// The partition of a resource's ARN does not exist.
    #[error("Partition \"{partition}\" is not valid for resource \"{arn}\".")]
    InvalidPartition {
        /// The partition as written.
        partition: String,
        /// The ARN, its missing fields filled with `*`.
        arn: String,
    },
    /// The ARN of a resource ends before its service.
    #[error("Resource vendor must be fully qualified and cannot contain regexes.")]
    ResourceVendor,
    /// The ARN of an IAM resource names a Region.
    #[error("IAM resource {0} cannot contain region information.")]
    IamRegion(String),
    /// The ARN of an S3 bucket or object names a Region.
    #[error("Resource {0} can not contain region information.")]
    S3Region(String),
    /// The ARN of an IAM resource is of no known resource type.
    #[error(
        "IAM resource path must either be \"*\", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
    )]
    IamResourcePath,
    /// An action has no service prefix.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action has more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    TooManyColons,
    /// The service prefix of an action holds other characters than letters, digits, `-` and `.`.
    #[error("Vendor {0} is not valid")]
    InvalidVendor(String),

    /// A trust or resource policy is no JSON.
    #[error("This policy contains invalid Json")]
    InvalidJson,
    /// An element of a trust or resource policy has the wrong shape.
    #[error("Syntax error in policy.")]
    SyntaxError,
    /// The version of a trust or resource policy is none of the two that exist.
    #[error("The policy must contain a valid version string")]
    InvalidVersion,
    /// A trust or resource policy has no statement.
    #[error("Could not parse the policy: Statement is empty!")]
    EmptyStatement,
    /// Two statements of a trust or resource policy share a Sid.
    #[error("The Statement Ids in the policy are not unique")]
    SidsNotUnique,
    /// A statement of a trust or resource policy lacks an element.
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    /// `Principal` is an empty object or list.
    #[error("Missing required field Principal cannot be empty!")]
    EmptyPrincipal,
    /// `Principal` is a string other than `*`, or a list.
    #[error("Principal must be a JSON object.")]
    PrincipalNotObject,
    /// A principal can never exist; the field holds it as `"AWS":"value"`.
    #[error("Invalid principal in policy: {0}")]
    InvalidPrincipal(String),
    /// The effect of a statement is neither `Allow` nor `Deny`.
    #[error("Invalid effect: {0}")]
    InvalidEffect(String),
    /// An element that a trust policy must not have.
    #[error("Has prohibited field {0}")]
    ProhibitedField(String),
    /// An element that no policy has. The wording is S3's.
    #[error("Unknown field {0}")]
    UnknownField(String),
    /// A trust policy names `NotResource`.
    #[error("AssumeRole policy must not contain resources.")]
    TrustNotResource,
    /// `NotPrincipal` would allow everyone else.
    #[error("Allow with NotPrincipal is not allowed.")]
    AllowNotPrincipal,
    /// A trust policy names `NotPrincipal`.
    #[error("AssumeRole policy must not contain NotPrincipal field.")]
    TrustNotPrincipal,
    /// A trust policy names an action of another service than STS.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    TrustAction,
    /// An action of a resource policy has no service prefix. The wording is S3's.
    #[error("Policy has invalid action")]
    InvalidAction,
}
