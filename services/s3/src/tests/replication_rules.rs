//! What PutBucketReplication takes, and how it words what it does not.

use fogbank_core::{Fault, Service};
use fogbank_testkit::{Value, World, expect, json};

use super::{call, refused, with};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE];
const ROLE: &str = "arn:aws:iam::000000000000:role/copier";

async fn world() -> World {
    let world = World::new(SERVICES);
    for name in ["photos", "copies", "plain"] {
        world.call("s3:CreateBucket", json!({"Bucket": name})).await.expect("a bucket");
    }
    for name in ["photos", "copies"] {
        let enabled = json!({"Bucket": name, "VersioningConfiguration": {"Status": "Enabled"}});
        world.call("s3:PutBucketVersioning", enabled).await.expect("versioned");
    }
    world
}

fn first(more: Value) -> Value {
    let destination = json!({"Bucket": "arn:aws:s3:::copies"});
    with(json!({"Status": "Enabled", "Prefix": "", "Destination": destination}), more)
}

fn second(more: Value) -> Value {
    let rule = json!({
        "Status": "Enabled", "Priority": 1, "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::copies"},
    });
    with(rule, more)
}

async fn set(world: &World, role: &str, rules: Value) -> Result<Value, Fault> {
    let configuration = json!({"Role": role, "Rules": rules});
    call(world, "PutBucketReplication", json!({"ReplicationConfiguration": configuration})).await
}

