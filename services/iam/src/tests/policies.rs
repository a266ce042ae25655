//! Managed policies, their versions and who uses them.

use fogbank_testkit::{Value, json};

use super::{allow, bad, document, good, lambda, may, principal, world};

const ARN: &str = "arn:aws:iam::000000000000:policy/team/Readers";

async fn create(world: &fogbank_testkit::World) -> Value {
    let input = json!({
        "PolicyName": "Readers", "Path": "/team/", "Description": "may read",
        "PolicyDocument": document(allow("iam:GetUser", "*")),
    });
    good(world, "CreatePolicy", input).await["Policy"].clone()
}

#[tokio::test]
async fn a_policy_is_created_and_shown() {
    let world = world();
    let created = create(&world).await;
    assert_eq!(created["Arn"], ARN);
    assert_eq!(created["DefaultVersionId"], "v1");
    assert_eq!(created["AttachmentCount"], 0);
    assert!(
        created["PolicyId"].as_str().is_some_and(|id| id.starts_with("ANPA") && id.len() == 21)
    );
    let shown = good(&world, "GetPolicy", json!({"PolicyArn": ARN})).await;
    assert_eq!(shown["Policy"]["Description"], "may read");
    let again = json!({"PolicyName": "readers", "PolicyDocument": document(allow("s3:*", "*"))});
    assert_eq!(
        bad(&world, "CreatePolicy", again).await,
        "EntityAlreadyExistsException: A policy called readers already exists. Duplicate names are not allowed."
    );
    let malformed = json!({"PolicyName": "x", "PolicyDocument": r#"{"Version":"2012-10-17"}"#});
    assert_eq!(
        bad(&world, "CreatePolicy", malformed).await,
        "MalformedPolicyDocumentException: Syntax errors in policy."
    );
    let long = document(allow("s3:*", &format!("arn:aws:s3:::{}", "x".repeat(6144))));
    assert_eq!(
        bad(&world, "CreatePolicy", json!({"PolicyName": "x", "PolicyDocument": long})).await,
        "LimitExceededException: Cannot exceed quota for PolicySize: 6144"
    );
    assert_eq!(
        bad(&world, "GetPolicy", json!({"PolicyArn": "arn:aws:iam::000000000000:policy/Readers"}))
            .await,
        "NoSuchEntityException: Policy arn:aws:iam::000000000000:policy/Readers was not found."
    );
}

#[tokio::test]
async fn versions_are_five_and_one_is_in_force() {
    let world = world();
    create(&world).await;
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let ann = principal(&ann["User"]);
    good(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": ARN})).await;
    let get = || may(&world, &ann, "GetUser", json!({"UserName": "ann"}));
    let list = || may(&world, &ann, "ListUsers", json!({}));
    assert!(get().await && !list().await);
    let version = |is_default: bool| json!({"PolicyArn": ARN, "PolicyDocument": document(allow("iam:ListUsers", "*")), "SetAsDefault": is_default});
    for number in 2..=5 {
        let made = good(&world, "CreatePolicyVersion", version(number == 2)).await;
        assert_eq!(made["PolicyVersion"]["VersionId"], format!("v{number}"));
        assert_eq!(made["PolicyVersion"]["IsDefaultVersion"], number == 2);
    }
    assert!(!get().await && list().await);
    assert_eq!(
        bad(&world, "CreatePolicyVersion", version(false)).await,
        "LimitExceededException: A managed policy can have up to 5 versions. Before you create a new version, you \
         must delete an existing version."
    );
    let one = |id: &str| json!({"PolicyArn": ARN, "VersionId": id});
    assert_eq!(
        bad(&world, "DeletePolicyVersion", one("v2")).await,
        "DeleteConflictException: Cannot delete the default version of a policy."
    );
    good(&world, "DeletePolicyVersion", one("v3")).await;
    assert_eq!(
        bad(&world, "GetPolicyVersion", one("v3")).await,
        format!(
            "NoSuchEntityException: Policy {ARN} version v3 does not exist or is not attachable."
        )
    );
    let made = good(&world, "CreatePolicyVersion", version(false)).await;
    assert_eq!(made["PolicyVersion"]["VersionId"], "v6");
    good(&world, "SetDefaultPolicyVersion", one("v1")).await;
    assert!(get().await && !list().await);
    let versions = good(&world, "ListPolicyVersions", json!({"PolicyArn": ARN})).await;
    let ids: Vec<&str> = versions["Versions"]
        .as_array()
        .expect("versions")
        .iter()
        .filter_map(|version| version["VersionId"].as_str())
        .collect();
    assert_eq!(ids, ["v6", "v5", "v4", "v2", "v1"]);
    assert_eq!(versions["Versions"][0]["Document"], Value::Null);
}

#[tokio::test]
async fn a_policy_in_use_is_not_deleted() {
    let world = world();
    create(&world).await;
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    good(&world, "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": ARN})).await;
    let input = json!({"UserName": "ann", "PermissionsBoundary": ARN});
    good(&world, "CreateUser", input).await;
    let shown = good(&world, "GetPolicy", json!({"PolicyArn": ARN})).await;
    assert_eq!(shown["Policy"]["AttachmentCount"], 1);
    assert_eq!(shown["Policy"]["PermissionsBoundaryUsageCount"], 1);
    let entities = good(&world, "ListEntitiesForPolicy", json!({"PolicyArn": ARN})).await;
    assert_eq!(entities["PolicyRoles"][0]["RoleName"], "r");
    assert_eq!(entities["PolicyUsers"][0]["UserName"], "ann");
    let input =
        json!({"PolicyArn": ARN, "EntityFilter": "User", "PolicyUsageFilter": "PermissionsPolicy"});
    let none = good(&world, "ListEntitiesForPolicy", input).await;
    assert_eq!((&none["PolicyUsers"], &none["PolicyRoles"]), (&json!([]), &json!([])));
    let refused = "DeleteConflictException: Cannot delete a policy attached to entities.";
    assert_eq!(bad(&world, "DeletePolicy", json!({"PolicyArn": ARN})).await, refused);
    good(&world, "DetachRolePolicy", json!({"RoleName": "r", "PolicyArn": ARN})).await;
    assert_eq!(bad(&world, "DeletePolicy", json!({"PolicyArn": ARN})).await, refused);
    good(&world, "DeleteUser", json!({"UserName": "ann"})).await;
    let input = json!({"PolicyArn": ARN, "PolicyDocument": document(allow("s3:*", "*"))});
    good(&world, "CreatePolicyVersion", input).await;
    assert!(
        bad(&world, "DeletePolicy", json!({"PolicyArn": ARN}))
            .await
            .starts_with("DeleteConflictException: This policy has more than one version.")
    );
    good(&world, "DeletePolicyVersion", json!({"PolicyArn": ARN, "VersionId": "v2"})).await;
    good(&world, "DeletePolicy", json!({"PolicyArn": ARN})).await;
    assert!(bad(&world, "GetPolicy", json!({"PolicyArn": ARN})).await.starts_with("NoSuchEntity"));
}

#[tokio::test]
async fn ten_policies_are_attached_at_most() {
    let world = world();
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    for index in 0..11 {
        let name = format!("p{index}");
        let input = json!({"PolicyName": name, "PolicyDocument": document(allow("s3:*", "*"))});
        let arn = good(&world, "CreatePolicy", input).await["Policy"]["Arn"].clone();
        let attach = json!({"RoleName": "r", "PolicyArn": arn});
        if index < 10 {
            good(&world, "AttachRolePolicy", attach).await;
        } else {
            assert_eq!(
                bad(&world, "AttachRolePolicy", attach).await,
                "LimitExceededException: Cannot exceed quota for PoliciesPerRole: 10"
            );
        }
    }
    let input = json!({"RoleName": "r", "MaxItems": 4});
    let page = good(&world, "ListAttachedRolePolicies", input).await;
    assert_eq!(page["AttachedPolicies"].as_array().map(Vec::len), Some(4));
    let input = json!({"RoleName": "r", "Marker": page["Marker"]});
    let rest = good(&world, "ListAttachedRolePolicies", input).await;
    assert_eq!(rest["AttachedPolicies"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn awss_policies_exist_by_their_arns() {
    let world = world();
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let shown = good(&world, "GetPolicy", json!({"PolicyArn": arn})).await;
    assert_eq!(shown["Policy"]["PolicyName"], "AdministratorAccess");
    let version = json!({"PolicyArn": arn, "VersionId": shown["Policy"]["DefaultVersionId"]});
    let version = good(&world, "GetPolicyVersion", version).await;
    assert!(
        version["PolicyVersion"]["Document"].as_str().is_some_and(|text| text.starts_with("%7B"))
    );
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    good(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": arn})).await;
    let attached = good(&world, "ListPolicies", json!({"OnlyAttached": true})).await;
    assert_eq!(attached["Policies"].as_array().map(Vec::len), Some(1));
    let local = good(&world, "ListPolicies", json!({"Scope": "Local"})).await;
    assert_eq!(local["Policies"], json!([]));
    let unknown = "arn:aws:iam::aws:policy/NoSuchPolicy";
    assert_eq!(
        bad(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": unknown})).await,
        format!("NoSuchEntityException: Policy {unknown} does not exist or is not attachable.")
    );
    let nonsense = "no-arn-at-all-but-long";
    assert_eq!(
        bad(&world, "AttachUserPolicy", json!({"UserName": "ann", "PolicyArn": nonsense})).await,
        format!("InvalidInputException: ARN {nonsense} is not valid.")
    );
}

#[tokio::test]
async fn the_account_is_summed_up() {
    let world = world();
    create(&world).await;
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let summary = good(&world, "GetAccountSummary", json!({})).await;
    let map = &summary["SummaryMap"];
    assert_eq!((&map["Users"], &map["Policies"], &map["Roles"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(map["VersionsPerPolicyQuota"], 5);
    let aliases = good(&world, "ListAccountAliases", json!({})).await;
    assert_eq!(aliases["AccountAliases"], json!([]));
}
