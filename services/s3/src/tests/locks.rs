//! Object Lock: what must stay, until when, and who may pass over it.

use fogbank_testkit::{Value, World, json};

use super::{SERVICES, call, refused, send};

const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

async fn with_lock() -> World {
    let world = World::new(SERVICES);
    call(&world, "CreateBucket", json!({"ObjectLockEnabledForBucket": true})).await.expect("made");
    world
}

async fn write(world: &World, key: &str, more: Value) -> Value {
    let input = super::with(json!({"Key": key}), more);
    let told = send(world, "PutObject", input, "x".to_owned()).await.expect("written");
    json!({"Key": key, "VersionId": told["VersionId"]})
}

async fn fails_to_remove(world: &World, version: &Value) -> bool {
    match call(world, "DeleteObject", version.clone()).await {
        Ok(_) => false,
        Err(fault) => {
            assert_eq!(fault.name(), "AccessDenied");
            true
        }
    }
}

#[tokio::test]
async fn compliance_holds_until_its_time_and_governance_can_be_passed_over() {
    let world = with_lock().await;
    let until =
        |mode: &str| json!({"ObjectLockMode": mode, "ObjectLockRetainUntilDate": NOW + DAY});
    let compliance = write(&world, "c", until("COMPLIANCE")).await;
    let governance = write(&world, "g", until("GOVERNANCE")).await;
    let told = call(&world, "HeadObject", json!({"Key": "c"})).await.expect("a head");
    assert_eq!(told["ObjectLockMode"], "COMPLIANCE");
    assert_eq!(told["ObjectLockRetainUntilDate"], NOW + DAY);
    // A delete marker is always allowed: it removes nothing.
    call(&world, "DeleteObject", json!({"Key": "c"})).await.expect("marked");
    assert!(fails_to_remove(&world, &compliance).await);
    assert!(fails_to_remove(&world, &governance).await);
    let bypass =
        |version: &Value| super::with(version.clone(), json!({"BypassGovernanceRetention": true}));
    assert!(fails_to_remove(&world, &bypass(&compliance)).await);
    assert!(!fails_to_remove(&world, &bypass(&governance)).await);
    world.clock().advance((DAY + 1) * 1000);
    assert!(!fails_to_remove(&world, &compliance).await);
}

#[tokio::test]
async fn retention_is_extended_and_not_weakened() {
    let world = with_lock().await;
    let version = write(&world, "a", json!({})).await;
    let put = |mode: &str, until: i64| {
        let retention = json!({"Mode": mode, "RetainUntilDate": until});
        super::with(version.clone(), json!({"Retention": retention}))
    };
    let outcome = call(&world, "GetObjectRetention", version.clone()).await;
    assert!(refused(outcome).starts_with("NoSuchObjectLockConfiguration"));
    let outcome = call(&world, "PutObjectRetention", put("GOVERNANCE", NOW - 1)).await;
    assert!(refused(outcome).starts_with("InvalidArgument: The retain until date must be"));
    call(&world, "PutObjectRetention", put("GOVERNANCE", NOW + 2 * DAY)).await.expect("set");
    call(&world, "PutObjectRetention", put("GOVERNANCE", NOW + 3 * DAY)).await.expect("longer");
    let outcome = call(&world, "PutObjectRetention", put("GOVERNANCE", NOW + DAY)).await;
    assert!(refused(outcome).starts_with("AccessDenied"));
    let bypass =
        super::with(put("COMPLIANCE", NOW + DAY), json!({"BypassGovernanceRetention": true}));
    call(&world, "PutObjectRetention", bypass).await.expect("passed over");
    let outcome = call(&world, "PutObjectRetention", put("GOVERNANCE", NOW + 9 * DAY)).await;
    assert!(refused(outcome).starts_with("AccessDenied"));
    let told = call(&world, "GetObjectRetention", version).await.expect("a retention");
    assert_eq!(told["Retention"], json!({"Mode": "COMPLIANCE", "RetainUntilDate": NOW + DAY}));
}

#[tokio::test]
async fn legal_holds_and_defaults() {
    let world = with_lock().await;
    let rule = json!({"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}});
    let lock = json!({"ObjectLockEnabled": "Enabled", "Rule": rule});
    let input = json!({"ObjectLockConfiguration": lock});
    call(&world, "PutObjectLockConfiguration", input).await.expect("configured");
    let told = call(&world, "GetObjectLockConfiguration", json!({})).await.expect("told");
    assert_eq!(told["ObjectLockConfiguration"], lock);
    let version = write(&world, "a", json!({"ObjectLockLegalHoldStatus": "ON"})).await;
    world.clock().advance((DAY + 1) * 1000);
    assert!(fails_to_remove(&world, &version).await);
    let off = super::with(version.clone(), json!({"LegalHold": {"Status": "OFF"}}));
    call(&world, "PutObjectLegalHold", off).await.expect("let go");
    let told = call(&world, "GetObjectLegalHold", version.clone()).await.expect("told");
    assert_eq!(told["LegalHold"], json!({"Status": "OFF"}));
    assert!(!fails_to_remove(&world, &version).await);
    let status = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    let outcome = call(&world, "PutBucketVersioning", status).await;
    assert!(refused(outcome).starts_with("InvalidBucketState"));
}

#[tokio::test]
async fn buckets_without_lock_refuse_it() {
    let world = super::with_bucket().await;
    let input = json!({"Key": "a", "ObjectLockLegalHoldStatus": "ON"});
    let outcome = send(&world, "PutObject", input, "x".to_owned()).await;
    assert!(refused(outcome).starts_with("InvalidRequest: Bucket is missing Object Lock"));
    let outcome = call(&world, "GetObjectLockConfiguration", json!({})).await;
    assert!(refused(outcome).starts_with("ObjectLockConfigurationNotFoundError"));
    let input = json!({"Key": "a", "ObjectLockMode": "GOVERNANCE"});
    let outcome = send(&world, "PutObject", input, "x".to_owned()).await;
    assert!(refused(outcome).starts_with("InvalidArgument: x-amz-object-lock-retain-until-date"));
}