#[tokio::test]
async fn rules_are_kept_as_they_are_given() {
    let world = world().await;
    let rule = second(
        json!({"ID": "r", "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}}}),
    );
    set(&world, ROLE, json!([rule])).await.expect("set");
    let told = call(&world, "GetBucketReplication", json!({})).await.expect("rules");
    let known = json!({"Role": ROLE, "Rules": [rule]});
    assert_eq!(told["ReplicationConfiguration"], known);
    let suspended = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    assert!(
        refused(call(&world, "PutBucketVersioning", suspended.clone()).await)
            .starts_with("InvalidBucketState: A replication configuration is present")
    );
    call(&world, "DeleteBucketReplication", json!({})).await.expect("removed");
    call(&world, "DeleteBucketReplication", json!({})).await.expect("nothing to remove");
    assert!(call(&world, "GetBucketReplication", json!({})).await.is_err());
    call(&world, "PutBucketVersioning", suspended).await.expect("suspended");
    expect!["InvalidRequest: Versioning must be 'Enabled' on the bucket to apply a replication configuration"]
        .assert_eq(&refused(set(&world, ROLE, json!([first(json!({}))])).await));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_s3s_words() {
    let world = world().await;
    let to =
        |more: Value| json!({"Destination": with(json!({"Bucket": "arn:aws:s3:::copies"}), more)});
    let tag = json!({"Key": "k", "Value": "v"});
    let cases = [
        json!([]),
        json!([second(to(json!({"Bucket": "arn:aws:s3:::none"})))]),
        json!([second(to(json!({"Bucket": "arn:aws:s3:::plain"})))]),
        json!([second(to(json!({"Bucket": "arn:aws:s3:::photos"})))]),
        json!([second(to(json!({"Bucket": "copies"})))]),
        json!([second(to(json!({"StorageClass": "WARM"})))]),
        json!([second(json!({"ID": "a"})), second(json!({"ID": "a", "Priority": 2}))]),
        json!([second(json!({})), second(json!({}))]),
        json!([second(json!({"Priority": null}))]),
        json!([second(json!({"DeleteMarkerReplication": null}))]),
        json!([second(
            json!({"Filter": {"Tag": tag}, "DeleteMarkerReplication": {"Status": "Enabled"}})
        )]),
        json!([second(json!({"Filter": {"Prefix": "a", "Tag": tag}}))]),
        json!([second(json!({"Filter": {"And": {"Prefix": "a"}}}))]),
        json!([second(json!({"Prefix": "a"}))]),
        json!([second(json!({})), first(json!({}))]),
        json!([first(json!({"Priority": 1}))]),
        json!([first(json!({"Prefix": "a"})), first(json!({"Prefix": "ab"}))]),
        json!([first(json!({"ExistingObjectReplication": {"Status": "Enabled"}}))]),
        json!([second(to(json!({"EncryptionConfiguration": {"ReplicaKmsKeyID": "k"}})))]),
        json!([second(
            json!({"SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}}})
        )]),
        json!([second(to(
            json!({"ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}})
        ))]),
        json!([second(to(
            json!({"Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 10}}})
        ))]),
        json!([second(to(json!({"AccessControlTranslation": {"Owner": "Destination"}})))]),
    ];
    let mut said = String::new();
    for rules in cases {
        said += &refused(set(&world, ROLE, rules).await);
        said.push('\n');
    }
    for role in ["copier", "arn:aws:iam::000000000000:user/ada", "arn:aws:iam::111111111111:role/x"]
    {
        said += &refused(set(&world, role, json!([first(json!({}))])).await);
        said.push('\n');
    }
    expect![[r#"
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        InvalidRequest: Destination bucket must exist.
        InvalidRequest: Destination bucket must have versioning enabled.
        InvalidRequest: Destination bucket cannot be the same as the source bucket.
        InvalidArgument: Invalid bucket ARN ArgumentName=Bucket ArgumentValue=copies
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        InvalidArgument: Rule Id must be unique ArgumentName=ID ArgumentValue=a
        InvalidRequest: Found duplicate priority 1.
        InvalidRequest: Priority must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.
        InvalidRequest: DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.
        InvalidRequest: Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        InvalidRequest: Prefix cannot be used for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.
        InvalidRequest: Prefix cannot be used for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.
        InvalidRequest: Priority cannot be used for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.
        InvalidRequest: Found overlapping prefixes 'a' and 'ab'
        MalformedXML: The XML you provided was not well-formed or did not validate against our published schema
        InvalidRequest: SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.
        InvalidRequest: ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.
        InvalidRequest: Replication destination must contain both ReplicationTime and Metrics or neither.
        InvalidArgument: Minutes must be 15 ArgumentName=Minutes ArgumentValue=10
        InvalidRequest: Account must be specified when AccessControlTranslation is specified
        InvalidArgument: Invalid Role specified in replication configuration ArgumentName=Role ArgumentValue=copier
        InvalidArgument: Invalid Role specified in replication configuration ArgumentName=Role ArgumentValue=arn:aws:iam::000000000000:user/ada
        AccessDenied: User: arn:aws:iam::000000000000:root is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111111111111:role/x because no resource-based policy allows the iam:PassRole action
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn who_sets_rules_must_be_allowed_to_pass_the_role() {
    let world = world().await;
    let name = json!({"UserName": "ada"});
    let user = world.call("iam:CreateUser", name.clone()).await.expect("a user");
    let ada = fogbank_core::Principal {
        kind: fogbank_core::PrincipalKind::User { name: "ada".to_owned() },
        arn: user["User"]["Arn"].as_str().expect("an ARN").to_owned(),
        id: user["User"]["UserId"].as_str().expect("an id").to_owned(),
        ..fogbank_core::Principal::root(fogbank_testkit::ACCOUNT)
    };
    let put = async |actions: Value| {
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let policy = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": policy});
        world.call("iam:PutUserPolicy", policy).await.expect("a policy");
        let configuration = json!({"Role": ROLE, "Rules": [first(json!({}))]});
        let input = json!({"Bucket": "photos", "ReplicationConfiguration": configuration});
        world.call_as(ada.clone(), "s3:PutBucketReplication", input).await
    };
    let refusal = refused(put(json!(["s3:PutReplicationConfiguration"])).await);
    assert!(refusal.contains("iam:PassRole on resource: "), "{refusal}");
    put(json!(["s3:PutReplicationConfiguration", "iam:PassRole"])).await.expect("set");
}
