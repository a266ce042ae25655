//! Queues, their attributes, tags and policies.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, expect, json};

use super::{SERVICES, attribute, counts, create, error, receive, send, with_queue};

#[tokio::test]
async fn creating_again_finds_the_same_queue() {
    let (world, url) = with_queue(json!({"DelaySeconds": "1", "VisibilityTimeout": "5"})).await;
    assert_eq!(url, "http://127.0.0.1:4566/000000000000/jobs");
    assert_eq!(create(&world, "jobs", json!({})).await, url);
    assert_eq!(create(&world, "jobs", json!({"DelaySeconds": "1"})).await, url);
    let different = json!({"QueueName": "jobs", "Attributes": {"DelaySeconds": "2"}});
    assert_eq!(
        error(&world, "sqs:CreateQueue", different).await,
        "QueueNameExists: A queue already exists with the same name and a different value for \
         attribute DelaySeconds"
    );
}

#[tokio::test]
async fn all_attributes_have_aws_defaults() {
    let (world, url) = with_queue(json!({})).await;
    let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    world
        .check(
            "sqs:GetQueueAttributes",
            input,
            expect![[r#"
                {
                  "Attributes": {
                    "ApproximateNumberOfMessages": "0",
                    "ApproximateNumberOfMessagesDelayed": "0",
                    "ApproximateNumberOfMessagesNotVisible": "0",
                    "CreatedTimestamp": "1767225600",
                    "DelaySeconds": "0",
                    "LastModifiedTimestamp": "1767225600",
                    "MaximumMessageSize": "1048576",
                    "MessageRetentionPeriod": "345600",
                    "QueueArn": "arn:aws:sqs:us-east-1:000000000000:jobs",
                    "ReceiveMessageWaitTimeSeconds": "0",
                    "SqsManagedSseEnabled": "true",
                    "VisibilityTimeout": "30"
                  }
                }"#]],
        )
        .await;
    assert_eq!(attribute(&world, &url, "Policy").await, None);
    let unknown = json!({"QueueUrl": url, "AttributeNames": ["Foo"]});
    assert_eq!(
        error(&world, "sqs:GetQueueAttributes", unknown).await,
        "InvalidAttributeName: Unknown Attribute Foo."
    );
}

#[tokio::test]
async fn setting_attributes_moves_the_time_of_change() {
    let (world, url) = with_queue(json!({})).await;
    world.clock().advance(5_000);
    let input = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "69"}});
    world.call("sqs:SetQueueAttributes", input).await.unwrap();
    assert_eq!(attribute(&world, &url, "VisibilityTimeout").await.as_deref(), Some("69"));
    let modified = attribute(&world, &url, "LastModifiedTimestamp").await;
    assert_eq!(modified.as_deref(), Some("1767225605"));
    let bad = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "43201"}});
    assert_eq!(
        error(&world, "sqs:SetQueueAttributes", bad).await,
        "InvalidAttributeValue: Invalid value for the parameter VisibilityTimeout."
    );
}

#[tokio::test]
async fn names_and_urls_are_checked() {
    let world = World::new(SERVICES);
    for name in ["", "a b", "a.fifo", &"x".repeat(81)] {
        let text = error(&world, "sqs:CreateQueue", json!({"QueueName": name})).await;
        assert_eq!(
            text,
            "InvalidParameterValueException: Can only include alphanumeric characters, hyphens, \
             or underscores. 1 to 80 in length"
        );
    }
    let missing = json!({"QueueUrl": "http://elsewhere/000000000000/none"});
    assert_eq!(
        error(&world, "sqs:ReceiveMessage", missing).await,
        "QueueDoesNotExist: The specified queue does not exist."
    );
    assert_eq!(
        error(&world, "sqs:PurgeQueue", json!({"QueueUrl": "http://elsewhere/none/of/this"})).await,
        "InvalidAddress: The address http://elsewhere/none/of/this is not valid for this endpoint."
    );
}

