//! SAML 2.0: the metadata of an identity provider, and the responses that it signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use crate::certificates::Certificate;
use crate::keys::PublicKey;
use crate::signature::{has_distinct_ids, verified};
use crate::xml::{self, children, only, text};

const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// The audiences of AWS.
const AUDIENCES: [&str; 2] = ["urn:amazon:webservices", "https://signin.aws.amazon.com/saml"];
/// How far the clocks of provider and cloud may differ, in seconds.
const LEEWAY_SECS: i64 = 60;
/// After how long AWS no longer takes an assertion, in seconds.
const REDEEM_SECS: i64 = 300;

/// What an identity provider says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name, a URI.
    pub entity_id: String,
    /// Until when this holds, in seconds since 1970.
    pub valid_until_secs: Option<i64>,
    /// The certificates that it signs with, in DER.
    pub certificates: Vec<Vec<u8>>,
}

impl Metadata {
    /// Reads a metadata document; `None` unless it describes a SAML 2.0 identity provider with a certificate.
    pub fn parse(document: &str) -> Option<Metadata> {
        let document = xml::parse(document)?;
        let root = document.root_element();
        root.has_tag_name((METADATA, "EntityDescriptor")).then_some(())?;
        let provider = children(root, METADATA, "IDPSSODescriptor").next()?;
        let mut certificates = Vec::new();
        for key in children(provider, METADATA, "KeyDescriptor") {
            if key.attribute("use").is_some_and(|usage| usage != "signing") {
                continue;
            }
            let found = key.descendants().filter(|n| n.has_tag_name((DSIG, "X509Certificate")));
            for certificate in found {
                let encoded: String = text(certificate).split_whitespace().collect();
                let der = STANDARD.decode(encoded).ok()?;
                let certificate = Certificate::from_der(&der).ok()?;
                PublicKey::from_info(&certificate.public_key())?;
                certificates.push(der);
            }
        }
        let entity_id = root.attribute("entityID").filter(|id| !id.is_empty())?.to_owned();
        let valid_until_secs = root.attribute("validUntil").and_then(secs);
        (!certificates.is_empty()).then_some(Metadata { entity_id, valid_until_secs, certificates })
    }
}

/// Why a response is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no base64, no XML, or no response.
    Malformed,
    /// The provider says that it did not authenticate.
    Failed,
    /// The signature is missing, wrong, or covers something else.
    Signature,
    /// Another provider issued it.
    Issuer,
    /// It is for others.
    Audience,
    /// The subject's confirmation lacks its recipient or end.
    Confirmation,
    /// It was made for another place.
    Recipient,
    /// It is too old, or over.
    Expired,
    /// It has not begun.
    NotYet,
    /// It lacks a part that AWS needs: a subject, an authentication statement.
    Incomplete,
}

/// What a provider asserts, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The provider's name.
    pub issuer: String,
    /// The subject's name.
    pub subject: String,
    /// The form of the subject's name: `persistent`, `transient`, or a URI.
    pub subject_type: String,
    /// Where it was sent to.
    pub recipient: String,
    /// When the provider's own session ends, in seconds since 1970.
    pub session_ends_secs: Option<i64>,
    /// The attributes.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Assertion {
    /// The values of an attribute; none if it is missing.
    pub fn attribute(&self, name: &str) -> &[String] {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    /// Reads a response in base64 and proves it with the certificates of its provider.
    pub fn prove(
        response: &str,
        entity_id: &str,
        certificates: &[Vec<u8>],
        now_secs: i64,
    ) -> Result<Assertion, Refusal> {
        let encoded: String = response.split_whitespace().collect();
        let bytes = STANDARD.decode(encoded).map_err(|_| Refusal::Malformed)?;
        let source = String::from_utf8(bytes).map_err(|_| Refusal::Malformed)?;
        let document = xml::parse(&source).ok_or(Refusal::Malformed)?;
        let root = document.root_element();
        if !root.has_tag_name((PROTOCOL, "Response")) {
            return Err(Refusal::Malformed);
        }
        let status = only(root, PROTOCOL, "Status").and_then(|s| only(s, PROTOCOL, "StatusCode"));
        if status.and_then(|status| status.attribute("Value")) != Some(SUCCESS) {
            return Err(Refusal::Failed);
        }
        let assertion = proven(root, certificates)?;
        check_times(assertion, now_secs)?;
        read(assertion, entity_id, now_secs)
    }
}

/// The one assertion of a response, if it or the response as a whole is signed.
fn proven<'a, 'i>(root: Node<'a, 'i>, certificates: &[Vec<u8>]) -> Result<Node<'a, 'i>, Refusal> {
    let document = root.document();
    let assertions = document.descendants().filter(|n| n.has_tag_name((ASSERTION, "Assertion")));
    // One assertion in the whole document, right below its root: a second one, wherever it hides, is a forgery.
    if assertions.count() != 1 || !has_distinct_ids(document) {
        return Err(Refusal::Signature);
    }
    let assertion = only(root, ASSERTION, "Assertion").ok_or(Refusal::Signature)?;
    let keys: Vec<PublicKey> = certificates
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .filter_map(|certificate| PublicKey::from_info(&certificate.public_key()))
        .collect();
    let of_assertion = verified(assertion, &keys);
    match of_assertion {
        Some(assertion) => Ok(assertion),
        None => verified(root, &keys)
            .and_then(|root| only(root, ASSERTION, "Assertion"))
            .ok_or(Refusal::Signature),
    }
}

