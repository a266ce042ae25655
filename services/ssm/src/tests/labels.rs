//! Labels of versions.

use fogbank_testkit::{World, expect, json};

use super::{SERVICES, put, value_of};

#[tokio::test]
async fn labels_are_attached_moved_and_removed() {
    let world = World::new(SERVICES);
    put(&world, "p", "one", json!({})).await;
    put(&world, "p", "two", json!({})).await;
    let label = |version: serde_json::Value, labels: &[&str]| json!({"Name": "p", "ParameterVersion": version, "Labels": labels});
    let add = "ssm:LabelParameterVersion";
    world
        .check(
            add,
            label(json!(1), &["prod", "1st", "aws-x"]),
            expect![[r#"
        {
          "InvalidLabels": [
            "1st",
            "aws-x"
          ],
          "ParameterVersion": 1
        }"#]],
        )
        .await;
    assert_eq!(value_of(&world, "p:prod").await, "one");
    world
        .check(
            add,
            label(json!(null), &["prod"]),
            expect![[r#"
        {
          "InvalidLabels": [],
          "ParameterVersion": 2
        }"#]],
        )
        .await;
    assert_eq!(value_of(&world, "p:prod").await, "two");
    world.check(add, label(json!(9), &["x"]), expect!["ParameterVersionNotFound: Systems Manager could not find version 9 of p. Verify the version and try again."]).await;
    let many: Vec<String> = (0..10).map(|number| format!("l{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.check(add, label(json!(2), &many), expect!["ParameterVersionLabelLimitExceeded: A parameter version can have maximum 10 labels.Move one or more labels to another version and try again."]).await;
    let remove = "ssm:UnlabelParameterVersion";
    world
        .check(
            remove,
            label(json!(2), &["prod", "other"]),
            expect![[r#"
        {
          "InvalidLabels": [
            "other"
          ],
          "RemovedLabels": [
            "prod"
          ]
        }"#]],
        )
        .await;
    world.check(remove, label(json!(7), &["prod"]), expect!["ParameterVersionNotFound: Systems Manager could not find version 7 of p. Verify the version and try again."]).await;
    let none = json!({"Name": "none", "Labels": ["x"]});
    world.check(add, none, expect!["ParameterNotFound: "]).await;
}
