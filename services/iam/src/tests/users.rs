//! Users, their inline policies, tags and boundaries.

use fogbank_core::Principal;
use fogbank_testkit::{Value, json};

use super::{allow, bad, document, good, principal, user, world};

#[tokio::test]
async fn a_user_is_created_and_shown() {
    let world = world();
    let input =
        json!({"UserName": "Ann", "Path": "/dev/", "Tags": [{"Key": "team", "Value": "blue"}]});
    let mut created = good(&world, "CreateUser", input.clone()).await["User"].take();
    let id = created["UserId"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("AIDA") && id.len() == 21), "{id}");
    assert_eq!(
        created,
        json!({
            "Arn": "arn:aws:iam::000000000000:user/dev/Ann",
            "CreateDate": 1_767_225_600,
            "Path": "/dev/",
            "Tags": [{"Key": "team", "Value": "blue"}],
            "UserId": null,
            "UserName": "Ann",
        })
    );
    let shown = good(&world, "GetUser", json!({"UserName": "Ann"})).await;
    assert_eq!(shown["User"]["Tags"], json!([{"Key": "team", "Value": "blue"}]));
    assert_eq!(
        bad(&world, "CreateUser", input).await,
        "EntityAlreadyExistsException: User with name Ann already exists."
    );
    assert_eq!(
        bad(&world, "CreateUser", json!({"UserName": "ANN"})).await,
        "EntityAlreadyExistsException: User with name ANN already exists."
    );
    assert_eq!(
        bad(&world, "GetUser", json!({"UserName": "bob"})).await,
        "NoSuchEntityException: The user with name bob cannot be found."
    );
}

#[tokio::test]
async fn get_user_without_a_name_means_the_caller() {
    let world = world();
    let ann = user(&world, "ann", allow("iam:GetUser", "*")).await;
    let shown = world.call_as(ann.clone(), "iam:GetUser", json!({})).await.expect("allowed");
    assert_eq!(shown["User"]["Arn"], ann.arn);
    let root = good(&world, "GetUser", json!({})).await;
    assert_eq!(root["User"]["Arn"], "arn:aws:iam::000000000000:root");
    let role = Principal {
        kind: fogbank_core::PrincipalKind::Role {
            name: "r".to_owned(),
            role_arn: String::new(),
            session: "s".to_owned(),
        },
        ..ann
    };
    let refused = world.call_as(role, "iam:GetUser", json!({})).await.expect_err("no user");
    assert_eq!(refused.message(), "Must specify userName when calling with non-User credentials");
}

