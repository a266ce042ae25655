//! Access Grants: what may be made and unmade, whose they are, and what credentials they bring.

use fogbank_core::{Fault, Principal, Service};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{call, refused};

static SERVICES: &[&Service] =
    &[&crate::SERVICE, &fogbank_s3::SERVICE, &fogbank_iam::SERVICE, &fogbank_sts::SERVICE];

const OTHER: &str = "111111111111";
const ROLE: &str = "arn:aws:iam::000000000000:role/keeper";
const USER: &str = "arn:aws:iam::000000000000:user/ann";
const INSTANCE: &str = "arn:aws:s3:us-east-1:000000000000:access-grants/default";

/// A world with the bucket `data`, the role `keeper`, the user `ann` and an instance.
async fn world() -> World {
    let world = World::new(SERVICES);
    world.call("s3:CreateBucket", json!({"Bucket": "data"})).await.expect("a bucket");
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "access-grants.s3.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": INSTANCE}},
    }]});
    let input = json!({"RoleName": "keeper", "AssumeRolePolicyDocument": trust.to_string()});
    world.call("iam:CreateRole", input).await.expect("a role");
    world.call("iam:CreateUser", json!({"UserName": "ann"})).await.expect("a user");
    call(&world, "CreateAccessGrantsInstance", json!({})).await.expect("an instance");
    world
}

/// Registers a location; its id.
async fn locate(world: &World, scope: &str) -> String {
    let input = json!({"LocationScope": scope, "IAMRoleArn": ROLE});
    let made = call(world, "CreateAccessGrantsLocation", input).await.expect("a location");
    made["AccessGrantsLocationId"].as_str().expect("an id").to_owned()
}

async fn grant(world: &World, location: &str, sub: &str, permission: &str) -> Result<Value, Fault> {
    let input = json!({
        "AccessGrantsLocationId": location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub},
        "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": USER},
        "Permission": permission,
    });
    call(world, "CreateAccessGrant", input).await
}

#[tokio::test]
async fn what_is_not_empty_stays() {
    let world = world().await;
    let id = locate(&world, "s3://").await;
    assert_eq!(id, "default");
    let made = grant(&world, &id, "data/team/*", "READ").await.expect("a grant");
    assert_eq!(made["GrantScope"], "s3://data/team/*");
    let grant_id = made["AccessGrantId"].clone();
    let mut told = String::new();
    let mut tell = |outcome: Result<Value, Fault>| {
        told += &refused(outcome);
        told += "\n";
    };
    tell(call(&world, "CreateAccessGrantsInstance", json!({})).await);
    tell(call(&world, "DeleteAccessGrantsInstance", json!({})).await);
    let place = json!({"AccessGrantsLocationId": id});
    tell(call(&world, "DeleteAccessGrantsLocation", place.clone()).await);
    tell(
        call(
            &world,
            "CreateAccessGrantsLocation",
            json!({"LocationScope": "s3://", "IAMRoleArn": ROLE}),
        )
        .await,
    );
    let nobody = format!("{ROLE}-not");
    tell(
        call(
            &world,
            "CreateAccessGrantsLocation",
            json!({"LocationScope": "s3://data", "IAMRoleArn": nobody}),
        )
        .await,
    );
    tell(
        call(
            &world,
            "CreateAccessGrantsLocation",
            json!({"LocationScope": "data", "IAMRoleArn": ROLE}),
        )
        .await,
    );
    tell(grant(&world, &id, "data/team/*", "READ").await);
    tell(grant(&world, "none", "data/team/*", "READ").await);
    tell(grant(&world, &id, "*", "READ").await);
    tell(call(&world, "GetAccessGrantsInstanceResourcePolicy", json!({})).await);
    tell(call(&world, "GetAccessGrant", json!({"AccessGrantId": "none"})).await);
    expect![[r#"
        AccessGrantsInstanceAlreadyExists: Access Grants Instance already exists
        AccessGrantsInstanceNotEmptyError: Please clean up locations before deleting the access grants instance
        AccessGrantsLocationNotEmptyError: Please clean up access grants before deleting access grants location
        AccessGrantsLocationAlreadyExistsError: The specified access grants location already exists
        InvalidIamRole: The specified IAM Role is invalid
        InvalidAccessGrantsLocation: The specified Access Grants Location is invalid
        AccessGrantAlreadyExists: The specified access grant already exists
        NoSuchAccessGrantsLocationError: The specified access grants location does not exist
        InvalidAccessGrant: The specified Access Grant is invalid
        AccessGrantsInstanceResourcePolicyNotExists: Access Grants Instance Resource Policy does not exist
        NoSuchAccessGrantError: The specified access grant does not exist
    "#]]
    .assert_eq(&told);
    call(&world, "DeleteAccessGrant", json!({"AccessGrantId": grant_id})).await.expect("removed");
    call(&world, "DeleteAccessGrantsLocation", place).await.expect("removed");
    call(&world, "DeleteAccessGrantsInstance", json!({})).await.expect("removed");
    let outcome = call(&world, "GetAccessGrantsInstance", json!({})).await;
    assert!(refused(outcome).starts_with("AccessGrantsInstanceNotExistsError: "));
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn lists_have_pages_and_a_reset_removes_all() {
    let world = world().await;
    let id = locate(&world, "s3://data").await;
    for at in 0..5 {
        grant(&world, &id, &format!("{at}/*"), "READWRITE").await.expect("a grant");
    }
    let (mut scopes, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"MaxResults": 2});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = call(&world, "ListAccessGrants", input).await.expect("a page");
        let rows = page["AccessGrantsList"].as_array().expect("grants");
        scopes.extend(rows.iter().map(|row| row["GrantScope"].to_string()));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    scopes.sort();
    assert_eq!(scopes, (0..5).map(|at| format!("\"s3://data/{at}/*\"")).collect::<Vec<_>>());
    let narrow = json!({"GrantScope": "s3://data/3/*", "Permission": "READWRITE"});
    let page = call(&world, "ListAccessGrants", narrow).await.expect("a page");
    assert_eq!(page["AccessGrantsList"].as_array().map(Vec::len), Some(1));
    let tags = json!([{"Key": "team", "Value": "a"}]);
    for what in ["".to_owned(), format!("/location/{id}")] {
        let arn = format!("{INSTANCE}{what}");
        let input = json!({"ResourceArn": arn, "Tags": tags});
        call(&world, "TagResource", input).await.expect("tagged");
        let found =
            call(&world, "ListTagsForResource", json!({"ResourceArn": arn})).await.expect("tags");
        assert_eq!(found["Tags"], tags);
    }
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn other_accounts_need_the_instances_policy() {
    let world = world().await;
    let ask = |operation: &'static str| {
        let (world, root) = (&world, Principal::root(OTHER));
        let input = json!({"AccountId": ACCOUNT});
        async move { world.call_as(root, &format!("s3control:{operation}"), input).await }
    };
    assert!(refused(ask("ListCallerAccessGrants").await).starts_with("AccessDenied: "));
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": OTHER},
        "Action": ["s3:ListAccessGrants", "s3:ListCallerAccessGrants"], "Resource": INSTANCE,
    }]});
    let elsewhere = policy.to_string().replace("access-grants/default", "access-grants/other");
    let outcome =
        call(&world, "PutAccessGrantsInstanceResourcePolicy", json!({"Policy": elsewhere})).await;
    assert!(refused(outcome).starts_with("InvalidResourcePolicy: "));
    let input = json!({"Policy": policy.to_string()});
    call(&world, "PutAccessGrantsInstanceResourcePolicy", input).await.expect("set");
    let found = ask("ListCallerAccessGrants").await.expect("a list");
    assert_eq!(found["CallerAccessGrantsList"], json!([]));
    assert!(refused(ask("ListAccessGrantsLocations").await).starts_with("AccessDenied: "));
    assert!(refused(ask("GetAccessGrantsInstance").await).starts_with("AccessDenied: "));
    call(&world, "DeleteAccessGrantsInstanceResourcePolicy", json!({})).await.expect("removed");
    assert!(refused(ask("ListCallerAccessGrants").await).starts_with("AccessDenied: "));
}

