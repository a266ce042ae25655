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
    let refusal = refused(outcome);
    // The world begins at a midnight of UTC.
    let wanted = "InvalidArgument: The retain until date must be in the future! ArgumentName=RetainUntilDate ArgumentValue=Wed Dec 31 15:59:59 PST 2025";
    assert_eq!(refusal, wanted);
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

/// Sets an event hold, or lets it go.
fn hold(version: &Value, mode: &str, status: &str, more: Value) -> Value {
    let retention = super::with(json!({"Mode": mode, "EventHold": status}), more);
    super::with(version.clone(), json!({"Retention": retention}))
}

async fn retained(world: &World, version: &Value) -> Value {
    call(world, "GetObjectRetention", version.clone()).await.expect("told")["Retention"].clone()
}

#[tokio::test]
async fn what_is_held_stays_until_its_duration_after_the_release() {
    let world = with_lock().await;
    let given = json!({
        "ObjectLockMode": "COMPLIANCE", "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationYears": 1,
    });
    let version = write(&world, "a", given).await;
    let day = |days: i64| NOW + days * DAY;
    let on = |days: i64| {
        json!({
            "Mode": "COMPLIANCE", "RetainUntilDate": day(days), "EventHold": "ON",
            "EventHoldDuration": {"Years": 1},
        })
    };
    assert_eq!(retained(&world, &version).await, on(365));
    world.clock().advance(1000 * DAY * 1000);
    assert_eq!(retained(&world, &version).await, on(1365));
    let told = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("a head");
    assert_eq!(told["ObjectLockEventHold"], "ON");
    assert_eq!(told["ObjectLockEventHoldDurationYears"], 1);
    assert_eq!(told["ObjectLockEventHoldDurationDays"], Value::Null);
    assert_eq!(told["ObjectLockRetainUntilDate"], day(1365));
    assert!(fails_to_remove(&world, &version).await);
    let bypass = super::with(version.clone(), json!({"BypassGovernanceRetention": true}));
    assert!(fails_to_remove(&world, &bypass).await);
    let empty = super::with(bypass, json!({"Retention": {}}));
    let outcome = call(&world, "PutObjectRetention", empty).await;
    assert!(refused(outcome).starts_with("AccessDenied"));
    let governance = hold(&version, "GOVERNANCE", "OFF", json!({}));
    let outcome = call(&world, "PutObjectRetention", governance).await;
    assert!(refused(outcome).starts_with("AccessDenied"));
    call(&world, "PutObjectRetention", hold(&version, "COMPLIANCE", "OFF", json!({})))
        .await
        .expect("released");
    world.clock().advance(364 * DAY * 1000);
    let off = json!({"Mode": "COMPLIANCE", "RetainUntilDate": day(1365), "EventHold": "OFF"});
    assert_eq!(retained(&world, &version).await, off);
    let told = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("a head");
    assert_eq!(told["ObjectLockEventHold"], "OFF");
    assert_eq!(told["ObjectLockEventHoldDurationYears"], Value::Null);
    assert!(fails_to_remove(&world, &version).await);
    world.clock().advance((DAY + 1) * 1000);
    assert!(!fails_to_remove(&world, &version).await);
}

#[tokio::test]
async fn durations_may_change_and_dates_never_move_back() {
    let world = with_lock().await;
    let version = write(&world, "a", json!({})).await;
    let set = |days: i64| {
        hold(&version, "COMPLIANCE", "ON", json!({"EventHoldDuration": {"Days": days}}))
    };
    call(&world, "PutObjectRetention", set(10)).await.expect("set");
    call(&world, "PutObjectRetention", set(2)).await.expect("shorter");
    let until =
        |retention: Value| (retention["RetainUntilDate"].as_i64().expect("a date") - NOW) / DAY;
    assert_eq!(until(retained(&world, &version).await), 10);
    world.clock().advance(9 * DAY * 1000);
    assert_eq!(until(retained(&world, &version).await), 11);
    call(&world, "PutObjectRetention", set(20)).await.expect("longer");
    assert_eq!(until(retained(&world, &version).await), 29);
    // A date beside the hold counts where it is later.
    let fixed = json!({"Mode": "COMPLIANCE", "RetainUntilDate": NOW + 50 * DAY});
    let fixed = super::with(version.clone(), json!({"Retention": fixed}));
    call(&world, "PutObjectRetention", fixed).await.expect("set");
    let told = retained(&world, &version).await;
    assert_eq!((until(told.clone()), &told["EventHold"]), (50, &json!("ON")));
    let release = hold(&version, "COMPLIANCE", "OFF", json!({"RetainUntilDate": NOW + 60 * DAY}));
    call(&world, "PutObjectRetention", release).await.expect("released");
    assert_eq!(until(retained(&world, &version).await), 60);
    let again = hold(&version, "COMPLIANCE", "OFF", json!({}));
    let outcome = call(&world, "PutObjectRetention", again).await;
    assert!(refused(outcome).starts_with("InvalidArgument: An event hold that is OFF requires"));
}

