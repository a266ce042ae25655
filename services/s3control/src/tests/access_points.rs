//! Access points: how they come and go, and how buckets are reached through them.

use fogbank_core::{Body, Fault, Principal};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{call, refused, with_bucket, with_point};

const ARN: &str = "arn:aws:s3:us-east-1:000000000000:accesspoint/my-ap";
const OTHER: &str = "111111111111";

async fn write(world: &World, bucket: &str, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": bucket, "Key": key});
    let body = Body::from(fogbank_core::bytes::Bytes::from_static(b"hello"));
    let root = Principal::root(ACCOUNT);
    Ok(world.send(root, "s3:PutObject", input, body).await?.output)
}

async fn read_as(world: &World, account: &str, bucket: &str, key: &str) -> Result<Value, Fault> {
    let input = json!({"Bucket": bucket, "Key": key});
    world.call_as(Principal::root(account), "s3:GetObjectAttributes", with_size(input)).await
}

fn with_size(mut input: Value) -> Value {
    input["ObjectAttributes"] = json!(["ObjectSize"]);
    input
}

#[tokio::test]
async fn they_are_made_found_listed_and_removed() {
    let world = with_bucket().await;
    let (arn, alias) = with_point(&world).await;
    assert_eq!(arn, ARN);
    assert!(alias.starts_with("my-ap-") && alias.ends_with("-s3alias"), "{alias}");
    assert_eq!(alias.len(), "my-ap-".len() + 34 + "-s3alias".len());
    let named = json!({"Name": "my-ap"});
    let found = call(&world, "GetAccessPoint", named.clone()).await.expect("found");
    assert_eq!((&found["Bucket"], &found["NetworkOrigin"]), (&json!("photos"), &json!("Internet")));
    assert_eq!(found["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"], true);
    let listed =
        call(&world, "ListAccessPoints", json!({"Bucket": "photos"})).await.expect("a list");
    assert_eq!(listed["AccessPointList"][0]["Alias"], alias);
    let none = call(&world, "ListAccessPoints", json!({"Bucket": "other"})).await.expect("a list");
    assert_eq!(none["AccessPointList"], json!([]));
    let mut told = String::new();
    for (name, bucket) in [("my-ap", "photos"), ("My_AP", "photos"), ("another", "nowhere")] {
        let input = json!({"Name": name, "Bucket": bucket});
        told += &refused(call(&world, "CreateAccessPoint", input).await);
        told += "\n";
    }
    told += &refused(world.call("s3:DeleteBucket", json!({"Bucket": "photos"})).await);
    told += "\n";
    call(&world, "DeleteAccessPoint", named.clone()).await.expect("removed");
    for operation in ["GetAccessPoint", "DeleteAccessPoint", "GetAccessPointPolicy"] {
        told += &refused(call(&world, operation, named.clone()).await);
        told += "\n";
    }
    told += &refused(write(&world, ARN, "k").await);
    told += "\n";
    told += &refused(write(&world, &alias, "k").await);
    expect![[r#"
        AccessPointAlreadyOwnedByYou: Your previous request to create the named accesspoint succeeded and you already own it.
        InvalidAccessPoint: The specified accesspoint name or account is not valid
        NoSuchBucket: The specified bucket does not exist
        BucketHasAccessPointsAttached: The bucket you are attempting to delete has access points attached.
        NoSuchAccessPoint: The specified accesspoint does not exist
        NoSuchAccessPoint: The specified accesspoint does not exist
        NoSuchAccessPoint: The specified accesspoint does not exist
        NoSuchAccessPoint: The specified accesspoint does not exist
        NoSuchBucket: The specified bucket does not exist"#]].assert_eq(&told);
    world.call("s3:DeleteBucket", json!({"Bucket": "photos"})).await.expect("removed");
}

#[tokio::test]
async fn buckets_are_reached_by_arn_and_alias() {
    let world = with_bucket().await;
    let (arn, alias) = with_point(&world).await;
    write(&world, &arn, "a/b").await.expect("written");
    let without_region = arn.replace("us-east-1", "").replace('/', ":");
    for bucket in [&*arn, &*alias, &*without_region, "photos"] {
        let found = read_as(&world, ACCOUNT, bucket, "a/b").await.expect("read");
        assert_eq!(found["ObjectSize"], 5, "{bucket}");
    }
    let list = world.call("s3:ListObjectsV2", json!({"Bucket": alias})).await.expect("a list");
    assert_eq!(list["KeyCount"], 1);
    for source in [format!("{arn}/object/a/b"), format!("{alias}/a/b")] {
        let input = json!({"Bucket": arn, "Key": "copy", "CopySource": source});
        world.call("s3:CopyObject", input).await.expect("copied");
    }
    let keys = json!({"Objects": [{"Key": "a/b"}, {"Key": "copy"}]});
    let input = json!({"Bucket": arn, "Delete": keys});
    let gone = world.call("s3:DeleteObjects", input).await.expect("removed");
    assert_eq!(gone["Deleted"].as_array().map(Vec::len), Some(2));
    let outcome = world.call("s3:GetBucketVersioning", json!({"Bucket": arn})).await;
    assert!(refused(outcome).starts_with("MethodNotAllowed: "));
    let input =
        json!({"Name": "inside", "Bucket": "photos", "VpcConfiguration": {"VpcId": "vpc-1"}});
    let inside = call(&world, "CreateAccessPoint", input).await.expect("an access point");
    let inside = inside["AccessPointArn"].as_str().expect("an ARN");
    assert!(refused(write(&world, inside, "k").await).starts_with("AccessDenied: "));
}

#[tokio::test]
async fn bucket_and_access_point_must_both_allow() {
    let world = with_bucket().await;
    let (arn, _) = with_point(&world).await;
    write(&world, "photos", "k").await.expect("written");
    let statement = |resource: &str, more: Value| {
        let mut statement = json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
            "Action": ["s3:GetObject", "s3:GetObjectAttributes"], "Resource": resource,
        });
        for (name, value) in more.as_object().expect("members") {
            statement[name] = value.clone();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let point =
        json!({"Name": "my-ap", "Policy": statement(&format!("{arn}/object/*"), json!({}))});
    call(&world, "PutAccessPointPolicy", point).await.expect("a policy");
    let denied = refused(read_as(&world, OTHER, &arn, "k").await);
    assert!(denied.starts_with("AccessDenied: "), "{denied}");
    // The bucket leaves it to the access points of its own account.
    let delegation = json!({
        "Principal": {"AWS": "*"},
        "Condition": {"StringEquals": {"s3:DataAccessPointAccount": ACCOUNT}},
    });
    let policy = statement("arn:aws:s3:::photos/*", delegation);
    world
        .call("s3:PutBucketPolicy", json!({"Bucket": "photos", "Policy": policy}))
        .await
        .expect("set");
    read_as(&world, OTHER, &arn, "k").await.expect("read");
    assert!(refused(read_as(&world, OTHER, "photos", "k").await).starts_with("AccessDenied: "));
    call(&world, "DeleteAccessPointPolicy", json!({"Name": "my-ap"})).await.expect("removed");
    assert!(refused(read_as(&world, OTHER, &arn, "k").await).starts_with("AccessDenied: "));
    // A policy of the access point that denies counts for the owner's root, too.
    let denial = json!({"Effect": "Deny", "Principal": "*"});
    let point = json!({"Name": "my-ap", "Policy": statement(&format!("{arn}/object/*"), denial)});
    call(&world, "PutAccessPointPolicy", point).await.expect("a policy");
    assert!(refused(read_as(&world, ACCOUNT, &arn, "k").await).starts_with("AccessDenied: "));
    read_as(&world, ACCOUNT, "photos", "k").await.expect("read");
}

#[tokio::test]
async fn policies_are_checked_and_public_ones_blocked() {
    let world = with_bucket().await;
    let (arn, _) = with_point(&world).await;
    let policy = |resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource,
        }]})
        .to_string()
    };
    let mut told = String::new();
    for text in
        [policy(&format!("{arn}/object/*")), policy("arn:aws:s3:::photos/*"), "{".to_owned()]
    {
        let input = json!({"Name": "my-ap", "Policy": text});
        told += &refused(call(&world, "PutAccessPointPolicy", input).await);
        told += "\n";
    }
    let named = json!({"Name": "my-ap"});
    told += &refused(call(&world, "GetAccessPointPolicyStatus", named).await);
    expect![[r#"
        AccessDenied: Access Denied
        MalformedPolicy: Policy has invalid resource
        MalformedPolicy: This policy contains invalid Json
        NoSuchAccessPointPolicy: The specified accesspoint policy does not exist"#]]
    .assert_eq(&told);
    let open = json!({"BlockPublicPolicy": false});
    let input = json!({"Name": "open", "Bucket": "photos", "PublicAccessBlockConfiguration": open});
    call(&world, "CreateAccessPoint", input).await.expect("an access point");
    let text = policy(&format!("{}/object/*", arn.replace("my-ap", "open")));
    let input = json!({"Name": "open", "Policy": text});
    call(&world, "PutAccessPointPolicy", input).await.expect("a policy");
    let named = json!({"Name": "open"});
    let found = call(&world, "GetAccessPointPolicy", named.clone()).await.expect("a policy");
    assert_eq!(found["Policy"], text);
    let status = call(&world, "GetAccessPointPolicyStatus", named).await.expect("a status");
    assert_eq!(status["PolicyStatus"]["IsPublic"], true);
}

#[tokio::test]
async fn tags_are_put_and_taken() {
    let world = with_bucket().await;
    let (arn, _) = with_point(&world).await;
    let tags = json!([{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]);
    call(&world, "TagResource", json!({"ResourceArn": arn, "Tags": tags})).await.expect("tagged");
    let more = json!([{"Key": "b", "Value": "3"}]);
    call(&world, "TagResource", json!({"ResourceArn": arn, "Tags": more})).await.expect("tagged");
    call(&world, "UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]}))
        .await
        .expect("taken");
    let found =
        call(&world, "ListTagsForResource", json!({"ResourceArn": arn})).await.expect("tags");
    assert_eq!(found["Tags"], more);
    let other = json!({"ResourceArn": arn.replace("my-ap", "other")});
    assert!(
        refused(call(&world, "ListTagsForResource", other).await).starts_with("NoSuchResource: ")
    );
}

#[tokio::test]
async fn other_accounts_are_no_ones_business_and_a_reset_removes_ones_own() {
    let world = with_bucket().await;
    let (arn, _) = with_point(&world).await;
    let input = json!({"AccountId": ACCOUNT, "Name": "my-ap"});
    let stranger = Principal::root(OTHER);
    let outcome = world.call_as(stranger, "s3control:GetAccessPoint", input).await;
    assert!(refused(outcome).starts_with("AccessDenied: "));
    let before = world.rows(&crate::SERVICE);
    world.reset(&crate::SERVICE, Some(OTHER)).await;
    assert_eq!(world.rows(&crate::SERVICE), before);
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
    assert!(refused(write(&world, &arn, "k").await).starts_with("NoSuchAccessPoint: "));
}

#[tokio::test]
async fn what_an_access_point_blocks_counts_for_acls_behind_it() {
    let world = with_bucket().await;
    let bucket = json!({"Bucket": "photos"});
    world.call("s3:DeletePublicAccessBlock", bucket).await.expect("open");
    let rules = json!({"Rules": [{"ObjectOwnership": "ObjectWriter"}]});
    let controls = json!({"Bucket": "photos", "OwnershipControls": rules});
    world.call("s3:PutBucketOwnershipControls", controls).await.expect("ACLs count");
    let (closed, _) = with_point(&world).await;
    let none = json!({"BlockPublicAcls": false, "IgnorePublicAcls": false,
        "BlockPublicPolicy": false, "RestrictPublicBuckets": false});
    let input = json!({"Name": "open", "Bucket": "photos", "PublicAccessBlockConfiguration": none});
    let made = call(&world, "CreateAccessPoint", input).await.expect("an access point");
    let open = made["AccessPointArn"].as_str().expect("an ARN").to_owned();
    write(&world, "photos", "k").await.expect("written");
    let public = |bucket: &str| json!({"Bucket": bucket, "Key": "k", "ACL": "public-read"});
    let outcome = world.call("s3:PutObjectAcl", public(&closed)).await;
    assert!(refused(outcome).starts_with("AccessDenied: "));
    world.call("s3:PutObjectAcl", public(&open)).await.expect("set");
    for (name, arn) in [("my-ap", &closed), ("open", &open)] {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
            "Action": "s3:GetObject*", "Resource": format!("{arn}/object/*"),
        }]});
        let input = json!({"Name": name, "Policy": policy.to_string()});
        call(&world, "PutAccessPointPolicy", input).await.expect("a policy");
    }
    let get = |bucket: &str| {
        let input = json!({"Bucket": bucket, "Key": "k"});
        let world = &world;
        async move { world.call_as(Principal::root(OTHER), "s3:HeadObject", input).await }
    };
    get("photos").await.expect("the ACL lets everybody in");
    get(&open).await.expect("the same through an access point that blocks nothing");
    assert!(refused(get(&closed).await).starts_with("AccessDenied: "));
}

