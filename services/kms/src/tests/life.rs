//! What time does to keys: rotation, the end of imported material, deletion; keys of several regions.

use fogbank_core::{Body, Call, Principal};
use fogbank_testkit::{ACCOUNT, REGION, Value, World, expect, json};

use super::{SERVICES, key};
use crate::keys::DAY;
use crate::store::{ALL_GRANTED, GRANTED, LAST_USES, MARKS};
use crate::tasks::{BOOKS, DUE_KEYS};

async fn call_in(world: &World, region: &str, operation: &str, input: Value) -> Value {
    let call = Call {
        action: format!("kms:{operation}"),
        account: ACCOUNT.to_owned(),
        principal: Principal::root(ACCOUNT),
        region: region.to_owned(),
        input,
        body: Body::empty(),
        source: None,
        via: None,
        called_via: Vec::new(),
    };
    let outcome = world.cloud().call(call).await;
    outcome.unwrap_or_else(|fault| panic!("{operation}: {fault}")).output
}

async fn call(world: &World, operation: &str, input: Value) -> Value {
    call_in(world, REGION, operation, input).await
}

async fn days_pass(world: &World, days: u32) {
    world.clock().advance(DAY * i64::from(days));
    world.round(&crate::SERVICE, DUE_KEYS).await;
}

