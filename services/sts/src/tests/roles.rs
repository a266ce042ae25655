//! Who may assume a role, and what its sessions may do.

use fogbank_core::Principal;
use fogbank_testkit::{Value, World, json};

use super::{ROLE, allow, asked, assume, document, good, role, session, trust, user, world};

const DENIED: &str = "AccessDenied: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: \
                      sts:AssumeRole on resource: arn:aws:iam::000000000000:role/r";

pub(super) async fn may(world: &World, who: &Principal, action: &str, input: Value) -> bool {
    world.call_as(who.clone(), action, input).await.is_ok()
}

pub(super) fn with(mut input: Value, member: &str, value: impl Into<Value>) -> Value {
    input[member] = value.into();
    input
}

#[tokio::test]
async fn a_session_may_what_its_role_may() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("iam:ListUsers", "*")).await;
    let output = assume(&world, &ann, asked()).await.expect("trusted by name");
    let arn = "arn:aws:sts::000000000000:assumed-role/r/s1";
    assert_eq!(output["AssumedRoleUser"]["Arn"], arn);
    let id = output["AssumedRoleUser"]["AssumedRoleId"].as_str().expect("an id");
    assert!(id.starts_with("AROA") && id.ends_with(":s1"), "{id}");
    assert_eq!(output["Credentials"]["Expiration"], 1_767_225_600 + 3600);
    assert_eq!(output["PackedPolicySize"], Value::Null);
    assert_eq!(output["SessionTokenSize"], 160);
    let who = session(&world, &output);
    let shown = world.call_as(who.clone(), "sts:GetCallerIdentity", json!({})).await;
    assert_eq!(shown.expect("known"), json!({"Account": "000000000000", "Arn": arn, "UserId": id}));
    assert!(may(&world, &who, "iam:ListUsers", json!({})).await);
    let refused = world.call_as(who, "iam:ListRoles", json!({})).await.expect_err("not allowed");
    assert_eq!(
        refused.message(),
        "User: arn:aws:sts::000000000000:assumed-role/r/s1 is not authorized to perform: iam:ListRoles on \
         resource: arn:aws:iam::000000000000:role/ because no identity-based policy allows the iam:ListRoles \
         action"
    );
}

#[tokio::test]
async fn trust_in_the_account_needs_a_policy_of_the_user() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    let bob = user(&world, "bob", allow("sts:AssumeRole", ROLE)).await;
    role(&world, "r", trust("arn:aws:iam::000000000000:root"), allow("s3:*", "*")).await;
    assert_eq!(assume(&world, &ann, asked()).await, Err(DENIED.to_owned()));
    assert!(assume(&world, &bob, asked()).await.is_ok());
    let deny = json!({"Effect": "Deny", "Action": "sts:*", "Resource": "*"});
    let input = json!({"UserName": "bob", "PolicyName": "no", "PolicyDocument": document(&deny)});
    good(&world, "iam:PutUserPolicy", input).await;
    assert_eq!(
        assume(&world, &bob, asked()).await,
        Err("AccessDenied: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: \
             sts:AssumeRole on resource: arn:aws:iam::000000000000:role/r with an explicit deny in an \
             identity-based policy"
            .to_owned())
    );
    // No word about roles that do not exist.
    let other = with(asked(), "RoleArn", "arn:aws:iam::000000000000:role/none");
    assert_eq!(assume(&world, &ann, other).await, Err(DENIED.replace("role/r", "role/none")));
    let nonsense = with(asked(), "RoleArn", "arn:aws:iam::000000000000:user/ann");
    assert_eq!(
        assume(&world, &ann, nonsense).await,
        Err("ValidationException: Request ARN is invalid".to_owned())
    );
}

#[tokio::test]
async fn across_accounts_both_sides_must_allow() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    let bob = user(&world, "bob", allow("sts:AssumeRole", "*")).await;
    let other = Principal::root("111122223333");
    let trust = document(&trust("arn:aws:iam::000000000000:root"));
    let input = json!({"RoleName": "guest", "AssumeRolePolicyDocument": trust});
    world.call_as(other.clone(), "iam:CreateRole", input).await.expect("its own account");
    let arn = "arn:aws:iam::111122223333:role/guest";
    let asked = json!({"RoleArn": arn, "RoleSessionName": "s1"});
    assert!(assume(&world, &ann, asked.clone()).await.is_err());
    let output = assume(&world, &bob, asked).await.expect("both sides allow");
    let guest = session(&world, &output);
    assert_eq!(guest.account, "111122223333");
    let shown = world.call_as(guest, "sts:GetCallerIdentity", json!({})).await.expect("known");
    assert_eq!(shown["Account"], "111122223333");
}

