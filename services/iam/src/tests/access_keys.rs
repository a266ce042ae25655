//! Access keys.

use fogbank_testkit::json;

use super::{allow, bad, good, user, world};

#[tokio::test]
async fn a_user_has_two_keys_at_most() {
    let world = world();
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let ann = json!({"UserName": "ann"});
    let made = good(&world, "CreateAccessKey", ann.clone()).await["AccessKey"].clone();
    let id = made["AccessKeyId"].as_str().expect("an id");
    assert!(id.starts_with("AKIA") && id.len() == 20, "{id}");
    assert_eq!(made["SecretAccessKey"].as_str().map(str::len), Some(40));
    assert_eq!(made["Status"], "Active");
    good(&world, "CreateAccessKey", ann.clone()).await;
    assert_eq!(
        bad(&world, "CreateAccessKey", ann.clone()).await,
        "LimitExceededException: Cannot exceed quota for AccessKeysPerUser: 2"
    );
    let update = json!({"UserName": "ann", "AccessKeyId": id, "Status": "Inactive"});
    good(&world, "UpdateAccessKey", update).await;
    let listed = good(&world, "ListAccessKeys", ann).await;
    assert_eq!(listed["AccessKeyMetadata"][0]["Status"], "Inactive");
    assert_eq!(listed["AccessKeyMetadata"][1]["Status"], "Active");
    // The root need not name the user.
    good(&world, "DeleteAccessKey", json!({"AccessKeyId": id})).await;
    assert_eq!(
        bad(&world, "DeleteAccessKey", json!({"UserName": "ann", "AccessKeyId": id})).await,
        format!("NoSuchEntityException: The Access Key with id {id} cannot be found.")
    );
}

#[tokio::test]
async fn without_a_name_the_callers_keys_are_meant() {
    let world = world();
    let ann =
        user(&world, "ann", allow("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}")).await;
    let made = world.call_as(ann.clone(), "iam:CreateAccessKey", json!({})).await.expect("allowed");
    assert_eq!(made["AccessKey"]["UserName"], "ann");
    good(&world, "CreateUser", json!({"UserName": "bob"})).await;
    let of_bob =
        world.call_as(ann.clone(), "iam:CreateAccessKey", json!({"UserName": "bob"})).await;
    assert_eq!(of_bob.expect_err("not hers").name(), "AccessDenied");
    let id = &made["AccessKey"]["AccessKeyId"];
    let used = world.call_as(ann, "iam:GetAccessKeyLastUsed", json!({"AccessKeyId": id})).await;
    assert_eq!(
        used.expect("allowed"),
        json!({"UserName": "ann", "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}})
    );
}

#[tokio::test]
async fn the_root_has_keys_too() {
    let world = world();
    let made = good(&world, "CreateAccessKey", json!({})).await;
    assert_eq!(made["AccessKey"]["UserName"], json!(null));
    let listed = good(&world, "ListAccessKeys", json!({})).await;
    assert_eq!(listed["AccessKeyMetadata"].as_array().map(Vec::len), Some(1));
    let summary = good(&world, "GetAccountSummary", json!({})).await;
    assert_eq!(summary["SummaryMap"]["AccountAccessKeysPresent"], 1);
    let id = &made["AccessKey"]["AccessKeyId"];
    good(&world, "DeleteAccessKey", json!({"AccessKeyId": id})).await;
}

#[tokio::test]
async fn uses_are_noted_and_written_down() {
    let world = world();
    let mut ann = user(&world, "ann", allow("iam:GetUser", "*")).await;
    let made = good(&world, "CreateAccessKey", json!({"UserName": "ann"})).await;
    let id = made["AccessKey"]["AccessKeyId"].as_str().expect("an id").to_owned();
    ann.access_key_id = Some(id.clone());
    world.clock().advance(5_000);
    world.call_as(ann, "iam:GetUser", json!({})).await.expect("allowed");
    let used = json!({"LastUsedDate": 1_767_225_605, "ServiceName": "iam", "Region": "us-east-1"});
    let shown = async || {
        good(&world, "GetAccessKeyLastUsed", json!({"AccessKeyId": id})).await["AccessKeyLastUsed"]
            .take()
    };
    assert_eq!(shown().await, used);
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "iam", "Test");
    (crate::SERVICE.tasks[0].run)(cx).await.expect("a round");
    let noted = &fogbank_identity::Identities::of(world.cloud()).last_uses;
    assert!(noted.pending().is_empty());
    assert_eq!(shown().await, used);
}