fn check_times(assertion: Node<'_, '_>, now_secs: i64) -> Result<(), Refusal> {
    let issued = assertion.attribute("IssueInstant").and_then(secs).ok_or(Refusal::Malformed)?;
    if now_secs - issued > REDEEM_SECS {
        return Err(Refusal::Expired);
    }
    if issued - now_secs > LEEWAY_SECS {
        return Err(Refusal::NotYet);
    }
    let conditions = only(assertion, ASSERTION, "Conditions").ok_or(Refusal::Audience)?;
    within(conditions, now_secs)?;
    let mut restrictions = children(conditions, ASSERTION, "AudienceRestriction").peekable();
    restrictions.peek().ok_or(Refusal::Audience)?;
    // Each restriction must name us.
    let is_ours = restrictions.all(|restriction| {
        children(restriction, ASSERTION, "Audience").any(|a| AUDIENCES.contains(&&*text(a)))
    });
    if is_ours { Ok(()) } else { Err(Refusal::Audience) }
}

/// Refuses what `NotBefore` and `NotOnOrAfter` put elsewhere in time.
fn within(node: Node<'_, '_>, now_secs: i64) -> Result<(), Refusal> {
    let time = |name| match node.attribute(name).map(secs) {
        Some(None) => Err(Refusal::Malformed),
        Some(found) => Ok(found),
        None => Ok(None),
    };
    if time("NotBefore")?.is_some_and(|begin| begin > now_secs + LEEWAY_SECS) {
        return Err(Refusal::NotYet);
    }
    if time("NotOnOrAfter")?.is_some_and(|end| now_secs >= end) {
        return Err(Refusal::Expired);
    }
    Ok(())
}

fn read(assertion: Node<'_, '_>, entity_id: &str, now_secs: i64) -> Result<Assertion, Refusal> {
    let issuer = only(assertion, ASSERTION, "Issuer").map(text).unwrap_or_default();
    if issuer != entity_id {
        return Err(Refusal::Issuer);
    }
    let subject = only(assertion, ASSERTION, "Subject").ok_or(Refusal::Incomplete)?;
    let name = only(subject, ASSERTION, "NameID").ok_or(Refusal::Incomplete)?;
    let recipient = recipient(subject, now_secs)?;
    let statement =
        children(assertion, ASSERTION, "AuthnStatement").next().ok_or(Refusal::Incomplete)?;
    let session_ends_secs = statement.attribute("SessionNotOnOrAfter").and_then(secs);
    if session_ends_secs.is_some_and(|end| now_secs >= end) {
        return Err(Refusal::Expired);
    }
    let mut attributes: Vec<(String, Vec<String>)> = Vec::new();
    for statement in children(assertion, ASSERTION, "AttributeStatement") {
        for attribute in children(statement, ASSERTION, "Attribute") {
            let name = attribute.attribute("Name").unwrap_or_default();
            let values = children(attribute, ASSERTION, "AttributeValue").map(text).collect();
            attributes.push((name.to_owned(), values));
        }
    }
    Ok(Assertion {
        issuer,
        subject: text(name),
        subject_type: short_format(name.attribute("Format").unwrap_or_default()),
        recipient,
        session_ends_secs,
        attributes,
    })
}

/// Where a bearer may present the assertion.
fn recipient(subject: Node<'_, '_>, now_secs: i64) -> Result<String, Refusal> {
    let mut refusal = Refusal::Confirmation;
    let bearers = children(subject, ASSERTION, "SubjectConfirmation")
        .filter(|confirmation| confirmation.attribute("Method") == Some(BEARER));
    for confirmation in bearers {
        let Some(data) = only(confirmation, ASSERTION, "SubjectConfirmationData") else { continue };
        let (Some(recipient), Some(_)) =
            (data.attribute("Recipient"), data.attribute("NotOnOrAfter"))
        else {
            continue;
        };
        match within(data, now_secs) {
            Err(found) => refusal = found,
            Ok(()) if !is_sign_in(recipient) => refusal = Refusal::Recipient,
            Ok(()) => return Ok(recipient.to_owned()),
        }
    }
    Err(refusal)
}

/// AWS's sign-in, of all Regions or of one.
fn is_sign_in(recipient: &str) -> bool {
    let Some((host, path)) = recipient.strip_prefix("https://").and_then(|r| r.split_once('/'))
    else {
        return false;
    };
    let is_host = host == "signin.aws.amazon.com"
        || host.strip_suffix(".signin.aws.amazon.com").is_some_and(|region| {
            region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    is_host && (path == "saml" || path.starts_with("saml/"))
}

fn short_format(format: &str) -> String {
    match format {
        "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" => "persistent",
        "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" => "transient",
        "" => "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        format => format,
    }
    .to_owned()
}

fn secs(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(|time| time.as_second())
}
