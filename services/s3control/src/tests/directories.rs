//! Access points of directory buckets with their scopes, and tags of buckets.

use fogbank_core::{Body, Fault, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{SERVICES, call, refused};

const BUCKET: &str = "logs--use1-az4--x-s3";
const POINT: &str = "app--use1-az4--xa-s3";
const OTHER: &str = "111111111111";

async fn world() -> World {
    let world = World::new(SERVICES);
    let configuration = json!({
        "Location": {"Type": "AvailabilityZone", "Name": "use1-az4"},
        "Bucket": {"Type": "Directory", "DataRedundancy": "SingleAvailabilityZone"},
    });
    let input = json!({"Bucket": BUCKET, "CreateBucketConfiguration": configuration});
    world.call("s3:CreateBucket", input).await.expect("a bucket");
    world
}

async fn create(world: &World, more: Value) -> Result<Value, Fault> {
    let mut input = json!({"Name": POINT, "Bucket": BUCKET});
    for (name, value) in more.as_object().expect("members") {
        input[name] = value.clone();
    }
    call(world, "CreateAccessPoint", input).await
}

async fn put(world: &World, bucket: &str, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": bucket, "Key": key});
    let root = Principal::root(ACCOUNT);
    Ok(world.send(root, "s3:PutObject", input, Body::from("x".to_owned())).await?.output)
}

async fn head(world: &World, account: &str, bucket: &str, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": bucket, "Key": key});
    world.call_as(Principal::root(account), "s3:HeadObject", input).await
}

#[tokio::test]
async fn access_points_come_and_go_by_their_names() {
    let world = world().await;
    let made = create(&world, json!({})).await.expect("an access point");
    let arn = format!("arn:aws:s3express:us-east-1:{ACCOUNT}:accesspoint/{POINT}");
    assert_eq!(made, json!({"AccessPointArn": arn, "Alias": POINT}));
    let mut told = Vec::new();
    for more in [
        json!({}),
        json!({"Name": "other--use1-az5--xa-s3"}),
        json!({"Name": "a--use1-az4--xa-s3"}),
        json!({"Name": "general"}),
        json!({"Name": "long--use1-az4--xa-s3", "Scope": {"Prefixes": ["x".repeat(256)]}}),
    ] {
        told.push(refused(create(&world, more).await).split(':').next().map(str::to_owned));
    }
    let told: Vec<_> = told.iter().flatten().collect();
    assert_eq!(
        told,
        [
            "AccessPointAlreadyOwnedByYou",
            "InvalidRequest",
            "InvalidAccessPoint",
            "InvalidAccessPoint",
            "InvalidRequest",
        ]
    );
    let input =
        json!({"AccountId": OTHER, "Name": POINT, "Bucket": BUCKET, "BucketAccountId": ACCOUNT});
    let outcome = world.call_as(Principal::root(OTHER), "s3control:CreateAccessPoint", input).await;
    assert!(refused(outcome).starts_with("AccessPointAlreadyExists: "));
    let list =
        call(&world, "ListAccessPointsForDirectoryBuckets", json!({})).await.expect("a list");
    assert_eq!(list["AccessPointList"][0]["AccessPointArn"], arn);
    let general = call(&world, "ListAccessPoints", json!({})).await.expect("a list");
    assert_eq!(general["AccessPointList"], json!([]));
    put(&world, POINT, "a/b").await.expect("written");
    head(&world, ACCOUNT, BUCKET, "a/b").await.expect("found");
    let list = world.call("s3:ListObjectsV2", json!({"Bucket": POINT})).await.expect("a list");
    assert_eq!(list["KeyCount"], 1);
    let copy = json!({"Bucket": POINT, "Key": "c", "CopySource": format!("{POINT}/a/b")});
    world.call("s3:CopyObject", copy).await.expect("copied");
    for operation in ["DeleteBucket", "GetBucketPolicy"] {
        let outcome = world.call(&format!("s3:{operation}"), json!({"Bucket": POINT})).await;
        assert!(refused(outcome).starts_with("MethodNotAllowed: "), "{operation}");
    }
    assert!(refused(head(&world, ACCOUNT, &arn, "a/b").await).starts_with("InvalidBucketName: "));
    call(&world, "DeleteAccessPoint", json!({"Name": POINT})).await.expect("removed");
    let gone = refused(head(&world, ACCOUNT, POINT, "a/b").await);
    assert!(gone.starts_with("NoSuchAccessPoint: "), "{gone}");
}

#[tokio::test]
async fn scopes_say_what_may_be_done() {
    let world = world().await;
    put(&world, BUCKET, "other/k").await.expect("written");
    let scope = json!({"Prefixes": ["a/", "b/*"], "Permissions": ["GetObject", "PutObject"]});
    create(&world, json!({"Scope": scope})).await.expect("an access point");
    let found = call(&world, "GetAccessPointScope", json!({"Name": POINT})).await.expect("a scope");
    assert_eq!(found["Scope"], scope);
    for key in ["a/1", "b/2"] {
        put(&world, POINT, key).await.expect("written");
        head(&world, ACCOUNT, POINT, key).await.expect("found");
    }
    let denied = "AccessDenied: Access Denied";
    assert_eq!(refused(put(&world, POINT, "c/3").await), denied);
    assert_eq!(refused(head(&world, ACCOUNT, POINT, "other/k").await), denied);
    let copy = json!({"Bucket": POINT, "Key": "a/c", "CopySource": format!("{POINT}/other/k")});
    assert_eq!(refused(world.call("s3:CopyObject", copy).await), denied);
    let list = |prefix: &str| json!({"Bucket": POINT, "Prefix": prefix});
    assert_eq!(refused(world.call("s3:ListObjectsV2", list("a/")).await), denied);
    let keys = json!({"Objects": [{"Key": "a/1"}, {"Key": "other/k"}]});
    let delete = json!({"Bucket": POINT, "Delete": keys});
    assert_eq!(refused(world.call("s3:DeleteObjects", delete.clone()).await), denied);
    let wider = json!({"Prefixes": ["a/"], "Permissions": ["ListBucket", "DeleteObject"]});
    call(&world, "PutAccessPointScope", json!({"Name": POINT, "Scope": wider})).await.expect("set");
    world.call("s3:ListObjectsV2", list("a/")).await.expect("a list");
    assert_eq!(refused(world.call("s3:ListObjectsV2", list("")).await), denied);
    let gone = world.call("s3:DeleteObjects", delete).await.expect("one is removed");
    assert_eq!(gone["Deleted"], json!([{"Key": "a/1"}]));
    assert_eq!(gone["Errors"][0]["Code"], "AccessDenied");
    call(&world, "DeleteAccessPointScope", json!({"Name": POINT})).await.expect("removed");
    let found = call(&world, "GetAccessPointScope", json!({"Name": POINT})).await.expect("nothing");
    assert_eq!(found, json!({}));
    head(&world, ACCOUNT, POINT, "other/k").await.expect("found");
}

#[tokio::test]
async fn bucket_and_access_point_must_both_allow_sessions() {
    let world = world().await;
    create(&world, json!({})).await.expect("an access point");
    put(&world, BUCKET, "k").await.expect("written");
    let arn = format!("arn:aws:s3express:us-east-1:{ACCOUNT}:accesspoint/{POINT}");
    let statement = |resource: &str, condition: Value| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
            "Action": "s3express:CreateSession", "Resource": resource, "Condition": condition,
        }]})
        .to_string()
    };
    let bad = json!({"Name": POINT, "Policy": statement("*", json!({}))});
    let outcome = refused(call(&world, "PutAccessPointPolicy", bad).await);
    assert_eq!(outcome, "MalformedPolicy: Policy has invalid resource");
    let policy = json!({"Name": POINT, "Policy": statement(&arn, json!({}))});
    call(&world, "PutAccessPointPolicy", policy).await.expect("a policy");
    let denied = refused(head(&world, OTHER, POINT, "k").await);
    assert!(denied.starts_with("AccessDenied: "), "{denied}");
    let through = json!({"StringEquals": {"s3express:DataAccessPointAccount": ACCOUNT}});
    let bucket = format!("arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/{BUCKET}");
    let input = json!({"Bucket": BUCKET, "Policy": statement(&bucket, through)});
    world.call("s3:PutBucketPolicy", input).await.expect("a policy");
    head(&world, OTHER, POINT, "k").await.expect("found");
    let outcome = refused(head(&world, OTHER, BUCKET, "k").await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    call(&world, "DeleteAccessPointPolicy", json!({"Name": POINT})).await.expect("removed");
    let outcome = refused(head(&world, OTHER, POINT, "k").await);
    assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
}

