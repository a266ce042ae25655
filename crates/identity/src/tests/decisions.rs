//! What callers may do: their policies, the keys of conditions, the resource's side.

use std::sync::Arc;

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Check, Principal, PrincipalKind, ResourcePolicy, Session};

use super::{ACCOUNT, House, NOW, allow, on, request, statement};
use crate::rows::{self, Entity, Grants, Group, InlinePolicy};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:000000000000:jobs";

fn may(house: &House, principal: &Principal, action: &str, resource: &str) -> bool {
    house.authorise(principal, action, &on(resource), None).is_ok()
}

fn refusal(house: &House, principal: &Principal, action: &str, resource: &str) -> String {
    match house.authorise(principal, action, &on(resource), None) {
        Ok(()) => "allowed".to_owned(),
        Err(fault) => fault.message().to_owned(),
    }
}

fn policy(owner: &str, document: Option<&str>) -> ResourcePolicy {
    let parse = |text: &str| Arc::new(Document::parse(text, Kind::Resource).expect("a policy"));
    ResourcePolicy::new(owner, document.map(parse))
}

#[test]
fn a_user_may_what_its_policies_allow() {
    for is_connected in [true, false] {
        let house = House::new(crate::Mode::Server, is_connected);
        let ann = house.user("ann", &[&allow("sqs:Send*", QUEUE, "")]).principal(ACCOUNT);
        assert!(may(&house, &ann, "sqs:SendMessage", QUEUE));
        assert_eq!(
            refusal(&house, &ann, "sqs:DeleteQueue", QUEUE),
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sqs:deletequeue on \
             resource: arn:aws:sqs:eu-west-1:000000000000:jobs because no identity-based policy allows the \
             sqs:deletequeue action"
        );
        assert_eq!(
            refusal(&house, &ann, "sns:Publish", "arn:aws:sns:eu-west-1:000000000000:news"),
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: SNS:Publish on resource: \
             arn:aws:sns:eu-west-1:000000000000:news because no identity-based policy allows the SNS:Publish action"
        );
        assert_eq!(
            refusal(&house, &ann, "s3:GetObject", "arn:aws:s3:::photos/a.jpg"),
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: s3:GetObject on resource: \
             \"arn:aws:s3:::photos/a.jpg\" because no identity-based policy allows the s3:GetObject action"
        );
        let deny = statement("Deny", "sqs:*", "*", "");
        house.user("ann", &[&allow("sqs:*", "*", ""), &deny]);
        assert_eq!(
            refusal(&house, &ann, "sqs:SendMessage", QUEUE),
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sqs:sendmessage on resource: \
             arn:aws:sqs:eu-west-1:000000000000:jobs with an explicit deny in an identity-based policy"
        );
    }
}

#[test]
fn a_change_counts_from_its_commit_on() {
    let house = House::dev();
    for round in 0..50 {
        let document =
            if round % 2 == 0 { allow("sqs:*", "*", "") } else { allow("s3:*", "*", "") };
        let ann = house.user("ann", &[&document]).principal(ACCOUNT);
        assert_eq!(may(&house, &ann, "sqs:SendMessage", QUEUE), round % 2 == 0, "round {round}");
    }
}

#[test]
fn an_old_view_does_not_spoil_what_is_remembered() {
    let house = House::dev();
    let ann = house.user("ann", &[&allow("sqs:*", "*", "")]).principal(ACCOUNT);
    let before = house.cloud.db().snapshot();
    house.user("ann", &[]);
    let request = request(ann.clone());
    let check = on(QUEUE);
    let old =
        house.directory.authorise(&before, &request.into(), "sqs:SendMessage", &check, None, None);
    assert!(old.is_ok(), "the view is older than the change");
    assert!(!may(&house, &ann, "sqs:SendMessage", QUEUE));
}

