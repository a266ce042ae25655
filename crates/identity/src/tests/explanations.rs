//! What is kept of decisions, and what becomes of refusals in each mode.

use fogbank_core::{Cx, Principal};
use serde_json::{Value, json};

use super::{ACCOUNT, House, allow, on, request, statement};
use crate::{Directory, Enforcement, Mode};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:000000000000:jobs";
const ANN: &str = "arn:aws:iam::000000000000:user/ann";

fn house(enforcement: Enforcement) -> House {
    let house = House::new(Mode::Server, false);
    let directory = Directory::new(Mode::Server, ACCOUNT).enforcing(enforcement).keeping(4);
    directory.connect(&house.cloud);
    House { directory, ..house }
}

fn explain(house: &House) -> Value {
    let kept = &crate::Identities::of(&house.cloud).kept;
    let found = house.cloud.db().read(|rows| kept.explain(rows, "request")).expect("readable");
    found.last().cloned().unwrap_or_default()
}

async fn write_down(house: &House) {
    let cx = Cx::background(house.cloud.clone(), "iam", "Test");
    let identities = crate::Identities::of(&house.cloud);
    identities.kept.write(&cx).await.expect("the engine in memory writes");
    identities.observed.write(&cx).await.expect("the engine in memory writes");
}

#[test]
fn a_refusal_says_what_is_missing() {
    let house = house(Enforcement::Enforce);
    let condition = r#"{"StringEquals": {"aws:RequestedRegion": "us-east-1"}}"#;
    let ann = house.user("ann", &[&allow("sqs:*", "*", condition)]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_err());
    let it = explain(&house);
    assert_eq!(it["outcome"], "denied");
    assert_eq!(it["caller"]["arn"], ANN);
    assert_eq!(it["sentence"], "denied because no identity-based policy allows it");
    assert_eq!(it["decided_by"]["reason"], "implicit deny");
    assert_eq!(it["context"]["aws:RequestedRegion"], json!(["eu-west-1"]));
    assert_eq!(it["policies"][0]["policy"], "p0");
    assert_eq!(
        it["policies"][0]["statements"][0]["because"],
        "its condition StringEquals of aws:requestedregion is not met"
    );
    assert_eq!(
        it["missing"],
        json!([{
            "policy_type": "identity-based policy",
            "in": format!("a policy of {ANN}"),
            "statement": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE},
        }])
    );
}

#[test]
fn what_is_suggested_would_have_been_enough() {
    let house = house(Enforcement::Enforce);
    let ann = house.user("ann", &[]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_err());
    let statement = explain(&house)["missing"][0]["statement"].clone();
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let ann = house.user("ann", &[&policy]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_ok());
    assert_eq!(explain(&house)["decided_by"]["policy"], "p0");
}

#[test]
fn a_refusal_names_every_statement_that_denies() {
    let house = house(Enforcement::Enforce);
    let deny = statement("Deny", "sqs:*", "*", "");
    let ann = house.user("ann", &[&allow("sqs:*", "*", ""), &deny, &deny]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_err());
    let it = explain(&house);
    assert_eq!(it["decided_by"]["reason"], "explicit deny");
    let denied: Vec<_> =
        it["denied_by"].as_array().expect("denies").iter().map(|it| &it["policy"]).collect();
    assert_eq!(denied, ["p1", "p2"]);
    assert_eq!(it["missing"], json!([]));
}

#[test]
fn explanations_see_what_decisions_saw() {
    let house = house(Enforcement::Enforce);
    let ann = house.user("ann", &[]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_err());
    house.user("ann", &[&allow("*", "*", "")]);
    assert_eq!(explain(&house)["sentence"], "denied because no identity-based policy allows it");
    assert_eq!(explain(&house)["policies"], json!([]));
}

#[tokio::test]
async fn refusals_are_written_down() {
    let house = house(Enforcement::Enforce);
    let ann = house.user("ann", &[]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_err());
    let before = explain(&house);
    write_down(&house).await;
    let identities = crate::Identities::of(&house.cloud);
    identities.kept.forget(None);
    assert_eq!(explain(&house), before);
    let refusals = |principal: Option<&str>, since| {
        let found =
            house.cloud.db().read(|rows| identities.kept.refusals(rows, principal, since, 10));
        found.expect("readable").len()
    };
    assert_eq!(refusals(Some(ANN), 0), 1);
    assert_eq!(refusals(Some("arn:aws:iam::000000000000:user/bob"), 0), 0);
    assert_eq!(refusals(None, super::NOW.secs() + 1), 0);
}

#[test]
fn only_the_last_decisions_are_kept() {
    let house = house(Enforcement::Enforce);
    let ann = house.user("ann", &[&allow("sqs:Send*", "*", "")]).principal(ACCOUNT);
    for action in ["sqs:SendMessage", "sqs:DeleteQueue"] {
        for _ in 0..9 {
            let _ = house.authorise(&ann, action, &on(QUEUE), None);
        }
    }
    let kept = &crate::Identities::of(&house.cloud).kept;
    let found = house.cloud.db().read(|rows| kept.explain(rows, "request")).expect("readable");
    let allowed = found.iter().filter(|it| it["outcome"] == "allowed").count();
    assert_eq!((allowed, found.len()), (4, 8));
}

#[test]
fn warn_answers_and_records() {
    let house = house(Enforcement::Warn);
    let ann = house.user("ann", &[]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_ok());
    let it = explain(&house);
    assert_eq!(it["outcome"], "answered, though AWS would deny it");
    assert_eq!(it["missing"][0]["statement"]["Action"], "sqs:SendMessage");
    let suggested = suggest(&house, ANN);
    assert_eq!(suggested["not_allowed_yet"], json!(["sqs:SendMessage"]));
}

