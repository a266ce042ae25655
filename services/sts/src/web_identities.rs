//! Web identities: somebody shows a token that an OpenID Connect provider signed.

use fogbank_core::Cx;
use fogbank_federation::jwt::{Time, Token};
use fogbank_identity::rows::{OIDC_PROVIDERS, OidcProvider, Tags};
use serde_json::Value;

use crate::error::Error;
use crate::federation::{self, Asked, Keys};
use crate::key_sets;
use crate::model::{AssumeRoleWithWebIdentityInput, AssumeRoleWithWebIdentityOutput};
use crate::sessions;

const NO_TOKEN: &str = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";

/// Makes credentials of a role's session for the subject of a token.
pub(crate) async fn assume_role(
    cx: &Cx,
    input: AssumeRoleWithWebIdentityInput,
) -> Result<AssumeRoleWithWebIdentityOutput, Error> {
    let account = federation::account_of_role(&input.role_arn)?;
    if input.provider_id.is_some() {
        // Access tokens of OAuth 2.0 are opaque: only Facebook and Amazon could say what is in them.
        let what = "AssumeRoleWithWebIdentity with ProviderId";
        return Err(fogbank_core::Fault::not_implemented("sts", what).into());
    }
    let token = Token::parse(&input.web_identity_token).ok_or_else(|| invalid(NO_TOKEN))?;
    let issuer = token.text("iss").ok_or_else(|| invalid(NO_TOKEN))?;
    let (is_tls, url) = split(issuer).ok_or_else(|| invalid("Issuer must be a valid URL"))?;
    let provider = cx.read(|tx| OIDC_PROVIDERS.get(tx, &(&*account, url)))?;
    let provider = provider.filter(|provider| provider.is_tls == is_tls).ok_or_else(|| {
        invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    key_sets::prove(cx, &provider, &token).await?;
    check_time(cx, &token)?;
    let subject = token.text("sub").filter(|subject| !subject.is_empty());
    let subject = subject.ok_or_else(|| rejected("Missing a required claim: sub"))?.to_owned();
    let audience = audience(&token, &provider)?;
    let (tags, transitive) = tags(&token)?;
    let source_identity = token.text("https://aws.amazon.com/source_identity").map(str::to_owned);
    let asked = Asked {
        action: "sts:AssumeRoleWithWebIdentity",
        role_arn: input.role_arn,
        session_name: input.role_session_name,
        provider_arn: provider.arn(&account),
        policy: input.policy,
        policy_arns: input.policy_arns,
        duration_secs: input.duration_seconds,
        ends_secs: None,
        tags,
        transitive,
        source_identity,
        keys: keys(&token, &provider, &subject, &audience),
        token_bytes: input.minimum_session_token_size,
    };
    let provider_arn = asked.provider_arn.clone();
    let made = federation::assume(cx, asked).await?;
    let (session_token_size, session_token_utilization) = sessions::token_size(&made.credentials);
    Ok(AssumeRoleWithWebIdentityOutput {
        credentials: Some(made.credentials),
        subject_from_web_identity_token: Some(subject),
        assumed_role_user: Some(made.user),
        packed_policy_size: made.packed_policy_size,
        provider: Some(provider_arn),
        audience: Some(audience),
        source_identity: made.source_identity,
        session_token_size,
        session_token_utilization,
    })
}

fn invalid(message: &str) -> Error {
    Error::InvalidIdentityTokenException(message.to_owned())
}

fn rejected(message: &str) -> Error {
    Error::IDPRejectedClaimException(message.to_owned())
}

fn split(issuer: &str) -> Option<(bool, &str)> {
    let (is_tls, rest) = match issuer.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, issuer.strip_prefix("http://")?),
    };
    Some((is_tls, rest.trim_end_matches('/')))
}

fn check_time(cx: &Cx, token: &Token) -> Result<(), Error> {
    let now = cx.request().now.secs();
    match token.time(now) {
        Time::Good => Ok(()),
        Time::Expired(end) => Err(Error::ExpiredTokenException(format!(
            "Token expired: current date/time {now} must be before the expiration date/time{end}"
        ))),
        Time::NotYet => Err(rejected("The token is not valid yet.")),
        Time::Missing => Err(invalid("Missing a required claim: exp or iat")),
    }
}

/// Whom the token is for: the authorised party if it names one, else its audience, one of which the provider must know.
fn audience(token: &Token, provider: &OidcProvider) -> Result<String, Error> {
    let named = match token.text("azp") {
        Some(party) => vec![party.to_owned()],
        None => token.texts("aud"),
    };
    let known = named.into_iter().find(|audience| provider.client_ids.contains(audience));
    known.ok_or_else(|| invalid("Incorrect token audience"))
}

/// The condition keys of a provider begin with its URL.
fn keys(token: &Token, provider: &OidcProvider, subject: &str, audience: &str) -> Keys {
    let key = |name: &str| format!("{}:{name}", provider.url);
    let mut keys =
        vec![(key("aud"), vec![audience.to_owned()]), (key("sub"), vec![subject.to_owned()])];
    if token.text("azp").is_some() {
        keys.push((key("azp"), vec![audience.to_owned()]));
        keys.push((key("oaud"), token.texts("aud")));
    }
    keys.extend(token.text("email").map(|email| (key("email"), vec![email.to_owned()])));
    let methods = token.texts("amr");
    if !methods.is_empty() {
        keys.push((key("amr"), methods));
    }
    keys
}

/// Session tags as a claim: `{"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}`.
fn tags(token: &Token) -> Result<(Tags, Vec<String>), Error> {
    let Some(claim) = token.claims.get("https://aws.amazon.com/tags") else {
        return Ok((Tags::new(), Vec::new()));
    };
    let wrong = || rejected("The claim https://aws.amazon.com/tags is not valid.");
    let mut tags = Tags::new();
    for (key, value) in claim["principal_tags"].as_object().ok_or_else(wrong)? {
        let value = match value {
            Value::Array(values) if values.len() == 1 => &values[0],
            value => value,
        };
        tags.push((key.clone(), value.as_str().ok_or_else(wrong)?.to_owned()));
    }
    let transitive = claim["transitive_tag_keys"].as_array().into_iter().flatten();
    let transitive = transitive.map(|key| key.as_str().map(str::to_owned));
    Ok((tags, transitive.collect::<Option<_>>().ok_or_else(wrong)?))
}
