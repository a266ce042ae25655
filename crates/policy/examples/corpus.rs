//! Runs cases in the format of cloud-copilot/iam-simulate against the evaluation.
//!
//! `corpus FOLDER CONDITIONS [--verbose]`: the folder's JSON files hold whole requests with their policies, the file
//! CONDITIONS values of single condition operators (`conformance/policies/run` makes it). Exits with 1 if a case
//! fails that is not known to.

#![allow(clippy::print_stdout, reason = "the figures and findings are the output")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fogbank_policy::{
    Attached, Call, Caller, ContextMap, Document, Kind, Policies, Reason, ResourcePolicyMode,
    ResourceSide, evaluate,
};
use serde_json::{Value, json};

/// Cases that differ by intent, by a part of their name, and why.
const KNOWN: &[(&str, &str)] = &[
    (
        "iam/managedPolicies/aws/denied",
        "IAM's operations refuse to change what is AWS's themselves",
    ),
    ("iam/roles/reserved/denied", "IAM's operations refuse to change what is AWS's themselves"),
    (
        "Implicitly denied for AWS-managed alias",
        "KMS's operations refuse to change what is AWS's themselves",
    ),
    ("getCallerIdentity", "the operation asks for no permission"),
    ("sts:GetCallerIdentity allowed", "the operation asks for no permission"),
    (
        "denies even if session ARN in resource policy",
        "AWS documents that session policies do not limit what a resource policy grants to the session itself",
    ),
    (
        "NotPrincipal/Deny in Resource Policy should allow",
        "AWS documents that the account must be listed beside the role",
    ),
    (
        "EC2 specific resource matches request wildcard",
        "DescribeInstances has no resource, so that a policy must allow it on `*`",
    ),
    ("dates to epochs", "AWS documents seconds, not milliseconds"),
    (
        "condition: ArnNotLike: should return",
        "a negated operator is the opposite of its positive form",
    ),
    ("condition: DateNotEquals", "a negated operator is the opposite of its positive form"),
    ("condition: NotIpAddress", "a negated operator is the opposite of its positive form"),
    ("condition: NumericNotEquals", "a negated operator is the opposite of its positive form"),
    ("should return replacement errors", "a negated operator is the opposite of its positive form"),
    ("Should return replacement errors", "a negated operator is the opposite of its positive form"),
];

/// Documents that AWS does not store, so that no decision meets them, by the words of their refusal.
const REFUSED: &[&str] = &[
    "Allow with NotPrincipal is not allowed.",
    "Missing required field Principal",
    "Policy document should not specify a principal.",
    "Syntax errors in policy.",
    "The policy failed legacy parsing",
];

/// What is left out, by what a case has, and why.
fn skipped(case: &Value) -> Option<&'static str> {
    if case["simulation"]["mode"] == "Discovery" {
        return Some("it asks which conditions could be met, not whether they are");
    }
    if case.get("endpointPolicies").is_some() {
        return Some("there are no VPC endpoints");
    }
    let resource = case["request"]["resource"]["resource"].as_str().unwrap_or_default();
    let is_pattern = match resource {
        "*" => case["request"]["wildcardOnlyAction"] != true && pattern_of_one(case),
        resource => resource.contains(['*', '?']),
    };
    is_pattern.then_some("it asks for a pattern of resources, not for one")
}

/// Whether `*` stands for some resource of an action that has one.
fn pattern_of_one(case: &Value) -> bool {
    let action = case["request"]["action"].as_str().unwrap_or_default();
    !action.contains(":List") && !action.contains(":Describe")
}

/// A policy's document; the corpus writes principals as AWS's older examples do.
fn document(policy: &Value, kind: Kind) -> Result<Document, String> {
    let mut policy = policy.clone();
    let statements: &mut [Value] = match policy.get_mut("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(statement) => std::slice::from_mut(statement),
        None => &mut [],
    };
    for statement in statements {
        if let (Kind::Trust, Some(object)) = (kind, statement.as_object_mut()) {
            // It can only mean its role, so that AWS does not let it say so.
            object.remove("Resource");
        }
        for name in ["Principal", "NotPrincipal"] {
            match statement.get_mut(name) {
                Some(Value::String(text)) if text != "*" => {
                    statement[name] = json!({ "AWS": text.clone() });
                }
                _ => {}
            }
        }
    }
    Document::parse(&policy.to_string(), kind).map_err(|fault| format!("refused: {fault}"))
}

