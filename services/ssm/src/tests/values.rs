//! Reading values.

use fogbank_testkit::{World, expect, json};

use super::{SERVICES, names, put, value_of};

#[tokio::test]
async fn versions_labels_and_arns_select() {
    let world = World::new(SERVICES);
    put(&world, "/a/b", "one", json!({})).await;
    put(&world, "/a/b", "two", json!({})).await;
    put(&world, "c", "bare", json!({})).await;
    let label = json!({"Name": "/a/b", "ParameterVersion": 1, "Labels": ["first"]});
    world.call("ssm:LabelParameterVersion", label).await.expect("labelled");
    for (name, value) in [
        ("/a/b", "two"),
        ("/a/b:1", "one"),
        ("/a/b:2", "two"),
        ("/a/b:first", "one"),
        ("arn:aws:ssm:us-east-1:000000000000:parameter/a/b", "two"),
        ("arn:aws:ssm:us-east-1:000000000000:parameter/a/b:1", "one"),
        ("arn:aws:ssm:us-east-1:000000000000:parameter/c", "bare"),
        (
            "/a/b:3",
            "ParameterVersionNotFound: Systems Manager could not find version 3 of /a/b. Verify the version and try again.",
        ),
        (
            "/a/b:none",
            "ParameterVersionNotFound: Systems Manager could not find version none of /a/b. Verify the version and try again.",
        ),
        ("/none", "ParameterNotFound: "),
        ("/aws/service/ami-amazon-linux-latest/x", "ParameterNotFound: "),
    ] {
        assert_eq!(value_of(&world, name).await, value, "{name}");
    }
    world
        .check(
            "ssm:GetParameter",
            json!({"Name": "/a/b:first"}),
            expect![[r#"
        {
          "Parameter": {
            "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/a/b",
            "DataType": "text",
            "LastModifiedDate": 1767225600,
            "Name": "/a/b",
            "Selector": ":first",
            "Type": "String",
            "Value": "one",
            "Version": 1
          }
        }"#]],
        )
        .await;
    let several = json!({"Names": ["c", "/none", "/a/b:1", "/a/b:9"]});
    world
        .check(
            "ssm:GetParameters",
            several,
            expect![[r#"
        {
          "InvalidParameters": [
            "/a/b:9",
            "/none"
          ],
          "Parameters": [
            {
              "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/a/b",
              "DataType": "text",
              "LastModifiedDate": 1767225600,
              "Name": "/a/b",
              "Selector": ":1",
              "Type": "String",
              "Value": "one",
              "Version": 1
            },
            {
              "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/c",
              "DataType": "text",
              "LastModifiedDate": 1767225600,
              "Name": "c",
              "Type": "String",
              "Value": "bare",
              "Version": 1
            }
          ]
        }"#]],
        )
        .await;
}

#[tokio::test]
async fn paths_are_read_level_by_level_in_pages() {
    let world = World::new(SERVICES);
    for name in ["/a/1", "/a/2", "/a/b/3", "/a/b/c/4", "/ab", "/z", "root"] {
        put(&world, name, name, json!({})).await;
    }
    let read = async |path: &str, recursive: bool, size: i64| {
        let mut found = Vec::new();
        let mut token = json!(null);
        loop {
            let input = json!({
                "Path": path, "Recursive": recursive, "MaxResults": size, "NextToken": token,
            });
            let page = world.call("ssm:GetParametersByPath", input).await.expect("a page");
            found.extend(names(&page, "Parameters"));
            token = page["NextToken"].clone();
            if token.is_null() {
                return found.join(" ");
            }
        }
    };
    assert_eq!(read("/a", false, 10).await, "/a/1 /a/2");
    assert_eq!(read("/a/", true, 1).await, "/a/1 /a/2 /a/b/3 /a/b/c/4");
    assert_eq!(read("/a/b", true, 2).await, "/a/b/3 /a/b/c/4");
    assert_eq!(read("/", false, 2).await, "/ab /z root");
    assert_eq!(read("/", true, 3).await, "/a/1 /a/2 /a/b/3 /a/b/c/4 /ab /z root");
    assert_eq!(read("/none", true, 10).await, "");
    assert_eq!(read("/aws/service/x", true, 10).await, "");
    let region = "/aws/service/global-infrastructure/regions/eu-west-1";
    assert_eq!(
        read(region, true, 2).await,
        ["domain", "geolocationCountry", "longName", "partition"]
            .map(|member| format!("{region}/{member}"))
            .join(" ")
    );
    for (input, expected) in [
        (
            json!({"Path": "a"}),
            expect![[
                r#"ValidationException: The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_."#
            ]],
        ),
        (
            json!({"Path": "/", "NextToken": "zz"}),
            expect!["InvalidNextToken: The specified token isn't valid."],
        ),
        (
            json!({"Path": "/", "ParameterFilters": [{"Key": "Name", "Values": ["x"]}]}),
            expect![
                "InvalidFilterKey: The following filter key is not valid: Name. Valid filter keys include: [Type, KeyId, Label]."
            ],
        ),
        (
            json!({"Path": "/", "MaxResults": 11}),
            expect![
                "ValidationException: 1 validation error detected: Value '11' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10"
            ],
        ),
    ] {
        world.check("ssm:GetParametersByPath", input, expected).await;
    }
}

#[tokio::test]
async fn paths_take_filters() {
    let world = World::new(SERVICES);
    put(&world, "/a/list", "x,y", json!({"Type": "StringList"})).await;
    put(&world, "/a/text", "one", json!({})).await;
    put(&world, "/a/text", "two", json!({})).await;
    let label = json!({"Name": "/a/text", "ParameterVersion": 1, "Labels": ["old"]});
    world.call("ssm:LabelParameterVersion", label).await.expect("labelled");
    let read = async |key: &str, value: &str| {
        let filter = json!([{"Key": key, "Option": "Equals", "Values": [value]}]);
        let input = json!({"Path": "/a", "ParameterFilters": filter});
        let page = world.call("ssm:GetParametersByPath", input).await.expect("a page");
        let all = page["Parameters"].as_array().expect("parameters").iter();
        all.map(|it| it["Value"].as_str().expect("a value").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(read("Type", "StringList").await, "x,y");
    assert_eq!(read("Label", "old").await, "one");
    assert_eq!(read("Label", "new").await, "");
}

#[tokio::test]
async fn history_shows_every_version() {
    let world = World::new(SERVICES);
    put(&world, "p", "one", json!({"Description": "d"})).await;
    world.clock().advance(1500);
    put(&world, "p", "two", json!({})).await;
    let input = json!({"Name": "p", "MaxResults": 1});
    let page = world.call("ssm:GetParameterHistory", input).await.expect("a page");
    expect![[r#"
        [
          {
            "DataType": "text",
            "Description": "d",
            "Labels": [],
            "LastModifiedDate": 1767225600,
            "LastModifiedUser": "arn:aws:iam::000000000000:root",
            "Name": "p",
            "Policies": [],
            "Tier": "Standard",
            "Type": "String",
            "Value": "one",
            "Version": 1
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&page["Parameters"]).expect("JSON"));
    let input = json!({"Name": "p", "MaxResults": 1, "NextToken": page["NextToken"]});
    let page = world.call("ssm:GetParameterHistory", input).await.expect("a page");
    assert_eq!(page["Parameters"][0]["Value"], "two");
    assert_eq!(page["NextToken"], json!(null));
}

#[tokio::test]
async fn public_parameters_are_for_everybody_who_may_read_them() {
    let world = World::new(SERVICES);
    let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let shown = world.call("ssm:GetParameter", json!({"Name": name})).await.expect("a parameter");
    let parameter = &shown["Parameter"];
    assert_eq!(parameter["DataType"], "aws:ec2:image");
    assert_eq!(parameter["ARN"], format!("arn:aws:ssm:us-east-1::parameter{name}"));
    let image = parameter["Value"].as_str().expect("text");
    assert!(image.starts_with("ami-") && image.len() == 21, "{image}");
    assert_eq!(value_of(&world, &format!("{name}:1")).await, image);
    let several = world.call("ssm:GetParameters", json!({"Names": [name, "/aws/service/x"]})).await;
    let several = several.expect("an answer");
    assert_eq!(several["InvalidParameters"], json!(["/aws/service/x"]));
    let put = json!({"Name": name, "Value": "x", "Type": "String"});
    let refused = world.call("ssm:PutParameter", put).await.expect_err("it is AWS's");
    assert_eq!(refused.name(), "AccessDeniedException");
}
