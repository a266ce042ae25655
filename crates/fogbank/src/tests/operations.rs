//! All operations, each with an input made up from its model.

use fogbank_core::Op;
use fogbank_core::wire::{self, Struct};
use fogbank_testkit::plausible::Plausible;
use fogbank_testkit::{Value, World, json};

use crate::services::SERVICES;

/// A directory bucket of S3.
const DIRECTORY: &str = "plausible--use1-az4--x-s3";
/// An access point of a directory bucket.
const DIRECTORY_POINT: &str = "plausible--use1-az4--xa-s3";

/// What is given for members whose meaning no model tells: the service (`*` for any), the operation (`*` for any), the
/// member and its value. The first that fits counts; null leaves the member out.
fn hints() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let alarm = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:plausible";
    let function = "arn:aws:lambda:us-east-1:000000000000:function:plausible";
    let signing = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0";
    let point = "arn:aws:s3:us-east-1:000000000000:accesspoint/plausible";
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:plausible:1";
    let topic = "arn:aws:sns:us-east-1:000000000000:plausible";
    let subscription = format!("{topic}:0b8f1a52-5a3b-4c1d-9e0f-000000000000");
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/plausible";
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:plausible";
    let replica = "arn:aws:secretsmanager:us-east-1:111122223333:secret:plausible-AbCdEf";
    let role = "arn:aws:iam::000000000000:role/plausible";
    let key = "arn:aws:kms:us-east-1:000000000000:key/0b8f1a52-5a3b-4c1d-9e0f-000000000000";
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let lake = "arn:aws:s3tables:us-east-1:000000000000:bucket/plausible";
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    let pattern = r#"{"source":["p"],"detail-type":["p"],"detail":{"service":["p"],"eventTypeCode":["p"],
        "userIdentity":{"principalId":["p"]}}}"#;
    vec![
        ("*", "*", "TokenCode", json!("000000")),
        ("*", "*", "Role", json!(role)),
        ("*", "*", "RoleArn", json!(role)),
        (
            "apigatewayv2",
            "*",
            "ResourceArn",
            json!("arn:aws:apigateway:us-east-1::/apis/plausible"),
        ),
        ("apigatewayv2", "*", "CredentialsArn", json!(role)),
        ("cloudwatch", "PutMetricData", "EntityMetricData", Value::Null),
        ("cloudwatch", "*", "ResourceARN", json!(alarm)),
        ("cloudwatch", "*", "OKActions", json!([topic])),
        ("cloudwatch", "*", "AlarmActions", json!([topic])),
        ("cloudwatch", "*", "InsufficientDataActions", json!([topic])),
        ("dynamodb", "*", "ResourceArn", json!(table)),
        ("dynamodb", "TransactWriteItems", "TransactItems", transaction()),
        ("dynamodb", "BatchGetItem", "RequestItems", batch("Keys")),
        ("dynamodb", "*", "Key", json!({ "id": { "S": "plausible" } })),
        ("dynamodb", "*", "Item", json!({ "id": { "S": "plausible" } })),
        ("dynamodb", "*", "AttributesToGet", json!(["id"])),
        ("dynamodb", "*", "KeyConditionExpression", json!("id = :p")),
        ("dynamodb", "*", "ExpressionAttributeValues", json!({ ":p": { "S": "plausible" } })),
        ("dynamodb", "*", "ExpressionAttributeNames", Value::Null),
        ("dynamodb", "*", "FilterExpression", Value::Null),
        ("dynamodb", "Query", "IndexName", Value::Null),
        ("dynamodb", "Scan", "IndexName", Value::Null),
        ("dynamodb", "*", "ProjectionExpression", json!("id")),
        ("events", "*", "EventPattern", json!(pattern)),
        ("events", "*", "ScheduleExpression", Value::Null),
        ("events", "*", "EventSourceName", Value::Null),
        ("events", "ActivateEventSource", "Name", json!("aws.partner/plausible/source")),
        ("events", "DeactivateEventSource", "Name", json!("aws.partner/plausible/source")),
        ("events", "DescribeEventSource", "Name", json!("aws.partner/plausible/source")),
        (
            "events",
            "StartReplay",
            "EventSourceArn",
            json!("arn:aws:events:us-east-1:000000000000:archive/plausible"),
        ),
        ("events", "StartReplay", "Destination", json!({ "Arn": bus })),
        ("events", "*", "EventSourceArn", json!(bus)),
        (
            "events",
            "*",
            "ConnectionArn",
            json!("arn:aws:events:us-east-1:000000000000:connection/plausible/0b8f1a52"),
        ),
        ("events", "*", "ConnectivityParameters", Value::Null),
        ("events", "*", "InvocationConnectivityParameters", Value::Null),
        ("events", "*", "RedshiftDataParameters", Value::Null),
        ("events", "*", "Action", json!("events:PutEvents")),
        ("events", "*", "Arn", json!("arn:aws:sqs:us-east-1:000000000000:plausible")),
        (
            "events",
            "*",
            "ResourceARN",
            json!("arn:aws:events:us-east-1:000000000000:rule/plausible"),
        ),
        ("sns", "*", "AttributeName", json!("LambdaSuccessFeedbackRoleArn")),
        ("sns", "*", "AttributeValue", json!(role)),
        ("sns", "*", "Attributes", json!({ "LambdaSuccessFeedbackRoleArn": role })),
        ("iam", "*", "VersionId", json!("v1")),
        ("iam", "*", "PolicyArn", json!("arn:aws:iam::000000000000:policy/plausible")),
        ("iam", "*", "PolicyDocument", json!(policy)),
        ("iam", "*", "AssumeRolePolicyDocument", json!(policy)),
        ("iam", "*", "PermissionsBoundary", json!("arn:aws:iam::000000000000:policy/plausible")),
        ("iam", "*", "SerialNumber", json!("arn:aws:iam::000000000000:mfa/plausible")),
        ("iam", "*", "AuthenticationCode1", json!("000000")),
        ("iam", "*", "AuthenticationCode2", json!("000000")),
        ("iam", "*", "AddPrivateKey", Value::Null),
        ("iam", "*", "RemovePrivateKey", Value::Null),
        ("iam", "*", "Url", json!("https://plausible.example")),
        (
            "iam",
            "*",
            "OpenIDConnectProviderArn",
            json!("arn:aws:iam::000000000000:oidc-provider/plausible.example"),
        ),
        ("iam", "*", "SAMLProviderArn", json!("arn:aws:iam::000000000000:saml-provider/plausible")),
        ("iam", "*", "AWSServiceName", json!("ecs.amazonaws.com")),
        (
            "iam",
            "*",
            "DeletionTaskId",
            json!("task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/plausible"),
        ),
        ("kms", "*", "KeyId", json!("alias/plausible")),
        ("kms", "*", "SourceKeyId", json!("alias/plausible")),
        ("kms", "*", "DestinationKeyId", json!("alias/plausible")),
        ("kms", "*", "TargetKeyId", json!("alias/plausible")),
        ("kms", "*", "AliasName", json!("alias/plausible")),
        ("kms", "*", "CiphertextBlob", json!(CIPHERTEXT)),
        ("kms", "*", "CustomerMasterKeySpec", Value::Null),
        ("kms", "*", "GranteeServicePrincipal", Value::Null),
        ("kms", "*", "RetiringServicePrincipal", Value::Null),
        ("kms", "*", "KeyMaterialId", json!("0".repeat(64))),
        ("kms", "*", "CloudHsmClusterId", Value::Null),
        ("kms", "*", "XksProxyAuthenticationCredential", Value::Null),
        ("kms", "*", "XksProxyUriEndpoint", Value::Null),
        ("kms", "*", "XksProxyUriPath", Value::Null),
        ("kms", "*", "XksProxyVpcEndpointServiceName", Value::Null),
        ("lambda", "*", "Action", json!("lambda:InvokeFunction")),
        ("lambda", "*", "SelfManagedEventSource", Value::Null),
        ("lambda", "*", "CapacityProviderConfig", Value::Null),
        ("lambda", "*", "CodeSigningConfigArn", json!(signing)),
        ("lambda", "*", "FileSystemConfigs", Value::Null),
        ("lambda", "*", "RuntimeConfig", Value::Null),
        ("lambda", "*", "ImageUri", Value::Null),
        ("lambda", "*", "SubnetIds", json!(["subnet-0123456789abcdef0"])),
        ("lambda", "*", "SecurityGroupIds", json!(["sg-0123456789abcdef0"])),
        ("lambda", "*", "PrincipalOrgID", json!("o-plausible0")),
        ("lambda", "*", "FunctionName", json!("plausible")),
        ("lambda", "*", "Qualifier", json!("1")),
        ("lambda", "*", "Resource", json!(function)),
        ("lambda", "*", "Arn", json!(layer)),
        ("lambda", "*", "Layers", json!([layer])),
        ("lambda", "*", "EventSourceArn", json!("arn:aws:sqs:us-east-1:000000000000:plausible")),
        ("logs", "*", "resourceArn", json!(group)),
        ("logs", "*", "logGroupIdentifier", Value::Null),
        ("logs", "*", "entity", Value::Null),
        ("logs", "*", "resourceIdentifier", Value::Null),
        ("logs", "CreateLogGroup", "kmsKeyId", Value::Null),
        ("logs", "*", "kmsKeyId", json!(key)),
        ("organizations", "*", "Target", json!({ "Id": "111122223333", "Type": "ACCOUNT" })),
        ("s3", "CreateSession", "Bucket", json!(DIRECTORY)),
        ("s3", "RenameObject", "Bucket", json!(DIRECTORY)),
        ("s3", "DeleteObject", "VersionId", Value::Null),
        ("s3", "*", "CopySource", json!("plausible/source")),
        ("s3", "*", "Tagging", json!("team=blue")),
        ("s3control", "*", "AccountId", json!("000000000000")),
        ("s3control", "PutAccessPointScope", "Name", json!(DIRECTORY_POINT)),
        ("s3control", "GetAccessPointScope", "Name", json!(DIRECTORY_POINT)),
        ("s3control", "DeleteAccessPointScope", "Name", json!(DIRECTORY_POINT)),
        ("s3control", "*", "Name", json!("plausible")),
        ("s3control", "*", "ApplicationArn", Value::Null),
        ("s3control", "*", "IdentityCenterArn", Value::Null),
        ("s3control", "CreateJob", "Bucket", json!("arn:aws:s3:::plausible")),
        ("s3control", "CreateJob", "Operation", json!({ "S3DeleteObjectTagging": {} })),
        ("s3control", "CreateJob", "ObjectArn", json!("arn:aws:s3:::plausible/plausible")),
        ("s3control", "CreateJob", "Fields", json!(["Bucket", "Key"])),
        ("s3control", "CreateJob", "ManifestGenerator", Value::Null),
        ("s3control", "*", "Bucket", json!("plausible")),
        ("s3control", "*", "BucketAccountId", json!("000000000000")),
        ("s3control", "*", "ResourceArn", json!(point)),
        ("s3control", "CreateAccessPoint", "Scope", Value::Null),
        ("s3tables", "*", "tableBucketARN", json!(lake)),
        ("s3tables", "*", "namespace", json!("plausible")),
        ("s3tables", "CreateNamespace", "namespace", json!(["plausible"])),
        ("s3tables", "*", "name", json!("plausible")),
        ("s3tables", "GetTable", "tableArn", Value::Null),
        ("s3tables", "*", "tableArn", json!(format!("{lake}/table/plausible"))),
        ("s3tables", "*", "resourceArn", json!(lake)),
        ("s3tables", "*", "kmsKeyArn", json!(key)),
        ("s3tables", "*", "schemaV2", Value::Null),
        ("s3tables", "*", "resourcePolicy", json!(policy)),
        ("secretsmanager", "*", "SecretId", json!("plausible")),
        ("secretsmanager", "*", "RotationLambdaARN", json!(function)),
        ("secretsmanager", "*", "ResourcePolicy", json!(policy)),
        ("secretsmanager", "*", "KmsKeyId", json!(key)),
        ("secretsmanager", "*", "Key", json!("tag-key")),
        ("secretsmanager", "*", "Duration", json!("2h")),
        ("secretsmanager", "*", "ScheduleExpression", Value::Null),
        ("secretsmanager", "*", "ExternalSecretRotationRoleArn", Value::Null),
        ("secretsmanager", "*", "ExternalSecretRotationMetadata", Value::Null),
        ("secretsmanager", "*", "Region", json!("eu-west-1")),
        ("secretsmanager", "*", "RemoveReplicaRegions", json!(["eu-west-1"])),
        ("secretsmanager", "*", "Type", Value::Null),
        ("secretsmanager", "*", "CrossAccountPrimaryARN", Value::Null),
        ("secretsmanager", "*", "CrossAccountReplicaARN", json!(replica)),
        ("secretsmanager", "*", "ReplicationRoleARN", json!(role)),
        ("secretsmanager", "*", "SecretBinary", Value::Null),
        ("secretsmanager", "BatchGetSecretValue", "Filters", Value::Null),
        ("sns", "*", "TopicArn", json!(topic)),
        ("sns", "*", "TargetArn", Value::Null),
        ("sns", "*", "PhoneNumber", Value::Null),
        ("sns", "*", "ResourceArn", json!(topic)),
        ("sns", "*", "SubscriptionArn", json!(subscription)),
        ("ssm", "*", "Name", json!("plausible")),
        ("ssm", "*", "Names", json!(["plausible"])),
        ("ssm", "*", "Path", json!("/plausible")),
        ("ssm", "*", "ResourceType", json!("Parameter")),
        ("ssm", "*", "ResourceId", json!("plausible")),
        (
            "ssm",
            "*",
            "ResourceArn",
            json!("arn:aws:ssm:us-east-1:000000000000:parameter/plausible"),
        ),
        ("ssm", "*", "SettingId", json!("/ssm/parameter-store/high-throughput-enabled")),
        ("ssm", "*", "Key", json!("tag-key")),
        ("ssm", "DescribeParameters", "Filters", Value::Null),
        ("ssm", "*", "ParameterFilters", Value::Null),
        ("ssm", "*", "KeyId", json!(key)),
        ("ssm", "*", "Type", json!("SecureString")),
        ("iam", "*", "RedirectUrl", json!("https://plausible.example")),
        ("iam", "*", "EntityArn", json!("arn:aws:iam::000000000000:delegation-request/plausible0")),
        ("iam", "*", "EntityPath", json!("o-plausible0/r-plau/ou-plau-plausible")),
        ("iam", "*", "OrganizationsPolicyId", json!("p-plausible0")),
        ("sts", "*", "TargetPrincipal", json!("000000000000")),
        ("sts", "*", "SigningAlgorithm", json!("ES384")),
        ("ssm", "*", "Policy", json!(policy)),
        ("sqs", "*", "QueueUrl", json!("http://127.0.0.1:4566/000000000000/plausible")),
    ]
}