#[tokio::test]
async fn buckets_of_either_kind_have_tags() {
    let world = world().await;
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    let directory = format!("arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/{BUCKET}");
    for arn in [&*directory, "arn:aws:s3:::photos"] {
        let tags = json!([{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]);
        let input = json!({"ResourceArn": arn, "Tags": tags});
        call(&world, "TagResource", input).await.expect("tagged");
        let input = json!({"ResourceArn": arn, "TagKeys": ["b"]});
        call(&world, "UntagResource", input).await.expect("taken");
        let named = json!({"ResourceArn": arn});
        let found = call(&world, "ListTagsForResource", named).await.expect("tags");
        assert_eq!(found["Tags"], json!([{"Key": "a", "Value": "2"}]));
        let stranger = json!({"AccountId": OTHER, "ResourceArn": arn});
        let root = Principal::root(OTHER);
        let outcome = world.call_as(root, "s3control:ListTagsForResource", stranger).await;
        let outcome = refused(outcome);
        assert!(outcome.starts_with("AccessDenied: "), "{outcome}");
    }
    let found = world.call("s3:GetBucketTagging", json!({"Bucket": "photos"})).await.expect("tags");
    assert_eq!(found["TagSet"], json!([{"Key": "a", "Value": "2"}]));
    let many: Vec<Value> =
        (0..50).map(|at| json!({"Key": format!("k{at}"), "Value": ""})).collect();
    let input = json!({"ResourceArn": directory, "Tags": many});
    assert!(refused(call(&world, "TagResource", input).await).starts_with("InvalidTag: "));
    let missing = json!({"ResourceArn": "arn:aws:s3:::nowhere"});
    let outcome = refused(call(&world, "ListTagsForResource", missing).await);
    assert!(outcome.starts_with("NoSuchResource: ") || outcome.starts_with("NoSuchBucket: "));
}
