//! Runs the three tables beside this file.

use serde_json::{Value, json};

use super::document;
use crate::*;

fn rows(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn caller(name: &str) -> Caller {
    let account = "111122223333";
    let bob = "arn:aws:iam::111122223333:user/team/bob";
    match name {
        "bob" => Caller::user(account, bob, "AIDABOBBOBBOBBOBBOB1"),
        "eve" => {
            let arn = "arn:aws:iam::444455556666:user/eve";
            let mut eve = Caller::user("444455556666", arn, "AIDAEVEEVEEVEEVEEVE1");
            eve.canonical_id = Some("evecanonical".to_owned());
            eve
        }
        "root" => Caller::root(account),
        "session" => Caller::assumed_role(
            account,
            "arn:aws:iam::111122223333:role/app/worker",
            "arn:aws:sts::111122223333:assumed-role/worker/run1",
            "AROAWORKERWORKERWORK:run1",
        ),
        "federated" => Caller::federated_user(
            account,
            bob,
            "arn:aws:sts::111122223333:federated-user/guest",
            "111122223333:guest",
        ),
        "sns" => Caller::service("sns.amazonaws.com"),
        "web" => Caller::web_identity("cognito-identity.amazonaws.com"),
        "anonymous" => Caller::anonymous(),
        other => panic!("no caller {other}"),
    }
}

fn context(keys: &Value) -> ContextMap {
    let mut context = ContextMap::new();
    for (key, value) in keys.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                context.set_many(key, values.iter().map(|value| value.as_str().unwrap()))
            }
            value => context.set(key, value.as_str().unwrap()),
        };
    }
    context
}

#[test]
fn conditions() {
    for row in rows(include_str!("conditions.json")) {
        let statement =
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": row[1]});
        let document = document(&statement, Kind::Identity);
        let attached = [Attached { source: "inline", document: &document }];
        let policies = Policies { identity: &attached, ..Policies::default() };
        let (bob, context) = (caller("bob"), context(&row[2]));
        let call = Call {
            action: "s3:GetObject",
            resource: "arn:aws:s3:::photos/cat.jpg",
            principal: &bob,
            context: &context,
        };
        assert_eq!(Some(evaluate(&call, &policies).is_allowed()), row[3].as_bool(), "{row}");
    }
}

#[test]
fn faults() {
    for row in rows(include_str!("malformed.json")) {
        let kind = match row[0].as_str().unwrap() {
            "identity" => Kind::Identity,
            "boundary" => Kind::Boundary,
            "session" => Kind::Session,
            "scp" => Kind::ServiceControl,
            "rcp" => Kind::ResourceControl,
            "resource" => Kind::Resource,
            _ => Kind::Trust,
        };
        let json = match &row[1] {
            Value::String(text) => text.clone(),
            whole if whole.get("Version").is_some() || whole.get("Statement").is_some() => {
                whole.to_string()
            }
            statements => json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
        };
        let fault = Document::parse(&json, kind).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), row[2].as_str(), "{row}");
    }
}

/// The documents of one row, by the element they stand in.
struct Documents {
    identity: Vec<Document>,
    boundary: Vec<Document>,
    session: Vec<Document>,
    policy: Vec<Document>,
    scps: Vec<Document>,
    rcps: Vec<Document>,
}

fn one(row: &Value, name: &str, kind: Kind) -> Vec<Document> {
    row.get(name).map(|statements| document(statements, kind)).into_iter().collect()
}

fn levels(row: &Value, name: &str, kind: Kind) -> Vec<Document> {
    let levels = row.get(name).and_then(Value::as_array);
    levels.into_iter().flatten().map(|statements| document(statements, kind)).collect()
}

fn attached<'a>(source: &'a str, documents: &'a [Document]) -> Vec<Attached<'a>> {
    documents.iter().map(|document| Attached { source, document }).collect()
}