/// A ciphertext of KMS, of a key that does not exist.
const CIPHERTEXT: &str = "AQAAAAAAAAALjxpSWjtMHZ4PAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

/// A transaction with all four kinds of writes.
fn transaction() -> Value {
    let key = json!({ "id": { "S": "plausible" } });
    let condition = json!({
        "TableName": "plausible",
        "Key": key,
        "ConditionExpression": "attribute_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    json!([
        { "ConditionCheck": condition },
        { "Put": { "TableName": "plausible", "Item": { "id": { "S": "put" } } } },
        { "Delete": { "TableName": "plausible", "Key": { "id": { "S": "delete" } } } },
        {
            "Update": {
                "TableName": "plausible",
                "Key": { "id": { "S": "update" } },
                "UpdateExpression": "SET a = :p",
                "ExpressionAttributeValues": { ":p": { "S": "plausible" } },
            }
        },
    ])
}

fn batch(keys: &str) -> Value {
    json!({ "plausible": { keys: [{ "id": { "S": "plausible" } }] } })
}

/// Members that every input has, though the model lets them be left out: handlers ask for them.
const NEEDED: &[(&str, &str)] = &[
    ("dynamodb", "TableName"),
    ("dynamodb", "ResourceArn"),
    ("dynamodb", "RequestItems"),
    ("kms", "CiphertextBlob"),
    ("logs", "logGroupName"),
    ("s3tables", "tableBucketARN"),
    ("s3tables", "namespace"),
    ("s3tables", "name"),
    ("sns", "TopicArn"),
];