#[tokio::test]
async fn tags_of_an_access_point_decide_where_policies_ask_for_them() {
    let world = with_bucket().await;
    let (arn, _) = with_point(&world).await;
    write(&world, "photos", "k").await.expect("written");
    let statement = |resource: &str, condition: Value| {
        let statement = json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
            "Action": ["s3:GetObject", "s3:GetObjectAttributes"], "Resource": resource,
            "Condition": {"StringEquals": condition},
        });
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let policy = statement("arn:aws:s3:::photos/*", json!({"s3:DataAccessPointAccount": ACCOUNT}));
    let input = json!({"Bucket": "photos", "Policy": policy});
    world.call("s3:PutBucketPolicy", input).await.expect("set");
    for key in ["aws:ResourceTag/team", "s3:AccessPointTag/team"] {
        let policy = statement(&format!("{arn}/object/*"), json!({key: "blue"}));
        let input = json!({"Name": "my-ap", "Policy": policy});
        call(&world, "PutAccessPointPolicy", input).await.expect("a policy");
        let refusal = refused(read_as(&world, OTHER, &arn, "k").await);
        assert!(refusal.starts_with("AccessDenied: "), "{refusal}");
        for (value, may) in [("blue", true), ("red", false)] {
            let input = json!({"ResourceArn": arn, "Tags": [{"Key": "team", "Value": value}]});
            call(&world, "TagResource", input).await.expect("tagged");
            assert_eq!(read_as(&world, OTHER, &arn, "k").await.is_ok(), may, "{key} {value}");
        }
    }
    // A bucket's tags are not those of an access point.
    let policy = statement(&format!("{arn}/object/*"), json!({"s3:BucketTag/team": "red"}));
    let input = json!({"Name": "my-ap", "Policy": policy});
    call(&world, "PutAccessPointPolicy", input).await.expect("a policy");
    assert!(refused(read_as(&world, OTHER, &arn, "k").await).starts_with("AccessDenied: "));
}
