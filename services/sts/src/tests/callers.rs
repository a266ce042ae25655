//! GetCallerIdentity and GetAccessKeyInfo.

use fogbank_testkit::{Value, expect, json};

use super::{good, user, world};

#[tokio::test]
async fn everybody_may_ask_who_they_are() {
    let world = world();
    world
        .check(
            "sts:GetCallerIdentity",
            json!({}),
            expect![[r#"
            {
              "Account": "000000000000",
              "Arn": "arn:aws:iam::000000000000:root",
              "UserId": "000000000000"
            }"#]],
        )
        .await;
    let deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    let ann = user(&world, "ann", deny).await;
    let shown = world.call_as(ann.clone(), "sts:GetCallerIdentity", json!({})).await;
    assert_eq!(
        shown.expect("nobody can forbid it"),
        json!({"Account": ann.account, "Arn": ann.arn, "UserId": ann.id})
    );
}

#[tokio::test]
async fn a_key_tells_its_account() {
    let world = world();
    user(&world, "ann", Value::Null).await;
    let key = good(&world, "iam:CreateAccessKey", json!({"UserName": "ann"})).await;
    let id = &key["AccessKey"]["AccessKeyId"];
    let shown = good(&world, "sts:GetAccessKeyInfo", json!({"AccessKeyId": id})).await;
    assert_eq!(shown["Account"], "000000000000");
    let foreign = json!({"AccessKeyId": "ASIAQNZGKIQY56JQ7WML"});
    assert_eq!(good(&world, "sts:GetAccessKeyInfo", foreign).await["Account"], "029608264753");
    let unknown =
        world.call("sts:GetAccessKeyInfo", json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"})).await;
    assert!(unknown.is_err());
}