fn documents(policies: &Value, kind: Kind) -> Result<Vec<Document>, String> {
    policies.as_array().into_iter().flatten().map(|policy| document(policy, kind)).collect()
}

fn attached(documents: &[Document]) -> Vec<Attached<'_>> {
    documents.iter().map(|document| Attached { source: "policy", document }).collect()
}

fn caller(principal: &Value) -> Caller {
    let Some(arn) = principal.as_str() else { return Caller::anonymous() };
    if !arn.starts_with("arn:") {
        return Caller::service(arn);
    }
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let (account, resource) = (fields[4], fields[5]);
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    match kind {
        "root" => Caller::root(account),
        "assumed-role" => {
            let role = name.split('/').next().unwrap_or_default();
            let role = format!("arn:aws:iam::{account}:role/{role}");
            Caller::assumed_role(account, &role, arn, "AROAXXXXXXXXXXXXXXXXX:session")
        }
        "role" => {
            let session = format!("arn:aws:sts::{account}:assumed-role/{name}/session");
            Caller::assumed_role(account, arn, &session, "AROAXXXXXXXXXXXXXXXXX:session")
        }
        "federated-user" => Caller::federated_user(account, "", arn, "111122223333:name"),
        _ => Caller::user(account, arn, "AIDAXXXXXXXXXXXXXXXXX"),
    }
}

fn context(keys: &Value) -> ContextMap {
    let mut context = ContextMap::new();
    for (key, value) in keys.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                let values = values.iter().map(|value| value.as_str().unwrap_or_default());
                context.set_many(key, values)
            }
            Value::String(text) => context.set(key, text.as_str()),
            other => context.set(key, other.to_string()),
        };
    }
    context
}

/// The levels of control policies. Each level of resource control policies has AWS's own, which allows everything.
fn levels(levels: &Value, kind: Kind) -> Result<Vec<Vec<Document>>, String> {
    let everything = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    let level = |level: &Value| {
        let mut found = documents(&level["policies"], kind)?;
        if kind == Kind::ResourceControl {
            found.push(document(&everything, kind)?);
        }
        Ok(found)
    };
    levels.as_array().into_iter().flatten().map(level).collect()
}

fn mode(action: &str, resource: &str) -> (ResourcePolicyMode, Kind) {
    let is_trust = action.to_ascii_lowercase().starts_with("sts:assumerole");
    match () {
        () if is_trust && resource.contains(":role/") => (ResourcePolicyMode::Trust, Kind::Trust),
        () if resource.starts_with("arn:aws:kms:") && !resource.contains(":alias/") => {
            (ResourcePolicyMode::KmsKey, Kind::Resource)
        }
        () => (ResourcePolicyMode::Ordinary, Kind::Resource),
    }
}

fn decide(case: &Value) -> Result<String, String> {
    let request = &case["request"];
    let action = request["action"].as_str().unwrap_or_default();
    let resource = request["resource"]["resource"].as_str().unwrap_or_default();
    let owner = request["resource"]["accountId"].as_str().unwrap_or_default();
    let (mode, kind) = mode(action, resource);
    let identity = documents(&case["identityPolicies"], Kind::Identity)?;
    let boundary = documents(&case["permissionBoundaries"], Kind::Boundary)?;
    let session: Vec<Document> = case
        .get("sessionPolicy")
        .map(|policy| document(policy, Kind::Session))
        .transpose()?
        .into_iter()
        .collect();
    let policy = case.get("resourcePolicy").map(|policy| document(policy, kind)).transpose()?;
    let scps = levels(&case["serviceControlPolicies"], Kind::ServiceControl)?;
    let rcps = levels(&case["resourceControlPolicies"], Kind::ResourceControl)?;
    let (scps, rcps): (Vec<_>, Vec<_>) = (
        scps.iter().map(|level| attached(level)).collect(),
        rcps.iter().map(|level| attached(level)).collect(),
    );
    let (scps, rcps): (Vec<&[Attached<'_>]>, Vec<&[Attached<'_>]>) =
        (scps.iter().map(Vec::as_slice).collect(), rcps.iter().map(Vec::as_slice).collect());
    let (identity, boundary, session) =
        (attached(&identity), attached(&boundary), attached(&session));
    let policy = policy.as_ref().map(|document| Attached { source: "policy", document });
    let policies = Policies {
        identity: &identity,
        boundary: boundary.first().copied(),
        session: &session,
        resource: Some(ResourceSide { owner, policy, grants: &[] }),
        scps: &scps,
        rcps: &rcps,
        mode,
    };
    let caller = caller(&request["principal"]);
    let context = context(&request["context"]);
    let call = Call { action, resource, principal: &caller, context: &context };
    Ok(match evaluate(&call, &policies).explanation.reason {
        Reason::Allowed => "Allowed",
        Reason::ExplicitDeny => "ExplicitlyDenied",
        Reason::ImplicitDeny => "ImplicitlyDenied",
    }
    .to_owned())
}