/// An operation of a service.
pub(super) struct Operation {
    pub(super) service: &'static str,
    pub(super) op: &'static Op,
    hints: Vec<(&'static str, Value)>,
}

/// All implemented operations of all services.
pub(super) fn all() -> Vec<Operation> {
    let hints = hints();
    let mut all = Vec::new();
    for service in SERVICES {
        let name = service.model.name;
        for op in service.operations {
            let of = |(service, operation, member, value): &(&str, &str, &'static str, Value)| {
                let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
                (fits(service, name) && fits(operation, op.model.name))
                    .then(|| (*member, value.clone()))
            };
            all.push(Operation { service: name, op, hints: hints.iter().filter_map(of).collect() });
        }
    }
    all
}

impl Operation {
    /// The operation as calls name it, such as `sqs:SendMessage`.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.service, self.op.model.name)
    }

    /// Whether the input has a body that streams.
    pub(super) fn takes_body(&self) -> bool {
        wire::streaming_member(self.op.model.input).is_some()
    }

    /// An input; `whole` with what need not be given.
    pub(super) fn input(&self, whole: bool) -> Value {
        let hint = |member: &str| {
            let found = self.hints.iter().find(|(known, _)| *known == member);
            found.map(|(_, value)| value.clone())
        };
        let needed = |member: &str| NEEDED.contains(&(self.service, member));
        Plausible { whole, hint: &hint, needed: &needed }.input(self.op.model.input)
    }

