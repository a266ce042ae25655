//! Who may call IAM itself.

use fogbank_core::Principal;
use fogbank_testkit::json;

use super::{allow, document, good, lambda, may, principal, user, world};

#[tokio::test]
async fn a_user_without_policies_may_nothing() {
    let world = world();
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let ann = principal(&ann["User"]);
    let refused = |operation: &'static str, input| {
        let ann = ann.clone();
        let world = &world;
        async move {
            let outcome = world.call_as(ann, &format!("iam:{operation}"), input).await;
            outcome.expect_err("nothing is allowed").message().to_owned()
        }
    };
    assert_eq!(
        refused("ListUsers", json!({})).await,
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:ListUsers on resource: \
         arn:aws:iam::000000000000:user/ because no identity-based policy allows the iam:ListUsers action"
    );
    assert_eq!(
        refused("GetAccountSummary", json!({})).await,
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:GetAccountSummary on \
         resource: * because no identity-based policy allows the iam:GetAccountSummary action"
    );
    assert_eq!(
        refused("ListPolicies", json!({})).await,
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:ListPolicies on resource: \
         policy path / because no identity-based policy allows the iam:ListPolicies action"
    );
    assert_eq!(
        refused(
            "CreateRole",
            json!({"RoleName": "r", "Path": "/p/", "AssumeRolePolicyDocument": lambda()})
        )
        .await,
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:CreateRole on resource: \
         arn:aws:iam::000000000000:role/p/r because no identity-based policy allows the iam:CreateRole action"
    );
}

#[tokio::test]
async fn every_operation_asks_for_permission() {
    let world = world();
    let ann = good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let ann = principal(&ann["User"]);
    let arn = "arn:aws:iam::000000000000:policy/p";
    let mut everything = json!({
        "UserName": "ann", "GroupName": "g", "RoleName": "r", "PolicyName": "p", "PolicyArn": arn,
        "PolicyDocument": "{}", "AssumeRolePolicyDocument": "{}", "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA",
        "Status": "Active", "VersionId": "v1", "PermissionsBoundary": arn, "Tags": [], "TagKeys": [],
    });
    let more = json!({
        "InstanceProfileName": "i", "ServerCertificateName": "c", "VirtualMFADeviceName": "m", "Name": "n",
        "Url": "https://a.example", "OpenIDConnectProviderArn": "arn:aws:iam::000000000000:oidc-provider/a.example",
        "SAMLProviderArn": "arn:aws:iam::000000000000:saml-provider/n",
        "SerialNumber": "arn:aws:iam::000000000000:mfa/m", "AuthenticationCode1": "000000",
        "AuthenticationCode2": "000000", "AWSServiceName": "ecs.amazonaws.com", "DeletionTaskId": "task/x",
        "SAMLMetadataDocument": "x".repeat(1000), "CertificateBody": "x", "PrivateKey": "x", "CertificateId": "x".repeat(24),
        "SSHPublicKeyBody": "ssh-rsa A", "SSHPublicKeyId": "x".repeat(20), "Encoding": "SSH", "ServiceName": "s",
        "ServiceSpecificCredentialId": "x".repeat(20), "AccountAlias": "alias", "OldPassword": "x", "NewPassword": "x",
        "Password": "x", "GlobalEndpointTokenVersion": "v2Token", "ClientID": "c", "ThumbprintList": [],
        "PolicySourceArn": arn, "Arn": arn, "PolicyInputList": [], "ActionNames": [], "ServiceNamespaces": ["s3"],
        "JobId": "x".repeat(36), "ServiceNamespace": "s3", "Description": "",
    });
    let third = json!({
        "EntityPath": "o-aaaaaaaaaa/r-aaaa",
        "DelegationRequestId": "x".repeat(16), "EntityArn": arn, "Permissions": {}, "RequestorWorkflowId": "workflow",
        "NotificationChannel": "arn:aws:sns:us-east-1:000000000000:t", "SessionDuration": 300,
    });
    for more in [more, third] {
        if let (Some(all), Some(more)) = (everything.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
    }
    for op in crate::OPERATIONS {
        let fogbank_core::wire::Kind::Structure(members) = &op.model.input.kind else {
            panic!("an input is a structure")
        };
        let mut input = everything.clone();
        if let Some(object) = input.as_object_mut() {
            object.retain(|name, _| members.iter().any(|member| member.name == name));
        }
        let operation = op.model.name;
        let outcome = world.call_as(ann.clone(), &format!("iam:{operation}"), input).await;
        assert_eq!(outcome.expect_err(operation).name(), "AccessDenied", "{operation}");
    }
}

#[tokio::test]
async fn resources_have_their_paths() {
    let world = world();
    let path = "arn:aws:iam::000000000000:user/dev/*";
    let ann = user(&world, "ann", allow("iam:*", path)).await;
    good(&world, "CreateUser", json!({"UserName": "dora", "Path": "/dev/"})).await;
    good(&world, "CreateUser", json!({"UserName": "opal", "Path": "/ops/"})).await;
    assert!(may(&world, &ann, "GetUser", json!({"UserName": "dora"})).await);
    assert!(may(&world, &ann, "CreateAccessKey", json!({"UserName": "dora"})).await);
    assert!(may(&world, &ann, "ListUsers", json!({"PathPrefix": "/dev/"})).await);
    assert!(may(&world, &ann, "CreateUser", json!({"UserName": "dina", "Path": "/dev/"})).await);
    assert!(!may(&world, &ann, "GetUser", json!({"UserName": "opal"})).await);
    assert!(!may(&world, &ann, "CreateUser", json!({"UserName": "odd"})).await);
    assert!(!may(&world, &ann, "ListUsers", json!({})).await);
}

#[tokio::test]
async fn renaming_needs_permission_on_both_names() {
    let world = world();
    let own = "arn:aws:iam::000000000000:user/dev/*";
    let ann = user(&world, "ann", allow("iam:UpdateUser", own)).await;
    good(&world, "CreateUser", json!({"UserName": "dora", "Path": "/dev/"})).await;
    let rename = |path: &str| json!({"UserName": "dora", "NewUserName": "dina", "NewPath": path});
    assert!(!may(&world, &ann, "UpdateUser", rename("/ops/")).await);
    assert!(may(&world, &ann, "UpdateUser", rename("/dev/x/")).await);
}

#[tokio::test]
async fn conditions_see_tags_policies_and_boundaries() {
    let world = world();
    let mut statement = allow("iam:AttachUserPolicy", "*");
    statement["Condition"] =
        json!({"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonS3*"}});
    let ann = user(&world, "ann", statement).await;
    let attach = |name: &str| json!({"UserName": "ann", "PolicyArn": format!("arn:aws:iam::aws:policy/{name}")});
    assert!(may(&world, &ann, "AttachUserPolicy", attach("AmazonS3ReadOnlyAccess")).await);
    assert!(!may(&world, &ann, "AttachUserPolicy", attach("AdministratorAccess")).await);

    let mut statement = allow("iam:*User*", "*");
    statement["Condition"] = json!({"StringEquals": {"aws:ResourceTag/team": "blue"}});
    let bob = user(&world, "bob", statement).await;
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    good(&world, "CreateUser", json!({"UserName": "blue", "Tags": tags})).await;
    assert!(may(&world, &bob, "GetUser", json!({"UserName": "blue"})).await);
    assert!(!may(&world, &bob, "GetUser", json!({"UserName": "ann"})).await);

    let boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let mut statement = allow("iam:*", "*");
    statement["Condition"] = json!({"StringEquals": {"iam:PermissionsBoundary": boundary}});
    let eve = user(&world, "eve", statement).await;
    let create =
        |name: &str, boundary: &str| json!({"UserName": name, "PermissionsBoundary": boundary});
    assert!(may(&world, &eve, "CreateUser", create("x", boundary)).await);
    assert!(
        !may(
            &world,
            &eve,
            "CreateUser",
            create("y", "arn:aws:iam::aws:policy/AdministratorAccess")
        )
        .await
    );
    assert!(!may(&world, &eve, "CreateUser", json!({"UserName": "y"})).await);
    let put = |name: &str| json!({"UserName": name, "PolicyName": "p", "PolicyDocument": document(allow("s3:*", "*"))});
    assert!(may(&world, &eve, "PutUserPolicy", put("x")).await);
    assert!(!may(&world, &eve, "PutUserPolicy", put("ann")).await);

    let mut statement = allow("iam:TagUser", "*");
    statement["Condition"] = json!({
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
        "StringEquals": {"aws:RequestTag/team": ["red", "blue"]},
    });
    let tom = user(&world, "tom", statement).await;
    let tag =
        |key: &str, value: &str| json!({"UserName": "ann", "Tags": [{"Key": key, "Value": value}]});
    assert!(may(&world, &tom, "TagUser", tag("team", "red")).await);
    assert!(!may(&world, &tom, "TagUser", tag("team", "green")).await);
    assert!(!may(&world, &tom, "TagUser", tag("other", "red")).await);
}

