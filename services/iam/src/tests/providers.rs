//! Identity providers, and tags of what has no name of its own.

use fogbank_testkit::json;

use super::{bad, good, world};

#[tokio::test]
async fn oidc_providers_have_audiences() {
    let world = world();
    let url = "https://token.actions.githubusercontent.com";
    let arn = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com";
    let input = json!({
        "Url": url, "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": ["6938fd4d98bab03faadb97b34396831e3780aea1"],
    });
    let made = good(&world, "CreateOpenIDConnectProvider", input.clone()).await;
    assert_eq!(made["OpenIDConnectProviderArn"], arn);
    assert_eq!(
        bad(&world, "CreateOpenIDConnectProvider", input).await,
        "EntityAlreadyExistsException: Provider with url https://token.actions.githubusercontent.com already exists."
    );
    assert_eq!(
        bad(&world, "CreateOpenIDConnectProvider", json!({"Url": "http://example.com"})).await,
        "ValidationException: Invalid Open ID Connect Provider URL"
    );
    let client = json!({"OpenIDConnectProviderArn": arn, "ClientID": "other"});
    good(&world, "AddClientIDToOpenIDConnectProvider", client.clone()).await;
    good(&world, "AddClientIDToOpenIDConnectProvider", client.clone()).await;
    let named = json!({"OpenIDConnectProviderArn": arn});
    let shown = good(&world, "GetOpenIDConnectProvider", named.clone()).await;
    assert_eq!(shown["ClientIDList"], json!(["sts.amazonaws.com", "other"]));
    assert_eq!(shown["Url"], "token.actions.githubusercontent.com");
    good(&world, "RemoveClientIDFromOpenIDConnectProvider", client).await;
    let tags = json!({"OpenIDConnectProviderArn": arn, "Tags": [{"Key": "a", "Value": "1"}]});
    good(&world, "TagOpenIDConnectProvider", tags).await;
    let listed = good(&world, "ListOpenIDConnectProviderTags", named.clone()).await;
    assert_eq!(listed["Tags"], json!([{"Key": "a", "Value": "1"}]));
    let all = good(&world, "ListOpenIDConnectProviders", json!({})).await;
    assert_eq!(all["OpenIDConnectProviderList"], json!([{"Arn": arn}]));
    good(&world, "DeleteOpenIDConnectProvider", named.clone()).await;
    assert_eq!(
        bad(&world, "GetOpenIDConnectProvider", named).await,
        format!("NoSuchEntityException: OpenIDConnect Provider not found for arn {arn}")
    );
}

/// The metadata of a provider with a certificate of its own; AWS asks for at least 1,000 characters.
fn metadata(entity_id: &str) -> String {
    let made = rcgen::generate_simple_self_signed(["idp".to_owned()]).expect("a certificate");
    let pem = made.cert.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let padding = " ".repeat(1000);
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\" \
         validUntil=\"2030-01-01T00:00:00Z\"><md:IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:KeyDescriptor use=\"signing\">\
         <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{body}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor></md:IDPSSODescriptor>\
         {padding}</md:EntityDescriptor>"
    )
}

#[tokio::test]
async fn saml_providers_have_metadata() {
    let world = world();
    let document = metadata("https://idp.example.com");
    let arn = "arn:aws:iam::000000000000:saml-provider/corp";
    let input = json!({"Name": "corp", "SAMLMetadataDocument": document});
    let made = good(&world, "CreateSAMLProvider", input.clone()).await;
    assert_eq!(made["SAMLProviderArn"], arn);
    assert!(bad(&world, "CreateSAMLProvider", input).await.starts_with("EntityAlreadyExists"));
    let nonsense = json!({"Name": "x", "SAMLMetadataDocument": "x".repeat(1000)});
    assert_eq!(
        bad(&world, "CreateSAMLProvider", nonsense).await,
        "InvalidInputException: Could not parse metadata"
    );
    let without = document.replace("use=\"signing\"", "use=\"encryption\"");
    let without = json!({"Name": "x", "SAMLMetadataDocument": without});
    assert!(bad(&world, "CreateSAMLProvider", without).await.starts_with("InvalidInput"));
    let named = json!({"SAMLProviderArn": arn});
    let shown = good(&world, "GetSAMLProvider", named.clone()).await;
    assert_eq!(shown["SAMLMetadataDocument"], document);
    assert_eq!(shown["ValidUntil"], 1_893_456_000);
    let update = json!({"SAMLProviderArn": arn, "SAMLMetadataDocument": metadata("urn:new")});
    good(&world, "UpdateSAMLProvider", update).await;
    good(&world, "DeleteSAMLProvider", named.clone()).await;
    assert_eq!(
        bad(&world, "GetSAMLProvider", named).await,
        format!("NoSuchEntityException: Manifest not found for arn {arn}")
    );
}
