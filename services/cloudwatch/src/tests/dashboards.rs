//! Dashboards and tags.

use fogbank_testkit::{World, expect, json};

use super::SERVICES;

#[tokio::test]
async fn dashboards_are_kept_as_they_are() {
    let world = World::new(SERVICES);
    let body = r#"{"widgets":[{"type":"text","properties":{"markdown":"hello"}}]}"#;
    for name in ["ops", "ops-2", "sales"] {
        let input = json!({ "DashboardName": name, "DashboardBody": body });
        world.call("cloudwatch:PutDashboard", input).await.expect("kept");
    }
    let input = json!({ "DashboardName": "ops" });
    let got = world.call("cloudwatch:GetDashboard", input).await.expect("a dashboard");
    assert_eq!(got["DashboardBody"], body);
    assert_eq!(got["DashboardArn"], "arn:aws:cloudwatch::000000000000:dashboard/ops");
    let input = json!({ "DashboardNamePrefix": "ops" });
    let list = world.call("cloudwatch:ListDashboards", input).await.expect("a list");
    assert_eq!(list["DashboardEntries"].as_array().map(Vec::len), Some(2));
    let arn = got["DashboardArn"].clone();
    let tags = json!({ "ResourceARN": arn, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }] });
    world.call("cloudwatch:TagResource", tags).await.expect("tagged");
    let keys = json!({ "ResourceARN": arn, "TagKeys": ["a"] });
    world.call("cloudwatch:UntagResource", keys).await.expect("untagged");
    let tags = world.call("cloudwatch:ListTagsForResource", json!({ "ResourceARN": arn })).await;
    assert_eq!(tags.expect("tags")["Tags"], json!([{ "Key": "b", "Value": "2" }]));
    let names = json!({ "DashboardNames": ["ops", "nobody"] });
    world
        .check(
            "cloudwatch:DeleteDashboards",
            names,
            expect!["DashboardNotFoundError: Dashboard nobody does not exist"],
        )
        .await;
    let names = json!({ "DashboardNames": ["ops", "sales"] });
    world.call("cloudwatch:DeleteDashboards", names).await.expect("deleted");
    world
        .check(
            "cloudwatch:GetDashboard",
            json!({ "DashboardName": "ops" }),
            expect!["DashboardNotFoundError: Dashboard ops does not exist"],
        )
        .await;
}

#[tokio::test]
async fn bodies_that_are_no_dashboards() {
    let world = World::new(SERVICES);
    for body in [
        "",
        "[]",
        "{}",
        r#"{"widgets":1}"#,
        r#"{"widgets":[1]}"#,
        r#"{"widgets":[{"type":"text"}]}"#,
    ] {
        let input = json!({ "DashboardName": "ops", "DashboardBody": body });
        let fault = world.call("cloudwatch:PutDashboard", input).await.expect_err(body);
        assert_eq!(fault.name(), "DashboardInvalidInputError", "{body}");
    }
    let input = json!({ "DashboardName": "no space", "DashboardBody": "{\"widgets\":[]}" });
    let fault = world.call("cloudwatch:PutDashboard", input).await.expect_err("refused");
    assert_eq!(fault.name(), "InvalidParameterValueException");
}