/// Whether the operator's condition holds for the value.
fn holds(case: &Value) -> Result<String, String> {
    let operator = case["operator"].as_str().unwrap_or_default();
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {operator: {"corpus:value": case["values"]}},
    }});
    let document = [document(&policy, Kind::Identity)?];
    let attached = attached(&document);
    let mut context = context(&case["context"]);
    context.set("corpus:value", case["value"].as_str().unwrap_or_default());
    let caller = Caller::user("111122223333", "arn:aws:iam::111122223333:user/corpus", "AIDA");
    let call =
        Call { action: "s3:ListBucket", resource: "*", principal: &caller, context: &context };
    let policies = Policies { identity: &attached, ..Policies::default() };
    Ok(evaluate(&call, &policies).is_allowed().to_string())
}

#[derive(Default)]
struct Outcome {
    passed: u32,
    failed: u32,
    intended: u32,
    skipped: u32,
}

impl Outcome {
    fn note(&mut self, place: &str, name: &str, found: &str, expected: &str, verbose: bool) {
        let whole = format!("{place}: {name}");
        let known = KNOWN.iter().find(|(part, _)| whole.contains(part));
        let refused = found.strip_prefix("refused: ").filter(|why| REFUSED.contains(why));
        match known {
            _ if found == expected => self.passed += 1,
            _ if refused.is_some() => {
                self.intended += 1;
                if verbose {
                    println!("by intent  {whole}: AWS does not store it: {found}");
                }
            }
            Some((_, why)) => {
                self.intended += 1;
                if verbose {
                    println!("by intent  {whole}: {why}");
                }
            }
            None => {
                self.failed += 1;
                println!("FAILED     {whole}: {found}, not {expected}");
            }
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Value>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn run(folder: &Path, conditions: &Path, verbose: bool) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut paths = Vec::new();
    files(folder, &mut paths).map_err(|error| error.to_string())?;
    paths.sort();
    for path in &paths {
        let place = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        for case in read(path)? {
            let name = case["name"].as_str().unwrap_or_default();
            if let Some(why) = skipped(&case) {
                outcome.skipped += 1;
                if verbose {
                    println!("skipped    {place}: {name}: {why}");
                }
                continue;
            }
            let found = decide(&case).unwrap_or_else(|refused| refused);
            let expected = case["expected"]["response"].as_str().unwrap_or_default();
            outcome.note(&place, name, &found, expected, verbose);
        }
    }
    for case in read(conditions)? {
        let found = holds(&case).unwrap_or_else(|refused| refused);
        let name = case["name"].as_str().unwrap_or_default();
        outcome.note("condition", name, &found, &case["expected"].to_string(), verbose);
    }
    Ok(outcome)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let verbose = arguments.iter().any(|argument| argument == "--verbose");
    let [folder, conditions, ..] = arguments.as_slice() else {
        println!("usage: corpus FOLDER CONDITIONS [--verbose]");
        return ExitCode::from(2);
    };
    match run(Path::new(folder), Path::new(conditions), verbose) {
        Ok(Outcome { passed, failed, intended, skipped }) => {
            println!(
                "{passed} passed, {failed} failed, {intended} differ by intent, {skipped} skipped"
            );
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            println!("{why}");
            ExitCode::from(2)
        }
    }
}
