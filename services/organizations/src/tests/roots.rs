//! Closed accounts, and what the management account may do as the roots of its members.

use fogbank_core::Principal;
use fogbank_identity::rows::SESSIONS;
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{account, bad, good, organization, root_of, world};

/// Whose credentials these are.
fn session(world: &World, credentials: &Value) -> Principal {
    let id = credentials["AccessKeyId"].as_str().expect("a key");
    let row = world.cloud().db().read(|rows| SESSIONS.get(rows, id));
    row.expect("read").expect("a session").principal
}

/// An administrator of the management account, for its root may not assume roots.
async fn administrator(world: &World) -> Principal {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "AWS": ACCOUNT }, "Action": "sts:AssumeRole" }],
    });
    let call = async |action: &str, input: Value| {
        world.call(action, input).await.unwrap_or_else(|fault| panic!("{action}: {fault}"))
    };
    let role = json!({ "RoleName": "admin", "AssumeRolePolicyDocument": trust.to_string() });
    call("iam:CreateRole", role).await;
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    call("iam:AttachRolePolicy", json!({ "RoleName": "admin", "PolicyArn": arn })).await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/admin");
    let input = json!({ "RoleArn": arn, "RoleSessionName": "s1" });
    session(world, &call("sts:AssumeRole", input).await["Credentials"])
}

#[tokio::test]
async fn nobody_acts_in_a_closed_account() {
    let world = world();
    organization(&world).await;
    let number = account(&world, "one").await;
    let queue = json!({ "QueueName": "q" });
    let member = root_of(&number);
    world.call_as(member.clone(), "sqs:CreateQueue", queue.clone()).await.expect("a queue");
    let url = format!("http://127.0.0.1:4566/{number}/q");
    let open = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" }],
    });
    let open = json!({ "QueueUrl": url, "Attributes": { "Policy": open.to_string() } });
    world.call_as(member.clone(), "sqs:SetQueueAttributes", open).await.expect("a policy");
    let send = json!({ "QueueUrl": url, "MessageBody": "m" });
    world.call("sqs:SendMessage", send.clone()).await.expect("across accounts");
    let role = format!("arn:aws:iam::{number}:role/OrganizationAccountAccessRole");
    let assume = json!({ "RoleArn": role, "RoleSessionName": "admin" });
    world.call("sts:AssumeRole", assume.clone()).await.expect("a session");

    good(&world, "CloseAccount", json!({ "AccountId": number })).await;
    let shown = good(&world, "DescribeAccount", json!({ "AccountId": number })).await;
    assert_eq!(shown["Account"]["Status"], "SUSPENDED");
    let refused = world.call_as(member, "sqs:CreateQueue", queue).await;
    assert_eq!(refused.expect_err("it is closed").name(), "AccessDenied");
    let refused = world.call("sqs:SendMessage", send).await;
    assert_eq!(refused.expect_err("it is closed").name(), "AccessDenied");
    let refused = world.call("sts:AssumeRole", assume).await;
    assert_eq!(refused.expect_err("it is closed").name(), "AccessDenied");
    let again = bad(&world, "CloseAccount", json!({ "AccountId": number })).await;
    assert!(again.starts_with("AccountAlreadyClosedException: "), "{again}");
}

