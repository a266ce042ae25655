//! Secure values lie sealed, and only who may use their key reads them.

use fogbank_testkit::{World, expect, json};

use super::{SERVICES, put, value_of};

const TEXT: &str = "correct horse battery staple";

#[tokio::test]
async fn no_secure_value_lies_open() {
    let world = World::new(SERVICES);
    for tier in ["Standard", "Advanced"] {
        put(&world, tier, TEXT, json!({"Type": "SecureString", "Tier": tier})).await;
        assert_eq!(value_of(&world, tier).await, TEXT);
        let sealed = world.call("ssm:GetParameter", json!({"Name": tier})).await.expect("sealed");
        let sealed = sealed["Parameter"]["Value"].as_str().expect("text").to_owned();
        assert!(sealed.len() > 100 && !sealed.contains(TEXT), "{sealed}");
        // What a client copies from one parameter opens nothing in another.
        put(&world, tier, TEXT, json!({"Type": null, "Tier": null})).await;
        assert_eq!(value_of(&world, tier).await, TEXT);
    }
    let holds = |bytes: &[u8]| bytes.windows(TEXT.len()).any(|part| part == TEXT.as_bytes());
    assert!(!world.rows(&crate::SERVICE).values().any(|row| holds(row)));
    let described = world.call("ssm:DescribeParameters", json!({})).await.expect("described");
    assert_eq!(described["Parameters"][0]["KeyId"], "alias/aws/ssm");
    let history = json!({"Name": "Standard", "WithDecryption": true});
    let history = world.call("ssm:GetParameterHistory", history).await.expect("a history");
    assert_eq!(history["Parameters"][0]["Value"], TEXT);
}

#[tokio::test]
async fn a_key_that_is_out_of_use_opens_nothing() {
    let world = World::new(SERVICES);
    let made = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned();
    put(&world, "p", TEXT, json!({"Type": "SecureString", "KeyId": key})).await;
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    let name = async |text: String| text.split(':').next().map(str::to_owned);
    assert_eq!(name(value_of(&world, "p").await).await.as_deref(), Some("InvalidKeyId"));
    // As it lies, it can still be read.
    world.call("ssm:GetParameter", json!({"Name": "p"})).await.expect("sealed");
    let input = json!({"Name": "n", "Value": TEXT, "Type": "SecureString", "KeyId": "alias/none"});
    let refused = world.call("ssm:PutParameter", input).await.expect_err("refused");
    expect!["InvalidKeyId"].assert_eq(refused.name());
}
