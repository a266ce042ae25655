//! Policies: their documents, what they are attached to, and that they decide.

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
