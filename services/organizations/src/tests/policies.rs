//! Policies: their documents, what they are attached to, and that they decide.

use fogbank_core::{Principal, PrincipalKind};
use fogbank_testkit::{Value, World, json};

use super::{account, bad, good, organization, root_of, world};

fn document(effect: &str, action: &str) -> String {
    let statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

async fn policy(world: &World, name: &str, kind: &str, content: String) -> Value {
    let input = json!({ "Name": name, "Description": "", "Type": kind, "Content": content });
    good(world, "CreatePolicy", input).await["Policy"]["PolicySummary"]["Id"].clone()
}

const SCP: &str = "SERVICE_CONTROL_POLICY";

#[tokio::test]
async fn a_service_control_policy_limits_members_and_not_the_management_account() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    let deny = policy(&world, "no queues", SCP, document("Deny", "sqs:CreateQueue")).await;
    let attach = json!({ "PolicyId": deny, "TargetId": number });
    let early = bad(&world, "AttachPolicy", attach.clone()).await;
    assert!(early.starts_with("PolicyTypeNotEnabledException: "), "{early}");
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": SCP })).await;
    let create = |name: &str| json!({ "QueueName": name });
    let member = root_of(&number);
    let call = |name: &str| world.call_as(member.clone(), "sqs:CreateQueue", create(name));
    call("before").await.expect("everything is allowed");
    good(&world, "AttachPolicy", attach.clone()).await;
    let again = bad(&world, "AttachPolicy", attach.clone()).await;
    assert!(again.starts_with("DuplicatePolicyAttachmentException: "), "{again}");
    let described = good(&world, "DescribePolicy", json!({ "PolicyId": deny })).await;
    let arn = described["Policy"]["PolicySummary"]["Arn"].as_str().expect("an ARN");
    let refusal = call("after").await.expect_err("a refusal").to_string();
    assert_eq!(
        refusal,
        format!(
            "AccessDenied: User: arn:aws:iam::{number}:root is not authorized to perform: sqs:createqueue on \
             resource: arn:aws:sqs:us-east-1:{number}:after with an explicit deny in a service control policy: {arn}"
        )
    );
    world.call("sqs:CreateQueue", create("own")).await.expect("no policy limits the management");
    let in_use = bad(&world, "DeletePolicy", json!({ "PolicyId": deny })).await;
    assert!(in_use.starts_with("PolicyInUseException: "), "{in_use}");
    let update = json!({ "PolicyId": deny, "Content": document("Deny", "sns:*") });
    good(&world, "UpdatePolicy", update).await;
    call("after").await.expect("the policy denies something else now");
    good(&world, "DetachPolicy", attach).await;
    // What is not allowed on each level is refused.
    let only = policy(&world, "only sns", SCP, document("Allow", "sns:*")).await;
    let target = json!({ "PolicyId": only, "TargetId": number });
    good(&world, "AttachPolicy", target).await;
    call("still").await.expect("the account has AWS's own policy, too");
    let full = json!({ "PolicyId": "p-FullAWSAccess", "TargetId": number });
    good(&world, "DetachPolicy", full).await;
    let refusal = call("never").await.expect_err("a refusal").to_string();
    assert!(
        refusal.ends_with("because no service control policy allows the sqs:createqueue action"),
        "{refusal}"
    );
    let last = bad(&world, "DetachPolicy", json!({ "PolicyId": only, "TargetId": number })).await;
    assert!(last.starts_with("ConstraintViolationException: "), "{last}");
    let listed = json!({ "TargetId": number, "Filter": SCP });
    let listed = good(&world, "ListPoliciesForTarget", listed).await;
    assert_eq!(listed["Policies"].as_array().map(Vec::len), Some(1));
    let targets = good(&world, "ListTargetsForPolicy", json!({ "PolicyId": only })).await;
    assert_eq!(targets["Targets"][0]["TargetId"], number);
    good(&world, "DisablePolicyType", json!({ "RootId": root, "PolicyType": SCP })).await;
    call("free").await.expect("no policy counts");
}

#[tokio::test]
async fn a_unit_passes_its_policies_on() {
    let world = world();
    let root = organization(&world).await;
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": SCP })).await;
    let input = json!({ "ParentId": root, "Name": "locked" });
    let unit = good(&world, "CreateOrganizationalUnit", input).await;
    let unit = unit["OrganizationalUnit"]["Id"].clone();
    let number = account(&world, "one").await;
    let deny = policy(&world, "no queues", SCP, document("Deny", "sqs:*")).await;
    good(&world, "AttachPolicy", json!({ "PolicyId": deny, "TargetId": unit })).await;
    let call = || world.call_as(root_of(&number), "sqs:ListQueues", json!({}));
    call().await.expect("the account is elsewhere");
    let there = json!({ "AccountId": number, "SourceParentId": root, "DestinationParentId": unit });
    good(&world, "MoveAccount", there).await;
    assert_eq!(call().await.expect_err("a refusal").name(), "AccessDenied");
    let back = json!({ "AccountId": number, "SourceParentId": unit, "DestinationParentId": root });
    good(&world, "MoveAccount", back).await;
    call().await.expect("the account is elsewhere again");
}

