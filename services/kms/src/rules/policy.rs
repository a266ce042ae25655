//! Key policies: the default one, those of AWS-managed keys, and what a grant allows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The operations whose encryption context a grant's constraints bind.
const WITH_CONTEXT: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

/// The policy of a key that was created without one, as AWS writes it.
pub(crate) fn default(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// The services that have AWS-managed keys here, with the names that their policies and descriptions show.
const MANAGED: &[(&str, &str, &str)] = &[
    (
        "dynamodb",
        "Amazon DynamoDB",
        "Default key that protects my DynamoDB data when no other key is defined",
    ),
    (
        "lambda",
        "AWS Lambda",
        "Default key that protects my Lambda functions when no other key is defined",
    ),
    ("s3", "Amazon S3", "Default key that protects my S3 objects when no other key is defined"),
    (
        "secretsmanager",
        "AWS Secrets Manager",
        "Default key that protects my Secrets Manager data when no other key is defined",
    ),
    ("sns", "Amazon SNS", "Default key that protects my SNS data when no other key is defined"),
    ("sqs", "Amazon SQS", "Default key that protects my SQS messages when no other key is defined"),
    (
        "ssm",
        "AWS Systems Manager",
        "Default key that protects my SSM parameters when no other key is defined",
    ),
];

/// The service whose AWS-managed key an alias stands for.
pub(crate) fn managed_service(alias: &str) -> Option<&'static str> {
    let service = alias.strip_prefix("alias/aws/")?;
    MANAGED.iter().map(|(known, ..)| *known).find(|known| *known == service)
}

/// The description of the AWS-managed key of a service.
pub(crate) fn managed_description(service: &str) -> &'static str {
    MANAGED.iter().find(|(known, ..)| *known == service).map_or("", |(.., text)| text)
}

/// The policy of the AWS-managed key of a service: whoever may use the service may use the key, through it alone.
pub(crate) fn managed(service: &str, account: &str, region: &str) -> String {
    let name =
        MANAGED.iter().find(|(known, ..)| *known == service).map_or(service, |found| found.1);
    let sid = format!(
        "Allow access through {name} for all principals in the account that are authorized to use {name}"
    );
    let condition = json!({"StringEquals": {
        "kms:CallerAccount": account,
        "kms:ViaService": format!("{service}.{region}.amazonaws.com"),
    }});
    let policy = json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-1"),
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": condition,
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    });
    serde_json::to_string_pretty(&policy).unwrap_or_default()
}

/// What a grant allows, in the terms of the policy.
pub(crate) struct Granted<'a> {
    pub(crate) grantee: &'a str,
    pub(crate) operations: &'a [String],
    pub(crate) equals: Option<&'a BTreeMap<String, String>>,
    pub(crate) subset: Option<&'a BTreeMap<String, String>>,
    pub(crate) source_arn: Option<&'a str>,
}

/// A grant as a policy: the gateway decides it like any other.
pub(crate) fn of_grant(grant: &Granted<'_>) -> String {
    let principal = match grant.grantee.starts_with("arn:") {
        true => json!({"AWS": grant.grantee}),
        false => json!({"Service": grant.grantee}),
    };
    let mut conditions = serde_json::Map::new();
    let mut equal = serde_json::Map::new();
    for (key, value) in grant.equals.or(grant.subset).into_iter().flatten() {
        equal.insert(format!("kms:EncryptionContext:{key}"), json!(value));
    }
    let bound = !equal.is_empty() || grant.equals.is_some();
    if let Some(pairs) = grant.equals {
        let keys: Vec<&String> = pairs.keys().collect();
        conditions.insert(
            "ForAllValues:StringEquals".to_owned(),
            json!({"kms:EncryptionContextKeys": keys}),
        );
    }
    if !equal.is_empty() {
        conditions.insert("StringEquals".to_owned(), Value::Object(equal));
    }
    let mut statements = Vec::new();
    let mut state = |operations: Vec<String>, conditions: serde_json::Map<String, Value>| {
        if operations.is_empty() {
            return;
        }
        let mut statement = json!({
            "Effect": "Allow", "Principal": principal, "Action": operations, "Resource": "*",
        });
        let mut conditions = conditions;
        if let Some(source) = grant.source_arn {
            conditions.insert("ArnLike".to_owned(), json!({"aws:SourceArn": source}));
        }
        if !conditions.is_empty() {
            statement["Condition"] = Value::Object(conditions);
        }
        statements.push(statement);
    };
    let (with, without): (Vec<&String>, Vec<&String>) =
        grant.operations.iter().partition(|name| bound && WITH_CONTEXT.contains(&name.as_str()));
    let (delegating, others): (Vec<&String>, Vec<&String>) =
        without.into_iter().partition(|name| *name == "CreateGrant");
    let actions = |names: Vec<&String>| names.iter().map(|name| format!("kms:{name}")).collect();
    // Whoever passes a grant on passes on no more than it allows.
    if !delegating.is_empty() {
        let mut limits = conditions.clone();
        let subset = json!({"kms:GrantOperations": grant.operations});
        let merged = match limits.remove("ForAllValues:StringEquals") {
            Some(Value::Object(mut keys)) => {
                keys.insert("kms:GrantOperations".to_owned(), json!(grant.operations));
                Value::Object(keys)
            }
            _ => subset,
        };
        limits.insert("ForAllValues:StringEquals".to_owned(), merged);
        state(actions(delegating), limits);
    }
    state(actions(with), conditions);
    state(actions(others), serde_json::Map::new());
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use fogbank_core::policy::{Document, Kind};

    use super::*;

    #[test]
    fn policies_are_policies() {
        let account = "111122223333";
        Document::parse(&default(account), Kind::Resource).expect("the default policy");
        for (service, ..) in MANAGED {
            Document::parse(&managed(service, account, "us-east-1"), Kind::Resource)
                .expect("a policy");
        }
        let context = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let operations = ["Decrypt", "CreateGrant", "DescribeKey"].map(str::to_owned);
        let granted = Granted {
            grantee: "arn:aws:iam::111122223333:user/u",
            operations: &operations,
            equals: Some(&context),
            subset: None,
            source_arn: None,
        };
        let policy = of_grant(&granted);
        assert_eq!(
            Document::parse(&policy, Kind::Resource).expect("a policy").statement_count(),
            3
        );
    }
}
