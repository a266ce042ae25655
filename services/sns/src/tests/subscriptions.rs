//! Subscriptions: making, confirming, changing and ending them.

use fogbank_testkit::{Value, json};

use super::{effects, error, get, mails, queue_arn, subscribe, topic_arn, with_topic};

#[tokio::test]
async fn a_queue_is_subscribed_at_once() {
    let (world, topic) = with_topic().await;
    let arn =
        subscribe(&world, "sqs", &queue_arn("jobs"), json!({"RawMessageDelivery": "True"})).await;
    assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
    let input = json!({"SubscriptionArn": arn});
    let output = world.call("sns:GetSubscriptionAttributes", input).await.unwrap();
    assert_eq!(
        output["Attributes"],
        json!({
            "ConfirmationWasAuthenticated": "true",
            "Endpoint": queue_arn("jobs"),
            "Owner": "000000000000",
            "PendingConfirmation": "false",
            "Protocol": "sqs",
            "RawMessageDelivery": "true",
            "SubscriptionArn": arn,
            "SubscriptionPrincipal": "arn:aws:iam::000000000000:root",
            "TopicArn": topic,
        })
    );
    let listed = json!([{
        "SubscriptionArn": arn, "Owner": "000000000000", "Protocol": "sqs",
        "Endpoint": queue_arn("jobs"), "TopicArn": topic,
    }]);
    let all = world.call("sns:ListSubscriptions", json!({})).await.unwrap();
    assert_eq!(all["Subscriptions"], listed);
    let of_topic = json!({"TopicArn": topic});
    let of_topic = world.call("sns:ListSubscriptionsByTopic", of_topic).await.unwrap();
    assert_eq!(of_topic["Subscriptions"], listed);
}

#[tokio::test]
async fn subscribing_again_finds_the_same_subscription() {
    let (world, topic) = with_topic().await;
    let raw = json!({"RawMessageDelivery": "true"});
    let arn = subscribe(&world, "sqs", &queue_arn("jobs"), raw.clone()).await;
    for same in [raw, json!({}), json!({"FilterPolicyScope": "MessageAttributes"})] {
        assert_eq!(subscribe(&world, "sqs", &queue_arn("jobs"), same).await, arn);
    }
    let different = json!({
        "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn("jobs"),
        "Attributes": {"RawMessageDelivery": "false"},
    });
    assert_eq!(
        error(&world, "sns:Subscribe", different).await,
        "InvalidParameterException: Invalid parameter: Attributes Reason: Subscription already \
         exists with different attributes"
    );
    let missing = json!({
        "TopicArn": topic_arn("none"), "Protocol": "sqs", "Endpoint": queue_arn("jobs"),
    });
    assert_eq!(
        error(&world, "sns:Subscribe", missing).await,
        "NotFoundException: Topic does not exist"
    );
}

