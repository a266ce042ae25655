//! XML signatures (XML-Signature Syntax and Processing), as far as SAML 2.0 has them: one reference to the element that
//! the signature stands in, the transforms enveloped-signature and exclusive canonicalization, and nothing else.
//!
//! What a signature covers is returned as the element itself, so that no caller can look at another one: whoever wraps a
//! signed assertion into a document of his own gains nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA384, SHA512, digest};
use roxmltree::{Document, Node};

use crate::keys::{Algorithm, PublicKey};
use crate::xml::{canonical, only, text};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Whether every identifier of a document is there once. Otherwise a reference could mean two elements.
pub(crate) fn has_distinct_ids(document: &Document<'_>) -> bool {
    let mut ids: Vec<&str> = document
        .descendants()
        .flat_map(|node| node.attributes())
        .filter(|attribute| attribute.name().eq_ignore_ascii_case("id"))
        .map(|attribute| attribute.value())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ids.len() == count
}

/// The element that carries a good signature of one of these keys as its child: the given one, or nothing.
pub(crate) fn verified<'a, 'i>(element: Node<'a, 'i>, keys: &[PublicKey]) -> Option<Node<'a, 'i>> {
    let signature = only(element, DSIG, "Signature")?;
    let info = only(signature, DSIG, "SignedInfo")?;
    let method = only(info, DSIG, "CanonicalizationMethod")?;
    (method.attribute("Algorithm")? == EXCLUSIVE).then_some(())?;
    let info_prefixes = inclusive(method);
    let algorithm = algorithm(only(info, DSIG, "SignatureMethod")?.attribute("Algorithm")?)?;
    let reference = only(info, DSIG, "Reference")?;
    let id = element.attribute("ID").filter(|id| !id.is_empty())?;
    (reference.attribute("URI")?.strip_prefix('#')? == id).then_some(())?;

    let prefixes = transforms(reference)?;
    let covered = canonical(element, Some(signature), &prefixes);
    let expected = decode(&text(only(reference, DSIG, "DigestValue")?))?;
    let by = only(reference, DSIG, "DigestMethod")?.attribute("Algorithm")?;
    let by = match by {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &SHA512,
        _ => return None,
    };
    (digest(by, &covered).as_ref() == expected).then_some(())?;

    let signed = canonical(info, None, &info_prefixes);
    let value = decode(&text(only(signature, DSIG, "SignatureValue")?))?;
    let is_good = keys.iter().any(|key| key.verifies(algorithm, &signed, &value));
    is_good.then_some(element)
}

/// The prefixes that the reference's canonicalization includes; `None` if there are other transforms than the two.
fn transforms<'a>(reference: Node<'a, '_>) -> Option<Vec<&'a str>> {
    let list = only(reference, DSIG, "Transforms")?;
    let mut transforms = list.children().filter(Node::is_element);
    let (first, second) = (transforms.next()?, transforms.next()?);
    let is_known = first.attribute("Algorithm")? == ENVELOPED
        && second.attribute("Algorithm")? == EXCLUSIVE
        && transforms.next().is_none();
    is_known.then(|| inclusive(second))
}

fn inclusive<'a>(method: Node<'a, '_>) -> Vec<&'a str> {
    let list = only(method, EXCLUSIVE, "InclusiveNamespaces");
    let list = list.and_then(|list| list.attribute("PrefixList")).unwrap_or_default();
    list.split_ascii_whitespace().collect()
}

/// SHA-1 is no longer taken: its collisions can be made.
fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => Algorithm::Rs256,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => Algorithm::Rs384,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => Algorithm::Rs512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => Algorithm::Es256,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => Algorithm::Es384,
        _ => return None,
    })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}
