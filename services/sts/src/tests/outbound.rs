//! Tokens for others, and messages that are decoded.

use fogbank_core::Principal;
use fogbank_federation::jwt::{Time, Token};
use fogbank_testkit::{ACCOUNT, Value, json};

use super::{allow, good, user, world};

#[tokio::test]
async fn tokens_prove_who_the_caller_is() {
    let world = world();
    let ask = json!({"Audience": ["https://api.example.com"], "SigningAlgorithm": "ES384"});
    let refused = world.call("sts:GetWebIdentityToken", ask.clone()).await;
    assert_eq!(
        refused.expect_err("not enabled").name(),
        "OutboundWebIdentityFederationDisabledException"
    );
    let info = "iam:GetOutboundWebIdentityFederationInfo";
    let none = world.call(info, json!({})).await.expect_err("not enabled");
    assert_eq!(none.name(), "FeatureDisabledException");
    let made = good(&world, "iam:EnableOutboundWebIdentityFederation", json!({})).await;
    let shown = good(&world, info, json!({})).await;
    assert_eq!(shown["IssuerIdentifier"], made["IssuerIdentifier"]);
    assert_eq!(shown["JwtVendingEnabled"], true);

    let ann = user(&world, "ann", allow("sts:GetWebIdentityToken", "*")).await;
    let tag = json!({"UserName": "ann", "Tags": [{"Key": "team", "Value": "blue"}]});
    good(&world, "iam:TagUser", tag).await;
    for name in ["RS256", "ES384"] {
        let ask = json!({"Audience": ["a", "b"], "SigningAlgorithm": name, "DurationSeconds": 60});
        let answer = world.call_as(ann.clone(), "sts:GetWebIdentityToken", ask).await;
        let answer = answer.expect("a token");
        let token = Token::parse(answer["WebIdentityToken"].as_str().expect("text"));
        let token = token.expect("a token");
        assert_eq!(token.text("sub"), Some(&*ann.arn));
        assert_eq!(token.texts("aud"), ["a", "b"]);
        assert_eq!(token.text("iss"), made["IssuerIdentifier"].as_str());
        let facts = &token.claims["https://sts.amazonaws.com/"];
        assert_eq!(facts["aws_account"], ACCOUNT);
        assert_eq!(facts["principal_tags"], json!({"team": "blue"}));
        let now = world.clock().now().secs();
        assert_eq!((token.time(now), token.time(now + 60)), (Time::Good, Time::Expired(now + 60)));
        let keys = world.cloud().db().read(|tx| fogbank_identity::rows::SIGNING_KEYS.list(tx, &()));
        let keys = keys.expect("rows");
        let public = |row: &fogbank_identity::rows::SigningKey| -> Value {
            serde_json::from_str(&row.public).expect("JSON")
        };
        let keys: Vec<Value> = keys.iter().map(|(_, key)| public(key)).collect();
        assert!(token.is_signed_by(&json!({"keys": keys})), "{name}");
    }
    let tagged = json!({
        "Audience": ["a"], "SigningAlgorithm": "RS256", "Tags": [{"Key": "k", "Value": "v"}],
    });
    let refused = world.call_as(ann.clone(), "sts:GetWebIdentityToken", tagged.clone()).await;
    assert_eq!(refused.expect_err("it may put no tags").name(), "AccessDenied");
    let token = good(&world, "sts:GetWebIdentityToken", tagged).await;
    let token = Token::parse(token["WebIdentityToken"].as_str().expect("text")).expect("a token");
    let facts = &token.claims["https://sts.amazonaws.com/"];
    assert_eq!(facts["request_tags"], json!({"k": "v"}));
    let bad = json!({"Audience": ["a"], "SigningAlgorithm": "HS256"});
    let refused = world.call("sts:GetWebIdentityToken", bad).await;
    assert_eq!(refused.expect_err("no such algorithm").name(), "ValidationException");
    good(&world, "iam:DisableOutboundWebIdentityFederation", json!({})).await;
    world.call("sts:GetWebIdentityToken", ask).await.expect_err("no longer enabled");
}

#[tokio::test]
async fn messages_are_decoded_for_those_who_may() {
    let world = world();
    let text = r#"{"allowed":false}"#;
    let encoded = fogbank_identity::encode_authorization_message(world.cloud(), text);
    let input = json!({"EncodedMessage": encoded});
    let decoded = good(&world, "sts:DecodeAuthorizationMessage", input.clone()).await;
    assert_eq!(decoded["DecodedMessage"], text);
    let bob = user(&world, "bob", Value::Null).await;
    let refused = world.call_as(bob, "sts:DecodeAuthorizationMessage", input).await;
    assert_eq!(refused.expect_err("no permission").name(), "AccessDenied");
    for nonsense in ["x", "AAAA", "ü"] {
        let input = json!({"EncodedMessage": nonsense});
        let refused = world.call("sts:DecodeAuthorizationMessage", input).await;
        let name = refused.expect_err("nonsense").name().to_owned();
        assert_eq!(name, "InvalidAuthorizationMessageException");
    }
    let stranger = Principal::anonymous();
    let input = json!({"EncodedMessage": encoded});
    world.call_as(stranger, "sts:DecodeAuthorizationMessage", input).await.expect_err("nobody");
}
