//! Roles and their trust policies.

use fogbank_testkit::{Value, json};

use super::{bad, good, lambda, trust, world};

fn decoded(role: &Value) -> Value {
    let encoded = role["AssumeRolePolicyDocument"].as_str().expect("text");
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next().expect("a digit")).to_digit(16).expect("hex");
        bytes.push(if byte == b'%' { (digit() * 16 + digit()) as u8 } else { byte });
    }
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn a_role_is_created_and_shown() {
    let world = world();
    let input = json!({
        "RoleName": "worker", "Path": "/service/", "AssumeRolePolicyDocument": lambda(),
        "Description": "works", "MaxSessionDuration": 7200,
    });
    good(&world, "CreateRole", input.clone()).await;
    let mut shown = good(&world, "GetRole", json!({"RoleName": "worker"})).await["Role"].take();
    let id = shown["RoleId"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("AROA") && id.len() == 21), "{id}");
    assert_eq!(decoded(&shown).to_string(), lambda());
    shown["AssumeRolePolicyDocument"].take();
    assert_eq!(
        shown,
        json!({
            "Arn": "arn:aws:iam::000000000000:role/service/worker",
            "AssumeRolePolicyDocument": null,
            "CreateDate": 1_767_225_600,
            "Description": "works",
            "MaxSessionDuration": 7200,
            "Path": "/service/",
            "RoleId": null,
            "RoleLastUsed": {},
            "RoleName": "worker",
        })
    );
    assert_eq!(
        bad(&world, "CreateRole", input).await,
        "EntityAlreadyExistsException: Role with name worker already exists."
    );
    good(&world, "UpdateRole", json!({"RoleName": "worker", "Description": ""})).await;
    let listed = good(&world, "ListRoles", json!({"PathPrefix": "/service/"})).await;
    assert_eq!(listed["Roles"][0]["Description"], Value::Null);
    assert_eq!(listed["Roles"][0]["MaxSessionDuration"], 7200);
    assert_eq!(
        bad(&world, "DeleteRole", json!({"RoleName": "none"})).await,
        "NoSuchEntityException: The role with name none cannot be found."
    );
}

#[tokio::test]
async fn trust_policies_are_checked() {
    let world = world();
    let create = |document: &str| json!({"RoleName": "r", "AssumeRolePolicyDocument": document});
    assert_eq!(
        bad(&world, "CreateRole", create("{}x")).await,
        "MalformedPolicyDocumentException: This policy contains invalid Json"
    );
    let nobody = trust(json!({"AWS": "arn:aws:iam::000000000000:user/nobody"}));
    assert_eq!(
        bad(&world, "CreateRole", create(&nobody)).await,
        "MalformedPolicyDocumentException: Invalid principal in policy: \"AWS\":\"arn:aws:iam::000000000000:user/nobody\""
    );
    let long = lambda().replace("lambda", &"x".repeat(2100));
    assert_eq!(
        bad(&world, "CreateRole", create(&long)).await,
        "LimitExceededException: Cannot exceed quota for ACLSizePerRole: 2048"
    );
    good(&world, "CreateRole", create(&trust(json!({"AWS": "111122223333"})))).await;
    let input = json!({"RoleName": "r", "PolicyDocument": lambda()});
    good(&world, "UpdateAssumeRolePolicy", input).await;
    let role = good(&world, "GetRole", json!({"RoleName": "r"})).await;
    let statement = &decoded(&role["Role"])["Statement"][0];
    assert_eq!(statement["Principal"], json!({"Service": "lambda.amazonaws.com"}));
}

#[tokio::test]
async fn a_deleted_principal_appears_as_its_id() {
    let world = world();
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let arn = ann["User"]["Arn"].clone();
    let document = trust(json!({"AWS": arn}));
    let input = json!({"RoleName": "r", "AssumeRolePolicyDocument": document});
    good(&world, "CreateRole", input).await;
    let trusted = async || {
        let role = good(&world, "GetRole", json!({"RoleName": "r"})).await;
        decoded(&role["Role"])["Statement"][0]["Principal"]["AWS"].clone()
    };
    assert_eq!(trusted().await, arn);
    good(&world, "UpdateUser", json!({"UserName": "ann", "NewUserName": "zoe"})).await;
    assert_eq!(trusted().await, "arn:aws:iam::000000000000:user/zoe");
    good(&world, "DeleteUser", json!({"UserName": "zoe"})).await;
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    assert_eq!(trusted().await, ann["User"]["UserId"]);
}

#[tokio::test]
async fn policies_of_service_linked_roles_are_attached_to_them_alone() {
    let world = world();
    let service = json!({"AWSServiceName": "support.amazonaws.com"});
    good(&world, "CreateServiceLinkedRole", service).await;
    let arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy";
    let role = json!({"RoleName": "AWSServiceRoleForSupport"});
    let listed = good(&world, "ListAttachedRolePolicies", role).await;
    assert_eq!(listed["AttachedPolicies"][0]["PolicyArn"], arn);
    let entities = good(&world, "ListEntitiesForPolicy", json!({"PolicyArn": arn})).await;
    assert_eq!(entities["PolicyRoles"][0]["RoleName"], "AWSServiceRoleForSupport");
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    assert_eq!(
        bad(&world, "AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": arn})).await,
        "PolicyNotAttachableException: Cannot attach a Service Role Policy to a Customer Role."
    );
    let boundary = json!({"RoleName": "r", "PermissionsBoundary": arn});
    assert_eq!(
        bad(&world, "PutRolePermissionsBoundary", boundary).await,
        "PolicyNotAttachableException: Cannot attach a Service Role Policy to a Customer Role."
    );
}

#[tokio::test]
async fn a_role_with_policies_is_not_deleted() {
    let world = world();
    good(&world, "CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda()}))
        .await;
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let attach = json!({"RoleName": "r", "PolicyArn": arn});
    good(&world, "AttachRolePolicy", attach.clone()).await;
    good(&world, "AttachRolePolicy", attach.clone()).await;
    let listed = good(&world, "ListAttachedRolePolicies", json!({"RoleName": "r"})).await;
    assert_eq!(
        listed["AttachedPolicies"],
        json!([{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": arn}])
    );
    assert_eq!(
        bad(&world, "DeleteRole", json!({"RoleName": "r"})).await,
        "DeleteConflictException: Cannot delete entity, must detach all policies first."
    );
    good(&world, "DetachRolePolicy", attach.clone()).await;
    assert_eq!(
        bad(&world, "DetachRolePolicy", attach).await,
        format!("NoSuchEntityException: Policy {arn} was not found.")
    );
    good(&world, "DeleteRole", json!({"RoleName": "r"})).await;
    let none = good(&world, "ListRoles", json!({})).await;
    assert_eq!(none["Roles"], json!([]));
}
