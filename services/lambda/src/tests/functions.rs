//! Creating, describing, changing and deleting functions.

use fogbank_testkit::{Value, expect, json};

use super::{ECHO, Lambda, ROLE, python, zipped};

#[tokio::test]
async fn a_function_is_created_and_becomes_active() {
    let lambda = Lambda::still().await;
    let input = python("echo", ECHO, json!({"Environment": {"Variables": {"TABLE": "t"}}}));
    lambda
        .check(
            "lambda:CreateFunction",
            input,
            expect![[r#"
        {
          "Architectures": [
            "x86_64"
          ],
          "CodeSha256": "25g1w2jSwr3o0qdRgpyn7QkJYQ+7wL9VVy/245pxA2I=",
          "CodeSize": 155,
          "Description": "",
          "Environment": {
            "Variables": {
              "TABLE": "t"
            }
          },
          "EphemeralStorage": {
            "Size": 512
          },
          "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:echo",
          "FunctionName": "echo",
          "Handler": "app.handler",
          "LastModified": "2026-01-01T00:00:00.000+0000",
          "LoggingConfig": {
            "LogFormat": "Text",
            "LogGroup": "/aws/lambda/echo"
          },
          "MemorySize": 128,
          "PackageType": "Zip",
          "RevisionId": "615fae79-5d5a-4ae0-a14d-876915e14535",
          "Role": "arn:aws:iam::000000000000:role/runner",
          "Runtime": "python3.11",
          "SnapStart": {
            "ApplyOn": "None",
            "OptimizationStatus": "Off"
          },
          "State": "Pending",
          "StateReason": "The function is being created.",
          "StateReasonCode": "Creating",
          "Timeout": 10,
          "TracingConfig": {
            "Mode": "PassThrough"
          },
          "Version": "$LATEST"
        }"#]],
        )
        .await;
    let _background = lambda.background();
    lambda.settled("echo").await;
    let function = lambda.call("lambda:GetFunction", json!({"FunctionName": "echo"})).await;
    let function = function.expect("a function");
    assert_eq!(function["Configuration"]["State"], "Active");
    assert_eq!(function["Configuration"]["StateReason"], json!(null));
    assert_eq!(function["Code"]["RepositoryType"], "S3");
    assert_eq!(function["Tags"], json!(null));
}

#[tokio::test]
async fn a_package_can_be_downloaded() {
    let lambda = Lambda::new().await;
    lambda.python("echo", ECHO).await;
    let function = lambda.call("lambda:GetFunction", json!({"FunctionName": "echo"})).await;
    let function = function.expect("a function");
    let location = function["Code"]["Location"].as_str().expect("an address");
    let get = |uri: &str| {
        http::Request::get(uri)
            .header("host", "127.0.0.1:4566")
            .body(fogbank_core::Body::empty())
            .expect("a request")
    };
    let response = lambda.http(get(location)).await;
    assert_eq!(response.status(), 200);
    let bytes = response.into_body().collect(1 << 20).await.expect("a package");
    assert_eq!(bytes.len() as u64, function["Configuration"]["CodeSize"].as_u64().expect("a size"));
    assert!(bytes.starts_with(b"PK"));

    let forged = location.replace("signature=", "signature=00");
    assert_eq!(lambda.http(get(&forged)).await.status(), 403);
    lambda.clock().advance(601_000);
    assert_eq!(lambda.http(get(location)).await.status(), 403);
}

/// Changes to a good request that AWS refuses.
fn refused_changes() -> Vec<Value> {
    vec![
        json!({"FunctionName": "taken"}),
        json!({"FunctionName": "a".repeat(65)}),
        json!({"FunctionName": "no spaces"}),
        json!({"FunctionName": "f:1"}),
        json!({"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f"}),
        json!({"Runtime": "cobol85"}),
        json!({"Runtime": "python3.7"}),
        json!({"Runtime": null}),
        json!({"Handler": null}),
        json!({"Timeout": 901}),
        json!({"MemorySize": 127}),
        json!({"Role": "r1"}),
        json!({"Role": "arn:aws:iam::000000000000:role/nobody"}),
        json!({"Role": "arn:aws:iam::111111111111:role/theirs"}),
        json!({"Code": {}}),
        json!({"Code": {"ZipFile": "bm8gemlw"}}),
        json!({"Code": {"ZipFile": zipped(&[])}}),
        json!({"Code": {"ZipFile": zipped(&[("../app.py", "")])}}),
        json!({"Code": {"ZipFile": "UEs=", "S3Bucket": "b", "S3Key": "k"}}),
        json!({"PackageType": "Image", "Code": {"ImageUri": "x"}}),
        json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
        json!({"Environment": {"Variables": {"AB": "x".repeat(4100)}}}),
        json!({"Architectures": ["x86_64", "arm64"]}),
        json!({"Architectures": ["mips"]}),
        json!({"EphemeralStorage": {"Size": 511}}),
        json!({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}),
        json!({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}),
        json!({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}}),
        json!({"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000", "LocalMountPath": "/mnt/x"}]}),
    ]
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let lambda = Lambda::still().await;
    lambda.python("taken", ECHO).await;
    let mut seen = Vec::new();
    for change in refused_changes() {
        let refusal = lambda.python_with("f", ECHO, change.clone()).await;
        let mut text = refusal.expect_err(&change.to_string()).to_string();
        text.truncate(220);
        seen.push(text);
    }
    expect![[r#"
        ResourceConflictException: Function already exist: taken
        InvalidParameterValueException: 1 validation error detected: Value 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' at 'functionName' failed to satisfy constraint: Member must have length less than or 
        ValidationException: 1 validation error detected: Value 'no spaces' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|
        InvalidParameterValueException: A function cannot be created with a qualifier in its name.
        ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')
        InvalidParameterValueException: Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java2
        InvalidParameterValueException: The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.
        InvalidParameterValueException: Runtime and Handler are mandatory parameters for functions created with deployment packages.
        InvalidParameterValueException: Runtime and Handler are mandatory parameters for functions created with deployment packages.
        ValidationException: 1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900
        ValidationException: 1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128
        ValidationException: 1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+
        InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda.
        AccessDenied: User: arn:aws:iam::000000000000:root is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111111111111:role/theirs because no resource-based policy allows the iam:PassRole action
        InvalidParameterValueException: Please provide a source for function code.
        InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.
        InvalidParameterValueException: Uploaded file must be a non-empty zip
        InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.
        ValidationException: 1 validation error detected: Value 'b' at 'code.s3Bucket' failed to satisfy constraint: Member must have length greater than or equal to 3
        InvalidParameterValueException: Fogbank does not support functions of container images yet.
        InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Rese
        InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {"AB":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        ValidationException: 1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1
        ValidationException: 1 validation error detected: Value '[mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]
        ValidationException: 1 validation error detected: Value '511' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value greater than or equal to 512
        InvalidParameterValueException: Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The subnet ID 'subnet-1' does not exist
        InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:1 does not exist.
        InvalidParameterValueException: The dead letter target arn:aws:s3:::bucket is neither a queue nor a topic.
        InvalidParameterValueException: Fogbank does not support FileSystemConfigs yet."#]].assert_eq(&seen.join("\n"));
    let left = lambda.call("lambda:ListFunctions", json!({})).await.expect("a list");
    assert_eq!(left["Functions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn code_and_configuration_change_one_at_a_time() {
    let mut lambda = Lambda::new().await;
    lambda.python("echo", ECHO).await;
    lambda.settled("echo").await;
    let get = || lambda.call("lambda:GetFunctionConfiguration", json!({"FunctionName": "echo"}));
    let before = get().await.expect("a function");
    lambda.pause();
    let update = json!({
        "FunctionName": "echo",
        "Description": "now with words",
        "MemorySize": 256,
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
        "RevisionId": before["RevisionId"],
    });
    let updated =
        lambda.call("lambda:UpdateFunctionConfiguration", update.clone()).await.expect("an update");
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_eq!(updated["State"], "Active");
    assert_eq!(updated["Description"], "now with words");
    assert_eq!(updated["Timeout"], 10);
    assert_eq!(
        updated["LoggingConfig"],
        json!({
            "LogFormat": "JSON",
            "ApplicationLogLevel": "DEBUG",
            "SystemLogLevel": "INFO",
            "LogGroup": "/aws/lambda/echo",
        })
    );
    lambda.check("lambda:UpdateFunctionConfiguration", update.clone(), expect!["ResourceConflictException: The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:echo"]).await;
    let code = json!({"FunctionName": "echo", "ZipFile": zipped(&[("app.py", "x = 1")])});
    lambda.check("lambda:UpdateFunctionCode", code.clone(), expect!["ResourceConflictException: The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:echo"]).await;

    let _background = lambda.background();
    lambda.settled("echo").await;
    lambda.check("lambda:UpdateFunctionConfiguration", update, expect!["PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"]).await;
    let updated = lambda.call("lambda:UpdateFunctionCode", code.clone()).await.expect("an update");
    assert_ne!(updated["CodeSha256"], before["CodeSha256"]);
    lambda.settled("echo").await;
    let mut dry = code.clone();
    dry["DryRun"] = json!(true);
    dry["ZipFile"] = json!(zipped(&[("app.py", "x = 2")]));
    let shown = lambda.call("lambda:UpdateFunctionCode", dry).await.expect("a dry run");
    assert_ne!(shown["CodeSha256"], updated["CodeSha256"]);
    let after =
        lambda.call("lambda:GetFunctionConfiguration", json!({"FunctionName": "echo"})).await;
    assert_eq!(after.expect("a function")["CodeSha256"], updated["CodeSha256"]);
    let missing = json!({"FunctionName": "nobody", "ZipFile": "UEs="});
    lambda.check("lambda:UpdateFunctionCode", missing, expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"]).await;
    let image = json!({"FunctionName": "echo", "ImageUri": "x"});
    lambda.check("lambda:UpdateFunctionCode", image, expect!["InvalidParameterValueException: Please don't provide ImageUri when updating a function with packageType Zip."]).await;
}

#[tokio::test]
async fn lists_are_paged() {
    let lambda = Lambda::new().await;
    for name in ["a", "b", "c"] {
        lambda.python_with(name, ECHO, json!({"Publish": name == "b"})).await.expect("a function");
    }
    let names = |page: &Value| {
        let functions = page["Functions"].as_array().expect("functions").clone();
        functions
            .iter()
            .map(|it| {
                assert_eq!(it["State"], json!(null));
                it["FunctionArn"]
                    .as_str()
                    .expect("an ARN")
                    .rsplit("function:")
                    .next()
                    .map(str::to_owned)
            })
            .map(Option::unwrap_or_default)
            .collect::<Vec<_>>()
    };
    let page = lambda.call("lambda:ListFunctions", json!({"MaxItems": 2})).await.expect("a page");
    assert_eq!(names(&page), ["a", "b"]);
    let rest = json!({"MaxItems": 2, "Marker": page["NextMarker"]});
    let page = lambda.call("lambda:ListFunctions", rest).await.expect("a page");
    assert_eq!(names(&page), ["c"]);
    assert_eq!(page["NextMarker"], json!(null));

    let all = json!({"FunctionVersion": "ALL", "MaxItems": 3});
    let page = lambda.call("lambda:ListFunctions", all).await.expect("a page");
    assert_eq!(names(&page), ["a:$LATEST", "b:$LATEST", "b:1"]);
    let rest = json!({"FunctionVersion": "ALL", "Marker": page["NextMarker"]});
    let page = lambda.call("lambda:ListFunctions", rest).await.expect("a page");
    assert_eq!(names(&page), ["c:$LATEST"]);
    lambda
        .check(
            "lambda:ListFunctions",
            json!({"Marker": "zz"}),
            expect!["InvalidParameterValueException: Invalid marker"],
        )
        .await;
}

#[tokio::test]
async fn a_function_goes_with_everything() {
    let lambda = Lambda::new().await;
    lambda.python_with("gone", ECHO, json!({"Publish": true})).await.expect("a function");
    let f = json!({"FunctionName": "gone"});
    let alias = json!({"FunctionName": "gone", "Name": "live", "FunctionVersion": "1"});
    lambda.call("lambda:CreateAlias", alias).await.expect("an alias");
    lambda.settled("gone").await;
    let mut seen = Vec::new();
    for qualifier in ["$LATEST", "live", "1"] {
        let input = json!({"FunctionName": "gone", "Qualifier": qualifier});
        let refusal = lambda.call("lambda:DeleteFunction", input).await.expect_err("in use");
        seen.push(refusal.to_string());
    }
    expect![[r#"
        InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function.
        InvalidParameterValueException: Deletion of aliases is not currently supported.
        ResourceConflictException: Unable to delete version because the following aliases reference it: [live]"#]].assert_eq(&seen.join("\n"));
    assert_eq!(
        lambda.call("lambda:DeleteFunction", f.clone()).await.expect("an end"),
        json!({"StatusCode": 204})
    );
    lambda.check("lambda:GetFunction", f.clone(), expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:gone"]).await;
    lambda.check("lambda:DeleteFunction", f, expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:gone"]).await;
    let alias = json!({"FunctionName": "gone", "Name": "live"});
    lambda.check("lambda:GetAlias", alias, expect!["ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:gone:live"]).await;
    // Another function of the name begins anew.
    lambda.python("gone", ECHO).await;
    let versions =
        lambda.call("lambda:ListVersionsByFunction", json!({"FunctionName": "gone"})).await;
    assert_eq!(versions.expect("versions")["Versions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn tags_are_kept() {
    let lambda = Lambda::new().await;
    let created = lambda.python_with("f", ECHO, json!({"Tags": {"a": "1"}})).await;
    let arn = created.expect("a function")["FunctionArn"].clone();
    let tag = json!({"Resource": arn, "Tags": {"b": "2", "c": "3"}});
    lambda.call("lambda:TagResource", tag).await.expect("tags");
    let untag = json!({"Resource": arn, "TagKeys": ["a", "x"]});
    lambda.call("lambda:UntagResource", untag).await.expect("fewer tags");
    let listed = lambda.call("lambda:ListTags", json!({"Resource": arn})).await.expect("tags");
    assert_eq!(listed, json!({"Tags": {"b": "2", "c": "3"}}));
    let function = lambda.call("lambda:GetFunction", json!({"FunctionName": "f"})).await;
    assert_eq!(function.expect("a function")["Tags"], listed["Tags"]);

    let empty = json!({"Resource": arn, "Tags": {}});
    lambda.check("lambda:TagResource", empty, expect!["InvalidParameterValueException: An error occurred and the request cannot be processed."]).await;
    let many: std::collections::BTreeMap<String, &str> =
        (0..49).map(|number| (format!("k{number}"), "v")).collect();
    let many = json!({"Resource": arn, "Tags": many});
    lambda
        .check(
            "lambda:TagResource",
            many,
            expect!["InvalidParameterValueException: Number of tags exceeds resource tag limit."],
        )
        .await;
    let version = json!({"Resource": format!("{}:1", arn.as_str().expect("an ARN"))});
    lambda.check("lambda:ListTags", version, expect!["InvalidParameterValueException: Tags on function aliases and versions are not supported. Please specify a function ARN."]).await;
    let nobody = json!({"Resource": "arn:aws:lambda:us-east-1:000000000000:function:nobody"});
    lambda.check("lambda:ListTags", nobody, expect!["ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"]).await;
}

#[tokio::test]
async fn a_role_is_passed_with_permission_only() {
    let lambda = Lambda::new().await;
    let statement = json!({"Effect": "Allow", "Action": "lambda:*", "Resource": "*"});
    let ann = lambda.user("ann", statement).await;
    let refusal = lambda.call_as(ann, "lambda:CreateFunction", python("f", ECHO, json!({}))).await;
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:PassRole on resource: arn:aws:iam::000000000000:role/runner because no identity-based policy allows the iam:PassRole action"].assert_eq(&refusal.expect_err("refused").to_string());
    let statement = json!({
        "Effect": "Allow",
        "Action": ["lambda:CreateFunction", "iam:PassRole"],
        "Resource": ["arn:aws:lambda:*:*:function:f", ROLE],
        "Condition": {"StringEqualsIfExists": {"iam:PassedToService": "lambda.amazonaws.com"}},
    });
    let bob = lambda.user("bob", statement).await;
    let created =
        lambda.call_as(bob.clone(), "lambda:CreateFunction", python("f", ECHO, json!({}))).await;
    created.expect("a function");
    let other = lambda.call_as(bob, "lambda:CreateFunction", python("g", ECHO, json!({}))).await;
    expect!["AccessDenied: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:g because no identity-based policy allows the lambda:CreateFunction action"].assert_eq(&other.expect_err("refused").to_string());
}

#[tokio::test]
async fn the_account_counts() {
    let lambda = Lambda::new().await;
    lambda.python("f", ECHO).await;
    lambda
        .shows(
            "lambda:GetAccountSettings",
            json!({}),
            expect![[r#"
        {
          "AccountLimit": {
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": 1000,
            "TotalCodeSize": 80530636800,
            "UnreservedConcurrentExecutions": 1000
          },
          "AccountUsage": {
            "FunctionCount": 1,
            "TotalCodeSize": 155
          }
        }"#]],
        )
        .await;
}
