//! Requester pays: who must say that he pays, and what he is told.

use fogbank_core::{Body, Principal};
use fogbank_testkit::{Value, World, json};

use super::{call, put, with, with_bucket};

const OTHER: &str = "111111111111";

async fn outcome(world: &World, who: Principal, operation: &str, more: Value) -> Value {
    let input = with(json!({"Bucket": "photos"}), more);
    let body = if operation == "PutObject" { Body::from("x".to_owned()) } else { Body::empty() };
    match world.send(who, &format!("s3:{operation}"), input, body).await {
        Ok(reply) => reply.output["RequestCharged"].clone(),
        Err(fault) => json!(fault.name()),
    }
}

#[tokio::test]
async fn others_pay_and_say_so() {
    let world = with_bucket().await;
    put(&world, "a", "x".to_owned()).await;
    let open = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": false}});
    call(&world, "PutPublicAccessBlock", open).await.expect("opened");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
        }],
    });
    call(&world, "PutBucketPolicy", json!({"Policy": policy.to_string()})).await.expect("set");
    let payer = async |who: &str| {
        let configuration = json!({"RequestPaymentConfiguration": {"Payer": who}});
        call(&world, "PutBucketRequestPayment", configuration).await.expect("set");
        let told = call(&world, "GetBucketRequestPayment", json!({})).await.expect("told");
        assert_eq!(told["Payer"], who);
    };
    payer("Requester").await;
    let (other, own) = (|| Principal::root(OTHER), || Principal::root(fogbank_testkit::ACCOUNT));
    for (operation, input) in [
        ("GetObject", json!({"Key": "a"})),
        ("HeadObject", json!({"Key": "a"})),
        ("ListObjectsV2", json!({})),
        ("ListObjectVersions", json!({})),
        ("PutObject", json!({"Key": "b"})),
        ("CopyObject", json!({"Key": "c", "CopySource": "photos/a"})),
        ("CreateMultipartUpload", json!({"Key": "d"})),
        ("GetObjectAttributes", json!({"Key": "a", "ObjectAttributes": ["ETag"]})),
        ("DeleteObject", json!({"Key": "b"})),
    ] {
        let paid = with(input.clone(), json!({"RequestPayer": "requester"}));
        let told = outcome(&world, other(), operation, input.clone()).await;
        assert_eq!(told, "AccessDenied", "{operation}");
        let told = outcome(&world, other(), operation, paid.clone()).await;
        assert_eq!(told, "requester", "{operation}");
        let told = outcome(&world, Principal::anonymous(), operation, paid.clone()).await;
        assert_eq!(told, "AccessDenied", "{operation}");
        let told = outcome(&world, own(), operation, input).await;
        assert_eq!(told, Value::Null, "{operation}");
    }
    // What is no request for data costs nothing.
    assert_eq!(outcome(&world, other(), "GetBucketLocation", json!({})).await, Value::Null);
    payer("BucketOwner").await;
    assert_eq!(outcome(&world, other(), "GetObject", json!({"Key": "a"})).await, Value::Null);
}
