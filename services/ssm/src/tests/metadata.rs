//! `DescribeParameters`.

use fogbank_testkit::{Value, World, expect, json};

use super::{SERVICES, names, put};

async fn world() -> World {
    let world = World::new(SERVICES);
    for name in ["/a/1", "/a/b/2", "/z/3", "plain"] {
        put(&world, name, "v", json!({})).await;
    }
    put(&world, "/z/list", "a,b", json!({"Type": "StringList"})).await;
    put(&world, "/z/big", "v", json!({"Tier": "Advanced"})).await;
    let tag = json!({
        "ResourceType": "Parameter", "ResourceId": "/a/1", "Tags": [{"Key": "team", "Value": "blue"}],
    });
    world.call("ssm:AddTagsToResource", tag).await.expect("tagged");
    world
}

#[tokio::test]
async fn parameters_are_filtered() {
    let world = world().await;
    let filter = |key: &str, option: &str, values: &[&str]| json!([{"Key": key, "Option": option, "Values": values}]);
    for (filters, expected) in [
        (json!([]), "/a/1 /a/b/2 /z/3 /z/big /z/list plain"),
        (filter("Name", "Equals", &["/plain", "/a/1"]), "/a/1 plain"),
        (filter("Name", "BeginsWith", &["/z"]), "/z/3 /z/big /z/list"),
        (filter("Name", "Contains", &["li"]), "/z/list"),
        (filter("Path", "OneLevel", &["/a"]), "/a/1"),
        (filter("Path", "Recursive", &["/a"]), "/a/1 /a/b/2"),
        (filter("Type", "Equals", &["StringList"]), "/z/list"),
        (filter("Tier", "Equals", &["Advanced"]), "/z/big"),
        (filter("DataType", "Equals", &["text"]), "/a/1 /a/b/2 /z/3 /z/big /z/list plain"),
        (filter("tag:team", "Equals", &["blue"]), "/a/1"),
        (filter("tag:team", "BeginsWith", &["bl"]), "/a/1"),
        (filter("tag:team", "Equals", &["red"]), ""),
        (json!([{"Key": "tag:team"}]), "/a/1"),
        (
            json!([{"Key": "Path", "Values": ["/z"]}, {"Key": "Type", "Values": ["String"]}]),
            "/z/3 /z/big",
        ),
    ] {
        let input = json!({"ParameterFilters": filters});
        let page = world.call("ssm:DescribeParameters", input).await.expect("a page");
        assert_eq!(names(&page, "Parameters").join(" "), expected, "{filters}");
    }
    let old = json!({"Filters": [{"Key": "Name", "Values": ["/z"]}], "MaxResults": 2});
    let page = world.call("ssm:DescribeParameters", old.clone()).await.expect("a page");
    assert_eq!(names(&page, "Parameters"), ["/z/3", "/z/big"]);
    let mut rest = old;
    rest["NextToken"] = page["NextToken"].clone();
    let page = world.call("ssm:DescribeParameters", rest).await.expect("a page");
    assert_eq!(names(&page, "Parameters"), ["/z/list"]);
    assert_eq!(page["NextToken"], json!(null));
}

#[tokio::test]
async fn filters_that_mean_nothing_are_refused() {
    let world = World::new(SERVICES);
    let filter = |value: Value| json!({"ParameterFilters": [value]});
    for (input, expected) in [
        (
            filter(json!({"Key": "Label", "Values": ["x"]})),
            expect![
                "InvalidFilterKey: The following filter key is not valid: Label. Valid filter keys include: [Path, Name, Type, KeyId, Tier, DataType]."
            ],
        ),
        (
            filter(json!({"Key": "Color", "Values": ["x"]})),
            expect![
                "ValidationException: 1 validation error detected: Value 'Color' at 'parameterFilters.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType)$"
            ],
        ),
        (
            filter(json!({"Key": "Name"})),
            expect![
                "InvalidFilterValue: The following filter values are missing : null for filter key Name"
            ],
        ),
        (
            filter(json!({"Key": "Name", "Option": "equals", "Values": ["x"]})),
            expect![
                "InvalidFilterOption: The following filter option is not valid: equals. Valid options include: [BeginsWith, Equals]."
            ],
        ),
        (
            filter(json!({"Key": "Path", "Option": "BeginsWith", "Values": ["/x"]})),
            expect![
                "InvalidFilterOption: The following filter option is not valid: BeginsWith. Valid options include: [Recursive, OneLevel]."
            ],
        ),
        (
            filter(json!({"Key": "Path", "Values": ["x"]})),
            expect![[
                r#"ValidationException: The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_."#
            ]],
        ),
        (
            filter(json!({"Key": "Type", "Values": ["array"]})),
            expect![
                "InvalidFilterOption: The following filter value is not valid: array. Valid values include: [String, StringList, SecureString]."
            ],
        ),
        (
            json!({"ParameterFilters": [{"Key": "Name", "Values": ["x"]}, {"Key": "Name", "Values": ["y"]}]}),
            expect![
                "InvalidFilterKey: The following filter is duplicated in the request: Name. A request can contain only one occurrence of a specific filter."
            ],
        ),
        (
            json!({
                "Filters": [{"Key": "Name", "Values": ["x"]}],
                "ParameterFilters": [{"Key": "Name", "Values": ["x"]}],
            }),
            expect![
                "ValidationException: You can use either Filters or ParameterFilters in a single request."
            ],
        ),
        (json!({"NextToken": "zz"}), expect!["InvalidNextToken: The specified token isn't valid."]),
    ] {
        world.check("ssm:DescribeParameters", input, expected).await;
    }
}