    /// The same as the operation takes it.
    pub(super) fn typed(&self, whole: bool) -> Result<Box<dyn Struct>, String> {
        let mut input = (self.op.input)();
        let value = self.input(whole);
        let outcome = wire::from_json(&value, &mut *input);
        outcome.map_err(|rejection| format!("{rejection:?} in {value}"))?;
        Ok(input)
    }
}

/// A cloud in which what the inputs name exists.
pub(super) async fn world() -> World {
    let world = World::new(SERVICES);
    let table = json!({
        "TableName": "plausible",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    for (action, input) in [
        ("dynamodb:CreateTable", table),
        ("s3:CreateBucket", json!({ "Bucket": "plausible" })),
        (
            "s3:CreateBucket",
            json!({
                "Bucket": DIRECTORY,
                "CreateBucketConfiguration": {
                    "Location": { "Type": "AvailabilityZone", "Name": "use1-az4" },
                    "Bucket": { "Type": "Directory" },
                },
            }),
        ),
        (
            "s3control:CreateAccessPoint",
            json!({ "AccountId": "000000000000", "Name": "plausible", "Bucket": "plausible" }),
        ),
        ("s3tables:CreateTableBucket", json!({ "name": "plausible", "tags": { "a": "b" } })),
        ("sqs:CreateQueue", json!({ "QueueName": "plausible" })),
        ("sns:CreateTopic", json!({ "Name": "plausible" })),
        ("logs:CreateLogGroup", json!({ "logGroupName": "plausible" })),
        (
            "logs:CreateLogStream",
            json!({ "logGroupName": "plausible", "logStreamName": "plausible" }),
        ),
        (
            "secretsmanager:CreateSecret",
            json!({
                "Name": "plausible",
                "SecretString": "plausible",
                "Tags": [{ "Key": "tag-key", "Value": "plausible" }],
                "AddReplicaRegions": [{ "Region": "eu-west-2" }],
            }),
        ),
        (
            "ssm:PutParameter",
            json!({
                "Name": "plausible",
                "Value": "plausible",
                "Type": "String",
                "Tags": [{ "Key": "tag-key", "Value": "plausible" }],
            }),
        ),
        ("iam:CreateGroup", json!({ "GroupName": "plausible" })),
        ("iam:CreateUser", json!({ "UserName": "plausible" })),
    ] {
        world.call(action, input).await.unwrap_or_else(|fault| panic!("{action}: {fault}"));
    }
    let key = json!({ "MultiRegion": true });
    let key =
        world.call("kms:CreateKey", key).await.expect("a key")["KeyMetadata"]["KeyId"].clone();
    let alias = json!({ "AliasName": "alias/plausible", "TargetKeyId": key });
    world.call("kms:CreateAlias", alias).await.expect("an alias");
    world
}
