//! Requests: what is taken, what is refused, and what is told of jobs.

use fogbank_testkit::{expect, json};

use super::super::refused;
use super::*;

#[tokio::test]
async fn the_same_request_makes_one_job() {
    let world = world().await;
    let given = manifest(&world, "photos,k\n").await;
    let input = asked(tagging(), given);
    let id = create(&world, input.clone()).await;
    assert_eq!(create(&world, input.clone()).await, id);
    let mut other = input;
    other["Priority"] = 11.into();
    expect!["IdempotencyException: The ClientRequestToken was used before for a job that was asked for otherwise."]
        .assert_eq(&refused(call(&world, "CreateJob", other).await));
    let listed = call(&world, "ListJobs", json!({})).await.expect("a list");
    assert_eq!(listed["Jobs"].as_array().expect("jobs").len(), 1);
}

#[tokio::test]
async fn what_cannot_become_a_job_is_refused() {
    let world = world().await;
    let good = asked(tagging(), manifest(&world, "photos,k\n").await);
    let mut told = String::new();
    let mut try_with = async |path: &str, value: Value| {
        let mut input = good.clone();
        *input.pointer_mut(path).expect("a member") = value;
        told += &refused(call(&world, "CreateJob", input).await);
        told += "\n";
    };
    try_with("/Operation", json!({})).await;
    let two = json!({"S3DeleteObjectTagging": {}, "S3ReplicateObject": {}});
    try_with("/Operation", two).await;
    try_with("/Operation", json!({"S3PutObjectCopy": {}})).await;
    try_with("/Operation", json!({"LambdaInvoke": {}})).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let old = json!({"LambdaInvoke": {"FunctionArn": function, "UserArguments": {"k": "v"}}});
    try_with("/Operation", old).await;
    try_with("/Operation", json!({"S3PutObjectAcl": {}})).await;
    try_with("/Manifest", Value::Null).await;
    try_with("/Manifest/Location/ObjectArn", json!("arn:aws:s3:::reports")).await;
    try_with("/Manifest/Spec/Fields", json!(["Key"])).await;
    try_with("/Report", json!({"Enabled": true})).await;
    try_with("/Report/Bucket", json!("arn:aws:s3:::reports/folder")).await;
    try_with("/RoleArn", json!("arn:aws:iam::000000000000:user/worker")).await;
    try_with("/Priority", json!(-1)).await;
    expect![[r#"
        InvalidRequest: Exactly one operation must be specified for the job.
        InvalidRequest: Exactly one operation must be specified for the job.
        InvalidRequest: TargetResource must be specified for S3PutObjectCopy.
        InvalidRequest: FunctionArn must be specified for LambdaInvoke.
        InvalidRequest: UserArguments need InvocationSchemaVersion 2.0.
        InvalidRequest: AccessControlPolicy must have either an access control list or a canned one.
        InvalidRequest: Jobs must be created with either a manifest or a ManifestGenerator.
        InvalidRequest: The manifest's ObjectArn is not the ARN of an object.
        InvalidRequest: Fields of a CSV manifest must be Bucket, Key and optionally VersionId.
        InvalidRequest: Bucket must be specified when the report is enabled.
        InvalidRequest: arn:aws:s3:::reports/folder is not the ARN of a bucket.
        InvalidInput: 1 validation error detected: Value 'arn:aws:iam::000000000000:user/worker' at 'roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:[^:]+:iam::\d{12}:role/.*
        InvalidInput: 1 validation error detected: Value '-1' at 'priority' failed to satisfy constraint: Member must have value greater than or equal to 0
    "#]].assert_eq(&told);
    let unknown = json!({"JobId": "0b8f1a52-5a3b-4c1d-9e0f-000000000000"});
    for operation in ["DescribeJob", "GetJobTagging", "DeleteJobTagging"] {
        assert_eq!(
            refused(call(&world, operation, unknown.clone()).await),
            "NotFoundException: No such job"
        );
    }
}

#[tokio::test]
async fn lists_are_in_pages_the_newest_first() {
    let world = world().await;
    let given = manifest(&world, "photos,k\n").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let mut input = asked(tagging(), given.clone());
        input["ClientRequestToken"] = format!("token-{number}").into();
        input["Description"] = format!("job {number}").into();
        ids.insert(0, create(&world, input).await);
    }
    let mut found = Vec::new();
    let mut next = json!({"MaxResults": 2});
    loop {
        let page = call(&world, "ListJobs", next.clone()).await.expect("a page");
        let jobs = page["Jobs"].as_array().expect("jobs");
        assert!(jobs.len() <= 2);
        found.extend(jobs.iter().map(|job| job["JobId"].as_str().expect("an id").to_owned()));
        match &page["NextToken"] {
            Value::String(token) => next["NextToken"] = token.clone().into(),
            _ => break,
        }
    }
    assert_eq!(found, ids);
    let cancelled = json!({"JobId": ids[0], "RequestedJobStatus": "Cancelled"});
    call(&world, "UpdateJobStatus", cancelled).await.expect("cancelled");
    let input = json!({"JobStatuses": ["Cancelling", "Active"]});
    let page = call(&world, "ListJobs", input).await.expect("a page");
    assert_eq!(page["Jobs"].as_array().expect("jobs").len(), 1);
    assert_eq!(page["Jobs"][0]["Operation"], "S3PutObjectTagging");
    let wrong = call(&world, "ListJobs", json!({"NextToken": "zz"})).await;
    assert_eq!(
        refused(wrong),
        "InvalidNextTokenException: The continuation token provided is incorrect"
    );
}

#[tokio::test]
async fn jobs_have_tags() {
    let world = world().await;
    let mut input = asked(tagging(), manifest(&world, "photos,k\n").await);
    input["Tags"] = json!([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]);
    let id = create(&world, input).await;
    let named = json!({"JobId": id});
    let found = call(&world, "GetJobTagging", named.clone()).await.expect("tags");
    let both = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    assert_eq!(found["Tags"], both);
    let mut more = named.clone();
    more["Tags"] = json!([{"Key": "c", "Value": "3"}]);
    call(&world, "PutJobTagging", more.clone()).await.expect("put");
    let found = call(&world, "GetJobTagging", named.clone()).await.expect("tags");
    assert_eq!(found["Tags"], json!([{"Key": "c", "Value": "3"}]));
    let many: Vec<Value> =
        (0..51).map(|number| json!({"Key": number.to_string(), "Value": ""})).collect();
    more["Tags"] = many.into();
    assert_eq!(
        refused(call(&world, "PutJobTagging", more).await),
        "TooManyTagsException: The number of tags exceeds the limit of 50 tags."
    );
    call(&world, "DeleteJobTagging", named.clone()).await.expect("deleted");
    let found = call(&world, "GetJobTagging", named).await.expect("tags");
    assert_eq!(found["Tags"], json!([]));
}