#[tokio::test]
async fn a_namesake_is_not_trusted() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("s3:*", "*")).await;
    good(&world, "iam:DeleteUser", json!({"UserName": "ann"})).await;
    let namesake = user(&world, "ann", Value::Null).await;
    assert_eq!(assume(&world, &namesake, asked()).await, Err(DENIED.to_owned()));
}

#[tokio::test]
async fn services_assume_roles_that_trust_them() {
    let world = world();
    let trust = json!({
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    });
    role(&world, "r", trust, allow("iam:ListUsers", "*")).await;
    let lambda = Principal::service("lambda.amazonaws.com");
    let asked = with(asked(), "DurationSeconds", 3600);
    let output = assume(&world, &lambda, asked.clone()).await.expect("trusted");
    let function = session(&world, &output);
    assert!(may(&world, &function, "iam:ListUsers", json!({})).await);
    let events = Principal::service("events.amazonaws.com");
    assert_eq!(
        assume(&world, &events, asked).await,
        Err("AccessDenied: User: events.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: \
             arn:aws:iam::000000000000:role/r"
            .to_owned())
    );
}

#[tokio::test]
async fn conditions_of_trust_are_checked() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    let mut statement = trust(&ann.arn);
    statement["Condition"] = json!({
        "StringEquals": {"sts:ExternalId": "e1", "sts:RoleSessionName": "${aws:username}"},
    });
    role(&world, "r", statement, allow("s3:*", "*")).await;
    assert!(assume(&world, &ann, asked()).await.is_err());
    let named = with(asked(), "RoleSessionName", "ann");
    assert!(assume(&world, &ann, named.clone()).await.is_err());
    assert!(assume(&world, &ann, with(named.clone(), "ExternalId", "e2")).await.is_err());
    assert!(assume(&world, &ann, with(asked(), "ExternalId", "e1")).await.is_err());
    assert!(assume(&world, &ann, with(named, "ExternalId", "e1")).await.is_ok());
}