#[test]
fn groups_and_their_changes_count() {
    let house = House::dev();
    let mut ann = house.user("ann", &[]);
    let inline = InlinePolicy { name: "send".to_owned(), document: allow("sqs:*", "*", "") };
    let group = Group {
        name: "Senders".to_owned(),
        path: "/".to_owned(),
        id: "AGPAX".to_owned(),
        created_secs: NOW.secs(),
        grants: Grants { inline: vec![inline], ..Grants::default() },
    };
    ann.groups.push("senders".to_owned());
    house.write(|tx| {
        rows::GROUPS.put(tx, &(ACCOUNT, "senders"), &group)?;
        rows::USERS.put(tx, &(ACCOUNT, "ann"), &ann)?;
        rows::changed(tx)
    });
    assert!(may(&house, &ann.principal(ACCOUNT), "sqs:SendMessage", QUEUE));
    house.write(|tx| {
        rows::GROUPS.put(
            tx,
            &(ACCOUNT, "senders"),
            &Group { grants: Grants::default(), ..group.clone() },
        )?;
        rows::changed(tx)
    });
    assert!(!may(&house, &ann.principal(ACCOUNT), "sqs:SendMessage", QUEUE));
}

#[test]
fn boundaries_and_session_policies_limit() {
    let house = House::dev();
    let mut ann = house.user("ann", &[&allow("*", "*", "")]);
    ann.grants.boundary = Some("arn:aws:iam::aws:policy/AmazonSQSFullAccess".to_owned());
    house.write(|tx| {
        rows::USERS.put(tx, &(ACCOUNT, "ann"), &ann)?;
        rows::changed(tx)
    });
    let mut principal = ann.principal(ACCOUNT);
    assert!(may(&house, &principal, "sqs:SendMessage", QUEUE));
    assert!(
        refusal(&house, &principal, "sns:Publish", "arn:aws:sns:eu-west-1:000000000000:t")
            .ends_with("because no permissions boundary allows the SNS:Publish action")
    );
    let session = Session {
        policies: vec![allow("sqs:Receive*", "*", "")],
        policy_arns: vec!["arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess".to_owned()],
        mfa: true,
        ..Session::default()
    };
    principal.session = Some(Box::new(session));
    assert!(may(&house, &principal, "sqs:ReceiveMessage", QUEUE));
    assert!(may(&house, &principal, "sqs:GetQueueAttributes", QUEUE));
    assert!(
        refusal(&house, &principal, "sqs:SendMessage", QUEUE)
            .ends_with("because no session policy allows the sqs:sendmessage action")
    );
    // A policy that is gone allows nothing.
    ann.grants.boundary = Some("arn:aws:iam::000000000000:policy/gone".to_owned());
    house.write(|tx| {
        rows::USERS.put(tx, &(ACCOUNT, "ann"), &ann)?;
        rows::changed(tx)
    });
    assert!(!may(&house, &ann.principal(ACCOUNT), "sqs:SendMessage", QUEUE));
}

#[test]
fn conditions_see_the_call() {
    let house = House::dev();
    let holds = |condition: &str| {
        let ann = house.user("ann", &[&allow("sqs:*", "*", condition)]).principal(ACCOUNT);
        let mut check = on(QUEUE);
        check.context.push(("sqs:Size".into(), vec!["7".to_owned()]));
        check.context.push(("aws:TagKeys".into(), vec!["a".to_owned()]));
        house.authorise(&ann, "sqs:SendMessage", &check, None).is_ok()
    };
    for condition in [
        r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
        r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#,
        r#"{"StringLike":{"aws:UserAgent":"aws-cli*"}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":"2026-01-02T00:00:00Z"}}"#,
        r#"{"NumericEquals":{"aws:EpochTime":"1767225600"}}"#,
        r#"{"StringEquals":{"aws:username":"ann","aws:PrincipalTag/team":"blue"}}"#,
        r#"{"Bool":{"aws:SecureTransport":"false","aws:ViaAWSService":"false"}}"#,
        r#"{"Null":{"aws:MultiFactorAuthPresent":"true","aws:TokenIssueTime":"true"}}"#,
        r#"{"NumericEquals":{"SQS:size":"7"}}"#,
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}"#,
    ] {
        assert!(holds(condition), "{condition}");
    }
    for condition in [
        r#"{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}"#,
        r#"{"StringEquals":{"aws:PrincipalTag/team":"red"}}"#,
        r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
        r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02T00:00:00Z"}}"#,
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["b"]}}"#,
    ] {
        assert!(!holds(condition), "{condition}");
    }
}