#[tokio::test]
async fn a_resource_control_policy_limits_what_is_done_to_a_members_resources() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    let kind = "RESOURCE_CONTROL_POLICY";
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": kind })).await;
    let member = root_of(&number);
    let create = json!({ "QueueName": "q" });
    let made = world.call_as(member.clone(), "sqs:CreateQueue", create).await.expect("a queue");
    let send = json!({ "QueueUrl": made["QueueUrl"], "MessageBody": "x" });
    let call = || world.call_as(member.clone(), "sqs:SendMessage", send.clone());
    call().await.expect("AWS's own policy allows everything");
    let statement = json!({
        "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*",
    });
    let content = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let deny = policy(&world, "no messages", kind, content).await;
    good(&world, "AttachPolicy", json!({ "PolicyId": deny, "TargetId": root })).await;
    let refusal = call().await.expect_err("a refusal").to_string();
    let (_, arn) = refusal
        .split_once(" with an explicit deny in a resource control policy: ")
        .expect("the kind of policy");
    let id = deny.as_str().expect("an id");
    assert!(arn.ends_with(&format!("/resource_control_policy/{id}")), "{refusal}");
}

#[tokio::test]
async fn a_resource_control_policy_spares_the_keys_that_aws_manages() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    let kind = "RESOURCE_CONTROL_POLICY";
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": kind })).await;
    let member = root_of(&number);
    let own = world.call_as(member.clone(), "kms:CreateKey", json!({})).await.expect("a key");
    let statement =
        json!({ "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*" });
    let content = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let deny = policy(&world, "no keys", kind, content).await;
    good(&world, "AttachPolicy", json!({ "PolicyId": deny, "TargetId": root })).await;
    let describe = async |id: &Value| {
        world.call_as(member.clone(), "kms:DescribeKey", json!({ "KeyId": id })).await
    };
    let refusal = describe(&own["KeyMetadata"]["Arn"]).await.expect_err("a refusal").to_string();
    assert!(refusal.contains("with an explicit deny in a resource control policy"), "{refusal}");
    // The first look makes the key; the second one finds it, under its own ARN too.
    describe(&json!("alias/aws/sqs")).await.expect("a key that is not there yet");
    let found = describe(&json!("alias/aws/sqs")).await.expect("a key of AWS");
    assert_eq!(found["KeyMetadata"]["KeyManager"], "AWS");
    describe(&found["KeyMetadata"]["Arn"]).await.expect("the same by its ARN");
}

#[tokio::test]
async fn documents_are_checked() {
    let world = world();
    organization(&world).await;
    for (kind, content) in [
        (SCP, "{}".to_owned()),
        (SCP, "nonsense".to_owned()),
        ("RESOURCE_CONTROL_POLICY", document("Deny", "s3:*")),
        ("TAG_POLICY", "[]".to_owned()),
    ] {
        let input = json!({ "Name": "x", "Description": "", "Type": kind, "Content": content });
        let refusal = bad(&world, "CreatePolicy", input).await;
        assert!(refusal.starts_with("MalformedPolicyDocumentException: "), "{kind}: {refusal}");
    }
    let long = document("Deny", &format!("sqs:{}", "a".repeat(5120)));
    let input = json!({ "Name": "x", "Description": "", "Type": SCP, "Content": long });
    let refusal = bad(&world, "CreatePolicy", input).await;
    assert!(refusal.starts_with("ConstraintViolationException: "), "{refusal}");
    policy(&world, "tags", "TAG_POLICY", json!({ "tags": {} }).to_string()).await;
    policy(&world, "x", SCP, document("Deny", "sqs:*")).await;
    let input = json!({
        "Name": "x", "Description": "", "Type": SCP, "Content": document("Deny", "sns:*"),
    });
    let refusal = bad(&world, "CreatePolicy", input).await;
    assert!(refusal.starts_with("DuplicatePolicyException: "), "{refusal}");
    let listed = good(&world, "ListPolicies", json!({ "Filter": SCP, "MaxResults": 1 })).await;
    assert_eq!(listed["Policies"].as_array().map(Vec::len), Some(1));
    assert!(listed["NextToken"].is_string());
    let managed = json!({ "PolicyId": "p-FullAWSAccess", "Name": "mine" });
    let refusal = bad(&world, "UpdatePolicy", managed).await;
    assert!(refusal.starts_with("InvalidInputException: "), "{refusal}");
}