#[tokio::test]
async fn session_policies_only_narrow() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("iam:List*", "*")).await;
    let narrow = document(&json!([allow("iam:ListUsers", "*"), allow("iam:CreateUser", "*")]));
    let output = assume(&world, &ann, with(asked(), "Policy", narrow)).await.expect("trusted");
    assert!(output["PackedPolicySize"].as_i64().is_some_and(|percent| percent > 0));
    let who = session(&world, &output);
    assert!(may(&world, &who, "iam:ListUsers", json!({})).await);
    assert!(!may(&world, &who, "iam:ListRoles", json!({})).await);
    assert!(!may(&world, &who, "iam:CreateUser", json!({"UserName": "x"})).await);
    let arns = json!([{"arn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}]);
    let output = assume(&world, &ann, with(asked(), "PolicyArns", arns)).await.expect("trusted");
    assert!(!may(&world, &session(&world, &output), "iam:ListUsers", json!({})).await);
    let arns = json!([{"arn": "arn:aws:iam::000000000000:policy/gone"}]);
    assert!(assume(&world, &ann, with(asked(), "PolicyArns", arns)).await.is_err());
    assert_eq!(
        assume(&world, &ann, with(asked(), "Policy", "{}")).await,
        Err("MalformedPolicyDocumentException: Syntax errors in policy.".to_owned())
    );
    let long = document(&allow("s3:*", &format!("arn:aws:s3:::{}", "x".repeat(2048))));
    let refused = assume(&world, &ann, with(asked(), "Policy", long)).await;
    assert!(refused.is_err_and(|error| error.starts_with("PackedPolicyTooLargeException")));
}

#[tokio::test]
async fn sessions_have_limits_in_time() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("sts:AssumeRole", "*")).await;
    let asked_for = |secs: i64| with(asked(), "DurationSeconds", secs);
    assert_eq!(
        assume(&world, &ann, asked_for(3601)).await,
        Err("ValidationException: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            .to_owned())
    );
    assert!(assume(&world, &ann, asked_for(899)).await.is_err());
    let input = json!({"RoleName": "r", "MaxSessionDuration": 43_200});
    good(&world, "iam:UpdateRole", input).await;
    let output = assume(&world, &ann, asked_for(43_200)).await.expect("within the role's limit");
    assert_eq!(output["Credentials"]["Expiration"], 1_767_225_600 + 43_200);
    // A chain is short.
    let first = session(&world, &output);
    let trust_in_r = trust(ROLE);
    role(&world, "next", trust_in_r, allow("s3:*", "*")).await;
    let input = json!({"RoleName": "next", "MaxSessionDuration": 43_200});
    good(&world, "iam:UpdateRole", input).await;
    let next = json!({"RoleArn": "arn:aws:iam::000000000000:role/next", "RoleSessionName": "n1"});
    assert_eq!(
        assume(&world, &first, with(next.clone(), "DurationSeconds", 3601)).await,
        Err("ValidationException: The requested DurationSeconds exceeds the 1 hour session limit for roles \
             assumed by role chaining."
            .to_owned())
    );
    assert!(assume(&world, &first, next).await.is_ok());
}

#[tokio::test]
async fn tags_need_permission_and_pass_on() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    role(&world, "r", trust(&ann.arn), allow("sts:*", "*")).await;
    let tagged = with(
        asked(),
        "Tags",
        json!([{"Key": "Team", "Value": "blue"}, {"Key": "x", "Value": "y"}]),
    );
    let refused = assume(&world, &ann, tagged.clone()).await;
    assert_eq!(refused, Err(DENIED.replace("sts:AssumeRole", "sts:TagSession")));
    let both = json!({
        "Effect": "Allow", "Principal": {"AWS": ann.arn}, "Action": ["sts:AssumeRole", "sts:TagSession"],
    });
    let input = json!({"RoleName": "r", "PolicyDocument": document(&both)});
    good(&world, "iam:UpdateAssumeRolePolicy", input).await;
    let transitive = with(tagged, "TransitiveTagKeys", json!(["team"]));
    assert!(
        assume(&world, &ann, with(transitive.clone(), "TransitiveTagKeys", json!(["z"])))
            .await
            .is_err()
    );
    let transitive = with(transitive, "TransitiveTagKeys", json!(["Team"]));
    let first = session(&world, &assume(&world, &ann, transitive).await.expect("allowed to tag"));

    let mut statement = allow("iam:ListUsers", "*");
    statement["Condition"] = json!({
        "StringEquals": {"aws:PrincipalTag/Team": "blue"}, "Null": {"aws:PrincipalTag/x": "true"},
    });
    let mut trust_in_r = both;
    trust_in_r["Principal"] = json!({"AWS": ROLE});
    role(&world, "next", trust_in_r, statement).await;
    let next = json!({"RoleArn": "arn:aws:iam::000000000000:role/next", "RoleSessionName": "n1"});
    let second = session(&world, &assume(&world, &first, next.clone()).await.expect("chained"));
    assert!(may(&world, &second, "iam:ListUsers", json!({})).await);
    let again = with(next, "Tags", json!([{"Key": "team", "Value": "red"}]));
    assert!(assume(&world, &first, again).await.is_err(), "an inherited tag cannot be changed");
}

#[tokio::test]
async fn a_source_identity_stays() {
    let world = world();
    let ann = user(&world, "ann", Value::Null).await;
    let both = |who: &str| {
        json!({
            "Effect": "Allow", "Principal": {"AWS": who},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        })
    };
    role(&world, "r", both(&ann.arn), allow("sts:*", "*")).await;
    role(&world, "next", both(ROLE), allow("s3:*", "*")).await;
    let output =
        assume(&world, &ann, with(asked(), "SourceIdentity", "ann")).await.expect("allowed");
    assert_eq!(output["SourceIdentity"], "ann");
    let first = session(&world, &output);
    let next = json!({"RoleArn": "arn:aws:iam::000000000000:role/next", "RoleSessionName": "n1"});
    let kept = assume(&world, &first, next.clone()).await.expect("the same one");
    assert_eq!(kept["SourceIdentity"], "ann");
    assert!(assume(&world, &first, with(next, "SourceIdentity", "eve")).await.is_err());
}

#[tokio::test]
async fn on_a_developers_machine_the_root_may() {
    let world = world();
    role(&world, "r", trust("000000000000"), allow("s3:*", "*")).await;
    let root = Principal::root("000000000000");
    assert!(assume(&world, &root, asked()).await.is_ok());
    let lambda = json!({"Service": "lambda.amazonaws.com"});
    let mut statement = trust("x");
    statement["Principal"] = lambda;
    let input = json!({"RoleName": "r", "PolicyDocument": document(&statement)});
    good(&world, "iam:UpdateAssumeRolePolicy", input).await;
    assert!(assume(&world, &root, asked()).await.is_err(), "the role does not trust it");
}