#[tokio::test]
async fn rotation_keeps_what_was_encrypted() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({})).await;
    let named = json!({"KeyId": id});
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    let mut blobs = vec![call(&world, "Encrypt", plain.clone()).await["CiphertextBlob"].clone()];
    let rotate = json!({"KeyId": id, "RotationPeriodInDays": 90});
    call(&world, "EnableKeyRotation", rotate).await;
    world
        .check(
            "kms:GetKeyRotationStatus",
            named.clone(),
            expect![[r#"
        {
          "KeyId": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
          "KeyRotationEnabled": true,
          "NextRotationDate": 1775001600,
          "RotationPeriodInDays": 90
        }"#]],
        )
        .await;
    days_pass(&world, 91).await;
    blobs.push(call(&world, "Encrypt", plain.clone()).await["CiphertextBlob"].clone());
    call(&world, "RotateKeyOnDemand", named.clone()).await;
    blobs.push(call(&world, "Encrypt", plain).await["CiphertextBlob"].clone());
    let mut materials = Vec::new();
    for blob in blobs {
        let opened = call(&world, "Decrypt", json!({"CiphertextBlob": blob})).await;
        assert_eq!(opened["Plaintext"], "aGVsbG8=");
        materials.push(opened["KeyMaterialId"].to_string());
    }
    materials.dedup();
    assert_eq!(materials.len(), 3);
    world.check("kms:ListKeyRotations", named, expect![[r#"
        {
          "Rotations": [
            {
              "KeyId": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
              "KeyMaterialId": "53a99d53fd1d82c6ce07a5c62371acaf129809d6c3f54444f5a0e6f721b3640c",
              "KeyMaterialState": "NON_CURRENT",
              "RotationDate": 1775001600,
              "RotationType": "AUTOMATIC"
            },
            {
              "KeyId": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
              "KeyMaterialId": "47bb5d757b8cbfad8107dd80744f1d470543c64baa4de4b59bdea732ad1323fc",
              "KeyMaterialState": "CURRENT",
              "RotationDate": 1775088000,
              "RotationType": "ON_DEMAND"
            }
          ],
          "Truncated": false
        }"#]]).await;
    let hmac = key(&world, json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})).await;
    world.check("kms:EnableKeyRotation", json!({"KeyId": hmac}), expect!["UnsupportedOperationException: arn:aws:kms:us-east-1:000000000000:key/56ebeb0a-cac2-47cb-9f19-4d513f672012 key spec is HMAC_256 and origin AWS_KMS, for which this operation is not supported."]).await;
}

#[tokio::test]
async fn a_key_is_deleted_after_its_window() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({})).await;
    let named = json!({"KeyId": id});
    let alias = json!({"AliasName": "alias/a", "TargetKeyId": id});
    call(&world, "CreateAlias", alias).await;
    let short = json!({"KeyId": id, "PendingWindowInDays": 6});
    world.check("kms:ScheduleKeyDeletion", short, expect!["ValidationException: The PendingWindowInDays parameter must be between 7 and 30 days, inclusive."]).await;
    let week = json!({"KeyId": id, "PendingWindowInDays": 7});
    world
        .check(
            "kms:ScheduleKeyDeletion",
            week.clone(),
            expect![[r#"
        {
          "DeletionDate": 1767830400,
          "KeyId": "arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5",
          "KeyState": "PendingDeletion",
          "PendingWindowInDays": 7
        }"#]],
        )
        .await;
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    world.check("kms:Encrypt", plain.clone(), expect!["KMSInvalidStateException: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is pending deletion."]).await;
    world.check("kms:ScheduleKeyDeletion", week.clone(), expect!["KMSInvalidStateException: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is pending deletion."]).await;
    call(&world, "CancelKeyDeletion", named.clone()).await;
    world.check("kms:CancelKeyDeletion", named.clone(), expect!["KMSInvalidStateException: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is not pending deletion."]).await;
    world.check("kms:Encrypt", plain, expect!["DisabledException: arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5 is disabled."]).await;
    call(&world, "ScheduleKeyDeletion", week).await;
    world.clock().advance(DAY * 8);
    // The key is gone before the clean-up comes.
    world.check("kms:DescribeKey", named, expect!["NotFoundException: Key 'arn:aws:kms:us-east-1:000000000000:key/eccfc4ca-a8cd-4b63-87cb-56ff66cd60b5' does not exist"]).await;
    world.round(&crate::SERVICE, DUE_KEYS).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn several_regions_share_a_key() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({"MultiRegion": true})).await;
    assert!(id.starts_with("mrk-"));
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    let blob = call(&world, "Encrypt", plain).await["CiphertextBlob"].clone();
    let replicate = json!({"KeyId": id, "ReplicaRegion": "eu-west-1"});
    call(&world, "ReplicateKey", replicate.clone()).await;
    world.check("kms:ReplicateKey", replicate, expect!["AlreadyExistsException: arn:aws:kms:eu-west-1:000000000000:key/mrk-6b8630e632e6e094f9a1439573f40a37 already exists"]).await;
    let there = "eu-west-1";
    let opened = call_in(&world, there, "Decrypt", json!({"CiphertextBlob": blob})).await;
    assert_eq!(opened["Plaintext"], "aGVsbG8=");
    call(&world, "RotateKeyOnDemand", json!({"KeyId": id})).await;
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    let blob = call_in(&world, there, "Encrypt", plain).await["CiphertextBlob"].clone();
    call(&world, "Decrypt", json!({"CiphertextBlob": blob})).await;
    let primary = json!({"KeyId": id, "PrimaryRegion": there});
    call(&world, "UpdatePrimaryRegion", primary).await;
    let described = call_in(&world, there, "DescribeKey", json!({"KeyId": id})).await;
    let configuration = &described["KeyMetadata"]["MultiRegionConfiguration"];
    assert_eq!(configuration["MultiRegionKeyType"], "PRIMARY");
    assert_eq!(configuration["ReplicaKeys"][0]["Region"], REGION);
    // The primary key waits for its replica.
    let delete = json!({"KeyId": id, "PendingWindowInDays": 7});
    let scheduled = call_in(&world, there, "ScheduleKeyDeletion", delete.clone()).await;
    assert_eq!(scheduled["KeyState"], "PendingReplicaDeletion");
    call(&world, "ScheduleKeyDeletion", delete).await;
    days_pass(&world, 8).await;
    let described = call_in(&world, there, "DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(described["KeyMetadata"]["KeyState"], "PendingDeletion");
    days_pass(&world, 8).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn a_key_tells_its_last_use() {
    let world = World::new(SERVICES);
    world.round(&crate::SERVICE, BOOKS).await;
    let id = key(&world, json!({})).await;
    let named = json!({"KeyId": id});
    let told = call(&world, "GetKeyLastUsage", named.clone()).await;
    assert_eq!(told["KeyLastUsage"], json!({}));
    assert_eq!(told["TrackingStartDate"], told["KeyCreationDate"]);
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    let blob = call(&world, "Encrypt", plain).await["CiphertextBlob"].clone();
    world.clock().advance(5000);
    call(&world, "Decrypt", json!({"CiphertextBlob": blob})).await;
    world.call("kms:Decrypt", json!({"CiphertextBlob": "AAAA"})).await.expect_err("a refusal");
    for _ in 0..2 {
        let told = call(&world, "GetKeyLastUsage", named.clone()).await;
        assert_eq!(told["KeyLastUsage"]["Operation"], "Decrypt");
        assert_eq!(told["KeyLastUsage"]["Timestamp"], 1_767_225_605);
        assert!(told["KeyLastUsage"]["KmsRequestId"].is_string());
        // Noted, and then written.
        world.round(&crate::SERVICE, BOOKS).await;
    }
    let written = world.rows(&crate::SERVICE).len();
    call(&world, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    days_pass(&world, 8).await;
    assert!(world.rows(&crate::SERVICE).len() < written);
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "kms", "test");
    assert_eq!(cx.read(|tx| LAST_USES.range(&()).count(tx)).expect("a count"), 0);
}

#[tokio::test]
async fn grants_count_for_their_grantees_whichever_version_wrote_them() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({})).await;
    let service = Principal::service("dynamodb.amazonaws.com");
    let plain = json!({"KeyId": id, "Plaintext": "aGVsbG8="});
    let encrypt = async || {
        let call = Call {
            action: "kms:Encrypt".to_owned(),
            account: ACCOUNT.to_owned(),
            principal: service.clone(),
            region: REGION.to_owned(),
            input: plain.clone(),
            body: Body::empty(),
            source: None,
            via: None,
            called_via: Vec::new(),
        };
        world.cloud().call(call).await.map(drop)
    };
    encrypt().await.expect_err("no grant");
    let grant = json!({
        "KeyId": id, "GranteePrincipal": "dynamodb.amazonaws.com", "Operations": ["Encrypt"],
    });
    let given = call(&world, "CreateGrant", grant.clone()).await;
    encrypt().await.expect("a grant");
    world.round(&crate::SERVICE, BOOKS).await;
    encrypt().await.expect("a grant");
    let revoke = json!({"KeyId": id, "GrantId": given["GrantId"]});
    call(&world, "RevokeGrant", revoke).await;
    encrypt().await.expect_err("no grant");
    // What an older version wrote.
    call(&world, "CreateGrant", grant).await;
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "kms", "test");
    let forgotten = cx.write(|tx| {
        for key in GRANTED.range(&()).keys(tx)? {
            GRANTED.delete(tx, &key)?;
        }
        MARKS.delete(tx, &(ALL_GRANTED,))
    });
    forgotten.await.expect("forgotten");
    encrypt().await.expect("a grant");
    world.round(&crate::SERVICE, BOOKS).await;
    assert_eq!(cx.read(|tx| GRANTED.range(&()).count(tx)).expect("a count"), 1);
    encrypt().await.expect("a grant");
    world.reset(&crate::SERVICE, None).await;
    assert_eq!(cx.read(|tx| GRANTED.range(&()).count(tx)).expect("a count"), 0);
}
