//! Creating, finding, listing and deleting buckets.

use fogbank_core::Principal;
use fogbank_testkit::{World, expect, json};

use super::{SERVICES, call, put, refused, with_bucket};

#[tokio::test]
async fn a_bucket_is_created_found_and_deleted() {
    let world = World::new(SERVICES);
    world
        .check(
            "s3:CreateBucket",
            json!({"Bucket": "photos"}),
            expect![[r#"
                {
                  "BucketArn": "arn:aws:s3:::photos",
                  "Location": "/photos"
                }"#]],
        )
        .await;
    world
        .check(
            "s3:HeadBucket",
            json!({"Bucket": "photos"}),
            expect![[r#"
                {
                  "AccessPointAlias": false,
                  "BucketArn": "arn:aws:s3:::photos",
                  "BucketRegion": "us-east-1"
                }"#]],
        )
        .await;
    assert_eq!(call(&world, "GetBucketLocation", json!({})).await.expect("a place"), json!({}));
    // us-east-1 forgives the owner a second creation.
    call(&world, "CreateBucket", json!({})).await.expect("the same bucket");
    put(&world, "a", "x".to_owned()).await;
    assert_eq!(
        refused(call(&world, "DeleteBucket", json!({})).await),
        "BucketNotEmpty: The bucket you tried to delete is not empty BucketName=photos"
    );
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    call(&world, "DeleteBucket", json!({})).await.expect("deleted");
    let gone = "NoSuchBucket: The specified bucket does not exist BucketName=photos";
    for operation in ["HeadBucket", "DeleteBucket", "ListObjectsV2", "GetBucketAcl"] {
        assert_eq!(refused(call(&world, operation, json!({})).await), gone, "{operation}");
    }
    for operation in ["GetObject", "HeadObject", "DeleteObject", "GetObjectTagging"] {
        let outcome = call(&world, operation, json!({"Key": "a"})).await;
        assert_eq!(refused(outcome), gone, "{operation}");
    }
}

#[tokio::test]
async fn names_belong_to_one_account() {
    let world = with_bucket().await;
    let other = Principal::root("111111111111");
    let outcome =
        world.call_as(other.clone(), "s3:CreateBucket", json!({"Bucket": "photos"})).await;
    assert!(refused(outcome).starts_with("BucketAlreadyExists: "));
    let outcome = world.call("s3:CreateBucket", json!({"Bucket": "Photos"})).await;
    assert_eq!(
        refused(outcome),
        "InvalidBucketName: The specified bucket is not valid. BucketName=Photos"
    );
    let output = world.call_as(other, "s3:ListBuckets", json!({})).await.expect("a list");
    assert_eq!(output["Buckets"], json!([]));
    for (owner, expected) in [
        ("111111111111", "AccessDenied: Access Denied x-amz-bucket-region=us-east-1"),
        (
            "x",
            "InvalidBucketOwnerAWSAccountID: The value of the expected bucket owner parameter must be an AWS Account ID... [x] x-amz-bucket-region=us-east-1",
        ),
    ] {
        let outcome = call(&world, "HeadBucket", json!({"ExpectedBucketOwner": owner})).await;
        assert_eq!(refused(outcome), expected);
    }
}

#[tokio::test]
async fn buckets_lie_where_the_constraint_says() {
    let world = World::new(SERVICES);
    let create = |constraint: &str| {
        world.call(
            "s3:CreateBucket",
            json!({
                "Bucket": "photos",
                "CreateBucketConfiguration": {"LocationConstraint": constraint},
            }),
        )
    };
    for wrong in ["us-east-1", "nowhere", "us-east-1-foo"] {
        assert_eq!(
            refused(create(wrong).await),
            format!(
                "InvalidLocationConstraint: The specified location-constraint is not valid LocationConstraint={wrong}"
            )
        );
    }
    let output = create("eu-west-3").await.expect("a bucket");
    assert_eq!(output["Location"], "http://127.0.0.1:4566/photos");
    let output = call(&world, "GetBucketLocation", json!({})).await.expect("a place");
    assert_eq!(output, json!({"LocationConstraint": "eu-west-3"}));
    assert!(refused(create("eu-west-3").await).starts_with("BucketAlreadyOwnedByYou: "));
}

#[tokio::test]
async fn buckets_are_listed_by_pages_and_prefixes() {
    let world = World::new(SERVICES);
    for name in ["one", "two", "three", "thing"] {
        world.call("s3:CreateBucket", json!({"Bucket": name})).await.expect("a bucket");
    }
    let names = |output: &fogbank_testkit::Value| -> Vec<String> {
        let buckets = output["Buckets"].as_array().expect("buckets");
        buckets.iter().map(|bucket| bucket["Name"].as_str().expect("a name").to_owned()).collect()
    };
    let all = world.call("s3:ListBuckets", json!({})).await.expect("a list");
    assert_eq!(names(&all), ["one", "thing", "three", "two"]);
    assert_eq!(all["Owner"]["ID"].as_str().map(str::len), Some(64));
    let first = world.call("s3:ListBuckets", json!({"MaxBuckets": 3})).await.expect("a page");
    assert_eq!(names(&first), ["one", "thing", "three"]);
    let token = &first["ContinuationToken"];
    let last = world.call("s3:ListBuckets", json!({"ContinuationToken": token})).await;
    assert_eq!(names(&last.expect("the rest")), ["two"]);
    let some = world.call("s3:ListBuckets", json!({"Prefix": "th"})).await.expect("some");
    assert_eq!(
        (names(&some), &some["Prefix"]),
        (vec!["thing".into(), "three".into()], &json!("th"))
    );
    let none = world.call("s3:ListBuckets", json!({"BucketRegion": "eu-west-1"})).await;
    assert!(names(&none.expect("none")).is_empty());
    for input in [json!({"MaxBuckets": 0}), json!({"ContinuationToken": "!"})] {
        let outcome = world.call("s3:ListBuckets", input).await;
        assert!(refused(outcome).starts_with("InvalidArgument: "));
    }
}

#[tokio::test]
async fn what_buckets_cannot_be_is_refused() {
    let world = World::new(SERVICES);
    for (more, expected) in [
        (json!({"ACL": "public-read"}), "InvalidBucketAclWithObjectOwnership"),
        (json!({"ObjectOwnership": "Nobody"}), "InvalidArgument"),
        (
            json!({"ACL": "public-read", "ObjectOwnership": "ObjectWriter"}),
            "InvalidBucketAclWithBlockPublicAccessError: Bucket cannot have public ACLs set with BlockPublicAccess enabled",
        ),
    ] {
        let outcome = call(&world, "CreateBucket", more).await;
        assert!(refused(outcome).starts_with(expected), "{expected}");
    }
}

#[tokio::test]
async fn names_of_an_accounts_own_namespace_need_its_header() {
    let world = World::new(SERVICES);
    let ours = "logs-000000000000-us-east-1-an";
    let create = |name: &str, namespace: Option<&str>| {
        let mut input = json!({"Bucket": name});
        if let Some(namespace) = namespace {
            input["BucketNamespace"] = namespace.into();
        }
        world.call("s3:CreateBucket", input)
    };
    assert_eq!(
        refused(create(ours, None).await),
        "MissingNamespaceHeader: The requested bucket is an account-regional namespace bucket, but your request is missing the required x-amz-bucket-namespace header. Header=x-amz-bucket-namespace"
    );
    let regional = Some("account-regional");
    for (name, expected) in [
        ("logs", "InvalidNamespaceHeader: The requested bucket name did not include"),
        (
            "logs-111111111111-us-east-1-an",
            "InvalidBucketNamespace: The requested bucket is an account-regional namespace bucket, but the requested AWS Account ID '111111111111' does not match",
        ),
        (
            "logs-000000000000-eu-west-1-an",
            "InvalidBucketNamespace: The requested bucket is an account-regional namespace bucket, but the requested region 'eu-west-1' does not match the current region 'us-east-1'.",
        ),
        ("logs-an", "InvalidBucketNamespace: "),
        ("-000000000000-us-east-1-an", "InvalidBucketName: "),
    ] {
        let outcome = refused(create(name, regional).await);
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
    create(ours, regional).await.expect("a bucket");
    create("logs", Some("global")).await.expect("a bucket");
}

#[tokio::test]
async fn strangers_learn_where_a_bucket_is() {
    let world = with_bucket().await;
    for (who, owner) in [
        (Principal::anonymous(), None),
        (Principal::root("111111111111"), None),
        (Principal::root("000000000000"), Some("111111111111")),
    ] {
        let input = json!({"Bucket": "photos", "ExpectedBucketOwner": owner});
        let refusal = refused(world.call_as(who, "s3:HeadBucket", input).await);
        assert!(refusal.starts_with("AccessDenied: "), "{refusal}");
        assert!(refusal.ends_with(" x-amz-bucket-region=us-east-1"), "{refusal}");
    }
}
