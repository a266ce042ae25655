//! Delegated access: asked for by one account, granted by an identity of another, and ended by time.

use fogbank_core::Principal;
use fogbank_identity::rows::DelegationRequest;
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{document, session, user, world};

const PARTNER: &str = "111122223333";

/// Asks for access to one bucket as the partner, and returns the request's id.
async fn request(world: &World) -> Value {
    let partner = Principal::root(PARTNER);
    let statement = json!({
        "Effect": "Allow", "Action": ["iam:GetUser", "iam:TagUser"], "Resource": "arn:aws:iam::*:user/@{username}",
    });
    let template = json!({"PolicyName": "template", "PolicyDocument": document(&statement)});
    let made = world.call_as(partner.clone(), "iam:CreatePolicy", template).await;
    let arn = made.expect("a policy")["Policy"]["Arn"].clone();
    let input = json!({
        "OwnerAccountId": ACCOUNT, "Description": "set things up", "RequestorWorkflowId": "workflow-1",
        "NotificationChannel": format!("arn:aws:sns:us-east-1:{PARTNER}:heard"),
        "SessionDuration": 3600,
        "Permissions": {"PolicyTemplateArn": arn, "Parameters": [
            {"Name": "username", "Values": ["ann"], "Type": "string"},
        ]},
    });
    let made = world.call_as(partner.clone(), "iam:CreateDelegationRequest", input.clone()).await;
    let again = world.call_as(partner, "iam:CreateDelegationRequest", input).await;
    assert_eq!(again.expect_err("the same workflow").name(), "EntityAlreadyExistsException");
    made.expect("a request")["DelegationRequestId"].clone()
}

async fn state(world: &World, id: &Value) -> String {
    let input = json!({"DelegationRequestId": id});
    let shown = world.call("iam:GetDelegationRequest", input).await.expect("a request");
    shown["DelegationRequest"]["State"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn an_account_grants_what_another_asks_for() {
    let world = world();
    let id = request(&world).await;
    let one = json!({"DelegationRequestId": id});
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let ann = user(&world, "ann", everything).await;
    let bob = user(&world, "bob", Value::Null).await;
    let as_ann = async |operation: &str, input: Value| {
        world.call_as(ann.clone(), &format!("iam:{operation}"), input).await
    };
    assert_eq!(state(&world, &id).await, "UNASSIGNED");
    let stranger =
        world.call_as(Principal::root("999999999999"), "iam:GetDelegationRequest", one.clone());
    assert_eq!(stranger.await.expect_err("not its account").name(), "NoSuchEntityException");
    let refused = world.call_as(bob, "iam:AssociateDelegationRequest", one.clone()).await;
    assert_eq!(refused.expect_err("no permission").name(), "AccessDenied");
    let early = as_ann("AcceptDelegationRequest", one.clone()).await;
    assert_eq!(early.expect_err("nobody has it").name(), "InvalidInputException");
    as_ann("AssociateDelegationRequest", one.clone()).await.expect("taken on");
    let notes = json!({"DelegationRequestId": id, "Notes": "please look"});
    as_ann("UpdateDelegationRequest", notes).await.expect("handed on");
    assert_eq!(state(&world, &id).await, "PENDING_APPROVAL");
    let listed = as_ann("ListDelegationRequests", json!({"OwnerId": ann.arn})).await;
    let listed = listed.expect("a list");
    assert_eq!(listed["DelegationRequests"][0]["Notes"], "please look");
    let policy = listed["DelegationRequests"][0]["PermissionPolicy"].as_str().expect("text");
    assert!(policy.contains("arn:aws:iam::*:user/ann"), "{policy}");
    as_ann("AcceptDelegationRequest", one.clone()).await.expect("accepted");

    let key = id.as_str().expect("text");
    let token = DelegationRequest::token(world.cloud(), key);
    let trade = json!({"TradeInToken": token});
    let partner = || Principal::root(PARTNER);
    let early = world.call_as(partner(), "sts:GetDelegatedAccessToken", trade.clone()).await;
    assert_eq!(early.expect_err("not released").name(), "AccessDenied");
    as_ann("SendDelegationToken", one.clone()).await.expect("released");
    assert_eq!(state(&world, &id).await, "FINALIZED");
    let own = world.call("sts:GetDelegatedAccessToken", trade.clone()).await;
    assert_eq!(own.expect_err("it did not ask").name(), "AccessDenied");
    let made = world.call_as(partner(), "sts:GetDelegatedAccessToken", trade.clone()).await;
    let made = made.expect("credentials");
    assert_eq!(made["AssumedPrincipal"], ann.arn);
    let acting = session(&world, &made);
    let name = |name: &str| json!({"UserName": name});
    let own = world.call_as(acting.clone(), "iam:GetUser", name("ann")).await;
    assert_eq!(own.expect("it is granted")["User"]["UserName"], "ann");
    let other = world.call_as(acting.clone(), "iam:GetUser", name("bob")).await;
    assert_eq!(other.expect_err("another user").name(), "AccessDenied");
    let other = world.call_as(acting, "iam:CreateUser", name("eve")).await;
    assert_eq!(other.expect_err("another action").name(), "AccessDenied");
    let rejected = as_ann("RejectDelegationRequest", one).await;
    assert_eq!(rejected.expect_err("too late").name(), "InvalidInputException");

    world.clock().advance(3_600_000);
    let late = world.call_as(partner(), "sts:GetDelegatedAccessToken", trade).await;
    assert_eq!(late.expect_err("over").name(), "ExpiredTradeInTokenException");
    let nonsense = json!({"TradeInToken": "AAAA"});
    let refused = world.call_as(partner(), "sts:GetDelegatedAccessToken", nonsense).await;
    assert_eq!(refused.expect_err("no token").name(), "AccessDenied");
}

#[tokio::test]
async fn requests_end_and_are_rejected() {
    let world = world();
    let id = request(&world).await;
    let one = json!({"DelegationRequestId": id});
    world.call("iam:AssociateDelegationRequest", one.clone()).await.expect("taken on");
    let why = json!({"DelegationRequestId": id, "Notes": "too much"});
    world.call("iam:RejectDelegationRequest", why).await.expect("rejected");
    let shown = world.call("iam:GetDelegationRequest", one.clone()).await.expect("a request");
    assert_eq!(shown["DelegationRequest"]["RejectionReason"], "too much");
    let again = world.call("iam:AcceptDelegationRequest", one.clone()).await;
    assert_eq!(again.expect_err("rejected").name(), "InvalidInputException");
    world.clock().advance(7 * 86_400_000);
    assert_eq!(state(&world, &id).await, "EXPIRED");
    let arn = format!("arn:aws:iam::{ACCOUNT}:delegation-request/{}", id.as_str().expect("text"));
    let summary = world.call("iam:GetHumanReadableSummary", json!({"EntityArn": arn})).await;
    assert_eq!(summary.expect("an answer")["SummaryState"], "NOT_AVAILABLE");
}