#[tokio::test]
async fn a_queue_is_found_by_url_of_any_host_by_arn_and_by_name() {
    let (world, _) = with_queue(json!({})).await;
    for url in [
        "https://sqs.us-east-1.amazonaws.com/000000000000/jobs",
        "http://localhost:4566/queue/us-east-1/000000000000/jobs",
        "http://localhost:4566/000000000000/jobs",
        "arn:aws:sqs:us-east-1:000000000000:jobs",
        "jobs",
    ] {
        send(&world, url, "hello").await;
    }
    assert_eq!(counts(&world, "jobs").await.0, "5");
    let found = world.call("sqs:GetQueueUrl", json!({"QueueName": "jobs"})).await.unwrap();
    assert_eq!(found["QueueUrl"], "http://127.0.0.1:4566/000000000000/jobs");
}

#[tokio::test]
async fn listings_have_prefixes_and_pages() {
    let world = World::new(SERVICES);
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        create(&world, name, json!({})).await;
    }
    let list = async |input| world.call("sqs:ListQueues", input).await.unwrap();
    assert_eq!(list(json!({})).await["QueueUrls"].as_array().unwrap().len(), 4);
    let first = list(json!({"QueueNamePrefix": "a-", "MaxResults": 2})).await;
    assert_eq!(first["QueueUrls"].as_array().unwrap().len(), 2);
    let next = json!({"QueueNamePrefix": "a-", "MaxResults": 2, "NextToken": first["NextToken"]});
    let second = list(next).await;
    assert_eq!(
        second,
        json!({"QueueUrls": ["http://127.0.0.1:4566/000000000000/a-3"]}),
        "the last page has no token"
    );
    assert_eq!(list(json!({"QueueNamePrefix": "c"})).await, json!({}));
    let other = world.call_as(Principal::root("111111111111"), "sqs:ListQueues", json!({})).await;
    assert_eq!(other.unwrap(), json!({}), "accounts are apart");
}

#[tokio::test]
async fn a_purge_removes_everything_once_a_minute() {
    let (world, url) = with_queue(json!({})).await;
    send(&world, &url, "visible").await;
    send(&world, &url, "in flight").await;
    let taken = receive(&world, &url, json!({})).await;
    world.call("sqs:PurgeQueue", json!({"QueueUrl": url})).await.unwrap();
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
    assert!(receive(&world, &url, json!({})).await.is_empty());
    let handle = &taken[0]["ReceiptHandle"];
    let delete = json!({"QueueUrl": url, "ReceiptHandle": handle});
    world.call("sqs:DeleteMessage", delete).await.expect("a purged message is gone, which is fine");
    assert_eq!(
        error(&world, "sqs:PurgeQueue", json!({"QueueUrl": url})).await,
        "PurgeQueueInProgress: Only one PurgeQueue operation on jobs is allowed every 60 seconds."
    );
    world.clock().advance(60_000);
    send(&world, &url, "again").await;
    world.call("sqs:PurgeQueue", json!({"QueueUrl": url})).await.unwrap();
    assert_eq!(counts(&world, &url).await.0, "0");
}

#[tokio::test]
async fn a_deleted_queue_takes_its_messages_along() {
    let (world, url) = with_queue(json!({})).await;
    send(&world, &url, "lost").await;
    world.call("sqs:DeleteQueue", json!({"QueueUrl": url})).await.unwrap();
    let text = error(&world, "sqs:SendMessage", json!({"QueueUrl": url, "MessageBody": "x"})).await;
    assert_eq!(text, "QueueDoesNotExist: The specified queue does not exist.");
    create(&world, "jobs", json!({})).await;
    assert!(receive(&world, &url, json!({})).await.is_empty());
}

