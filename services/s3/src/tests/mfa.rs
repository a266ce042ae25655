//! MFA delete: what only the root does, and with which codes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Principal, Service};
use fogbank_identity::totp;
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{call, put, refused, with};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_sts::SERVICE];

const NEEDED: &str = "AccessDenied: Mfa Authentication must be used for this request";
const NOT_OWNER: &str = "AccessDenied: This operation may only be performed by the bucket owner";
const WRONG: &str = "InvalidArgument: Mfa header is invalid";
const SERIAL: &str = "arn:aws:iam::000000000000:mfa/root-account-mfa-device";

/// The seed of a device with this serial number, decoded from what creating it told.
fn seed(made: &Value) -> Vec<u8> {
    let text = made["VirtualMFADevice"]["Base32StringSeed"].as_str().expect("a seed");
    let text = STANDARD.decode(text).expect("base 64");
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for digit in text {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == digit);
        bits = bits << 5 | u32::try_from(value.expect("base 32")).expect("5 bits");
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("8 bits"));
        }
    }
    bytes
}

struct Device {
    seed: Vec<u8>,
}

impl Device {
    /// Makes the root's device, and enables it with codes of the past.
    async fn of_root(world: &World) -> Device {
        let name = json!({"VirtualMFADeviceName": "root-account-mfa-device"});
        let made = world.call("iam:CreateVirtualMFADevice", name).await.expect("a device");
        let device = Device { seed: seed(&made) };
        let input = json!({
            "UserName": ACCOUNT, "SerialNumber": SERIAL,
            "AuthenticationCode1": device.code(world, -2), "AuthenticationCode2": device.code(world, -1),
        });
        world.call("iam:EnableMFADevice", input).await.expect("enabled");
        device
    }

    fn code(&self, world: &World, steps: i64) -> String {
        totp::code(&self.seed, totp::step(world.clock().now().secs()) + steps)
    }

    /// The header with a code that was not shown before.
    fn header(&self, world: &World) -> String {
        world.clock().advance(30_000);
        format!("{SERIAL} {}", self.code(world, 0))
    }
}

async fn world() -> (World, Device) {
    let world = World::new(SERVICES);
    call(&world, "CreateBucket", json!({})).await.expect("a bucket");
    let device = Device::of_root(&world).await;
    (world, device)
}

fn versioning(status: &str, mfa_delete: &str) -> Value {
    json!({"VersioningConfiguration": {"Status": status, "MFADelete": mfa_delete}})
}

fn by(input: Value, header: &str) -> Value {
    with(input, json!({"MFA": header}))
}

async fn enabled() -> (World, Device) {
    let (world, device) = world().await;
    let input = by(versioning("Enabled", "Enabled"), &device.header(&world));
    call(&world, "PutBucketVersioning", input).await.expect("enabled");
    (world, device)
}

async fn write(world: &World, key: &str) -> Value {
    let told = put(world, key, "x".to_owned()).await;
    json!({"Key": key, "VersionId": told["VersionId"]})
}

fn starts(outcome: Result<Value, fogbank_core::Fault>, expected: &str) {
    let text = refused(outcome);
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test]
async fn only_the_root_with_a_fresh_code_turns_it_on() {
    let (world, device) = world().await;
    let told = call(&world, "GetBucketVersioning", json!({})).await.expect("told");
    assert_eq!(told, json!({}));
    // That it is off may be said without a code, as Terraform does.
    call(&world, "PutBucketVersioning", versioning("Enabled", "Disabled")).await.expect("set");
    let told = call(&world, "GetBucketVersioning", json!({})).await.expect("told");
    assert_eq!(told, json!({"Status": "Enabled", "MFADelete": "Disabled"}));
    let on = versioning("Enabled", "Enabled");
    starts(call(&world, "PutBucketVersioning", on.clone()).await, NEEDED);
    let wrong = call(&world, "PutBucketVersioning", by(on.clone(), "970589")).await;
    starts(wrong, "InvalidArgument: Mfa header is invalid -- the header should be formatted as");
    for header in ["arn:aws:iam::000000000000:mfa/other 123456", &format!("{SERIAL} 000000")] {
        starts(call(&world, "PutBucketVersioning", by(on.clone(), header)).await, WRONG);
    }
    let header = device.header(&world);
    call(&world, "PutBucketVersioning", by(on.clone(), &header)).await.expect("set");
    // The same code is worth nothing, for anything.
    starts(call(&world, "PutBucketVersioning", by(on, &header)).await, WRONG);
    let told = call(&world, "GetBucketVersioning", json!({})).await.expect("told");
    assert_eq!(told, json!({"Status": "Enabled", "MFADelete": "Enabled"}));
    let session = json!({"SerialNumber": SERIAL, "TokenCode": header.split(' ').nth(1)});
    assert!(world.call("sts:GetSessionToken", session).await.is_err());
}