#[tokio::test]
async fn the_management_account_does_tasks_as_roots_of_members() {
    let world = world();
    organization(&world).await;
    let number = account(&world, "one").await;
    let admin = administrator(&world).await;
    let call = async |action: &str, input: Value| {
        world.call_as(admin.clone(), action, input).await.map_err(|fault| fault.to_string())
    };
    let task = |name: &str| {
        let arn = format!("arn:aws:iam::aws:policy/root-task/{name}");
        json!({ "TargetPrincipal": number, "TaskPolicyArn": { "arn": arn } })
    };
    let enable = "iam:EnableOrganizationsRootSessions";
    let refused = call(enable, json!({})).await.expect_err("no trusted access");
    assert!(refused.starts_with("ServiceAccessNotEnabledException: "), "{refused}");
    let trusted = json!({ "ServicePrincipal": "iam.amazonaws.com" });
    good(&world, "EnableAWSServiceAccess", trusted).await;
    let audit = task("IAMAuditRootUserCredentials");
    call("sts:AssumeRoot", audit.clone()).await.expect_err("not enabled");
    let features = call(enable, json!({})).await.expect("enabled");
    assert_eq!(features["EnabledFeatures"], json!(["RootSessions"]));
    let enable = "iam:EnableOrganizationsRootCredentialsManagement";
    call(enable, json!({})).await.expect("enabled");
    let features = call("iam:ListOrganizationsFeatures", json!({})).await.expect("a list");
    assert_eq!(features["EnabledFeatures"], json!(["RootCredentialsManagement", "RootSessions"]));

    let made = call("sts:AssumeRoot", audit.clone()).await.expect("a session");
    let root = session(&world, &made["Credentials"]);
    let id = made["Credentials"]["AccessKeyId"].as_str().expect("a key");
    let row = world.cloud().db().read(|rows| SESSIONS.get(rows, id)).expect("read");
    let is_root = ("aws:AssumedRoot".to_owned(), vec!["true".to_owned()]);
    assert_eq!(row.expect("a session").keys, [is_root]);
    assert_eq!((&*root.account, &*root.arn), (&*number, &*format!("arn:aws:iam::{number}:root")));
    let listed = world.call_as(root.clone(), "iam:ListAccessKeys", json!({})).await;
    assert!(listed.is_ok(), "{listed:?}");
    let refused = world.call_as(root, "iam:CreateUser", json!({ "UserName": "x" })).await;
    assert_eq!(refused.expect_err("not its task").name(), "AccessDenied");

    let own_root = world.call("sts:AssumeRoot", audit.clone()).await;
    assert_eq!(own_root.expect_err("a root").name(), "AccessDenied");
    let member = root_of(&number);
    let stranger = world.call_as(member, "iam:ListOrganizationsFeatures", json!({})).await;
    assert_eq!(
        stranger.expect_err("a member").name(),
        "AccountNotManagementOrDelegatedAdministratorException"
    );
    let whole = json!({
        "TargetPrincipal": number,
        "TaskPolicyArn": { "arn": "arn:aws:iam::aws:policy/AdministratorAccess" },
    });
    let refused = call("sts:AssumeRoot", whole).await.expect_err("no task");
    assert!(refused.starts_with("Validation"), "{refused}");
    call("iam:DisableOrganizationsRootSessions", json!({})).await.expect("disabled");
    call("sts:AssumeRoot", audit).await.expect_err("no longer");
}

#[tokio::test]
async fn reports_tell_what_control_policies_leave() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    let organization = good(&world, "DescribeOrganization", json!({})).await;
    let id = organization["Organization"]["Id"].as_str().expect("an id").to_owned();
    good(
        &world,
        "EnablePolicyType",
        json!({ "RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY" }),
    )
    .await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}"#;
    let policy = json!({
        "Name": "no-queues", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": document,
    });
    let policy =
        good(&world, "CreatePolicy", policy).await["Policy"]["PolicySummary"]["Id"].clone();
    good(&world, "AttachPolicy", json!({ "PolicyId": policy, "TargetId": number })).await;
    let report = async |path: String| {
        let input = json!({ "EntityPath": path });
        let job = world.call("iam:GenerateOrganizationsAccessReport", input).await.expect("a job");
        let input = json!({ "JobId": job["JobId"] });
        world.call("iam:GetOrganizationsAccessReport", input).await.expect("a report")
    };
    let names = |report: &Value| -> Vec<String> {
        let details = report["AccessDetails"].as_array().cloned().unwrap_or_default();
        let name = |detail: &Value| detail["ServiceNamespace"].as_str().map(str::to_owned);
        details.iter().filter_map(name).collect()
    };
    let whole = report(format!("{id}/{root}")).await;
    assert_eq!(whole["JobStatus"], "COMPLETED");
    assert!(names(&whole).contains(&"sqs".to_owned()), "{whole}");
    let member = report(format!("{id}/{root}/{number}")).await;
    assert!(!names(&member).contains(&"sqs".to_owned()), "{member}");
    assert_eq!(
        member["NumberOfServicesAccessible"].as_u64().map(|count| count + 1),
        whole["NumberOfServicesAccessible"].as_u64()
    );
    let nowhere = report(format!("{id}/{root}/ou-ab12-11111111")).await;
    assert_eq!(nowhere["JobStatus"], "FAILED");
    assert!(nowhere["ErrorDetails"]["Code"].is_string(), "{nowhere}");
}
