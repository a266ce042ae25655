//! Keys and aliases.

use fogbank_testkit::{World, expect, json};

use super::{SERVICES, key};

#[tokio::test]
async fn a_key_is_made_and_shown() {
    let world = World::new(SERVICES);
    let tags = json!([{"TagKey": "a", "TagValue": "b"}]);
    world.check("kms:CreateKey", json!({"Description": "d", "Tags": tags}), expect![[r#"
        {
          "KeyMetadata": {
            "AWSAccountId": "000000000000",
            "Arn": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
            "CreationDate": 1767225600,
            "CurrentKeyMaterialId": "0a9b2c882211860ebd5a9891c3ca429f89737137444185e9464771ade1158b3c",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "Description": "d",
            "Enabled": true,
            "EncryptionAlgorithms": [
              "SYMMETRIC_DEFAULT"
            ],
            "KeyId": "eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
            "KeyManager": "CUSTOMER",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "MultiRegion": false,
            "Origin": "AWS_KMS"
          }
        }"#]]).await;
    world.check("kms:ListKeys", json!({}), expect![[r#"
        {
          "Keys": [
            {
              "KeyArn": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
              "KeyId": "eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5"
            }
          ],
          "Truncated": false
        }"#]]).await;
    let policy = json!({"KeyId": key(&world, json!({})).await});
    world.check("kms:GetKeyPolicy", policy, expect![[r#"
        {
          "Policy": "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \"Sid\" : \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"arn:aws:iam::000000000000:root\"\n    },\n    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  } ]\n}",
          "PolicyName": "default"
        }"#]]).await;
}

#[tokio::test]
async fn a_key_is_named_by_aliases() {
    let world = World::new(SERVICES);
    let key = key(&world, json!({})).await;
    let named = |name: &str| json!({"AliasName": name, "TargetKeyId": key});
    world.check("kms:CreateAlias", named("alias/a"), expect!["{}"]).await;
    world.check("kms:CreateAlias", named("alias/a"), expect!["AlreadyExistsException: An alias with the name arn:aws:kms:us-east-1:000000000000:alias/a already exists"]).await;
    world.check("kms:CreateAlias", named("b"), expect![[r#"ValidationException: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"#]]).await;
    world
        .check("kms:CreateAlias", named("alias/aws/s3"), expect!["NotAuthorizedException: "])
        .await;
    world
        .check(
            "kms:ListAliases",
            json!({"KeyId": key}),
            expect![[r#"
        {
          "Aliases": [
            {
              "AliasArn": "arn:aws:kms:us-east-1:000000000000:alias/a",
              "AliasName": "alias/a",
              "CreationDate": 1767225600,
              "LastUpdatedDate": 1767225600,
              "TargetKeyId": "eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5"
            }
          ],
          "Truncated": false
        }"#]],
        )
        .await;
    let plaintext = json!({"KeyId": "alias/a", "Plaintext": "aGVsbG8="});
    let encrypted = world.call("kms:Encrypt", plaintext).await.expect("it encrypts");
    assert_eq!(encrypted["KeyId"], format!("arn:aws:kms:us-east-1:000000000000:key/{key}"));
    let ciphertext = json!({"CiphertextBlob": encrypted["CiphertextBlob"]});
    let decrypted = world.call("kms:Decrypt", ciphertext).await.expect("it decrypts");
    assert_eq!(decrypted["Plaintext"], "aGVsbG8=");
    world.check("kms:DescribeKey", json!({"KeyId": "alias/none"}), expect!["NotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found."]).await;
    world
        .check(
            "kms:DescribeKey",
            json!({"KeyId": "nonsense"}),
            expect!["NotFoundException: Invalid keyId 'nonsense'"],
        )
        .await;
    let unknown = json!({"KeyId": "11111111-2222-3333-4444-555555555555"});
    world.check("kms:DescribeKey", unknown, expect!["NotFoundException: Key 'arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555' does not exist"]).await;
    world.check("kms:DeleteAlias", json!({"AliasName": "alias/a"}), expect!["{}"]).await;
    world
        .check(
            "kms:DeleteAlias",
            json!({"AliasName": "alias/a"}),
            expect![
                "NotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/a is not found."
            ],
        )
        .await;
}