#[test]
fn session_tags_come_before_the_users() {
    let house = House::dev();
    let only_red = allow("sqs:*", "*", r#"{"StringEquals":{"aws:PrincipalTag/Team":"red"}}"#);
    let mut ann = house.user("ann", &[&only_red]).principal(ACCOUNT);
    assert!(!may(&house, &ann, "sqs:SendMessage", QUEUE));
    let tags = vec![("Team".to_owned(), "red".to_owned())];
    ann.session = Some(Box::new(Session { tags, ..Session::default() }));
    assert!(may(&house, &ann, "sqs:SendMessage", QUEUE));
}

#[test]
fn the_root_rules_its_account_only() {
    let house = House::dev();
    let root = Principal::root(ACCOUNT);
    assert!(may(&house, &root, "sqs:SendMessage", QUEUE));
    assert!(may(&house, &root, "s3:ListAllMyBuckets", "*"));
    assert!(!may(&house, &root, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:jobs"));
    let bucket = on("arn:aws:s3:::photos");
    let asks = |policy: &ResourcePolicy| {
        house
            .authorise(&root, "s3:ListBucket", &bucket, Some(policy))
            .map_err(|fault| fault.message().to_owned())
    };
    assert_eq!(asks(&policy(ACCOUNT, None)), Ok(()));
    assert_eq!(asks(&policy("111122223333", None)), Err("Access Denied".to_owned()));
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos"}}"#;
    assert!(asks(&policy(ACCOUNT, Some(deny))).is_err());
}

#[test]
fn a_session_of_the_root_has_what_its_policies_allow() {
    let house = House::dev();
    let with = |session: Session| Principal {
        session: Some(Box::new(session)),
        ..Principal::root(ACCOUNT)
    };
    let policies = vec![allow("sqs:SendMessage", "*", "")];
    let inline = with(Session { policies, ..Session::default() });
    assert!(may(&house, &inline, "sqs:SendMessage", QUEUE));
    assert_eq!(
        refusal(&house, &inline, "sqs:DeleteQueue", QUEUE),
        "User: arn:aws:iam::000000000000:root is not authorized to perform: sqs:deletequeue on resource: \
         arn:aws:sqs:eu-west-1:000000000000:jobs because no session policy allows the sqs:deletequeue action"
    );
    let policy_arns = vec!["arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess".to_owned()];
    let managed = with(Session { policy_arns, ..Session::default() });
    assert!(may(&house, &managed, "sqs:GetQueueUrl", QUEUE));
    assert!(!may(&house, &managed, "sqs:SendMessage", QUEUE));
    assert!(!may(&house, &managed, "s3:ListAllMyBuckets", "*"));
}

#[test]
fn services_need_the_resources_policy() {
    let house = House::dev();
    let s3 = Principal::service("s3.amazonaws.com");
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::photos"},"StringEquals":{"aws:SourceAccount":"000000000000"}}}}"#;
    let allowing = policy(ACCOUNT, Some(document));
    let asks = |source: Option<(&str, &str)>, policy: Option<&ResourcePolicy>| {
        let mut request = request(s3.clone());
        request.source = source.map(|(arn, account)| (arn.to_owned(), account.to_owned()));
        let directory = &house.directory;
        let check: &Check = &on(QUEUE);
        let action = "sqs:SendMessage";
        let outcome = house.cloud.db().read(|rows| {
            directory.authorise(rows, &request.clone().into(), action, check, policy, None)
        });
        outcome.is_ok()
    };
    assert!(asks(Some(("arn:aws:s3:::photos", ACCOUNT)), Some(&allowing)));
    assert!(!asks(Some(("arn:aws:s3:::other", ACCOUNT)), Some(&allowing)));
    assert!(!asks(Some(("arn:aws:s3:::photos", "111122223333")), Some(&allowing)));
    assert!(!asks(None, Some(&allowing)));
    assert!(!asks(None, Some(&policy(ACCOUNT, None))));
    assert!(asks(None, None));
    assert!(!may(&house, &s3, "iam:CreateUser", "arn:aws:iam::000000000000:user/x"));
}

#[test]
fn strangers_need_the_resources_policy() {
    let house = House::dev();
    let nobody = Principal::anonymous();
    let object = on("arn:aws:s3:::photos/a.jpg");
    let public = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}}"#;
    let asks = |policy: Option<&ResourcePolicy>| {
        let outcome = house.authorise(&nobody, "s3:GetObject", &object, policy);
        outcome.map_err(|fault| fault.message().to_owned())
    };
    assert_eq!(asks(Some(&policy(ACCOUNT, Some(public)))), Ok(()));
    assert_eq!(asks(Some(&policy(ACCOUNT, None))), Err("Access Denied".to_owned()));
    assert_eq!(asks(None), Err("Access Denied".to_owned()));
}

#[test]
fn a_session_without_second_factor_cannot_call_iam() {
    let house = House::dev();
    let mut ann = house.user("ann", &[&allow("*", "*", "")]).principal(ACCOUNT);
    ann.session = Some(Box::default());
    let refused = house.authorise(&ann, "iam:ListUsers", &on("*"), None);
    assert_eq!(refused.expect_err("no second factor").name(), "InvalidClientTokenId");
    ann.session = Some(Box::new(Session { mfa: true, ..Session::default() }));
    assert!(may(&house, &ann, "iam:ListUsers", "*"));
}

#[test]
fn last_uses_are_noted() {
    let house = House::dev();
    let ann = house.user("ann", &[]);
    let mut principal = ann.principal(ACCOUNT);
    principal.access_key_id = Some("AKIAANN".to_owned());
    let _ = house.authorise(&principal, "sqs:SendMessage", &on(QUEUE), None);
    let uses = &crate::Identities::of(&house.cloud).last_uses;
    let pending = uses.pending();
    let last = uses.get("AKIAANN").expect("noted");
    assert_eq!((last.secs, &*last.service, &*last.region), (NOW.secs(), "sqs", "eu-west-1"));
    house.write(|tx| crate::LastUses::write(tx, &pending));
    uses.written(pending);
    assert!(uses.pending().is_empty());
}

#[test]
fn who_is_no_longer_there_may_nothing() {
    let house = House::dev();
    let ghost = Principal {
        kind: PrincipalKind::Role {
            name: "gone".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/gone".to_owned(),
            session: "s".to_owned(),
        },
        account: ACCOUNT.to_owned(),
        arn: "arn:aws:sts::000000000000:assumed-role/gone/s".to_owned(),
        id: "AROAGONE:s".to_owned(),
        access_key_id: None,
        session: None,
    };
    assert!(!may(&house, &ghost, "sqs:SendMessage", QUEUE));
    let kind = rows::Kind::Role;
    let entity = Entity { account: ACCOUNT.to_owned(), kind, folded: "gone".to_owned() };
    house.write(|tx| {
        rows::ENTITIES.put(tx, "AROAGONE", &entity)?;
        rows::changed(tx)
    });
    assert!(!may(&house, &ghost, "sqs:SendMessage", QUEUE));
}

#[test]
fn a_federated_user_may_what_both_its_user_and_its_policies_allow() {
    let house = House::dev();
    let ann = house.user("ann", &[&allow("sqs:*", "*", "")]);
    let session = |policies: &[&str]| Session {
        policies: policies.iter().map(|&policy| policy.to_owned()).collect(),
        ..Session::default()
    };
    let guest = |user_arn: &str, user_id: &str, policies: &[&str]| Principal {
        kind: PrincipalKind::Federated {
            name: "guest".to_owned(),
            user_arn: user_arn.to_owned(),
            user_id: user_id.to_owned(),
        },
        account: ACCOUNT.to_owned(),
        arn: format!("arn:aws:sts::{ACCOUNT}:federated-user/guest"),
        id: format!("{ACCOUNT}:guest"),
        access_key_id: None,
        session: Some(Box::new(session(policies))),
    };
    let arn = ann.arn(ACCOUNT);
    let send = allow("sqs:SendMessage", "*", "");
    let everything = allow("*", "*", "");
    assert!(may(&house, &guest(&arn, &ann.id, &[&send]), "sqs:SendMessage", QUEUE));
    assert!(!may(&house, &guest(&arn, &ann.id, &[&send]), "sqs:DeleteQueue", QUEUE));
    assert!(!may(&house, &guest(&arn, &ann.id, &[]), "sqs:SendMessage", QUEUE));
    let bucket = "arn:aws:s3:::photos";
    assert!(!may(&house, &guest(&arn, &ann.id, &[&everything]), "s3:ListBucket", bucket));
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    assert!(may(&house, &guest(&root, ACCOUNT, &[&everything]), "s3:ListBucket", bucket));
    assert!(!may(&house, &guest(&root, ACCOUNT, &[&send]), "s3:ListBucket", bucket));
}