#[tokio::test]
async fn changes_of_versioning_need_a_code_as_long_as_it_is_on() {
    let (world, device) = enabled().await;
    let suspend = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    for input in
        [suspend.clone(), versioning("Enabled", "Disabled"), versioning("Enabled", "Enabled")]
    {
        starts(call(&world, "PutBucketVersioning", input).await, NEEDED);
    }
    call(&world, "PutBucketVersioning", by(suspend, &device.header(&world))).await.expect("set");
    let told = call(&world, "GetBucketVersioning", json!({})).await.expect("told");
    assert_eq!(told, json!({"Status": "Suspended", "MFADelete": "Enabled"}));
    let off = by(versioning("Enabled", "Disabled"), &device.header(&world));
    call(&world, "PutBucketVersioning", off).await.expect("set");
    let version = write(&world, "a").await;
    call(&world, "DeleteObject", version).await.expect("no code is needed any more");
}

#[tokio::test]
async fn versions_go_with_a_code_and_markers_come_without() {
    let (world, device) = enabled().await;
    let version = write(&world, "a").await;
    let marker = call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("marked");
    let marker = json!({"Key": "a", "VersionId": marker["VersionId"]});
    for version in [&version, &marker] {
        starts(call(&world, "DeleteObject", version.clone()).await, NEEDED);
        let wrong = by(version.clone(), &format!("{SERIAL} 000000"));
        starts(call(&world, "DeleteObject", wrong).await, WRONG);
        let header = device.header(&world);
        call(&world, "DeleteObject", by(version.clone(), &header)).await.expect("removed");
        starts(call(&world, "DeleteObject", by(version.clone(), &header)).await, WRONG);
    }
    let told = call(&world, "ListObjectVersions", json!({})).await.expect("a list");
    assert_eq!((&told["Versions"], &told["DeleteMarkers"]), (&json!([]), &json!([])));
    call(&world, "DeleteBucket", json!({})).await.expect("no code is needed");
}

#[tokio::test]
async fn one_code_removes_many_versions_and_a_wrong_one_none() {
    let (world, device) = enabled().await;
    let (first, second) = (write(&world, "a").await, write(&world, "b").await);
    let unversioned = json!({"Key": "c"});
    let delete = |keys: Value| json!({"Delete": {"Objects": keys}});
    let all = delete(json!([first, second, unversioned]));
    starts(call(&world, "DeleteObjects", all.clone()).await, NEEDED);
    let wrong = format!("{SERIAL} 000000");
    starts(call(&world, "DeleteObjects", by(all.clone(), &wrong)).await, WRONG);
    let marks = delete(json!([unversioned]));
    starts(call(&world, "DeleteObjects", by(marks.clone(), &wrong)).await, WRONG);
    let told = call(&world, "DeleteObjects", marks).await.expect("marked");
    assert_eq!(told["Deleted"][0]["DeleteMarker"], true);
    let listed = call(&world, "ListObjectVersions", json!({})).await.expect("a list");
    assert_eq!(listed["Versions"].as_array().map(Vec::len), Some(2));
    let header = device.header(&world);
    let told = call(&world, "DeleteObjects", by(all, &header)).await.expect("removed");
    assert_eq!(told["Deleted"].as_array().map(Vec::len), Some(3));
    assert_eq!(told["Errors"], json!([]));
    let listed = call(&world, "ListObjectVersions", json!({})).await.expect("a list");
    assert_eq!(listed["Versions"], json!([]));
}

#[tokio::test]
async fn nobody_but_the_root_itself_has_the_permission() {
    let (world, device) = enabled().await;
    let version = with(write(&world, "a").await, json!({"Bucket": "photos"}));
    let user = world.call("iam:CreateUser", json!({"UserName": "ada"})).await.expect("a user");
    let text = |member: &str| user["User"][member].as_str().expect("a text").to_owned();
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let policy = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": policy});
    world.call("iam:PutUserPolicy", policy).await.expect("a policy");
    let user = Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    };
    let session = Principal { session: Some(Box::default()), ..Principal::root(ACCOUNT) };
    for caller in [user, session] {
        let plain = world.call_as(caller.clone(), "s3:DeleteObject", version.clone()).await;
        starts(plain, NEEDED);
        let input = by(version.clone(), &device.header(&world));
        starts(world.call_as(caller.clone(), "s3:DeleteObject", input).await, NOT_OWNER);
        let many = json!({"Bucket": "photos", "Delete": {"Objects": [{"Key": "a", "VersionId": version["VersionId"]}]}});
        let many = by(many, &device.header(&world));
        starts(world.call_as(caller, "s3:DeleteObjects", many).await, NOT_OWNER);
    }
}

#[tokio::test]
async fn lifecycles_and_mfa_delete_exclude_each_other() {
    let (world, device) = world().await;
    let rule = json!({"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}});
    let rules = json!({"LifecycleConfiguration": {"Rules": [rule]}});
    call(&world, "PutBucketLifecycleConfiguration", rules.clone()).await.expect("rules");
    let on = versioning("Enabled", "Enabled");
    let outcome = call(&world, "PutBucketVersioning", by(on.clone(), &device.header(&world))).await;
    starts(
        outcome,
        "InvalidBucketState: Mfa Authentication is not supported on a bucket with lifecycle configuration. Delete lifecycle configuration before enabling Mfa Authentication.",
    );
    call(&world, "DeleteBucketLifecycle", json!({})).await.expect("removed");
    call(&world, "PutBucketVersioning", by(on, &device.header(&world))).await.expect("set");
    let outcome = call(&world, "PutBucketLifecycleConfiguration", rules).await;
    starts(outcome, "InvalidBucketState: Lifecycle configuration is not supported");
}
