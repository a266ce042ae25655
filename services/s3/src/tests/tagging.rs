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
        "InvalidTag: Cannot provide multiple Tags with the same key TagKey=k"
    );
    for (key, value, expected) in [
        ("aws:k", "v", "InvalidTag: Your TagKey cannot be prefixed with aws: TagKey=aws:k"),
        ("k", "&", "InvalidTag: The TagValue you have provided is invalid TagKey=k TagValue=&"),
    ] {
        let tags = json!([{"Key": key, "Value": value}]);
        let input = json!({"Key": "a", "Tagging": {"TagSet": tags}});
        assert_eq!(refused(call(&world, "PutObjectTagging", input).await), expected);
    }
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
    let input = json!({"Tagging": {"TagSet": [{"Key": "aws:k", "Value": "v"}]}});
    assert_eq!(
        refused(call(&world, "PutBucketTagging", input).await),
        "InvalidTag: System tags cannot be added/updated by requester TagKey=aws:k"
    );
    call(&world, "DeleteBucketTagging", json!({})).await.expect("removed");
    let outcome = call(&world, "GetBucketTagging", json!({})).await;
    assert!(refused(outcome).starts_with("NoSuchTagSet: "));
}

#[tokio::test]
async fn a_bucket_says_whether_its_tags_decide() {
    let world = with_bucket().await;
    let status = async || call(&world, "GetBucketAbac", json!({})).await.expect("a status");
    assert_eq!(status().await, json!({"AbacStatus": {"Status": "Disabled"}}));
    let tags = json!({"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}});
    call(&world, "PutBucketTagging", tags.clone()).await.expect("tags");
    let set = async |status: &str| {
        call(&world, "PutBucketAbac", json!({"AbacStatus": {"Status": status}})).await
    };
    set("Enabled").await.expect("enabled");
    assert_eq!(status().await, json!({"AbacStatus": {"Status": "Enabled"}}));
    for (operation, input) in
        [("PutBucketTagging", tags.clone()), ("DeleteBucketTagging", json!({}))]
    {
        let refusal = refused(call(&world, operation, input).await);
        assert!(refusal.starts_with("InvalidRequest: "), "{operation}: {refusal}");
    }
    call(&world, "GetBucketTagging", json!({})).await.expect("they are still shown");
    set("Disabled").await.expect("disabled");
    call(&world, "PutBucketTagging", tags).await.expect("tags again");
    assert!(refused(set("Perhaps").await).starts_with("MalformedXML: "));
    let empty = call(&world, "PutBucketAbac", json!({"AbacStatus": {}})).await;
    assert!(refused(empty).starts_with("MalformedXML: "));
    // Another bucket of the name begins anew.
    set("Enabled").await.expect("enabled");
    call(&world, "DeleteBucket", json!({})).await.expect("removed");
    call(&world, "CreateBucket", json!({})).await.expect("made again");
    assert_eq!(status().await, json!({"AbacStatus": {"Status": "Disabled"}}));
}
