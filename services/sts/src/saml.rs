//! SAML: somebody shows a response that an identity provider signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Cx;
use fogbank_federation::saml::{Assertion, Refusal};
use fogbank_identity::rows::{SAML_PROVIDERS, SamlProvider, Tags, fold};
use sha1::{Digest, Sha1};

use crate::error::Error;
use crate::federation::{self, Asked, Keys};
use crate::model::{AssumeRoleWithSAMLInput, AssumeRoleWithSAMLOutput};
use crate::sessions;

/// What the names of AWS's attributes begin with.
const ATTRIBUTES: &str = "https://aws.amazon.com/SAML/Attributes/";

/// Makes credentials of a role's session for the subject of an assertion.
pub(crate) async fn assume_role(
    cx: &Cx,
    input: AssumeRoleWithSAMLInput,
) -> Result<AssumeRoleWithSAMLOutput, Error> {
    let account = federation::account_of_role(&input.role_arn)?;
    let provider = provider(cx, &account, &input.principal_arn)?;
    let now = cx.request().now.secs();
    let (metadata, response) = (provider.clone(), input.saml_assertion);
    let proven =
        move || Assertion::prove(&response, &metadata.entity_id, &metadata.certificates, now);
    let assertion = cx.work(proven).await?.map_err(refused)?;
    if provider.valid_until_secs.is_some_and(|end| now >= end) {
        return Err(invalid("The metadata of the SAML provider have expired."));
    }
    check_role(&assertion, &input.role_arn, &input.principal_arn)?;
    let qualifier = qualifier(&assertion.issuer, &account, &provider.name);
    let (tags, transitive) = tags(&assertion)?;
    let duration_secs = duration(&assertion, input.duration_seconds)?;
    let asked = Asked {
        action: "sts:AssumeRoleWithSAML",
        role_arn: input.role_arn,
        session_name: session_name(&assertion)?,
        provider_arn: input.principal_arn,
        policy: input.policy,
        policy_arns: input.policy_arns,
        duration_secs,
        ends_secs: assertion.session_ends_secs,
        tags,
        transitive,
        source_identity: source_identity(&assertion)?,
        keys: keys(&assertion, &account, &provider, &qualifier),
        token_bytes: input.minimum_session_token_size,
    };
    let made = federation::assume(cx, asked).await?;
    let (session_token_size, session_token_utilization) = sessions::token_size(&made.credentials);
    Ok(AssumeRoleWithSAMLOutput {
        credentials: Some(made.credentials),
        assumed_role_user: Some(made.user),
        packed_policy_size: made.packed_policy_size,
        subject: Some(assertion.subject),
        subject_type: Some(assertion.subject_type),
        issuer: Some(assertion.issuer),
        audience: Some(assertion.recipient),
        name_qualifier: Some(qualifier),
        source_identity: made.source_identity,
        session_token_size,
        session_token_utilization,
    })
}

fn provider(cx: &Cx, account: &str, arn: &str) -> Result<SamlProvider, Error> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let found = cx.read(|tx| SAML_PROVIDERS.get(tx, &(account, fold(name))))?;
    found
        .filter(|provider| provider.arn(account) == arn)
        .ok_or_else(|| invalid("Specified provider doesn't exist"))
}

fn invalid(message: &str) -> Error {
    Error::InvalidIdentityTokenException(message.to_owned())
}

/// AWS's words as far as its troubleshooting guide and its users quote them: those for signature, issuer, audience and
/// expiry. The others are guesses.
fn refused(refusal: Refusal) -> Error {
    let message = match refusal {
        Refusal::Malformed => "Invalid base64 SAMLResponse",
        Refusal::Failed => "Response status is not success",
        Refusal::Signature => "Response signature invalid",
        Refusal::Issuer => "Issuer not present in specified provider",
        Refusal::Audience => "Response does not contain the required audience.",
        Refusal::Confirmation => {
            "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
        }
        Refusal::Recipient => "Recipient does not match",
        Refusal::Incomplete => "Assertion must contain a NameID and an AuthnStatement",
        Refusal::NotYet => "Assertion is not valid yet",
        Refusal::Expired => {
            let message = "Token must be redeemed within 5 minutes of issuance";
            return Error::ExpiredTokenException(message.to_owned());
        }
    };
    invalid(message)
}

