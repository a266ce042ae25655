//! Tags of objects and buckets.

use fogbank_testkit::json;

use super::{call, put, refused, with_bucket};

#[tokio::test]
async fn objects_bear_tags() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let at = json!({"Key": "a"});
    let none = call(&world, "GetObjectTagging", at.clone()).await.expect("no tags");
    assert_eq!(none, json!({"TagSet": []}));
    let tags = json!([{"Key": "k", "Value": "v"}, {"Key": "a b", "Value": ""}]);
    let input = json!({"Key": "a", "Tagging": {"TagSet": tags}});
    call(&world, "PutObjectTagging", input).await.expect("set");
    let found = call(&world, "GetObjectTagging", at.clone()).await.expect("tags");
    assert_eq!(found, json!({"TagSet": tags}));
    call(&world, "DeleteObjectTagging", at.clone()).await.expect("removed");
    assert_eq!(call(&world, "GetObjectTagging", at).await.expect("none"), none);
    let twice = json!([{"Key": "k", "Value": "v"}, {"Key": "k", "Value": "w"}]);
    let input = json!({"Key": "a", "Tagging": {"TagSet": twice}});
    assert_eq!(
        refused(call(&world, "PutObjectTagging", input).await),
        "InvalidTag: Cannot provide multiple Tags with the same key TagKey=k TagValue="
    );
    let outcome = call(&world, "GetObjectTagging", json!({"Key": "b"})).await;
    assert!(refused(outcome).starts_with("NoSuchKey: "));
}

#[tokio::test]
async fn buckets_bear_tags() {
    let world = with_bucket().await;
    let tags = json!([{"Key": "k", "Value": "v"}]);
    call(&world, "PutBucketTagging", json!({"Tagging": {"TagSet": tags}})).await.expect("set");
    let found = call(&world, "GetBucketTagging", json!({})).await.expect("tags");
    assert_eq!(found, json!({"TagSet": tags}));
    call(&world, "DeleteBucketTagging", json!({})).await.expect("removed");
    let outcome = call(&world, "GetBucketTagging", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchTagSet: "));
}