#[tokio::test]
async fn boundaries_limit_users() {
    let world = world();
    let ann = user(&world, "ann", allow("*", "*")).await;
    assert!(may(&world, &ann, "ListUsers", json!({})).await);
    let boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let input = json!({"UserName": "ann", "PermissionsBoundary": boundary});
    good(&world, "PutUserPermissionsBoundary", input).await;
    let refused = world.call_as(ann.clone(), "iam:ListUsers", json!({})).await;
    assert!(
        refused
            .expect_err("beyond the boundary")
            .message()
            .ends_with("because no permissions boundary allows the iam:ListUsers action")
    );
    good(&world, "DeleteUserPermissionsBoundary", json!({"UserName": "ann"})).await;
    assert!(may(&world, &ann, "ListUsers", json!({})).await);
}

#[tokio::test]
async fn accounts_are_apart() {
    let world = world();
    good(&world, "CreateUser", json!({"UserName": "ann"})).await;
    let other = Principal::root("111122223333");
    let list = world.call_as(other.clone(), "iam:ListUsers", json!({})).await.expect("its own");
    assert_eq!(list["Users"], json!([]));
    let input = json!({"PolicyName": "p", "PolicyDocument": document(allow("s3:*", "*"))});
    good(&world, "CreatePolicy", input).await;
    let arn = "arn:aws:iam::000000000000:policy/p";
    let foreign = world.call_as(other, "iam:GetPolicy", json!({"PolicyArn": arn})).await;
    assert_eq!(foreign.expect_err("not its own").name(), "AccessDenied");
}