#[tokio::test]
async fn tag_policies_of_all_levels_become_one() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    let kind = "TAG_POLICY";
    let own = json!({ "PolicyType": kind });
    let none = bad(&world, "DescribeEffectivePolicy", own.clone()).await;
    assert!(none.starts_with("EffectivePolicyNotFoundException: "), "{none}");
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": kind })).await;
    let values = |operators: Value| json!({ "tags": { "stage": { "tag_value": operators } } });
    let above = values(json!({ "@@assign": ["test"] })).to_string();
    let above = policy(&world, "above", kind, above).await;
    good(&world, "AttachPolicy", json!({ "PolicyId": above, "TargetId": root })).await;
    let below = values(json!({ "@@append": ["live"] })).to_string();
    let below = policy(&world, "below", kind, below).await;
    good(&world, "AttachPolicy", json!({ "PolicyId": below, "TargetId": number })).await;
    let shown = world
        .call_as(root_of(&number), "organizations:DescribeEffectivePolicy", own.clone())
        .await
        .expect("a policy");
    let content = shown["EffectivePolicy"]["PolicyContent"].as_str().expect("text");
    assert_eq!(content, r#"{"tags":{"stage":{"tag_value":["test","live"]}}}"#);
    let others = json!({ "PolicyType": kind, "TargetId": root });
    let whole = good(&world, "DescribeEffectivePolicy", others.clone()).await;
    let content = whole["EffectivePolicy"]["PolicyContent"].as_str().expect("text");
    assert_eq!(content, r#"{"tags":{"stage":{"tag_value":["test"]}}}"#);
    let stranger =
        world.call_as(root_of(&number), "organizations:DescribeEffectivePolicy", others).await;
    assert_eq!(stranger.expect_err("not its own").name(), "AccessDeniedException");
    let invalid = good(&world, "ListAccountsWithInvalidEffectivePolicy", own).await;
    assert_eq!(invalid["Accounts"], json!([]));
    let errors = json!({ "AccountId": number, "PolicyType": kind });
    let errors = good(&world, "ListEffectivePolicyValidationErrors", errors).await;
    assert_eq!(errors["EffectivePolicyValidationErrors"], json!([]));
    let already = bad(&world, "EnableAllFeatures", json!({})).await;
    assert!(already.starts_with("HandshakeConstraintViolationException: "), "{already}");
}

/// Lets `account` do `actions` on `resource`.
async fn delegate(world: &World, account: &str, actions: Value, resource: &str) -> Value {
    let statement = json!({
        "Effect": "Allow", "Principal": { "AWS": account }, "Action": actions, "Resource": resource,
    });
    let content = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    good(world, "PutResourcePolicy", json!({ "Content": content })).await
}

#[tokio::test]
async fn the_organization_leaves_its_policies_to_a_member() {
    let world = world();
    let root = organization(&world).await;
    let (one, two) = (account(&world, "one").await, account(&world, "two").await);
    let member = root_of(&one);
    let call = async |operation: &str, input: Value| {
        let outcome =
            world.call_as(member.clone(), &format!("organizations:{operation}"), input).await;
        outcome.map_err(|fault| fault.to_string())
    };
    let refused = "AccessDeniedException: You don't have permissions to access this resource.";
    assert_eq!(call("ListRoots", json!({})).await.expect_err("a refusal"), refused);
    let missing = bad(&world, "DescribeResourcePolicy", json!({})).await;
    assert!(missing.starts_with("ResourcePolicyNotFoundException: "), "{missing}");
    let actions =
        json!(["organizations:List*", "organizations:CreatePolicy", "organizations:AttachPolicy"]);
    let made = delegate(&world, &one, actions.clone(), "*").await;
    let id = made["ResourcePolicy"]["ResourcePolicySummary"]["Id"].clone();
    assert!(id.as_str().is_some_and(|id| id.starts_with("rp-")), "{made}");
    let shown = good(&world, "DescribeResourcePolicy", json!({})).await;
    assert_eq!(shown, made);

    call("ListRoots", json!({})).await.expect("all are listed");
    call("ListChildren", json!({ "ParentId": root, "ChildType": "ACCOUNT" }))
        .await
        .expect("children");
    let document = document("Deny", "sqs:*");
    let input = json!({ "Name": "d", "Description": "", "Type": SCP, "Content": document });
    let policy = call("CreatePolicy", input).await.expect("a policy");
    let policy = policy["Policy"]["PolicySummary"]["Id"].clone();
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": SCP })).await;
    let attach = json!({ "PolicyId": policy, "TargetId": two });
    call("AttachPolicy", attach.clone()).await.expect("attached");
    let refusal = call("DetachPolicy", attach.clone()).await.expect_err("not left to it");
    assert!(
        refusal.contains(
            "because no resource-based policy allows the organizations:DetachPolicy action"
        ),
        "{refusal}"
    );
    let stranger = root_of(&two);
    let refusal = world.call_as(stranger, "organizations:AttachPolicy", attach.clone()).await;
    assert!(refusal.is_err(), "another member");
    // What is no look and no policy is nobody's but the management account's.
    let input = json!({ "ParentId": root, "Name": "u" });
    assert_eq!(call("CreateOrganizationalUnit", input).await.expect_err("a refusal"), refused);
    let content = json!({ "Content": shown["ResourcePolicy"]["Content"] });
    assert_eq!(call("PutResourcePolicy", content).await.expect_err("a refusal"), refused);

    // A policy that names what it is about is for that alone.
    let target = format!("arn:aws:organizations::*:account/*/{two}");
    let again = delegate(
        &world,
        &one,
        json!(["organizations:AttachPolicy", "organizations:DescribeAccount"]),
        &target,
    )
    .await;
    assert_eq!(again["ResourcePolicy"]["ResourcePolicySummary"]["Id"], id, "it was replaced");
    call("DescribeAccount", json!({ "AccountId": two })).await.expect("it is named");
    call("DescribeAccount", json!({ "AccountId": one })).await.expect_err("it is not named");
    call("ListRoots", json!({})).await.expect_err("no longer");
    good(
        &world,
        "TagResource",
        json!({ "ResourceId": id, "Tags": [{ "Key": "k", "Value": "v" }] }),
    )
    .await;
    let tags = good(&world, "ListTagsForResource", json!({ "ResourceId": id })).await;
    assert_eq!(tags["Tags"], json!([{ "Key": "k", "Value": "v" }]));
    good(&world, "DeleteResourcePolicy", json!({})).await;
    call("DescribeAccount", json!({ "AccountId": two })).await.expect_err("all is as before");
}

#[tokio::test]
async fn the_policy_of_an_organization_is_checked() {
    let world = world();
    organization(&world).await;
    let put = async |statement: Value| {
        let content = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        bad(&world, "PutResourcePolicy", json!({ "Content": content })).await
    };
    let principal = json!({ "AWS": "111122223333" });
    for statement in [
        json!({ "Effect": "Allow", "Action": "organizations:ListRoots", "Resource": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "NotAction": "organizations:ListRoots", "Resource": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "Action": "organizations:ListRoots", "NotResource": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "Action": "organizations:CreateAccount", "Resource": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "*" }),
    ] {
        let refusal = put(statement.clone()).await;
        assert!(refusal.starts_with("InvalidInputException: "), "{statement}: {refusal}");
    }
    let refusal = bad(&world, "DeleteResourcePolicy", json!({})).await;
    assert!(refusal.starts_with("ResourcePolicyNotFoundException: "), "{refusal}");
}

#[tokio::test]
async fn tags_of_what_an_organization_has_decide() {
    let world = world();
    organization(&world).await;
    let (one, two) = (account(&world, "one").await, account(&world, "two").await);
    good(
        &world,
        "TagResource",
        json!({ "ResourceId": one, "Tags": [{ "Key": "team", "Value": "a" }] }),
    )
    .await;
    let user =
        world.call("iam:CreateUser", json!({ "UserName": "u" })).await.expect("a user")["User"]
            .clone();
    let allow = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow", "Action": "organizations:DescribeAccount", "Resource": "*",
            "Condition": { "StringEquals": { "aws:ResourceTag/team": "a" } },
        },
    });
    let put = json!({ "UserName": "u", "PolicyName": "p", "PolicyDocument": allow.to_string() });
    world.call("iam:PutUserPolicy", put).await.expect("a policy");
    let who = Principal {
        kind: PrincipalKind::User { name: "u".to_owned() },
        arn: user["Arn"].as_str().expect("an ARN").to_owned(),
        id: user["UserId"].as_str().expect("an id").to_owned(),
        ..Principal::root(fogbank_testkit::ACCOUNT)
    };
    let describe = async |id: &str| {
        let input = json!({ "AccountId": id });
        world.call_as(who.clone(), "organizations:DescribeAccount", input).await
    };
    describe(&one).await.expect("it has the tag");
    assert_eq!(describe(&two).await.expect_err("it has not").name(), "AccessDenied");
}
