//! Tokens: a good one, and what must not pass for one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::jwt::{Time, Token};

fn fixture() -> (Value, String) {
    let fixture: Value = serde_json::from_str(include_str!("token.json")).expect("JSON");
    (fixture["keys"].clone(), fixture["token"].as_str().expect("a token").to_owned())
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn a_signed_token_is_good() {
    let (keys, text) = fixture();
    let token = Token::parse(&text).expect("a token");
    assert!(token.is_signed_by(&keys));
    assert_eq!(token.text("sub"), Some("ann"));
    assert_eq!(token.texts("aud"), ["me"]);
    assert_eq!(token.time(1_767_225_700), Time::Good);
    assert_eq!(token.time(1_767_229_200), Time::Expired(1_767_229_200));
    assert_eq!(token.time(1_767_225_500), Time::NotYet);
}

#[test]
fn forgeries_are_not() {
    let (keys, text) = fixture();
    let [header, claims, signature] = *text.split('.').collect::<Vec<_>>() else { panic!("three") };
    let signed = |text: &str| Token::parse(text).is_some_and(|token| token.is_signed_by(&keys));
    let other = part(&json!({"iss": "https://idp.example.com", "sub": "root", "aud": "me"}));
    assert!(!signed(&format!("{header}.{other}.{signature}")), "other claims");
    for algorithm in ["none", "None", "HS256", "RS512", "ES256", ""] {
        let header = part(&json!({"alg": algorithm, "kid": "k1"}));
        assert!(!signed(&format!("{header}.{claims}.{signature}")), "{algorithm}");
        assert!(!signed(&format!("{header}.{claims}.")), "{algorithm} without a signature");
    }
    let own =
        part(&json!({"alg": "RS256", "kid": "k1", "jwk": keys["keys"][0], "jku": "https://evil"}));
    assert!(!signed(&format!("{own}.{claims}.{signature}")), "a key that the token brings");
    let critical = part(&json!({"alg": "RS256", "kid": "k1", "crit": ["b64"]}));
    assert!(Token::parse(&format!("{critical}.{claims}.{signature}")).is_none());
    let other_id = part(&json!({"alg": "RS256", "kid": "k2"}));
    assert!(!signed(&format!("{other_id}.{claims}.{signature}")));
    for broken in ["", "a.b", "a.b.c", "....", &text[..text.len() - 2], &"x".repeat(30_000)] {
        assert!(!signed(broken), "{broken}");
    }
}

#[test]
fn keys_for_other_purposes_do_not_count() {
    let (keys, text) = fixture();
    let token = Token::parse(&text).expect("a token");
    let with = |member: &str, value: Value| {
        let mut keys = keys.clone();
        keys["keys"][0][member] = value;
        keys
    };
    assert!(!token.is_signed_by(&with("use", json!("enc"))));
    assert!(!token.is_signed_by(&with("alg", json!("PS256"))));
    assert!(!token.is_signed_by(&with("kty", json!("oct"))));
    assert!(!token.is_signed_by(&with("n", json!("AQAB"))));
    assert!(!token.is_signed_by(&with("kid", json!("k2"))));
    assert!(!token.names_key_of(&with("kid", json!("k2"))));
    for nonsense in [json!({}), json!([]), json!({"keys": {}}), json!({"keys": [1, null, {}]})] {
        assert!(!token.is_signed_by(&nonsense));
    }
}
