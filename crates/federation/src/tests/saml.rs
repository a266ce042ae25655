//! Responses: good ones with every signed form, and the attacks that are known on them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{OTHER, PROVIDER};
use crate::certificates::Certificate;
use crate::saml::{Assertion, Metadata, Refusal};

const ISSUER: &str = "https://idp.example.com";
const NOW: i64 = 1_767_225_660;
const RESPONSE: &str = include_str!("response_signed.xml");
const ASSERTION: &str = include_str!("assertion_signed.xml");

fn certificates(pem: &str) -> Vec<Vec<u8>> {
    Certificate::from_pem(pem).expect("certificates").into_iter().map(|one| one.der).collect()
}

fn prove_at(xml: &str, now: i64) -> Result<Assertion, Refusal> {
    Assertion::prove(&STANDARD.encode(xml), ISSUER, &certificates(PROVIDER), now)
}

fn prove(xml: &str) -> Result<Assertion, Refusal> {
    prove_at(xml, NOW)
}

#[test]
fn what_others_sign_is_good() {
    for xml in [RESPONSE, ASSERTION] {
        let assertion = prove(xml).expect("signed by the provider");
        assert_eq!(assertion.subject, "ann & \"bob\" <x>@example.com", "a comment divides nothing");
        assert_eq!(assertion.subject_type, "persistent");
        assert_eq!(assertion.issuer, ISSUER);
        assert_eq!(assertion.recipient, "https://signin.aws.amazon.com/saml");
        assert_eq!(assertion.session_ends_secs, Some(1_767_254_400));
        let name = "https://aws.amazon.com/SAML/Attributes/RoleSessionName";
        assert_eq!(assertion.attribute(name), ["ann"]);
        let team = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:team";
        assert_eq!(assertion.attribute(team), ["blue"]);
    }
}

#[test]
fn nothing_of_it_can_be_changed() {
    for xml in [RESPONSE, ASSERTION] {
        for (from, to) in [
            ("role/r,", "role/admin,"),
            ("ple.com", "ple.org"),
            ("2026-01-01T01:00:00Z", "2027-01-01T01:00:00Z"),
            (">blue<", ">red<"),
            ("urn:amazon:webservices", "urn:amazon:webservices "),
            ("a=\"2\"", "a=\"3\""),
            ("xmlns=\"urn:inner\"", "xmlns=\"urn:other\""),
        ] {
            assert!(xml.contains(from), "{from}");
            assert_eq!(prove(&xml.replace(from, to)), Err(Refusal::Signature), "{from}");
        }
    }
}

#[test]
fn only_the_providers_key_counts() {
    let encoded = STANDARD.encode(ASSERTION);
    let by = |pem: &str| Assertion::prove(&encoded, ISSUER, &certificates(pem), NOW);
    assert_eq!(by(OTHER), Err(Refusal::Signature), "the key in the signature is not looked at");
    let none = Assertion::prove(&encoded, ISSUER, &[], NOW);
    assert_eq!(none, Err(Refusal::Signature));
    let other = Assertion::prove(&encoded, "https://other", &certificates(PROVIDER), NOW);
    assert_eq!(other, Err(Refusal::Issuer));
}

/// The signed assertion, and the response without it.
fn taken_apart() -> (String, String) {
    let begin = ASSERTION.find("<Assertion ").expect("an assertion");
    let end = ASSERTION.find("</Assertion>").expect("its end") + "</Assertion>".len();
    (ASSERTION[begin..end].to_owned(), format!("{}@@{}", &ASSERTION[..begin], &ASSERTION[end..]))
}

fn evil(signed: &str) -> String {
    let begin = signed.find("<ds:Signature").expect("a signature");
    let end = signed.find("</ds:Signature>").expect("its end") + "</ds:Signature>".len();
    let bare = format!("{}{}", &signed[..begin], &signed[end..]);
    bare.replace("role/r,", "role/admin,")
}