#[tokio::test]
async fn credentials_come_for_what_is_granted() {
    let world = world().await;
    let id = locate(&world, "s3://").await;
    grant(&world, &id, "data/team/*", "READ").await.expect("a grant");
    grant(&world, &id, "data/team/own/*", "READWRITE").await.expect("a grant");
    let statement = json!({"Effect": "Allow", "Action": "s3:GetDataAccess", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let input = json!({"UserName": "ann", "PolicyName": "own", "PolicyDocument": policy});
    world.call("iam:PutUserPolicy", input).await.expect("a policy");
    let found = world.call("iam:GetUser", json!({"UserName": "ann"})).await.expect("a user");
    let text = |name: &str| found["User"][name].as_str().expect("text").to_owned();
    let ann = Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ann".to_owned() },
        account: ACCOUNT.to_owned(),
        arn: text("Arn"),
        id: text("UserId"),
        access_key_id: None,
        session: None,
    };
    let ask = |target: &str, permission: &str, more: Value| {
        let mut input = json!({"AccountId": ACCOUNT, "Target": target, "Permission": permission});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        let (world, ann) = (&world, ann.clone());
        async move { world.call_as(ann, "s3control:GetDataAccess", input).await }
    };
    let given = ask("s3://data/team/a/*", "READ", json!({})).await.expect("credentials");
    assert_eq!(given["MatchedGrantTarget"], "s3://data/team/*");
    assert_eq!(given["Grantee"]["GranteeIdentifier"], USER);
    assert!(given["Credentials"]["SessionToken"].is_string());
    let minimal = json!({"Privilege": "Minimal"});
    let given = ask("s3://data/team/a/*", "READ", minimal).await.expect("credentials");
    assert_eq!(given["MatchedGrantTarget"], "s3://data/team/a/*");
    let given = ask("s3://data/team/own/x", "WRITE", json!({})).await.expect("credentials");
    assert_eq!(given["MatchedGrantTarget"], "s3://data/team/own/*");
    for (target, permission) in
        [("s3://data/team/*", "WRITE"), ("s3://data/*", "READ"), ("s3://other/team/*", "READ")]
    {
        let outcome = refused(ask(target, permission, json!({})).await);
        let expected = format!(
            "AccessDenied: You do not have {permission} permissions to the requested S3 Prefix: {target}"
        );
        assert_eq!(outcome, expected);
    }
    let long = ask("s3://data/team/*", "READ", json!({"DurationSeconds": 43_200})).await;
    assert!(refused(long).starts_with("StsValidationError: "));
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let input = json!({"RoleName": "keeper", "PolicyDocument": trust.to_string()});
    world.call("iam:UpdateAssumeRolePolicy", input).await.expect("another trust");
    let outcome = refused(ask("s3://data/team/*", "READ", json!({})).await);
    assert!(outcome.starts_with("StsNotAuthorizedError: "), "{outcome}");
}
