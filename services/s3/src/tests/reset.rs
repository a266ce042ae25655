//! Removing everything.

use fogbank_core::{Body, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{SERVICES, noise};
use crate::SERVICE;
use crate::tasks::PARTS;

const OTHER: &str = "111122223333";
/// Where the store counts the blobs that rows name.
const BLOBS: u32 = 0x02;

/// Makes buckets in an account: one with all that a bucket can have, and one that is empty.
async fn fill(world: &World, account: &str) {
    let bucket = format!("photos-{account}");
    let send = async |operation: &str, mut input: Value, body: Body| {
        input["Bucket"] = json!(bucket);
        let action = format!("s3:{operation}");
        let reply = world.send(Principal::root(account), &action, input, body).await;
        reply.expect("an answer").output
    };
    let call = async |operation: &str, input| send(operation, input, Body::empty()).await;
    let input = json!({"Bucket": format!("empty-{account}")});
    let who = Principal::root(account);
    world.call_as(who, "s3:CreateBucket", input).await.expect("a bucket");
    call("CreateBucket", json!({})).await;
    let statement = json!({
        "Effect": "Deny", "Principal": {"AWS": "444455556666"}, "Action": "s3:*",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    call("PutBucketPolicy", json!({"Policy": policy})).await;
    let tags = json!({"TagSet": [{"Key": "a", "Value": "b"}]});
    call("PutBucketTagging", json!({"Tagging": tags})).await;
    let bridge = json!({"EventBridgeConfiguration": {}});
    call("PutBucketNotificationConfiguration", json!({"NotificationConfiguration": bridge})).await;

    for number in 0..130 {
        let body = Body::from(noise(100));
        send("PutObject", json!({"Key": format!("small/{number}")}), body).await;
    }
    send("PutObject", json!({"Key": "large"}), Body::from(noise(3 << 20))).await;
    for key in ["done", "begun"] {
        let upload = call("CreateMultipartUpload", json!({"Key": key})).await;
        let id = &upload["UploadId"];
        let part = json!({"Key": key, "UploadId": id, "PartNumber": 1});
        let part = send("UploadPart", part, Body::from(noise(1 << 20))).await;
        let parts = json!({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]});
        let input = json!({"Key": key, "UploadId": id, "MultipartUpload": parts});
        if key == "done" {
            call("CompleteMultipartUpload", input).await;
        }
    }
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let (others, blobs) = (world.rows(&SERVICE), world.rows_under(BLOBS));
    assert!(others.len() > 135 && !blobs.is_empty(), "{:?}", others.keys());
    fill(&world, ACCOUNT).await;
    assert!(world.rows_under(BLOBS).len() > blobs.len());
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("s3:ListBuckets", json!({})).await.expect("a list");
    assert_eq!(listed["Buckets"], json!([]));
    while world.rows(&SERVICE) != others {
        let before = world.rows(&SERVICE).len();
        world.round(&SERVICE, PARTS).await;
        assert!(world.rows(&SERVICE).len() < before, "{:?}", world.rows(&SERVICE).keys());
    }
    assert_eq!(world.rows_under(BLOBS), blobs);

    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    world.round(&SERVICE, PARTS).await;
    assert!(world.rows(&SERVICE).is_empty());
    assert!(world.rows_under(BLOBS).is_empty());
}