#[tokio::test]
async fn listings_have_pages_and_paths() {
    let world = world();
    for (name, path) in [("a", "/x/"), ("B", "/x/y/"), ("c", "/"), ("d", "/x/")] {
        good(&world, "CreateUser", json!({"UserName": name, "Path": path})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let users = page["Users"].as_array().expect("users");
        users.iter().map(|user| user["UserName"].as_str().expect("a name").to_owned()).collect()
    };
    let all = good(&world, "ListUsers", json!({})).await;
    assert_eq!(names(&all), ["a", "B", "c", "d"]);
    assert_eq!(all["IsTruncated"], false);
    let first = good(&world, "ListUsers", json!({"PathPrefix": "/x/", "MaxItems": 2})).await;
    assert_eq!(names(&first), ["a", "B"]);
    assert_eq!(first["IsTruncated"], true);
    let input = json!({"PathPrefix": "/x/", "MaxItems": 2, "Marker": first["Marker"]});
    let second = good(&world, "ListUsers", input).await;
    assert_eq!((names(&second), &second["IsTruncated"]), (vec!["d".to_owned()], &json!(false)));
    assert_eq!(
        bad(&world, "ListUsers", json!({"Marker": "?"})).await,
        "ValidationException: Invalid Marker."
    );
}

#[tokio::test]
async fn a_renamed_user_keeps_what_it_has() {
    let world = world();
    let ann = user(&world, "ann", allow("iam:GetUser", "*")).await;
    good(&world, "CreateGroup", json!({"GroupName": "g"})).await;
    good(&world, "AddUserToGroup", json!({"GroupName": "g", "UserName": "ann"})).await;
    good(&world, "CreateAccessKey", json!({"UserName": "ann"})).await;
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    good(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await;
    good(&world, "CreateUser", json!({"UserName": "bob"})).await;
    assert_eq!(
        bad(&world, "UpdateUser", json!({"UserName": "ann", "NewUserName": "Bob"})).await,
        "EntityAlreadyExistsException: User with name Bob already exists."
    );
    let input = json!({"UserName": "ann", "NewUserName": "zoe", "NewPath": "/p/"});
    good(&world, "UpdateUser", input).await;
    let shown = good(&world, "GetUser", json!({"UserName": "zoe"})).await;
    assert_eq!(shown["User"]["UserId"], ann.id);
    assert_eq!(shown["User"]["Arn"], "arn:aws:iam::000000000000:user/p/zoe");
    let group = good(&world, "GetGroup", json!({"GroupName": "g"})).await;
    assert_eq!(group["Users"][0]["UserName"], "zoe");
    let keys = good(&world, "ListAccessKeys", json!({"UserName": "zoe"})).await;
    assert_eq!(keys["AccessKeyMetadata"][0]["UserName"], "zoe");
    let entities = good(&world, "ListEntitiesForPolicy", json!({"PolicyArn": arn})).await;
    assert_eq!(entities["PolicyUsers"], json!([{"UserName": "zoe", "UserId": ann.id}]));
    let renamed = principal(&shown["User"]);
    assert!(super::may(&world, &renamed, "GetUser", json!({"UserName": "bob"})).await);
    assert!(bad(&world, "GetUser", json!({"UserName": "ann"})).await.starts_with("NoSuchEntity"));
}

#[tokio::test]
async fn a_user_with_something_left_is_not_deleted() {
    let world = world();
    user(&world, "ann", allow("s3:*", "*")).await;
    let key = good(&world, "CreateAccessKey", json!({"UserName": "ann"})).await;
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    good(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await;
    good(&world, "CreateGroup", json!({"GroupName": "g"})).await;
    good(&world, "AddUserToGroup", json!({"GroupName": "g", "UserName": "ann"})).await;
    let ann = json!({"UserName": "ann"});
    let refused =
        |what: &str| format!("DeleteConflictException: Cannot delete entity, must {what} first.");
    assert_eq!(bad(&world, "DeleteUser", ann.clone()).await, refused("remove users from group"));
    good(&world, "RemoveUserFromGroup", json!({"GroupName": "g", "UserName": "ann"})).await;
    assert_eq!(bad(&world, "DeleteUser", ann.clone()).await, refused("detach all policies"));
    good(&world, "DetachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await;
    assert_eq!(bad(&world, "DeleteUser", ann.clone()).await, refused("delete policies"));
    good(&world, "DeleteUserPolicy", json!({"UserName": "ann", "PolicyName": "own"})).await;
    assert_eq!(bad(&world, "DeleteUser", ann.clone()).await, refused("delete access keys"));
    let id = &key["AccessKey"]["AccessKeyId"];
    good(&world, "DeleteAccessKey", json!({"UserName": "ann", "AccessKeyId": id})).await;
    good(&world, "DeleteUser", ann.clone()).await;
    assert!(bad(&world, "DeleteUser", ann).await.starts_with("NoSuchEntity"));
}

#[tokio::test]
async fn inline_policies_are_kept_as_written() {
    let world = world();
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let written = "{ \"Version\": \"2012-10-17\",\n \"Statement\": [ { \"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\" } ] }";
    for name in ["b", "a"] {
        let input = json!({"UserName": "ann", "PolicyName": name, "PolicyDocument": written});
        good(&world, "PutUserPolicy", input).await;
    }
    let shown = good(&world, "GetUserPolicy", json!({"UserName": "ann", "PolicyName": "a"})).await;
    let encoded = shown["PolicyDocument"].as_str().expect("text");
    assert!(encoded.starts_with("%7B%20%22Version%22%3A%20%222012-10-17%22%2C%0A%20"), "{encoded}");
    let names = good(&world, "ListUserPolicies", json!({"UserName": "ann"})).await;
    assert_eq!(names["PolicyNames"], json!(["a", "b"]));
    assert_eq!(
        bad(&world, "GetUserPolicy", json!({"UserName": "ann", "PolicyName": "c"})).await,
        "NoSuchEntityException: The user policy with name c cannot be found."
    );
    let put = |document: String| json!({"UserName": "ann", "PolicyName": "c", "PolicyDocument": document});
    assert_eq!(
        bad(&world, "PutUserPolicy", put("nonsense".to_owned())).await,
        "MalformedPolicyDocumentException: Syntax errors in policy."
    );
    let long = document(allow("s3:*", &format!("arn:aws:s3:::{}", "x".repeat(2000))));
    assert_eq!(
        bad(&world, "PutUserPolicy", put(long)).await,
        "LimitExceededException: Maximum policy size of 2048 bytes exceeded for user ann"
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = world();
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    good(&world, "TagUser", json!({"UserName": "ann", "Tags": tags})).await;
    good(&world, "TagUser", json!({"UserName": "ann", "Tags": [{"Key": "A", "Value": "3"}]})).await;
    good(&world, "UntagUser", json!({"UserName": "ann", "TagKeys": ["b", "none"]})).await;
    let shown = good(&world, "ListUserTags", json!({"UserName": "ann"})).await;
    assert_eq!(shown["Tags"], json!([{"Key": "A", "Value": "3"}]));
    let many: Vec<Value> =
        (0..50).map(|index| json!({"Key": format!("k{index}"), "Value": ""})).collect();
    assert_eq!(
        bad(&world, "TagUser", json!({"UserName": "ann", "Tags": many})).await,
        "LimitExceededException: Cannot exceed quota for TagsPerUser: 50"
    );
}

#[tokio::test]
async fn boundaries_must_exist() {
    let world = world();
    let gone = "arn:aws:iam::000000000000:policy/none";
    let input = json!({"UserName": "ann", "PermissionsBoundary": gone});
    assert_eq!(
        bad(&world, "CreateUser", input).await,
        "NoSuchEntityException: Scope ARN: arn:aws:iam::000000000000:policy/none does not exist or is not attachable."
    );
    let boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    good(&world, "CreateUser", json!({"UserName": "ann", "PermissionsBoundary": boundary})).await;
    let shown = good(&world, "GetUser", json!({"UserName": "ann"})).await;
    assert_eq!(
        shown["User"]["PermissionsBoundary"],
        json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary})
    );
    good(&world, "DeleteUserPermissionsBoundary", json!({"UserName": "ann"})).await;
    let shown = good(&world, "GetUser", json!({"UserName": "ann"})).await;
    assert_eq!(shown["User"]["PermissionsBoundary"], Value::Null);
}