#[tokio::test]
async fn holds_of_governance_can_be_passed_over() {
    let world = with_lock().await;
    let given = json!({
        "ObjectLockMode": "GOVERNANCE", "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": 10,
    });
    let version = write(&world, "a", given.clone()).await;
    let bypass = |input: Value| super::with(input, json!({"BypassGovernanceRetention": true}));
    assert!(fails_to_remove(&world, &version).await);
    let shorter = hold(&version, "GOVERNANCE", "ON", json!({"EventHoldDuration": {"Days": 1}}));
    call(&world, "PutObjectRetention", bypass(shorter)).await.expect("shorter");
    assert_eq!(retained(&world, &version).await["RetainUntilDate"], NOW + DAY);
    let none = bypass(super::with(version.clone(), json!({"Retention": {}})));
    call(&world, "PutObjectRetention", none).await.expect("removed");
    assert!(!fails_to_remove(&world, &version).await);
    let version = write(&world, "b", given).await;
    assert!(!fails_to_remove(&world, &bypass(version)).await);
}

#[tokio::test]
async fn buckets_hold_by_default_and_requests_override_it() {
    let world = with_lock().await;
    let hold = json!({"Days": 30});
    let only = json!({"DefaultRetention": {"Mode": "COMPLIANCE", "DefaultEventHold": hold}});
    let both =
        json!({"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 1, "DefaultEventHold": hold}});
    let set = |rule: &Value| {
        let lock = json!({"ObjectLockEnabled": "Enabled", "Rule": rule});
        json!({"ObjectLockConfiguration": lock})
    };
    for (rule, days) in [(only, 30), (both, 365)] {
        call(&world, "PutObjectLockConfiguration", set(&rule)).await.expect("set");
        let told = call(&world, "GetObjectLockConfiguration", json!({})).await.expect("told");
        assert_eq!(told["ObjectLockConfiguration"]["Rule"], rule);
        let version = write(&world, "a", json!({})).await;
        let told = retained(&world, &version).await;
        assert_eq!(told["RetainUntilDate"], NOW + days * DAY);
        assert_eq!((&told["EventHold"], &told["EventHoldDuration"]), (&json!("ON"), &hold));
    }
    let until = json!({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": NOW + DAY});
    let version = write(&world, "a", until).await;
    let told = retained(&world, &version).await;
    assert_eq!(told, json!({"Mode": "GOVERNANCE", "RetainUntilDate": NOW + DAY}));
    let upload = call(&world, "CreateMultipartUpload", json!({"Key": "p"})).await.expect("begun");
    let part = json!({"Key": "p", "UploadId": upload["UploadId"], "PartNumber": 1});
    let part = send(&world, "UploadPart", part, "x".to_owned()).await.expect("a part");
    let parts = json!({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]});
    let input = json!({"Key": "p", "UploadId": upload["UploadId"], "MultipartUpload": parts});
    call(&world, "CompleteMultipartUpload", input).await.expect("whole");
    let copy = json!({"Key": "c", "CopySource": "photos/a"});
    call(&world, "CopyObject", copy).await.expect("copied");
    for key in ["p", "c"] {
        let told = call(&world, "HeadObject", json!({"Key": key})).await.expect("a head");
        assert_eq!(told["ObjectLockEventHold"], "ON", "{key}");
    }
    for wrong in
        [json!({}), json!({"Days": 1, "Years": 1}), json!({"Days": 36_501}), json!({"Years": 0})]
    {
        let rule = json!({"DefaultRetention": {"Mode": "COMPLIANCE", "DefaultEventHold": wrong}});
        let outcome = call(&world, "PutObjectLockConfiguration", set(&rule)).await;
        assert!(refused(outcome).starts_with("InvalidArgument"));
    }
}

#[tokio::test]
async fn wrong_holds_are_refused() {
    let world = with_lock().await;
    let version = write(&world, "a", json!({})).await;
    let mode = json!({"ObjectLockMode": "COMPLIANCE"});
    for wrong in [
        json!({"ObjectLockEventHold": "ON", "ObjectLockEventHoldDurationDays": 1}),
        super::with(mode.clone(), json!({"ObjectLockEventHold": "ON"})),
        super::with(mode.clone(), json!({"ObjectLockEventHold": "OFF"})),
        super::with(mode.clone(), json!({"ObjectLockEventHoldDurationDays": 1})),
        super::with(
            mode,
            json!({"ObjectLockEventHold": "ON", "ObjectLockEventHoldDurationDays": 1, "ObjectLockEventHoldDurationYears": 1}),
        ),
    ] {
        let input = super::with(json!({"Key": "b"}), wrong.clone());
        let outcome = send(&world, "PutObject", input, "x".to_owned()).await;
        assert!(refused(outcome).starts_with("InvalidArgument"), "{wrong}");
    }
    for wrong in [
        hold(&version, "COMPLIANCE", "ON", json!({})),
        hold(&version, "COMPLIANCE", "OFF", json!({})),
        hold(&version, "COMPLIANCE", "OFF", json!({"EventHoldDuration": {"Days": 1}})),
        super::with(version.clone(), json!({"Retention": {"EventHold": "OFF"}})),
    ] {
        let outcome = call(&world, "PutObjectRetention", wrong.clone()).await;
        assert!(refused(outcome).starts_with("InvalidArgument"), "{wrong}");
    }
    let outcome = call(&world, "GetObjectRetention", version).await;
    assert!(refused(outcome).starts_with("NoSuchObjectLockConfiguration"));
    let plain = super::with_bucket().await;
    let input = json!({
        "Key": "a", "ObjectLockMode": "COMPLIANCE", "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": 1,
    });
    let outcome = send(&plain, "PutObject", input, "x".to_owned()).await;
    assert!(refused(outcome).starts_with("InvalidRequest: Bucket is missing Object Lock"));
}
