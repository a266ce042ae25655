//! ACLs where they count: who owns, who may, and what is blocked.

use fogbank_core::{Body, Principal};
use fogbank_testkit::{Value, World, json};

use super::{SERVICES, call, refused, send};

const OTHER: &str = "111111111111";

/// A world whose bucket lets ACLs count and blocks nothing.
async fn open() -> World {
    let world = World::new(SERVICES);
    call(&world, "CreateBucket", json!({"ObjectOwnership": "ObjectWriter"})).await.expect("made");
    call(&world, "DeletePublicAccessBlock", json!({})).await.expect("opened");
    world
}

/// The name of the refusal of a call by somebody else, or nothing.
async fn outcome(world: &World, who: Principal, operation: &str, more: Value) -> String {
    let input = super::with(json!({"Bucket": "photos"}), more);
    let body = if operation == "PutObject" { Body::from("x".to_owned()) } else { Body::empty() };
    match world.send(who, &format!("s3:{operation}"), input, body).await {
        Ok(_) => String::new(),
        Err(fault) => fault.name().to_owned(),
    }
}

#[tokio::test]
async fn canned_acls_open_what_they_name() {
    let world = open().await;
    let input = json!({"Key": "a", "ACL": "public-read"});
    send(&world, "PutObject", input, "x".to_owned()).await.expect("written");
    send(&world, "PutObject", json!({"Key": "b"}), "x".to_owned()).await.expect("written");
    let (nobody, other) = (Principal::anonymous, || Principal::root(OTHER));
    for (key, expected) in [("a", ""), ("b", "AccessDenied")] {
        assert_eq!(outcome(&world, nobody(), "GetObject", json!({"Key": key})).await, expected);
        assert_eq!(outcome(&world, other(), "GetObject", json!({"Key": key})).await, expected);
        let acl = outcome(&world, other(), "GetObjectAcl", json!({"Key": key})).await;
        assert_eq!(acl, "AccessDenied");
    }
    assert_eq!(outcome(&world, nobody(), "ListObjectsV2", json!({})).await, "AccessDenied");
    call(&world, "PutBucketAcl", json!({"ACL": "public-read-write"})).await.expect("opened");
    assert_eq!(outcome(&world, nobody(), "ListObjectsV2", json!({})).await, "");
    assert_eq!(outcome(&world, other(), "PutObject", json!({"Key": "c"})).await, "");
    let block = json!({"PublicAccessBlockConfiguration": {"IgnorePublicAcls": true, "BlockPublicAcls": true}});
    call(&world, "PutPublicAccessBlock", block).await.expect("blocked");
    assert_eq!(outcome(&world, nobody(), "ListObjectsV2", json!({})).await, "AccessDenied");
    let public = |key: &str| json!({"Key": key, "ACL": "public-read"});
    for (operation, input, resource) in [
        ("PutBucketAcl", json!({"ACL": "public-read"}), "photos"),
        ("PutObjectAcl", public("a"), "photos/a"),
        ("CreateMultipartUpload", public("d"), "photos/d"),
    ] {
        assert_eq!(
            refused(call(&world, operation, input).await),
            format!(
                "AccessDenied: User: arn:aws:iam::000000000000:root is not authorized to perform: s3:{operation} on resource: \"arn:aws:s3:::{resource}\" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access."
            )
        );
    }
}

#[tokio::test]
async fn a_version_is_judged_by_its_own_acl() {
    let world = open().await;
    let versioning = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    call(&world, "PutBucketVersioning", versioning).await.expect("versioned");
    let mut ids = Vec::new();
    for acl in ["public-read", "private"] {
        let input = json!({"Key": "a", "ACL": acl});
        let told = send(&world, "PutObject", input, "x".to_owned()).await.expect("written");
        ids.push(told["VersionId"].clone());
    }
    let read = async |version: &Value| {
        let input = json!({"Key": "a", "VersionId": version});
        outcome(&world, Principal::root(OTHER), "GetObject", input).await
    };
    assert_eq!(read(&ids[0]).await, "");
    assert_eq!(read(&ids[1]).await, "AccessDenied");
    let current = json!({"Key": "a"});
    let told = outcome(&world, Principal::root(OTHER), "GetObject", current).await;
    assert_eq!(told, "AccessDenied");
    let copy = json!({"Bucket": "copies", "Key": "b"});
    let other = || Principal::root(OTHER);
    world.call_as(other(), "s3:CreateBucket", json!({"Bucket": "copies"})).await.expect("made");
    for (version, expected) in [(&ids[0], ""), (&ids[1], "AccessDenied")] {
        let source = format!("photos/a?versionId={}", version.as_str().expect("an id"));
        let input = super::with(copy.clone(), json!({"CopySource": source}));
        assert_eq!(outcome(&world, other(), "CopyObject", input).await, expected);
    }
}

