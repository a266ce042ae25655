//! What an account blocks of public access.

use fogbank_core::Principal;
use fogbank_testkit::{Value, World, json};

use super::{call, refused, with_bucket};

async fn block(world: &World, members: Value) {
    let input = json!({ "PublicAccessBlockConfiguration": members });
    call(world, "PutPublicAccessBlock", input).await.expect("set");
}

#[tokio::test]
async fn it_is_set_read_and_removed() {
    let world = with_bucket().await;
    let missing =
        "NoSuchPublicAccessBlockConfiguration: The public access block configuration was not found";
    assert_eq!(refused(call(&world, "GetPublicAccessBlock", json!({})).await), missing);
    block(&world, json!({"IgnorePublicAcls": true})).await;
    let found = call(&world, "GetPublicAccessBlock", json!({})).await.expect("found");
    let found = &found["PublicAccessBlockConfiguration"];
    assert_eq!(
        (&found["IgnorePublicAcls"], &found["BlockPublicPolicy"]),
        (&json!(true), &json!(false))
    );
    let empty = json!({"PublicAccessBlockConfiguration": {}});
    assert!(
        refused(call(&world, "PutPublicAccessBlock", empty).await).starts_with("MalformedXML: ")
    );
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("removed");
    assert_eq!(refused(call(&world, "GetPublicAccessBlock", json!({})).await), missing);
}

#[tokio::test]
async fn buckets_that_block_nothing_are_blocked_by_their_account() {
    let world = with_bucket().await;
    world.call("s3:DeletePublicAccessBlock", json!({"Bucket": "photos"})).await.expect("opened");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos",
    }]});
    let input = json!({"Bucket": "photos", "Policy": policy.to_string()});
    block(&world, json!({"BlockPublicPolicy": true})).await;
    let told = refused(world.call("s3:PutBucketPolicy", input.clone()).await);
    assert!(told.contains("public policies are prevented"), "{told}");
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("removed");
    world.call("s3:PutBucketPolicy", input).await.expect("a policy");
    let list = || {
        world.call_as(
            Principal::root("111111111111"),
            "s3:ListObjectsV2",
            json!({"Bucket": "photos"}),
        )
    };
    list().await.expect("a list");
    block(&world, json!({"RestrictPublicBuckets": true})).await;
    assert!(refused(list().await).starts_with("AccessDenied: "));
}