#[test]
fn decisions() {
    for row in rows(include_str!("decisions.json")) {
        let mode = match row.get("mode").and_then(Value::as_str) {
            Some("trust") => ResourcePolicyMode::Trust,
            Some("kms") => ResourcePolicyMode::KmsKey,
            _ => ResourcePolicyMode::Ordinary,
        };
        let (kind, action, resource) = match mode {
            ResourcePolicyMode::Trust => {
                (Kind::Trust, "sts:AssumeRole", "arn:aws:iam::111122223333:role/admin")
            }
            ResourcePolicyMode::KmsKey => {
                (Kind::Resource, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/k")
            }
            ResourcePolicyMode::Ordinary => {
                (Kind::Resource, "s3:GetObject", "arn:aws:s3:::photos/cat.jpg")
            }
        };
        let text = |name: &str, or| row.get(name).and_then(Value::as_str).unwrap_or(or);
        let documents = Documents {
            identity: one(&row, "identity", Kind::Identity),
            boundary: one(&row, "boundary", Kind::Boundary),
            session: one(&row, "session", Kind::Session),
            policy: one(&row, "policy", kind),
            scps: levels(&row, "scps", Kind::ServiceControl),
            rcps: levels(&row, "rcps", Kind::ResourceControl),
        };
        let identity = attached("identity", &documents.identity);
        let boundary = attached("boundary", &documents.boundary);
        let session = attached("session", &documents.session);
        let policy = attached("policy", &documents.policy);
        let (scps, rcps) = (attached("scp", &documents.scps), attached("rcp", &documents.rcps));
        let scps: Vec<&[Attached<'_>]> = scps.iter().map(std::slice::from_ref).collect();
        let rcps: Vec<&[Attached<'_>]> = rcps.iter().map(std::slice::from_ref).collect();
        let has_side = row.get("owner").is_some() || row.get("policy").is_some();
        let caller = caller(text("caller", "bob"));
        let owner = text("owner", &caller.account);
        let policies = Policies {
            identity: &identity,
            boundary: boundary.first().copied(),
            session: &session,
            resource: has_side.then_some(ResourceSide {
                owner,
                policy: policy.first().copied(),
                grants: &[],
            }),
            scps: &scps,
            rcps: &rcps,
            mode,
        };
        let keys = context(&row["context"]);
        let call = Call {
            action: text("action", action),
            resource: text("resource", resource),
            principal: &caller,
            context: &keys,
        };
        let decision = evaluate(&call, &policies);
        let explanation = decision.explanation;
        let said = match explanation.reason {
            Reason::Allowed => format!("allowed by {}", explanation.layer),
            Reason::ExplicitDeny => format!("explicit deny in {}", explanation.layer),
            Reason::ImplicitDeny => format!("no {}", explanation.layer),
        };
        assert_eq!(said, text("expect", ""), "{row}");
        assert_eq!(decision.is_allowed(), explanation.reason == Reason::Allowed);
        assert_eq!(explanation.missing(&call).is_some(), said.starts_with("no "));
    }
}

#[test]
fn old_versions_know_no_variables() {
    let statement = json!({
        "Effect": "Allow", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::photos/${aws:username}",
    });
    let old = json!({ "Version": "2008-10-17", "Statement": statement });
    let document = Document::parse(&old.to_string(), Kind::Resource).unwrap();
    let attached = Attached { source: "bucket policy", document: &document };
    let side = ResourceSide { owner: "111122223333", policy: Some(attached), grants: &[] };
    let policies = Policies { resource: Some(side), ..Policies::default() };
    let allowed = |resource: &str| {
        let bob = caller("bob");
        let call = Call { action: "s3:GetObject", resource, principal: &bob, context: &() };
        evaluate(&call, &policies).is_allowed()
    };
    assert!(allowed("arn:aws:s3:::photos/${aws:username}"));
    assert!(!allowed("arn:aws:s3:::photos/bob"));
}

#[test]
fn a_document_tells_what_it_names() {
    let statements = json!([
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Deny", "Principal": "*", "NotAction": ["s3:Put*"]},
    ]);
    let document = document(&statements, Kind::Resource);
    assert_eq!(document.statement_count(), 2);
    assert_eq!(document.actions().collect::<Vec<_>>(), ["s3:Get*", "s3:Put*"]);
    assert_eq!(document.resources().collect::<Vec<_>>(), ["arn:aws:s3:::b/*"]);
    assert!(document.lacks_resources());
    let principals: Vec<_> = document.principals().collect();
    assert_eq!(principals, [(PrincipalType::Aws, "111122223333"), (PrincipalType::Aws, "*")]);
}

#[test]
fn compiled_documents_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Document>();
    shared::<Caller>();
    shared::<Decision<'_>>();
}

#[test]
fn customers_write_only_denials_for_everybody_into_resource_control_policies() {
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    let with = |element: &str, value: Value| {
        let mut statement = deny.clone();
        statement[element] = value;
        document(&statement, Kind::ResourceControl).only_denies_everybody()
    };
    assert!(with("Action", json!(["s3:*", "kms:Decrypt"])));
    assert!(with("Principal", json!({"AWS": "*"})));
    assert!(!with("Effect", json!("Allow")));
    assert!(!with("Action", json!("*")));
    assert!(!with("Principal", json!({"AWS": "111122223333"})));
    let negated = json!({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"});
    assert!(!document(&negated, Kind::ResourceControl).only_denies_everybody());
}

#[test]
fn what_is_needed_is_found_layer_by_layer() {
    let allow = |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    let scp = document(&allow("ec2:*"), Kind::ServiceControl);
    let boundary = document(&allow("sqs:*"), Kind::Boundary);
    let deny = json!({"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"});
    let identity = document(&deny, Kind::Identity);
    let scps = [Attached { source: "scp", document: &scp }];
    let identity = [Attached { source: "identity", document: &identity }];
    let policies = Policies {
        identity: &identity,
        boundary: Some(Attached { source: "boundary", document: &boundary }),
        scps: &[&scps],
        ..Policies::default()
    };
    let bob = caller("bob");
    let resource = "arn:aws:s3:::photos/cat.jpg";
    let call = Call { action: "s3:GetObject", resource, principal: &bob, context: &() };
    let layers: Vec<Layer> = needs(&call, &policies).iter().map(|need| need.layer).collect();
    let expected = [Layer::ServiceControlPolicy, Layer::IdentityPolicy, Layer::PermissionsBoundary];
    assert_eq!(layers, expected);
    let findings = trace(&call, &policies);
    let verdicts: Vec<_> = findings.iter().map(|it| (it.source, it.verdict)).collect();
    let expected =
        [("scp", Verdict::Silent), ("identity", Verdict::Denies), ("boundary", Verdict::Silent)];
    assert_eq!(verdicts, expected);
    assert_eq!(findings[1].statements[0].sid, Some("No"));
    assert_eq!(values(&call, &policies, "aws:PrincipalArn"), Some(vec![bob.arn.clone()]));
}

#[test]
fn a_grant_allows_beside_the_policy() {
    let key = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:DescribeKey", "Resource": "*"});
    let bob = caller("bob");
    let grant = json!({"Effect": "Allow", "Principal": {"AWS": bob.arn}, "Action": "kms:Decrypt", "Resource": "*"});
    let (key, grant) = (document(&key, Kind::Resource), document(&grant, Kind::Resource));
    let grants = [Attached { source: "grant", document: &grant }];
    let side = ResourceSide {
        owner: "111122223333",
        policy: Some(Attached { source: "key", document: &key }),
        grants: &grants,
    };
    let mode = ResourcePolicyMode::KmsKey;
    let policies = Policies { resource: Some(side), mode, ..Policies::default() };
    let may = |action: &str| {
        let resource = "arn:aws:kms:us-east-1:111122223333:key/k";
        let call = Call { action, resource, principal: &bob, context: &() };
        evaluate(&call, &policies).is_allowed()
    };
    assert!(may("kms:Decrypt"));
    // The policy leaves it to the account, whose identity policies say nothing.
    assert!(!may("kms:DescribeKey"));
    assert!(!may("kms:Encrypt"));
}