#[test]
fn wrapping_gains_nothing() {
    let (signed, rest) = taken_apart();
    let forged = evil(&signed);
    let other_id = forged.replace("ID=\"_a1\"", "ID=\"_a2\"");
    let wrapped = |inner: &str| format!("<samlp:Extensions>{inner}</samlp:Extensions>");
    for (what, content) in [
        ("before", format!("{other_id}{signed}")),
        ("after", format!("{signed}{other_id}")),
        ("the same id", format!("{forged}{signed}")),
        ("in an extension", format!("{}{other_id}", wrapped(&signed))),
        ("the forgery in an extension", format!("{}{signed}", wrapped(&other_id))),
        ("inside the forgery", other_id.replace("</Assertion>", &format!("{signed}</Assertion>"))),
        ("no signature", forged.clone()),
    ] {
        assert_eq!(prove(&rest.replace("@@", &content)), Err(Refusal::Signature), "{what}");
    }
    // The signature of the good assertion as a child of the forged one.
    let begin = signed.find("<ds:Signature").expect("a signature");
    let end = signed.find("</ds:Signature>").expect("its end") + "</ds:Signature>".len();
    let moved = other_id.replace("<Subject>", &format!("{}<Subject>", &signed[begin..end]));
    assert_eq!(prove(&rest.replace("@@", &moved)), Err(Refusal::Signature));
    let hidden = moved
        .replace("</ds:Signature>", &format!("<ds:Object>{signed}</ds:Object></ds:Signature>"));
    assert_eq!(prove(&rest.replace("@@", &hidden)), Err(Refusal::Signature));
    // An element that only looks like an identifier.
    let twice = ASSERTION.replace("<samlp:Status>", "<samlp:Status Id=\"_a1\">");
    assert_eq!(prove(&twice), Err(Refusal::Signature));
}

#[test]
fn documents_define_nothing() {
    let with = format!("<!DOCTYPE x [<!ENTITY e \"x\">]>{ASSERTION}");
    assert_eq!(prove(&with), Err(Refusal::Malformed));
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    assert_eq!(prove(&deep), Err(Refusal::Malformed));
    assert_eq!(prove("<a/>"), Err(Refusal::Malformed));
    let certificates = certificates(PROVIDER);
    assert_eq!(Assertion::prove("%%%", ISSUER, &certificates, NOW), Err(Refusal::Malformed));
    for length in (0..ASSERTION.len()).step_by(97) {
        assert!(prove(ASSERTION.get(..length).unwrap_or_default()).is_err());
    }
}

#[test]
fn times_and_status_count() {
    assert_eq!(prove_at(ASSERTION, NOW + 300), Err(Refusal::Expired));
    assert_eq!(prove_at(ASSERTION, NOW - 300), Err(Refusal::NotYet));
    let failed = ASSERTION.replace("status:Success", "status:Responder");
    assert_eq!(prove(&failed), Err(Refusal::Failed));
}

#[test]
fn weak_algorithms_are_refused() {
    let weak = ASSERTION.replace(
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    );
    assert_eq!(prove(&weak), Err(Refusal::Signature));
    let other = ASSERTION.replace(
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
    );
    assert_eq!(prove(&other), Err(Refusal::Signature));
}

#[test]
fn metadata_need_a_certificate() {
    let body: String = PROVIDER.lines().filter(|line| !line.starts_with("-----")).collect();
    let document = |certificate: &str| {
        format!(
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{ISSUER}\"><IDPSSODescriptor>\
             <KeyDescriptor><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{certificate}\
             </X509Certificate></X509Data></KeyInfo></KeyDescriptor></IDPSSODescriptor></EntityDescriptor>"
        )
    };
    let metadata = Metadata::parse(&document(&body)).expect("metadata");
    assert_eq!((metadata.entity_id.as_str(), metadata.valid_until_secs), (ISSUER, None));
    assert_eq!(metadata.certificates, certificates(PROVIDER));
    for wrong in ["", "AAAA", "%"] {
        assert_eq!(Metadata::parse(&document(wrong)), None);
    }
    assert_eq!(Metadata::parse("<x/>"), None);
}