#[tokio::test]
async fn writers_own_what_they_write() {
    let world = open().await;
    call(&world, "PutBucketAcl", json!({"ACL": "public-read-write"})).await.expect("opened");
    let other = || Principal::root(OTHER);
    assert_eq!(outcome(&world, other(), "PutObject", json!({"Key": "a"})).await, "");
    let own = Principal::root(fogbank_testkit::ACCOUNT);
    assert_eq!(
        outcome(&world, own.clone(), "GetObject", json!({"Key": "a"})).await,
        "AccessDenied"
    );
    let full = json!({"Key": "a", "ACL": "bucket-owner-full-control"});
    assert_eq!(outcome(&world, other(), "PutObjectAcl", full).await, "");
    assert_eq!(outcome(&world, own.clone(), "GetObject", json!({"Key": "a"})).await, "");
    let listed = call(&world, "ListObjects", json!({})).await.expect("a list");
    let owner = listed["Contents"][0]["Owner"]["ID"].as_str().expect("an owner").to_owned();
    let acl = call(&world, "GetObjectAcl", json!({"Key": "a"})).await.expect("an ACL");
    assert_eq!(acl["Owner"]["ID"], owner);
    assert_eq!(acl["Grants"].as_array().map(Vec::len), Some(2));
    // Enforced, the bucket's owner owns all.
    let rules =
        json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}});
    let outcome_of = call(&world, "PutBucketOwnershipControls", rules.clone()).await;
    assert!(refused(outcome_of).starts_with("InvalidBucketAclWithObjectOwnership"));
    call(&world, "PutBucketAcl", json!({"ACL": "private"})).await.expect("closed");
    call(&world, "PutBucketOwnershipControls", rules).await.expect("enforced");
    assert_eq!(outcome(&world, other(), "GetObject", json!({"Key": "a"})).await, "AccessDenied");
    let acl = call(&world, "GetObjectAcl", json!({"Key": "a"})).await.expect("an ACL");
    assert_ne!(acl["Owner"]["ID"], owner);
}

#[tokio::test]
async fn an_enforced_bucket_takes_no_acl_but_its_owners_full_control() {
    let world = super::with_bucket().await;
    let write = |more: Value| send(&world, "PutObject", more, "x".to_owned());
    for canned in ["public-read", "bucket-owner-read"] {
        let refusal = refused(write(json!({"Key": "a", "ACL": canned})).await);
        assert!(refusal.starts_with("AccessControlListNotSupported"), "{canned}: {refusal}");
    }
    write(json!({"Key": "a", "ACL": "bucket-owner-full-control"})).await.expect("written");
    let id = crate::rules::canonical_id(fogbank_testkit::ACCOUNT);
    let full = json!({"Key": "a", "GrantFullControl": format!("id={id}")});
    write(full).await.expect("written");
    let read = json!({"Key": "a", "GrantRead": format!("id={id}")});
    assert!(refused(write(read).await).starts_with("AccessControlListNotSupported"));
}

#[tokio::test]
async fn an_enforced_bucket_takes_private_from_its_owners_account_alone() {
    let world = super::with_bucket().await;
    let input = json!({"Bucket": "photos", "Key": "a", "ACL": "private"});
    send(&world, "PutObject", input.clone(), "x".to_owned()).await.expect("written");
    call(&world, "CreateMultipartUpload", input.clone()).await.expect("begun");
    let outcome = call(&world, "PutObjectAcl", input.clone()).await;
    assert!(refused(outcome).starts_with("AccessControlListNotSupported"));
    let allow = json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [allow]}).to_string();
    call(&world, "PutBucketPolicy", json!({"Policy": policy})).await.expect("allowed");
    let other = || Principal::root(OTHER);
    let plain = json!({"Bucket": "photos", "Key": "b"});
    world.call_as(other(), "s3:CreateMultipartUpload", plain).await.expect("begun");
    let outcome = world.call_as(other(), "s3:CreateMultipartUpload", input).await;
    assert!(refused(outcome).starts_with("AccessControlListNotSupported"));
}

#[tokio::test]
async fn a_bucket_that_is_created_private_takes_acls() {
    let world = World::new(SERVICES);
    call(&world, "CreateBucket", json!({"ACL": "private"})).await.expect("made");
    let told = call(&world, "GetBucketOwnershipControls", json!({})).await.expect("told");
    let rules = json!([{"ObjectOwnership": "BucketOwnerPreferred"}]);
    assert_eq!(told["OwnershipControls"]["Rules"], rules);
    let input = json!({"Key": "a", "ACL": "private"});
    send(&world, "PutObject", input, "x".to_owned()).await.expect("written");
}

