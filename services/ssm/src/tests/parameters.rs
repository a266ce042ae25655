//! Writing and deleting parameters.

use fogbank_testkit::{World, expect, json};

use super::{SERVICES, put, value_of};

#[tokio::test]
async fn a_parameter_is_written_read_and_deleted() {
    let world = World::new(SERVICES);
    let input = json!({
        "Name": "/app/db/host", "Value": "db.example", "Type": "String", "Description": "Where",
        "Tags": [{"Key": "team", "Value": "blue"}],
    });
    world
        .check(
            "ssm:PutParameter",
            input.clone(),
            expect![[r#"
        {
          "Tier": "Standard",
          "Version": 1
        }"#]],
        )
        .await;
    world.check("ssm:PutParameter", input, expect!["ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true."]).await;
    let named = json!({"Name": "/app/db/host"});
    world
        .check(
            "ssm:GetParameter",
            named.clone(),
            expect![[r#"
        {
          "Parameter": {
            "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/app/db/host",
            "DataType": "text",
            "LastModifiedDate": 1767225600,
            "Name": "/app/db/host",
            "Type": "String",
            "Value": "db.example",
            "Version": 1
          }
        }"#]],
        )
        .await;
    let listed = json!({"ResourceType": "Parameter", "ResourceId": "/app/db/host"});
    world
        .check(
            "ssm:ListTagsForResource",
            listed,
            expect![[r#"
        {
          "TagList": [
            {
              "Key": "team",
              "Value": "blue"
            }
          ]
        }"#]],
        )
        .await;
    world.check("ssm:DeleteParameter", named.clone(), expect!["{}"]).await;
    world.check("ssm:DeleteParameter", named.clone(), expect!["ParameterNotFound: "]).await;
    world.check("ssm:GetParameter", named, expect!["ParameterNotFound: "]).await;
    put(&world, "a", "1", json!({})).await;
    let several = json!({"Names": ["a", "b"]});
    world
        .check(
            "ssm:DeleteParameters",
            several,
            expect![[r#"
        {
          "DeletedParameters": [
            "a"
          ],
          "InvalidParameters": [
            "b"
          ]
        }"#]],
        )
        .await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn a_new_version_keeps_what_it_does_not_name() {
    let world = World::new(SERVICES);
    let more = json!({"Description": "d", "AllowedPattern": "[a-z]+", "Tier": "Advanced"});
    assert_eq!(put(&world, "p", "one", more).await, 1);
    let input = json!({"Name": "p", "Value": "two", "Overwrite": true});
    world
        .check(
            "ssm:PutParameter",
            input,
            expect![[r#"
        {
          "Tier": "Advanced",
          "Version": 2
        }"#]],
        )
        .await;
    let input = json!({"Name": "p", "Value": "3", "Overwrite": true});
    world.check("ssm:PutParameter", input, expect!["ParameterPatternMismatchException: Parameter value, cannot be validated against allowedPattern: [a-z]+"]).await;
    let described = world.call("ssm:DescribeParameters", json!({})).await.expect("described");
    expect![[r#"
        {
          "Parameters": [
            {
              "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/p",
              "AllowedPattern": "[a-z]+",
              "DataType": "text",
              "Description": "d",
              "LastModifiedDate": 1767225600,
              "LastModifiedUser": "arn:aws:iam::000000000000:root",
              "Name": "p",
              "Policies": [],
              "Tier": "Advanced",
              "Type": "String",
              "Version": 2
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&described).expect("JSON"));
}

#[tokio::test]
async fn what_no_parameter_can_be_is_refused() {
    let world = World::new(SERVICES);
    let new = |name: &str, member: &str, value: serde_json::Value| {
        let mut input = json!({"Name": name, "Value": "v", "Type": "String"});
        input[member] = value;
        input
    };
    for (input, expected) in [
        (
            new("a b", "Value", json!("v")),
            expect![[
                r#"ValidationException: Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"#
            ]],
        ),
        (
            new("/ssm/x/y", "Value", json!("v")),
            expect![[
                r#"ValidationException: Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"#
            ]],
        ),
        (
            new("/aws/x", "Value", json!("v")),
            expect!["AccessDeniedException: No access to reserved parameter name: /aws/x."],
        ),
        (
            new("p", "Value", json!("")),
            expect![
                "ValidationException: 1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1."
            ],
        ),
        (
            new("p", "Value", json!("{{a}}")),
            expect![[
                r#"ValidationException: Parameter value can't nest another parameter. Do not use "{{}}" in the value."#
            ]],
        ),
        (
            new("p", "Value", json!("x".repeat(4097))),
            expect![
                "ValidationException: Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
            ],
        ),
        (
            new("p", "Type", json!(null)),
            expect![
                "ValidationException: A parameter type is required when you create a parameter."
            ],
        ),
        (
            new("p", "Type", json!("Number")),
            expect![
                "ValidationException: 1 validation error detected: Value 'Number' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [String, StringList, SecureString]"
            ],
        ),
        (
            new("p", "DataType", json!("integer")),
            expect!["ValidationException: The parameter value is not of the data type integer."],
        ),
        (
            new("p", "DataType", json!("not_ec2")),
            expect![
                "ValidationException: The following data type is not supported: not_ec2 (Data type names are all lowercase.)"
            ],
        ),
        (
            new("p", "AllowedPattern", json!("\\d{1,4}")),
            expect![[
                r#"ParameterPatternMismatchException: Parameter value, cannot be validated against allowedPattern: \d{1,4}"#
            ]],
        ),
        (
            new("p", "AllowedPattern", json!("(")),
            expect![
                "InvalidAllowedPatternException: The request does not meet the regular expression requirement: ("
            ],
        ),
        (
            new("p", "KeyId", json!("k")),
            expect!["ValidationException: KeyId is only valid for the type SecureString."],
        ),
        (
            new(
                "p",
                "Policies",
                json!(
                    "[{\"Type\":\"Expiration\",\"Version\":\"1.0\",\"Attributes\":{\"Timestamp\":\"2027-01-01T00:00:00Z\"}}]"
                ),
            ),
            expect![
                "ValidationException: Parameter policies can only be used with parameters of the advanced-parameter tier."
            ],
        ),
        (
            json!({"Name": "p", "Value": "v", "Type": "String", "Overwrite": true, "Tags": [{"Key": "a", "Value": "b"}]}),
            expect![
                "ValidationException: Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
            ],
        ),
    ] {
        world.check("ssm:PutParameter", input, expected).await;
    }
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn tiers_follow_the_value_and_never_go_back() {
    let world = World::new(SERVICES);
    let tier = async |name: &str, value: &str, tier: serde_json::Value| {
        let input = json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true, "Tier": tier});
        match world.call("ssm:PutParameter", input).await {
            Ok(put) => put["Tier"].as_str().expect("a tier").to_owned(),
            Err(fault) => fault.to_string(),
        }
    };
    let long = "x".repeat(5000);
    assert_eq!(tier("i", "v", json!("Intelligent-Tiering")).await, "Standard");
    assert_eq!(tier("i", &long, json!("Intelligent-Tiering")).await, "Advanced");
    assert_eq!(tier("i", "v", json!("Intelligent-Tiering")).await, "Advanced");
    assert_eq!(tier("i", "v", json!(null)).await, "Advanced");
    expect!["ValidationException: This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter."].assert_eq(&tier("i", "v", json!("Standard")).await);
    expect!["ValidationException: Advanced tier parameters support a maximum parameter value of 8192 characters."].assert_eq(&tier("a", &"x".repeat(8193), json!("Advanced")).await);
    let update = json!({
        "SettingId": "/ssm/parameter-store/default-parameter-tier",
        "SettingValue": "Intelligent-Tiering",
    });
    world.call("ssm:UpdateServiceSetting", update).await.expect("updated");
    assert_eq!(tier("d", &long, json!(null)).await, "Advanced");
}

#[tokio::test]
async fn a_hundred_versions_are_kept_unless_the_oldest_has_a_label() {
    let world = World::new(SERVICES);
    for number in 1..=101 {
        put(&world, "p", &number.to_string(), json!({})).await;
    }
    expect!["ParameterVersionNotFound: Systems Manager could not find version 1 of p. Verify the version and try again."].assert_eq(&value_of(&world, "p:1").await);
    assert_eq!(value_of(&world, "p:2").await, "2");
    let label = json!({"Name": "p", "ParameterVersion": 2, "Labels": ["keep"]});
    world.call("ssm:LabelParameterVersion", label).await.expect("labelled");
    let input = json!({"Name": "p", "Value": "102", "Overwrite": true});
    world.check("ssm:PutParameter", input, expect!["ParameterMaxVersionLimitExceeded: You attempted to create a new version of p by calling the PutParameter API with the overwrite flag. Version 2, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again."]).await;
    assert_eq!(value_of(&world, "p").await, "101");
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let world = World::new(SERVICES);
    put(&world, "p", "v", json!({})).await;
    let on = |id: &str| json!({"ResourceType": "Parameter", "ResourceId": id});
    let mut add = on("p");
    add["Tags"] = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    world.call("ssm:AddTagsToResource", add).await.expect("tagged");
    let mut remove = on("p");
    remove["TagKeys"] = json!(["a"]);
    world.call("ssm:RemoveTagsFromResource", remove).await.expect("removed");
    world
        .check(
            "ssm:ListTagsForResource",
            on("p"),
            expect![[r#"
        {
          "TagList": [
            {
              "Key": "b",
              "Value": "2"
            }
          ]
        }"#]],
        )
        .await;
    world.check("ssm:ListTagsForResource", on("none"), expect!["InvalidResourceId: "]).await;
    let other = json!({"ResourceType": "Document", "ResourceId": "p"});
    world.check("ssm:ListTagsForResource", other, expect!["InvalidResourceId: "]).await;
}