#[tokio::test]
async fn unsubscribing_twice_is_fine() {
    let (world, topic) = with_topic().await;
    let arn = subscribe(&world, "sqs", &queue_arn("jobs"), json!({})).await;
    for _ in 0..2 {
        world.call("sns:Unsubscribe", json!({"SubscriptionArn": arn})).await.unwrap();
    }
    assert_eq!(
        error(&world, "sns:GetSubscriptionAttributes", json!({"SubscriptionArn": arn})).await,
        "NotFoundException: Subscription does not exist"
    );
    let all = world.call("sns:ListSubscriptions", json!({})).await.unwrap();
    assert_eq!(all["Subscriptions"], json!([]));
    let shown = world.call("sns:GetTopicAttributes", json!({"TopicArn": topic})).await.unwrap();
    assert_eq!(shown["Attributes"]["SubscriptionsDeleted"], "1");
    for (bad, text) in [
        ("randomstring", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:us-east-1:000000000000:random", "SubscriptionId"),
    ] {
        assert_eq!(
            error(&world, "sns:Unsubscribe", json!({"SubscriptionArn": bad})).await,
            format!("InvalidParameterException: Invalid parameter: {text}")
        );
    }
}

#[tokio::test]
async fn attributes_are_set_one_by_one() {
    let (world, _) = with_topic().await;
    let arn = subscribe(&world, "sqs", &queue_arn("jobs"), json!({})).await;
    let set = |name: &str, value: &str| json!({"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value});
    let call = async |name: &str, value: &str| {
        world.call("sns:SetSubscriptionAttributes", set(name, value)).await
    };
    let nested = r#"{"object":{"key":[{"prefix":"auto-"}]}}"#;
    assert_eq!(
        call("FilterPolicy", nested).await.unwrap_err().message(),
        "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy"
    );
    call("FilterPolicyScope", "MessageBody").await.unwrap();
    call("FilterPolicy", nested).await.unwrap();
    let shown = async || {
        let input = json!({"SubscriptionArn": arn});
        world.call("sns:GetSubscriptionAttributes", input).await.unwrap()["Attributes"].clone()
    };
    assert_eq!(shown().await["FilterPolicy"], nested);
    assert_eq!(shown().await["FilterPolicyScope"], "MessageBody");
    call("FilterPolicy", "").await.unwrap();
    assert_eq!(shown().await["FilterPolicy"], Value::Null);
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    call("RedrivePolicy", &redrive).await.unwrap();
    assert_eq!(shown().await["RedrivePolicy"], redrive);
}

#[tokio::test]
async fn an_http_endpoint_confirms_with_its_token() {
    let (world, topic) = with_topic().await;
    let answer = subscribe(&world, "http", "http://127.0.0.1:1/hook", json!({})).await;
    assert_eq!(answer, "pending confirmation");
    let waiting = effects(&world);
    assert_eq!(waiting.len(), 1);
    let post = waiting[0].input().unwrap();
    let header = |name: &str| {
        let headers = post["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].clone())
    };
    assert_eq!(header("x-amz-sns-message-type"), Some(json!("SubscriptionConfirmation")));
    assert_eq!(header("x-amz-sns-topic-arn"), Some(json!(topic)));
    let envelope: Value = serde_json::from_str(post["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        envelope["Message"],
        format!(
            "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit \
             the SubscribeURL included in this message."
        )
    );
    let listed = world.call("sns:ListSubscriptions", json!({})).await.unwrap();
    assert_eq!(listed["Subscriptions"][0]["SubscriptionArn"], "PendingConfirmation");
    let bad = json!({"TopicArn": topic, "Token": "bad"});
    assert_eq!(
        error(&world, "sns:ConfirmSubscription", bad).await,
        "InvalidParameterException: Invalid parameter: Token"
    );
    let url = envelope["SubscribeURL"].as_str().unwrap();
    let (status, body) = get(&world, url.strip_prefix("http://127.0.0.1:4566").unwrap()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(&format!("<SubscriptionArn>{topic}:")), "{body}");
    let listed = world.call("sns:ListSubscriptions", json!({})).await.unwrap();
    let arn = listed["Subscriptions"][0]["SubscriptionArn"].as_str().unwrap().to_owned();
    let input = json!({"SubscriptionArn": arn});
    let shown = world.call("sns:GetSubscriptionAttributes", input).await.unwrap();
    assert_eq!(shown["Attributes"]["ConfirmationWasAuthenticated"], "false");
    assert_eq!(shown["Attributes"]["PendingConfirmation"], "false");
    let path = format!("/?Action=Unsubscribe&SubscriptionArn={arn}");
    assert_eq!(get(&world, &path).await.0, 200);
    let goodbye = effects(&world).last().unwrap().input().unwrap();
    assert!(goodbye["body"].as_str().unwrap().contains("UnsubscribeConfirmation"));
}

#[tokio::test]
async fn a_mailbox_is_subscribed_at_once_and_asked_all_the_same() {
    let (world, topic) = with_topic().await;
    let arn = subscribe(&world, "email", "a@example.com", json!({})).await;
    assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
    let mail = mails(&world).await.remove(0);
    assert_eq!(mail["to"], "a@example.com");
    assert_eq!(mail["subject"], "AWS Notification - Subscription Confirmation");
    assert_eq!(mail["topic_arn"], topic);
    assert_eq!(mail["at"], "2026-01-01T00:00:00.000Z");
    let body = mail["body"].as_str().unwrap();
    let link = body.lines().find(|line| line.contains("Action=ConfirmSubscription")).unwrap();
    let (status, body) = get(&world, link.strip_prefix("http://127.0.0.1:4566").unwrap()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(&arn), "{body}");
}

#[tokio::test]
async fn a_deleted_topic_takes_its_subscriptions_along() {
    let (world, topic) = with_topic().await;
    for number in 0..450 {
        let endpoint = format!("a{number}@example.com");
        subscribe(&world, "email", &endpoint, json!({})).await;
    }
    let by_topic = json!({"TopicArn": topic});
    let first = world.call("sns:ListSubscriptionsByTopic", by_topic.clone()).await.unwrap();
    assert_eq!(first["Subscriptions"].as_array().unwrap().len(), 100);
    let next = json!({"TopicArn": topic, "NextToken": first["NextToken"]});
    let second = world.call("sns:ListSubscriptionsByTopic", next).await.unwrap();
    assert_ne!(first["Subscriptions"][99], second["Subscriptions"][0]);
    world.call("sns:DeleteTopic", by_topic).await.unwrap();
    let background = world.background();
    for _ in 0..2000 {
        if effects(&world).is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(background);
    let left = world.call("sns:ListSubscriptions", json!({})).await.unwrap();
    assert_eq!(left, json!({"Subscriptions": []}));
    world.call("sns:CreateTopic", json!({"Name": "news"})).await.unwrap();
    let fresh = world.call("sns:ListSubscriptionsByTopic", json!({"TopicArn": topic})).await;
    assert_eq!(fresh.unwrap(), json!({"Subscriptions": []}));
}
