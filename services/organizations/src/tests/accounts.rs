//! Accounts: created with a role, invited, delegated.

use fogbank_core::PrincipalKind;
use fogbank_testkit::{ACCOUNT, json};

use super::{account, bad, good, organization, root_of, world};

#[tokio::test]
async fn a_created_account_is_one_that_the_management_account_may_enter() {
    let world = world();
    let root = organization(&world).await;
    let number = account(&world, "one").await;
    assert_eq!(number.len(), 12);
    let shown = good(&world, "DescribeAccount", json!({ "AccountId": number })).await;
    assert_eq!(shown["Account"]["Name"], "one");
    assert_eq!(shown["Account"]["JoinedMethod"], "CREATED");
    let paths = shown["Account"]["Paths"][0].as_str().expect("a path");
    assert!(paths.ends_with(&format!("/{root}/{number}/")), "{paths}");
    let role = format!("arn:aws:iam::{number}:role/OrganizationAccountAccessRole");
    let input = json!({ "RoleArn": role, "RoleSessionName": "admin" });
    let assumed = world.call("sts:AssumeRole", input.clone()).await.expect("a session");
    let arn = assumed["AssumedRoleUser"]["Arn"].as_str().expect("an ARN");
    assert!(arn.starts_with(&format!("arn:aws:sts::{number}:assumed-role/")), "{arn}");
    let stranger = world.call_as(root_of("222222222222"), "sts:AssumeRole", input).await;
    assert_eq!(stranger.expect_err("a refusal").name(), "AccessDenied");
    let all = good(&world, "ListAccounts", json!({})).await;
    assert_eq!(all["Accounts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_address_is_of_one_account() {
    let world = world();
    organization(&world).await;
    account(&world, "one").await;
    let input = json!({ "AccountName": "two", "Email": "ONE@example.org" });
    let made = good(&world, "CreateAccount", input).await;
    let id = made["CreateAccountStatus"]["Id"].clone();
    let _background = world.background();
    let status = loop {
        let input = json!({ "CreateAccountRequestId": id });
        let status = good(&world, "DescribeCreateAccountStatus", input).await;
        if status["CreateAccountStatus"]["State"] != "IN_PROGRESS" {
            break status["CreateAccountStatus"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(status["State"], "FAILED");
    assert_eq!(status["FailureReason"], "EMAIL_ALREADY_EXISTS");
    let failed = json!({ "States": ["FAILED"] });
    let failed = good(&world, "ListCreateAccountStatus", failed).await;
    assert_eq!(failed["CreateAccountStatuses"][0]["Id"], id);
}

#[tokio::test]
async fn an_account_is_invited() {
    let world = world();
    organization(&world).await;
    let guest = root_of("333333333333");
    let input = json!({ "Target": { "Id": "333333333333", "Type": "ACCOUNT" }, "Notes": "come" });
    let invited = good(&world, "InviteAccountToOrganization", input.clone()).await;
    let id = invited["Handshake"]["Id"].clone();
    assert_eq!(invited["Handshake"]["State"], "OPEN");
    let again = bad(&world, "InviteAccountToOrganization", input.clone()).await;
    assert!(again.starts_with("DuplicateHandshakeException: "), "{again}");
    let handshake = json!({ "HandshakeId": id });
    let own = bad(&world, "AcceptHandshake", handshake.clone()).await;
    assert!(own.starts_with("HandshakeNotFoundException: "), "{own}");
    let seen =
        world.call_as(guest.clone(), "organizations:ListHandshakesForAccount", json!({})).await;
    assert_eq!(seen.expect("an answer")["Handshakes"][0]["Id"], id);
    let accepted = world
        .call_as(guest.clone(), "organizations:AcceptHandshake", handshake.clone())
        .await
        .expect("an answer");
    assert_eq!(accepted["Handshake"]["State"], "ACCEPTED");
    let canceled = bad(&world, "CancelHandshake", handshake).await;
    assert!(canceled.starts_with("InvalidHandshakeTransitionException: "), "{canceled}");
    let listed = good(&world, "ListHandshakesForOrganization", json!({})).await;
    assert_eq!(listed["Handshakes"][0]["State"], "ACCEPTED");
    let shown = good(&world, "DescribeAccount", json!({ "AccountId": "333333333333" })).await;
    assert_eq!(shown["Account"]["JoinedMethod"], "INVITED");
    world.call_as(guest.clone(), "organizations:LeaveOrganization", json!({})).await.expect("left");
    let gone = world.call_as(guest, "organizations:DescribeOrganization", json!({})).await;
    assert_eq!(gone.expect_err("a refusal").name(), "AWSOrganizationsNotInUseException");
    let invited = good(&world, "InviteAccountToOrganization", input).await;
    let handshake = json!({ "HandshakeId": invited["Handshake"]["Id"] });
    world.clock().advance(15 * 86_400_000);
    let late = world
        .call_as(root_of("333333333333"), "organizations:AcceptHandshake", handshake)
        .await
        .expect_err("a refusal");
    assert_eq!(late.name(), "InvalidHandshakeTransitionException");
}

#[tokio::test]
async fn a_delegated_administrator_may_look() {
    let world = world();
    organization(&world).await;
    let number = account(&world, "security").await;
    let service = "guardduty.amazonaws.com";
    good(&world, "EnableAWSServiceAccess", json!({ "ServicePrincipal": service })).await;
    let listed = good(&world, "ListAWSServiceAccessForOrganization", json!({})).await;
    assert_eq!(listed["EnabledServicePrincipals"][0]["ServicePrincipal"], service);
    let input = json!({ "AccountId": number, "ServicePrincipal": service });
    good(&world, "RegisterDelegatedAdministrator", input.clone()).await;
    let again = bad(&world, "RegisterDelegatedAdministrator", input.clone()).await;
    assert!(again.starts_with("AccountAlreadyRegisteredException: "), "{again}");
    let own = json!({ "AccountId": ACCOUNT, "ServicePrincipal": service });
    let own = bad(&world, "RegisterDelegatedAdministrator", own).await;
    assert!(own.starts_with("ConstraintViolationException: "), "{own}");
    let member = root_of(&number);
    assert_eq!(member.kind, PrincipalKind::Root);
    let all = world.call_as(member.clone(), "organizations:ListAccounts", json!({})).await;
    assert_eq!(all.expect("an answer")["Accounts"].as_array().map(Vec::len), Some(2));
    let change = json!({ "ServicePrincipal": service });
    let change = world.call_as(member, "organizations:DisableAWSServiceAccess", change).await;
    assert_eq!(change.expect_err("a refusal").name(), "AccessDeniedException");
    good(&world, "DeregisterDelegatedAdministrator", input).await;
    let listed = good(&world, "ListDelegatedAdministrators", json!({})).await;
    assert_eq!(listed["DelegatedAdministrators"], json!([]));
}