#[tokio::test]
async fn parts_belong_to_whoever_will_own_the_object() {
    let world = open().await;
    call(&world, "PutBucketAcl", json!({"ACL": "public-read-write"})).await.expect("opened");
    let input = json!({"Bucket": "photos", "Key": "a"});
    let other = Principal::root(OTHER);
    let begun = world.call_as(other, "s3:CreateMultipartUpload", input).await.expect("begun");
    let owner = crate::rules::canonical_id(OTHER);
    let listed = call(&world, "ListMultipartUploads", json!({})).await.expect("a list");
    assert_eq!(listed["Uploads"][0]["Owner"], json!({"ID": owner}));
    assert_eq!(listed["Uploads"][0]["Initiator"], json!({"ID": owner}));
    let of_upload = json!({"Key": "a", "UploadId": begun["UploadId"]});
    let parts = call(&world, "ListParts", of_upload).await.expect("a list");
    assert_eq!(parts["Owner"], json!({"ID": owner}));
}

#[tokio::test]
async fn creating_ones_bucket_again_sets_its_acl_anew() {
    let world = open().await;
    call(&world, "PutBucketAcl", json!({"ACL": "public-read"})).await.expect("opened");
    let again = json!({"ObjectOwnership": "ObjectWriter"});
    call(&world, "CreateBucket", again).await.expect("no conflict in us-east-1");
    let acl = call(&world, "GetBucketAcl", json!({})).await.expect("an ACL");
    assert_eq!(acl["Grants"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_acls_must_not_say() {
    let world = open().await;
    let put = |more: Value| call(&world, "PutBucketAcl", more);
    let both = json!({"ACL": "private", "GrantRead": "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""});
    assert!(refused(put(both).await).starts_with("InvalidRequest: Specifying both"));
    let id = json!({"GrantRead": "id=\"Foo\""});
    assert!(refused(put(id).await).starts_with("InvalidArgument: Invalid id"));
    let email = json!({"GrantRead": "emailAddress=\"a@example.com\""});
    assert!(refused(put(email).await).starts_with("MethodNotAllowed"));
    let unowned = json!({"AccessControlPolicy": {"Grants": []}});
    assert!(refused(put(unowned).await).starts_with("MalformedACLError"));
    assert!(refused(put(json!({})).await).starts_with("MissingSecurityHeader"));
    let closed = super::with_bucket().await;
    let outcome = call(&closed, "PutBucketAcl", json!({"ACL": "private"})).await;
    assert!(refused(outcome).starts_with("AccessControlListNotSupported"));
}

#[tokio::test]
async fn refusals_name_what_is_wrong_in_an_acl() {
    let world = open().await;
    let owner = call(&world, "GetBucketAcl", json!({})).await.expect("an ACL")["Owner"].clone();
    let id = owner["ID"].as_str().expect("an id");
    let document = |kind: &str, permission: &str| {
        let grant = json!({
            "Grantee": {"Type": kind, "ID": id, "URI": "x"}, "Permission": permission,
        });
        json!({"AccessControlPolicy": {"Owner": owner, "Grants": [grant]}})
    };
    for (input, expected) in [
        (
            json!({"GrantRead": "nobody=\"x\""}),
            "InvalidArgument: Argument format not recognized ArgumentName=x-amz-grant-read ArgumentValue=nobody=\"x\"",
        ),
        (
            json!({"GrantRead": "uri=\"x\""}),
            "InvalidArgument: Invalid group uri ArgumentName=uri ArgumentValue=x",
        ),
        (
            json!({"GrantWriteACP": "id=\"x\""}),
            "InvalidArgument: Invalid id ArgumentName=id ArgumentValue=x",
        ),
        (
            document("Group", "READ"),
            "InvalidArgument: Invalid group uri ArgumentName=Group/URI ArgumentValue=x",
        ),
        (document("Friend", "READ"), "MalformedACLError: "),
        (document("CanonicalUser", "LOOK"), "MalformedACLError: "),
        (json!({"AccessControlPolicy": {"Owner": owner}}), "MalformedACLError: "),
        (
            json!({"AccessControlPolicy": {"Owner": {"ID": "x"}, "Grants": []}}),
            "InvalidArgument: Invalid id ArgumentName=CanonicalUser/ID ArgumentValue=x",
        ),
    ] {
        let outcome = refused(call(&world, "PutBucketAcl", input.clone()).await);
        assert!(outcome.starts_with(expected), "{input}: {outcome}");
    }
}
