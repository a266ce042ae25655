//! Topics, their attributes, tags and policies.

use fogbank_testkit::{Value, World, expect, json};

use super::{SERVICES, error, topic_arn, with_topic};

async fn attributes(world: &World, arn: &str) -> Value {
    let output = world.call("sns:GetTopicAttributes", json!({"TopicArn": arn})).await.unwrap();
    output["Attributes"].clone()
}

#[tokio::test]
async fn a_topic_has_aws_defaults() {
    let (world, arn) = with_topic().await;
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:news");
    let mut shown = attributes(&world, &arn).await;
    let policy: Value = serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Id"], "__default_policy_ID");
    let condition = &policy["Statement"][0]["Condition"];
    assert_eq!(*condition, json!({"StringEquals": {"AWS:SourceOwner": "000000000000"}}));
    shown.as_object_mut().unwrap().remove("Policy");
    expect![[r#"
        {
          "DisplayName": "",
          "EffectiveDeliveryPolicy": "{\"http\":{\"defaultHealthyRetryPolicy\":{\"minDelayTarget\":20,\"maxDelayTarget\":20,\"numRetries\":3,\"numMaxDelayRetries\":0,\"numNoDelayRetries\":0,\"numMinDelayRetries\":0,\"backoffFunction\":\"linear\"},\"disableSubscriptionOverrides\":false,\"defaultRequestPolicy\":{\"headerContentType\":\"text/plain; charset=UTF-8\"}}}",
          "Owner": "000000000000",
          "SubscriptionsConfirmed": "0",
          "SubscriptionsDeleted": "0",
          "SubscriptionsPending": "0",
          "TopicArn": "arn:aws:sns:us-east-1:000000000000:news"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&shown).unwrap());
}

#[tokio::test]
async fn creating_again_finds_the_same_topic() {
    let world = World::new(SERVICES);
    let create = async |more: Value| {
        let mut input = json!({"Name": "news"});
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        world.call("sns:CreateTopic", input).await.map_err(|fault| fault.to_string())
    };
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    create(json!({"Attributes": {"DisplayName": "One"}, "Tags": tags})).await.unwrap();
    create(json!({})).await.unwrap();
    create(json!({"Attributes": {"DisplayName": "One", "FifoTopic": "false"}})).await.unwrap();
    create(json!({"Tags": [{"Key": "a", "Value": "1"}]})).await.unwrap();
    let different = "InvalidParameterException: Invalid parameter: ";
    assert_eq!(
        create(json!({"Attributes": {"SignatureVersion": "2"}})).await.unwrap_err(),
        format!("{different}Attributes Reason: Topic already exists with different attributes")
    );
    assert_eq!(
        create(json!({"Tags": [{"Key": "c", "Value": "3"}]})).await.unwrap_err(),
        format!("{different}Tags Reason: Topic already exists with different tags")
    );
    assert_eq!(
        create(json!({"Attributes": {"FifoTopic": "true"}})).await.unwrap_err(),
        format!("{different}Topic Name")
    );
}

#[tokio::test]
async fn names_and_arns_are_checked() {
    let (world, _) = with_topic().await;
    for name in ["", "a b", "a.fifo", "bad:name", &"x".repeat(257)] {
        assert_eq!(
            error(&world, "sns:CreateTopic", json!({"Name": name})).await,
            "InvalidParameterException: Invalid parameter: Topic Name"
        );
    }
    let fifo = json!({"Name": "a.fifo", "Attributes": {"FifoTopic": "true"}});
    assert!(error(&world, "sns:CreateTopic", fifo).await.starts_with("NotImplemented"));
    for (arn, text) in [
        (
            "randomstring",
            "InvalidParameterException: Invalid parameter: TopicArn Reason: An ARN must have at \
             least 6 elements, not 1",
        ),
        (
            "arn:aws:sns:eu-west-1:000000000000:news",
            "InvalidParameterException: Invalid parameter: TopicArn",
        ),
        ("arn:aws:sns:us-east-1:000000000000:none", "NotFoundException: Topic does not exist"),
    ] {
        let input = json!({"TopicArn": arn});
        assert_eq!(error(&world, "sns:GetTopicAttributes", input).await, text);
        let input = json!({"TopicArn": arn, "Message": "x"});
        assert_eq!(error(&world, "sns:Publish", input).await, text);
    }
}

#[tokio::test]
async fn attributes_change_and_topics_go() {
    let (world, arn) = with_topic().await;
    let set = |name: &str, value: &str| json!({"TopicArn": arn, "AttributeName": name, "AttributeValue": value});
    world.call("sns:SetTopicAttributes", set("DisplayName", "News")).await.unwrap();
    assert_eq!(attributes(&world, &arn).await["DisplayName"], "News");
    assert_eq!(
        error(&world, "sns:SetTopicAttributes", set("FifoTopic", "false")).await,
        "InvalidParameterException: Invalid parameter: AttributeName"
    );
    let policy =
        json!({"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}});
    world.call("sns:SetTopicAttributes", set("DeliveryPolicy", &policy.to_string())).await.unwrap();
    let effective = attributes(&world, &arn).await["EffectiveDeliveryPolicy"].clone();
    let effective: Value = serde_json::from_str(effective.as_str().unwrap()).unwrap();
    assert_eq!(effective["http"]["defaultRequestPolicy"]["headerContentType"], "application/json");
    assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["numRetries"], 3);
    for _ in 0..2 {
        world.call("sns:DeleteTopic", json!({"TopicArn": arn})).await.unwrap();
    }
    assert!(world.call("sns:GetTopicAttributes", json!({"TopicArn": arn})).await.is_err());
}

#[tokio::test]
async fn listings_have_pages() {
    let world = World::new(SERVICES);
    for number in 0..101 {
        let name = format!("topic-{number:03}");
        world.call("sns:CreateTopic", json!({"Name": name})).await.unwrap();
    }
    let first = world.call("sns:ListTopics", json!({})).await.unwrap();
    assert_eq!(first["Topics"].as_array().unwrap().len(), 100);
    let next = json!({"NextToken": first["NextToken"]});
    let second = world.call("sns:ListTopics", next).await.unwrap();
    assert_eq!(second, json!({"Topics": [{"TopicArn": topic_arn("topic-100")}]}));
}

#[tokio::test]
async fn tags_come_and_go() {
    let (world, arn) = with_topic().await;
    let twice = json!([{"Key": "k1", "Value": "v1"}, {"Key": "k1", "Value": "v2"}]);
    assert_eq!(
        error(&world, "sns:TagResource", json!({"ResourceArn": arn, "Tags": twice})).await,
        "InvalidParameterException: Invalid parameter: Duplicated keys are not allowed."
    );
    let tags = json!([{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}]);
    world.call("sns:TagResource", json!({"ResourceArn": arn, "Tags": tags})).await.unwrap();
    let list =
        async || world.call("sns:ListTagsForResource", json!({"ResourceArn": arn})).await.unwrap();
    assert_eq!(list().await["Tags"], tags);
    let keys = json!({"ResourceArn": arn, "TagKeys": ["k1"]});
    world.call("sns:UntagResource", keys).await.unwrap();
    assert_eq!(list().await["Tags"], json!([{"Key": "k2", "Value": "v2"}]));
    let missing = json!({"ResourceArn": topic_arn("none")});
    assert_eq!(
        error(&world, "sns:ListTagsForResource", missing).await,
        "ResourceNotFoundException: Resource does not exist"
    );
}

#[tokio::test]
async fn permissions_edit_the_policy() {
    let (world, arn) = with_topic().await;
    let add = |label: &str, action: &str| {
        json!({
            "TopicArn": arn, "Label": label, "AWSAccountId": ["111111111111"],
            "ActionName": [action],
        })
    };
    world.call("sns:AddPermission", add("one", "Publish")).await.unwrap();
    let policy = attributes(&world, &arn).await["Policy"].clone();
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    assert_eq!(
        policy["Statement"][1],
        json!({
            "Sid": "one", "Effect": "Allow", "Action": "SNS:Publish", "Resource": arn,
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        })
    );
    assert_eq!(
        error(&world, "sns:AddPermission", add("one", "Publish")).await,
        "InvalidParameterException: Invalid parameter: Statement already exists"
    );
    assert_eq!(
        error(&world, "sns:AddPermission", add("two", "NotAnAction")).await,
        "InvalidParameterException: Invalid parameter: Policy statement action out of service scope!"
    );
    let remove = json!({"TopicArn": arn, "Label": "one"});
    world.call("sns:RemovePermission", remove).await.unwrap();
    let policy = attributes(&world, &arn).await["Policy"].clone();
    assert!(!policy.as_str().unwrap().contains("111111111111"));
}