#[tokio::test]
async fn tags_come_and_go() {
    let (world, url) = with_queue(json!({})).await;
    let tags = json!({"QueueUrl": url, "Tags": {"a": "1", "b": "2", "c": ""}});
    world.call("sqs:TagQueue", tags).await.unwrap();
    world.call("sqs:UntagQueue", json!({"QueueUrl": url, "TagKeys": ["a", "c"]})).await.unwrap();
    let list = async || world.call("sqs:ListQueueTags", json!({"QueueUrl": url})).await.unwrap();
    assert_eq!(list().await, json!({"Tags": {"b": "2"}}));
    world.call("sqs:UntagQueue", json!({"QueueUrl": url, "TagKeys": ["b"]})).await.unwrap();
    assert_eq!(list().await, json!({}));
    let created = json!({"QueueName": "tagged", "tags": {"team": "a"}});
    world.call("sqs:CreateQueue", created).await.unwrap();
    let shown = world.call("sqs:ListQueueTags", json!({"QueueUrl": "tagged"})).await.unwrap();
    assert_eq!(shown, json!({"Tags": {"team": "a"}}));
}

#[tokio::test]
async fn permissions_edit_the_policy() {
    let (world, url) = with_queue(json!({})).await;
    let add = |label: &str, account: &str| {
        json!({
            "QueueUrl": url, "Label": label, "AWSAccountIds": [account],
            "Actions": ["ReceiveMessage"],
        })
    };
    world.call("sqs:AddPermission", add("one", "111111111111")).await.unwrap();
    let policy = attribute(&world, &url, "Policy").await.unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(
        policy,
        json!({
            "Version": "2008-10-17",
            "Id": "arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy",
            "Statement": [{
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": "arn:aws:sqs:us-east-1:000000000000:jobs",
            }],
        })
    );
    assert_eq!(
        error(&world, "sqs:AddPermission", add("one", "222222222222")).await,
        "InvalidParameterValueException: Value one for parameter Label is invalid. Reason: Already exists."
    );
    world.call("sqs:RemovePermission", json!({"QueueUrl": url, "Label": "one"})).await.unwrap();
    assert_eq!(attribute(&world, &url, "Policy").await, None);
    assert_eq!(
        error(&world, "sqs:RemovePermission", json!({"QueueUrl": url, "Label": "one"})).await,
        "InvalidParameterValueException: Value one for parameter Label is invalid. Reason: can't find label."
    );
}

#[tokio::test]
async fn dead_letter_queues_know_their_sources() {
    let world = World::new(SERVICES);
    let dead = create(&world, "dead", json!({})).await;
    let redrive = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead"), "maxReceiveCount": 3,
    });
    for name in ["a", "b", "c"] {
        create(&world, name, json!({"RedrivePolicy": redrive.to_string()})).await;
    }
    let set = |text: &str| json!({"QueueUrl": "b", "Attributes": {"RedrivePolicy": text}});
    world.call("sqs:SetQueueAttributes", set("")).await.unwrap();
    assert_eq!(attribute(&world, "b", "RedrivePolicy").await, None);
    let list = json!({"QueueUrl": dead, "MaxResults": 1});
    let first = world.call("sqs:ListDeadLetterSourceQueues", list).await.unwrap();
    assert_eq!(first["queueUrls"], json!(["http://127.0.0.1:4566/000000000000/a"]));
    let list = json!({"QueueUrl": dead, "MaxResults": 1, "NextToken": first["NextToken"]});
    let second = world.call("sqs:ListDeadLetterSourceQueues", list).await.unwrap();
    assert_eq!(second, json!({"queueUrls": ["http://127.0.0.1:4566/000000000000/c"]}));
    let missing = redrive.to_string().replace(":dead", ":none");
    assert!(
        error(&world, "sqs:SetQueueAttributes", set(&missing))
            .await
            .ends_with("Reason: Dead letter target does not exist.")
    );
    let deny = json!({"QueueUrl": dead, "Attributes": {
        "RedriveAllowPolicy": "{\"redrivePermission\":\"denyAll\"}",
    }});
    world.call("sqs:SetQueueAttributes", deny).await.unwrap();
    assert!(world.call("sqs:SetQueueAttributes", set(&redrive.to_string())).await.is_err());
}
