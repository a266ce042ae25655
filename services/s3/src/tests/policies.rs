//! Policies of buckets, and who gets in by them.

use fogbank_core::{Check, Principal, ReadTx};
use fogbank_testkit::{Value, World, json};

use super::{call, put, refused, with_bucket};

fn allowing(principal: Value, action: &str, resource: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource,
        }],
    })
    .to_string()
}

#[tokio::test]
async fn policies_come_back_as_they_were_put() {
    let world = with_bucket().await;
    let policy =
        allowing(json!({"AWS": "arn:aws:iam::111111111111:root"}), "s3:*", "arn:aws:s3:::photos");
    call(&world, "PutBucketPolicy", json!({"Policy": policy})).await.expect("set");
    let found = call(&world, "GetBucketPolicy", json!({})).await.expect("a policy");
    assert_eq!(found["Policy"], policy);
    let status = call(&world, "GetBucketPolicyStatus", json!({})).await.expect("a status");
    assert_eq!(status, json!({"PolicyStatus": {"IsPublic": false}}));
    call(&world, "DeleteBucketPolicy", json!({})).await.expect("removed");
    call(&world, "DeleteBucketPolicy", json!({})).await.expect("removed again");
    let outcome = call(&world, "GetBucketPolicyStatus", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchBucketPolicy: "));
    let outcome = call(&world, "PutBucketPolicy", json!({"Policy": "{}"})).await;
    assert_eq!(refused(outcome), "MalformedPolicy: Missing required field Statement");
    for resource in ["arn:aws:s3:::photos-of-others", "arn:aws:s3:::photos2/*", "*"] {
        let policy = allowing(json!({"AWS": "111111111111"}), "s3:GetObject", resource);
        let outcome = call(&world, "PutBucketPolicy", json!({"Policy": policy})).await;
        assert_eq!(refused(outcome), "MalformedPolicy: Policy has invalid resource", "{resource}");
    }
    let policy = allowing(json!({"AWS": "111111111111"}), "s3:ListBucket", "arn:aws:s3:::photos/*");
    let outcome = call(&world, "PutBucketPolicy", json!({"Policy": policy})).await;
    assert_eq!(
        refused(outcome),
        "MalformedPolicy: Action does not apply to any resource(s) in statement"
    );
    let policy = policy.replace("photos/*", "photos");
    let with = |key: &str| {
        let condition = format!(r#""Condition":{{"StringEquals":{{"{key}":"a"}}}},"Effect""#);
        policy.replace(r#""Effect""#, &condition)
    };
    let outcome = call(&world, "PutBucketPolicy", json!({"Policy": with("s3:suffix")})).await;
    assert_eq!(refused(outcome), "MalformedPolicy: Policy has an invalid condition key");
    call(&world, "PutBucketPolicy", json!({"Policy": with("s3:prefix")})).await.expect("set");
    let policy = allowing(json!({"AWS": "111111111111"}), "s3:*", "arn:aws:s3:::photos*");
    call(&world, "PutBucketPolicy", json!({"Policy": policy})).await.expect("set");
}

/// What the gateway is told of a resource.
fn told(world: &World, principal: Principal, arn: &str) -> Option<(String, bool)> {
    let mut cx = fogbank_core::Cx::background(world.cloud().clone(), "s3", "GetObject");
    let mut request = cx.request().clone();
    request.principal = principal.into();
    cx = fogbank_core::Cx::new(world.cloud().clone(), request);
    let view = world.cloud().db().snapshot();
    let check = Check { resource: arn.to_owned(), ..Check::default() };
    let policy = crate::policies::of_resource(&ReadTx::new(&view, &cx), &check).expect("an answer");
    policy.map(|policy| (policy.owner, policy.document.is_some()))
}

#[tokio::test]
async fn public_policies_are_blocked_until_the_block_is_lifted() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let policy = allowing(json!("*"), "s3:GetObject", "arn:aws:s3:::photos/*");
    let public = json!({"Policy": policy});
    let outcome = call(&world, "PutBucketPolicy", public.clone()).await;
    assert!(refused(outcome).contains("BlockPublicPolicy setting in S3 Block Public Access"));
    let restrict = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}});
    call(&world, "PutPublicAccessBlock", restrict).await.expect("changed");
    call(&world, "PutBucketPolicy", public).await.expect("set");
    let arn = "arn:aws:s3:::photos/a";
    let owner = "000000000000".to_owned();
    let stranger = Principal::root("111111111111");
    assert_eq!(told(&world, stranger.clone(), arn), Some((owner.clone(), false)));
    assert_eq!(told(&world, Principal::root(&owner), arn), Some((owner.clone(), true)));
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("lifted");
    assert_eq!(told(&world, stranger, arn), Some((owner.clone(), true)));
    call(&world, "DeleteBucketPolicy", json!({})).await.expect("removed");
    assert_eq!(told(&world, Principal::root(&owner), arn), Some((owner, false)));
    assert_eq!(told(&world, Principal::anonymous(), "arn:aws:sqs:::x"), None);
}

#[tokio::test]
async fn who_may_list_learns_that_there_is_nothing_to_read() {
    let world = with_bucket().await;
    put(&world, "public/there", "x".to_owned()).await;
    let open = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": false}});
    call(&world, "PutPublicAccessBlock", open).await.expect("opened");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::photos",
            "Condition": {"StringLike": {"s3:prefix": "public/*"}},
        }],
    });
    call(&world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await.expect("set");
    let outcome = async |operation: &str, key: &str| {
        let input = json!({"Bucket": "photos", "Key": key, "ObjectAttributes": ["ETag"]});
        let input = match operation {
            "GetObjectAttributes" => input,
            _ => json!({"Bucket": "photos", "Key": key}),
        };
        let other = Principal::root("111111111111");
        refused(world.call_as(other, &format!("s3:{operation}"), input).await)
    };
    for operation in ["HeadObject", "GetObject", "GetObjectAttributes"] {
        assert!(outcome(operation, "public/none").await.starts_with("NoSuchKey: "));
        assert!(outcome(operation, "public/there").await.starts_with("AccessDenied: "));
        assert!(outcome(operation, "private/none").await.starts_with("AccessDenied: "));
    }
}
