//! Groups, their users and policies.

use fogbank_testkit::json;

use super::{allow, bad, document, good, may, principal, world};

#[tokio::test]
async fn users_join_and_leave() {
    let world = world();
    good(&world, "CreateGroup", json!({"GroupName": "Devs", "Path": "/d/"})).await;
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let both = json!({"GroupName": "Devs", "UserName": "ann"});
    good(&world, "AddUserToGroup", both.clone()).await;
    good(&world, "AddUserToGroup", both.clone()).await;
    // Names are not distinguished by case.
    let group = good(&world, "GetGroup", json!({"GroupName": "devs"})).await;
    assert_eq!(group["Group"]["Arn"], "arn:aws:iam::000000000000:group/d/Devs");
    assert_eq!(group["Users"][0]["UserId"], ann["User"]["UserId"]);
    let groups = good(&world, "ListGroupsForUser", json!({"UserName": "ann"})).await;
    assert_eq!(groups["Groups"][0]["GroupName"], "Devs");
    assert_eq!(
        bad(&world, "DeleteGroup", json!({"GroupName": "Devs"})).await,
        "DeleteConflictException: Cannot delete entity, must remove users from group first."
    );
    good(&world, "RemoveUserFromGroup", both).await;
    good(&world, "DeleteGroup", json!({"GroupName": "Devs"})).await;
    assert_eq!(
        bad(&world, "GetGroup", json!({"GroupName": "Devs"})).await,
        "NoSuchEntityException: The group with name Devs cannot be found."
    );
    let listed = good(&world, "ListGroups", json!({})).await;
    assert_eq!(listed["Groups"], json!([]));
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let world = world();
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    for index in 0..11 {
        let group = format!("g{index}");
        good(&world, "CreateGroup", json!({"GroupName": group})).await;
        let both = json!({"GroupName": group, "UserName": "ann"});
        if index < 10 {
            good(&world, "AddUserToGroup", both).await;
        } else {
            assert_eq!(
                bad(&world, "AddUserToGroup", both).await,
                "LimitExceededException: Cannot exceed quota for GroupsPerUser: 10"
            );
        }
    }
}

#[tokio::test]
async fn a_group_grants_and_denies() {
    let world = world();
    good(&world, "CreateGroup", json!({"GroupName": "readers"})).await;
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let ann = principal(&ann["User"]);
    let read = || may(&world, &ann, "ListUsers", json!({}));
    assert!(!read().await);
    good(&world, "AddUserToGroup", json!({"GroupName": "readers", "UserName": "ann"})).await;
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let attach = json!({"GroupName": "readers", "PolicyArn": arn});
    good(&world, "AttachGroupPolicy", attach.clone()).await;
    assert!(read().await);
    let mut deny = allow("iam:ListUsers", "*");
    deny["Effect"] = json!("Deny");
    let input =
        json!({"GroupName": "readers", "PolicyName": "no", "PolicyDocument": document(deny)});
    good(&world, "PutGroupPolicy", input).await;
    assert!(!read().await);
    good(&world, "DeleteGroupPolicy", json!({"GroupName": "readers", "PolicyName": "no"})).await;
    assert!(read().await);
    good(&world, "DetachGroupPolicy", attach).await;
    assert!(!read().await);
}