#[test]
fn off_looks_at_no_policy() {
    let house = house(Enforcement::Off);
    let ann = house.user("ann", &[&statement("Deny", "*", "*", "")]).principal(ACCOUNT);
    assert!(house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).is_ok());
    assert_eq!(explain(&house)["sentence"], "answered without looking at policies: iam is off");
}

#[test]
fn no_mode_opens_the_administration_or_serves_who_does_not_sign() {
    for enforcement in [Enforcement::Warn, Enforcement::Off] {
        let house = house(enforcement);
        let ann = house.user("ann", &[]).principal(ACCOUNT);
        assert!(house.authorise(&ann, "fogbank:SetClock", &on("*"), None).is_err());
        let object = on("arn:aws:s3:::photos/a.jpg");
        let nobody = Principal::anonymous();
        assert!(house.authorise(&nobody, "s3:GetObject", &object, None).is_err());
    }
}

fn suggest(house: &House, principal: &str) -> Value {
    let observed = &crate::Identities::of(&house.cloud).observed;
    let found = house.cloud.db().read(|rows| observed.suggest(rows, principal, 0));
    found.expect("readable")
}

#[tokio::test]
async fn a_suggestion_allows_what_was_seen_and_no_more() {
    let house = house(Enforcement::Enforce);
    let ann = house.user("ann", &[&allow("*", "*", "")]).principal(ACCOUNT);
    let bob = house.user("bob", &[&allow("*", "*", "")]).principal(ACCOUNT);
    let folder = "arn:aws:s3:::photos/2026";
    for n in 0..20 {
        let object = on(&format!("{folder}/{n}.jpg"));
        house.authorise(&ann, "s3:PutObject", &object, None).expect("allowed");
        if n == 9 {
            write_down(&house).await;
        }
    }
    house.authorise(&ann, "sqs:SendMessage", &on(QUEUE), None).expect("allowed");
    house.authorise(&ann, "sqs:ReceiveMessage", &on(QUEUE), None).expect("allowed");
    house.authorise(&bob, "sqs:DeleteQueue", &on(QUEUE), None).expect("allowed");
    let suggested = suggest(&house, ANN);
    assert_eq!(
        suggested["policy"]["Statement"],
        json!([
            {"Sid": "s31", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [format!("{folder}/*")]},
            {"Sid": "sqs1", "Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:SendMessage"], "Resource": [QUEUE]},
        ])
    );
    let ann = house.user("ann", &[&suggested["policy"].to_string()]).principal(ACCOUNT);
    let may = |action, resource: &str| house.authorise(&ann, action, &on(resource), None).is_ok();
    assert!(may("sqs:SendMessage", QUEUE));
    assert!(may("s3:PutObject", &format!("{folder}/7.jpg")));
    assert!(!may("sqs:DeleteQueue", QUEUE));
    assert!(!may("s3:PutObject", "arn:aws:s3:::photos/2025/7.jpg"));
    assert_eq!(suggest(&house, "arn:aws:iam::000000000000:user/nobody")["policy"], Value::Null);
}

#[test]
fn tags_of_resources_are_looked_up_where_a_condition_asks() {
    let house = house(Enforcement::Enforce);
    let condition = r#"{"StringEquals": {"aws:ResourceTag/Team": "blue"}}"#;
    let ann = house.user("ann", &[&allow("sqs:*", "*", condition)]).principal(ACCOUNT);
    let may = |find: crate::FindTags<'_>| {
        let request = request(ann.clone()).into();
        let check = on(QUEUE);
        let directory = &house.directory;
        house.cloud.db().read(|rows| {
            directory.authorise(rows, &request, "sqs:SendMessage", &check, None, Some(find))
        })
    };
    assert!(may(&|_| Ok(vec![("Team".to_owned(), "blue".to_owned())])).is_ok());
    assert!(may(&|_| Ok(Vec::new())).is_err());
    assert_eq!(explain(&house)["context"]["aws:resourcetag/team"], Value::Null);
    let broken = may(&|_| Err(fogbank_core::Fault::internal("unreadable"))).expect_err("refused");
    assert_eq!(broken.name(), "InternalFailure");
}

#[test]
fn authorization_messages_are_read_only_here() {
    let house = house(Enforcement::Enforce);
    let deny = statement("Deny", "ec2:*", "*", "");
    let ann = house.user("ann", &[&deny]).principal(ACCOUNT);
    let instance = "arn:aws:ec2:eu-west-1:000000000000:instance/i-1";
    assert!(house.authorise(&ann, "ec2:StopInstances", &on(instance), None).is_err());
    let kept = &crate::Identities::of(&house.cloud).kept;
    let message = kept.authorization_message("request").expect("a refusal");
    assert_eq!(message["allowed"], false);
    assert_eq!(message["explicitDeny"], true);
    assert_eq!(message["context"]["principal"]["name"], "ann");
    assert_eq!(message["context"]["action"], "ec2:StopInstances");
    assert_eq!(message["matchedStatements"]["items"][0]["effect"], "DENY");
    let encoded = crate::encode_authorization_message(&house.cloud, &message.to_string());
    let decoded = crate::decode_authorization_message(&house.cloud, &encoded);
    assert_eq!(decoded, Some(message.to_string()));
    let elsewhere = self::house(Enforcement::Enforce);
    let other = crate::encode_authorization_message(&elsewhere.cloud, "x");
    for bad in ["", "nonsense", "é", &encoded[1..], &encoded[..encoded.len() - 4]] {
        assert_eq!(crate::decode_authorization_message(&house.cloud, bad), None, "{bad}");
    }
    assert!(
        crate::decode_authorization_message(
            &house.cloud,
            &encoded.replace(&encoded[20..24], "AAAA")
        )
        .is_none()
    );
    assert_ne!(other, encoded);
}
