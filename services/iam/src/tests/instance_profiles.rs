//! Instance profiles, the alias, and service-linked roles.

use fogbank_core::Principal;
use fogbank_testkit::json;

use super::{allow, bad, good, lambda, may, user, world};

#[tokio::test]
async fn a_profile_passes_one_role() {
    let world = world();
    let named = json!({"InstanceProfileName": "web"});
    let input = json!({"InstanceProfileName": "web", "Path": "/app/", "Tags": [{"Key": "a", "Value": "1"}]});
    let made = good(&world, "CreateInstanceProfile", input).await;
    assert_eq!(
        made["InstanceProfile"]["Arn"],
        "arn:aws:iam::000000000000:instance-profile/app/web"
    );
    assert_eq!(
        bad(&world, "CreateInstanceProfile", json!({"InstanceProfileName": "WEB"})).await,
        "EntityAlreadyExistsException: Instance Profile WEB already exists."
    );
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    let both = json!({"InstanceProfileName": "web", "RoleName": "r"});
    good(&world, "AddRoleToInstanceProfile", both.clone()).await;
    assert_eq!(
        bad(&world, "AddRoleToInstanceProfile", both.clone()).await,
        "LimitExceededException: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    );
    let shown = good(&world, "GetInstanceProfile", named.clone()).await;
    assert_eq!(shown["InstanceProfile"]["Roles"][0]["RoleName"], "r");
    let of_role = good(&world, "ListInstanceProfilesForRole", json!({"RoleName": "r"})).await;
    assert_eq!(of_role["InstanceProfiles"][0]["InstanceProfileName"], "web");
    let conflict = "DeleteConflictException: Cannot delete entity, must remove roles from instance profile first.";
    assert_eq!(bad(&world, "DeleteInstanceProfile", named.clone()).await, conflict);
    assert_eq!(bad(&world, "DeleteRole", json!({"RoleName": "r"})).await, conflict);
    good(&world, "RemoveRoleFromInstanceProfile", both.clone()).await;
    assert_eq!(
        bad(&world, "RemoveRoleFromInstanceProfile", both).await,
        "NoSuchEntityException: The role with name r cannot be found."
    );
    let listed = good(&world, "ListInstanceProfiles", json!({"PathPrefix": "/app/"})).await;
    assert_eq!(listed["InstanceProfiles"].as_array().map(Vec::len), Some(1));
    good(&world, "DeleteInstanceProfile", named.clone()).await;
    assert_eq!(
        bad(&world, "GetInstanceProfile", named).await,
        "NoSuchEntityException: Instance Profile web cannot be found."
    );
}

#[tokio::test]
async fn passing_a_role_needs_permission() {
    let world = world();
    let ann = user(&world, "ann", allow("iam:AddRoleToInstanceProfile", "*")).await;
    let bob = user(&world, "bob", json!({
        "Effect": "Allow", "Action": ["iam:AddRoleToInstanceProfile", "iam:PassRole"], "Resource": "*",
    }))
    .await;
    good(&world, "CreateInstanceProfile", json!({"InstanceProfileName": "p"})).await;
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    let both = json!({"InstanceProfileName": "p", "RoleName": "r"});
    assert!(!may(&world, &ann, "AddRoleToInstanceProfile", both.clone()).await);
    assert!(may(&world, &bob, "AddRoleToInstanceProfile", both).await);
}

#[tokio::test]
async fn aliases_are_unique_among_accounts() {
    let world = world();
    good(&world, "CreateAccountAlias", json!({"AccountAlias": "acme"})).await;
    let other = Principal::root("111122223333");
    let taken =
        world.call_as(other.clone(), "iam:CreateAccountAlias", json!({"AccountAlias": "acme"}));
    assert_eq!(
        taken.await.expect_err("taken").to_string(),
        "EntityAlreadyExistsException: The account alias acme already exists."
    );
    good(&world, "CreateAccountAlias", json!({"AccountAlias": "acme-2"})).await;
    let listed = good(&world, "ListAccountAliases", json!({})).await;
    assert_eq!(listed["AccountAliases"], json!(["acme-2"]));
    let free = world.call_as(other, "iam:CreateAccountAlias", json!({"AccountAlias": "acme"}));
    free.await.expect("free again");
    assert_eq!(
        bad(&world, "DeleteAccountAlias", json!({"AccountAlias": "acme"})).await,
        "NoSuchEntityException: The account alias acme cannot be found."
    );
    good(&world, "DeleteAccountAlias", json!({"AccountAlias": "acme-2"})).await;
}

#[tokio::test]
async fn roles_of_services_are_theirs() {
    let world = world();
    let input = json!({"AWSServiceName": "ecs.amazonaws.com", "Description": "for ECS"});
    let made = good(&world, "CreateServiceLinkedRole", input.clone()).await;
    let name = "AWSServiceRoleForECS";
    assert_eq!(
        made["Role"]["Arn"],
        "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    );
    assert_eq!(
        bad(&world, "CreateServiceLinkedRole", input).await,
        "InvalidInputException: Service role name AWSServiceRoleForECS has been taken in this account, please \
         try a different suffix."
    );
    let protected = "UnmodifiableEntityException: Cannot perform the operation on the protected role \
                     'AWSServiceRoleForECS' - this role is only modifiable by AWS";
    for (operation, input) in [
        ("DeleteRole", json!({"RoleName": name})),
        ("UpdateRole", json!({"RoleName": name, "MaxSessionDuration": 7200})),
        ("UpdateAssumeRolePolicy", json!({"RoleName": name, "PolicyDocument": lambda()})),
        (
            "AttachRolePolicy",
            json!({"RoleName": name, "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}),
        ),
        (
            "PutRolePermissionsBoundary",
            json!({"RoleName": name, "PermissionsBoundary": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}),
        ),
        ("TagRole", json!({"RoleName": name, "Tags": []})),
    ] {
        assert_eq!(bad(&world, operation, input).await, protected, "{operation}");
    }
    good(&world, "UpdateRoleDescription", json!({"RoleName": name, "Description": "x"})).await;
    let suffixed = json!({"AWSServiceName": "autoscaling.amazonaws.com", "CustomSuffix": "blue"});
    let made = good(&world, "CreateServiceLinkedRole", suffixed).await;
    assert_eq!(made["Role"]["RoleName"], "AWSServiceRoleForAutoScaling_blue");
    let unknown = json!({"AWSServiceName": "nothing.amazonaws.com"});
    assert!(bad(&world, "CreateServiceLinkedRole", unknown).await.starts_with("InvalidInput"));
    let task = good(&world, "DeleteServiceLinkedRole", json!({"RoleName": name})).await;
    let status = json!({"DeletionTaskId": task["DeletionTaskId"]});
    assert_eq!(
        good(&world, "GetServiceLinkedRoleDeletionStatus", status).await["Status"],
        "SUCCEEDED"
    );
    assert!(bad(&world, "GetRole", json!({"RoleName": name})).await.starts_with("NoSuchEntity"));
}