/// The role must be named with this provider: `roleARN,providerARN`, in either order.
fn check_role(assertion: &Assertion, role: &str, provider: &str) -> Result<(), Error> {
    let pairs = assertion.attribute(&format!("{ATTRIBUTES}Role"));
    let is_named = pairs.iter().filter_map(|pair| pair.split_once(',')).any(|(one, other)| {
        let (one, other) = (one.trim(), other.trim());
        (one, other) == (role, provider) || (one, other) == (provider, role)
    });
    match is_named {
        true => Ok(()),
        false => Err(invalid(
            "SAML Assertion doesn't contain the requested Role and Metadata in the attributes",
        )),
    }
}

fn one(assertion: &Assertion, name: &str) -> Result<Option<String>, Error> {
    match assertion.attribute(&format!("{ATTRIBUTES}{name}")) {
        [] => Ok(None),
        [value] => Ok(Some(value.clone())),
        _ => Err(invalid(&format!("{name} in SAML assertion must have one value"))),
    }
}

fn session_name(assertion: &Assertion) -> Result<String, Error> {
    let name = one(assertion, "RoleSessionName")?
        .ok_or_else(|| invalid("RoleSessionName is required in AuthnResponse"))?;
    match is_name(&name) {
        true => Ok(name),
        false => {
            Err(invalid("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"))
        }
    }
}

fn source_identity(assertion: &Assertion) -> Result<Option<String>, Error> {
    let name = one(assertion, "SourceIdentity")?;
    match name {
        Some(name) if !is_name(&name) || name.starts_with("aws:") => Err(invalid(
            "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"",
        )),
        name => Ok(name),
    }
}

fn is_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// The shorter of what the caller and the provider say.
fn duration(assertion: &Assertion, asked: Option<i32>) -> Result<Option<i32>, Error> {
    let Some(text) = one(assertion, "SessionDuration")? else { return Ok(asked) };
    let given = text.parse::<i32>().ok().filter(|secs| (900..=43_200).contains(secs));
    let given = given.ok_or_else(|| invalid("SessionDuration in AuthnResponse is not valid"))?;
    Ok(Some(asked.map_or(given, |asked| asked.min(given))))
}

fn tags(assertion: &Assertion) -> Result<(Tags, Vec<String>), Error> {
    let prefix = format!("{ATTRIBUTES}PrincipalTag:");
    let mut tags = Tags::new();
    for (name, values) in &assertion.attributes {
        let Some(key) = name.strip_prefix(&prefix) else { continue };
        let [value] = values.as_slice() else {
            return Err(invalid(&format!("PrincipalTag:{key} must have one value")));
        };
        tags.push((key.to_owned(), value.clone()));
    }
    Ok((tags, assertion.attribute(&format!("{ATTRIBUTES}TransitiveTagKeys")).to_vec()))
}

/// What tells subjects of the same name at different providers apart.
fn qualifier(issuer: &str, account: &str, provider: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{issuer}{account}/{provider}")))
}

fn keys(assertion: &Assertion, account: &str, provider: &SamlProvider, qualifier: &str) -> Keys {
    let one = |key: &str, value: &str| (format!("saml:{key}"), vec![value.to_owned()]);
    vec![
        one("aud", &assertion.recipient),
        one("iss", &assertion.issuer),
        one("sub", &assertion.subject),
        one("sub_type", &assertion.subject_type),
        one("namequalifier", qualifier),
        one("doc", &format!("{account}/{}", provider.name)),
    ]
}
