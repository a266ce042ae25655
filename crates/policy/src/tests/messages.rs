//! The words of access-denied errors and of explanations.

use serde_json::json;

use super::document;
use crate::*;

const ALLOW_ALL: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
const DENY_ALL: &str = r#"{"Sid": "Freeze", "Effect": "Deny", "Action": "*", "Resource": "*"}"#;

fn parsed(statement: &str) -> Document {
    document(&serde_json::from_str(statement).unwrap(), Kind::Identity)
}

fn message(call: &Call<'_>, policies: &Policies<'_>, style: MessageStyle) -> String {
    evaluate(call, policies).explanation.access_denied_message(call, style)
}

#[test]
fn implicit_denies() {
    let bob = Caller::user("123456789012", "arn:aws:iam::123456789012:user/bob", "AIDABOB");
    let call = Call {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/cat.jpg",
        principal: &bob,
        context: &(),
    };
    assert_eq!(
        message(&call, &Policies::default(), MessageStyle::S3),
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: s3:GetObject on \
         resource: \"arn:aws:s3:::photos/cat.jpg\" because no identity-based policy allows the \
         s3:GetObject action"
    );
    let (allow, other) =
        (parsed(ALLOW_ALL), parsed(&ALLOW_ALL.replace("\"*\", \"R", "\"ec2:*\", \"R")));
    let identity = [Attached { source: "all", document: &allow }];
    let boundary = Some(Attached { source: "limit", document: &other });
    let scp: [&[Attached<'_>]; 1] = [&[Attached { source: "scp", document: &other }]];
    let with = |policies: Policies<'_>| message(&call, &policies, MessageStyle::default());
    let start = "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: \
                 s3:GetObject on resource: arn:aws:s3:::photos/cat.jpg because no ";
    let base = Policies { identity: &identity, ..Policies::default() };
    let other_account = ResourceSide { owner: "999999999999", policy: None, grants: &[] };
    for (policies, layer) in [
        (Policies { boundary, ..base }, "permissions boundary"),
        (Policies { session: boundary.as_slice(), ..base }, "session policy"),
        (Policies { scps: &scp, ..base }, "service control policy"),
        (Policies { rcps: &scp, ..base }, "resource control policy"),
        (Policies { resource: Some(other_account), ..base }, "resource-based policy"),
        (Policies { mode: ResourcePolicyMode::Trust, ..base }, "role trust policy"),
    ] {
        assert_eq!(with(policies), format!("{start}{layer} allows the s3:GetObject action"));
    }
}

#[test]
fn explicit_denies() {
    let bob = Caller::user("777788889999", "arn:aws:iam::777788889999:user/John", "AIDAJOHN");
    let call = Call {
        action: "codecommit:ListRepositories",
        resource: "*",
        principal: &bob,
        context: &(),
    };
    let deny = parsed(DENY_ALL);
    let attached = [Attached { source: "arn:aws:iam::aws:policy/Freeze", document: &deny }];
    let levels: [&[Attached<'_>]; 1] = [&attached];
    let trust = json!({"Effect": "Deny", "Principal": "*", "Action": "*"});
    let trust = document(&trust, Kind::Resource);
    let side = ResourceSide {
        owner: "777788889999",
        policy: Some(Attached { source: "policy", document: &trust }),
        grants: &[],
    };
    let base = Policies::default();
    let start = "User: arn:aws:iam::777788889999:user/John is not authorized to perform: \
                 codecommit:ListRepositories with an explicit deny in ";
    let mode = ResourcePolicyMode::Trust;
    for (policies, layer) in [
        (Policies { identity: &attached, ..base }, "an identity-based policy"),
        (Policies { boundary: Some(attached[0]), ..base }, "a permissions boundary"),
        (Policies { session: &attached, ..base }, "a session policy"),
        (Policies { scps: &levels, ..base }, "a service control policy"),
        (Policies { rcps: &levels, ..base }, "a resource control policy"),
        (Policies { resource: Some(side), ..base }, "a resource-based policy"),
        (Policies { resource: Some(side), mode, ..base }, "the role trust policy"),
    ] {
        let said = message(&call, &policies, MessageStyle::default());
        assert_eq!(said, format!("{start}{layer}"));
    }
    let policies = Policies { identity: &attached, ..base };
    let style = MessageStyle { name_any_resource: true, name_policy: true, ..Default::default() };
    assert_eq!(
        message(&call, &policies, style),
        "User: arn:aws:iam::777788889999:user/John is not authorized to perform: \
         codecommit:ListRepositories on resource: * with an explicit deny in an identity-based \
         policy: arn:aws:iam::aws:policy/Freeze"
    );
    assert_eq!(
        evaluate(&call, &policies).explanation.to_string(),
        "denied by statement Freeze of arn:aws:iam::aws:policy/Freeze (identity-based policy)"
    );
}

#[test]
fn explanations_name_the_statement() {
    let bob = Caller::user("123456789012", "arn:aws:iam::123456789012:user/bob", "AIDABOB");
    let call = Call { action: "sqs:SendMessage", resource: "*", principal: &bob, context: &() };
    let statements = json!([
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
    ]);
    let document = document(&statements, Kind::Identity);
    let attached = [Attached { source: "work", document: &document }];
    let policies = Policies { identity: &attached, ..Policies::default() };
    let explanation = evaluate(&call, &policies).explanation;
    assert_eq!(explanation.statement, Some(StatementRef { source: "work", sid: None, index: 1 }));
    assert_eq!(explanation.to_string(), "allowed by statement 2 of work (identity-based policy)");
    assert_eq!(explanation.missing(&call), None);

    let denied = evaluate(&call, &Policies::default()).explanation;
    assert_eq!(denied.to_string(), "denied because no identity-based policy allows it");
    assert_eq!(
        denied.missing(&call),
        Some(MissingPermission {
            layer: Layer::IdentityPolicy,
            action: "sqs:SendMessage",
            resource: "*",
        })
    );
}
