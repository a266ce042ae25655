//! Messages: sending, receiving, hiding and removing them.

use fogbank_testkit::{ACCOUNT, World, json};

use super::{SERVICES, attribute, counts, create, error, receive, send, with_queue};

#[tokio::test]
async fn a_message_comes_as_it_was_sent() {
    let (world, url) = with_queue(json!({})).await;
    let input = json!({
        "QueueUrl": url,
        "MessageBody": "msg",
        "MessageAttributes": {
            "Help.Me": {"DataType": "String", "StringValue": "Me"},
            "Hello": {"DataType": "String", "StringValue": "There"},
            "General": {"DataType": "String", "StringValue": "Kenobi"},
        },
        "MessageSystemAttributes": {
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"},
        },
    });
    let sent = world.call("sqs:SendMessage", input).await.unwrap();
    assert_eq!(sent["MD5OfMessageBody"], "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_eq!(sent["MD5OfMessageAttributes"], "4c360f3fdafd970e05fae2f149d997f5");
    assert_eq!(sent["MD5OfMessageSystemAttributes"].as_str().map(str::len), Some(32));
    let wanted = json!({"MessageAttributeNames": ["Hel.*"], "AttributeNames": ["All"]});
    let mut got = receive(&world, &url, wanted).await.remove(0);
    assert_eq!(got["MessageId"], sent["MessageId"]);
    got.as_object_mut().unwrap().retain(|name, _| name != "MessageId" && name != "ReceiptHandle");
    assert_eq!(
        got,
        json!({
            "Body": "msg",
            "MD5OfBody": "6e2baaf3b97dbeef01c0043275f9a0e7",
            "MD5OfMessageAttributes": "83fee93c1bcd8b9a5a923ffacdc636c7",
            "MessageAttributes": {
                "Hello": {"DataType": "String", "StringValue": "There"},
                "Help.Me": {"DataType": "String", "StringValue": "Me"},
            },
            "Attributes": {
                "SenderId": ACCOUNT,
                "SentTimestamp": "1767225600000",
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": "1767225600000",
                "AWSTraceHeader": "Root=1-5759e988",
            },
        })
    );
}

#[tokio::test]
async fn messages_come_in_the_order_in_which_they_were_sent() {
    let (world, url) = with_queue(json!({})).await;
    for number in 0..25 {
        send(&world, &url, &number.to_string()).await;
    }
    let mut bodies = Vec::new();
    for expected in [10, 10, 5, 0] {
        let got = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
        assert_eq!(got.len(), expected);
        bodies.extend(got.iter().map(|message| message["Body"].as_str().unwrap().to_owned()));
    }
    let wanted: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    assert_eq!(bodies, wanted);
    assert_eq!(counts(&world, &url).await, ("0".into(), "25".into(), "0".into()));
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_timeout() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "10"})).await;
    send(&world, &url, "again").await;
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
    world.clock().advance(9_999);
    assert!(receive(&world, &url, json!({})).await.is_empty());
    world.clock().advance(1);
    let again = receive(&world, &url, json!({"AttributeNames": ["ApproximateReceiveCount"]})).await;
    assert_eq!(again[0]["Attributes"], json!({"ApproximateReceiveCount": "2"}));
    let at_once = json!({"VisibilityTimeout": 0});
    world.clock().advance(10_000);
    assert_eq!(receive(&world, &url, at_once.clone()).await.len(), 1);
    assert_eq!(receive(&world, &url, at_once).await.len(), 1, "it was hidden for no time");
}

#[tokio::test]
async fn hiding_for_no_time_gives_each_message_once_a_call() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "0"})).await;
    send(&world, &url, "one").await;
    send(&world, &url, "two").await;
    let got = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    assert_eq!(got.len(), 2);
    assert_eq!(counts(&world, &url).await.0, "2");
}

#[tokio::test]
async fn visibility_can_be_changed_while_in_flight() {
    let (world, url) = with_queue(json!({})).await;
    send(&world, &url, "work").await;
    let handle = receive(&world, &url, json!({})).await[0]["ReceiptHandle"].clone();
    let change =
        |secs: i32| json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": secs});
    world.call("sqs:ChangeMessageVisibility", change(100)).await.unwrap();
    world.clock().advance(99_000);
    assert!(receive(&world, &url, json!({})).await.is_empty());
    assert_eq!(
        error(&world, "sqs:ChangeMessageVisibility", change(43_200)).await,
        "InvalidParameterValueException: Value 43200 for parameter VisibilityTimeout is invalid. \
         Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."
    );
    world.call("sqs:ChangeMessageVisibility", change(0)).await.unwrap();
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
    let late = error(&world, "sqs:ChangeMessageVisibility", change(5)).await;
    assert!(late.ends_with("is not available for visibility timeout change."), "{late}");
}

#[tokio::test]
async fn changing_after_the_timeout_does_nothing() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "1"})).await;
    send(&world, &url, "work").await;
    let handle = receive(&world, &url, json!({})).await[0]["ReceiptHandle"].clone();
    world.clock().advance(2_000);
    let change = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 60});
    world.call("sqs:ChangeMessageVisibility", change).await.unwrap();
    assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
}

#[tokio::test]
async fn a_deleted_message_is_gone_for_good() {
    let (world, url) = with_queue(json!({"VisibilityTimeout": "1"})).await;
    send(&world, &url, "done").await;
    let handle = receive(&world, &url, json!({})).await[0]["ReceiptHandle"].clone();
    world.clock().advance(2_000);
    let delete = json!({"QueueUrl": url, "ReceiptHandle": handle});
    for _ in 0..3 {
        world.call("sqs:DeleteMessage", delete.clone()).await.unwrap();
    }
    assert!(receive(&world, &url, json!({})).await.is_empty());
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
    let change = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 42});
    assert_eq!(
        error(&world, "sqs:ChangeMessageVisibility", change).await,
        format!(
            "InvalidParameterValueException: Value {} for parameter ReceiptHandle is invalid. \
             Reason: Message does not exist or is not available for visibility timeout change.",
            handle.as_str().unwrap()
        )
    );
    let garbage = json!({"QueueUrl": url, "ReceiptHandle": "garbage"});
    assert_eq!(
        error(&world, "sqs:DeleteMessage", garbage).await,
        "ReceiptHandleIsInvalid: The input receipt handle \"garbage\" is not a valid receipt handle."
    );
}

#[tokio::test]
async fn a_delay_hides_a_message_at_first() {
    let (world, url) = with_queue(json!({"DelaySeconds": "5"})).await;
    send(&world, &url, "by the queue").await;
    let input = json!({"QueueUrl": url, "MessageBody": "its own", "DelaySeconds": 2});
    world.call("sqs:SendMessage", input).await.unwrap();
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "2".into()));
    world.clock().advance(2_000);
    assert_eq!(
        receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await[0]["Body"],
        "its own"
    );
    assert_eq!(counts(&world, &url).await, ("0".into(), "1".into(), "1".into()));
    world.clock().advance(3_000);
    assert_eq!(receive(&world, &url, json!({})).await[0]["Body"], "by the queue");
    let bad = json!({"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901});
    assert_eq!(
        error(&world, "sqs:SendMessage", bad).await,
        "InvalidParameterValueException: Value 901 for parameter DelaySeconds is invalid. Reason: \
         DelaySeconds must be >= 0 and <= 900."
    );
}

#[tokio::test]
async fn what_is_received_too_often_becomes_a_dead_letter() {
    let world = World::new(SERVICES);
    let dead = create(&world, "dead", json!({})).await;
    let redrive = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead"), "maxReceiveCount": 2,
    });
    let attributes = json!({"RedrivePolicy": redrive.to_string(), "VisibilityTimeout": "1"});
    let url = create(&world, "jobs", attributes).await;
    let id = send(&world, &url, "poison").await;
    for _ in 0..2 {
        assert_eq!(receive(&world, &url, json!({})).await.len(), 1);
        world.clock().advance(1_000);
    }
    assert_eq!(counts(&world, &dead).await.0, "0");
    assert!(receive(&world, &url, json!({})).await.is_empty(), "the third receive moves it");
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
    let got = receive(&world, &dead, json!({"AttributeNames": ["All"]})).await.remove(0);
    assert_eq!(got["MessageId"], *id);
    assert_eq!(got["Attributes"]["ApproximateReceiveCount"], "3");
    assert_eq!(
        got["Attributes"]["DeadLetterQueueSourceArn"],
        "arn:aws:sqs:us-east-1:000000000000:jobs"
    );
    assert_eq!(got["Attributes"]["SentTimestamp"], "1767225600000");
    let delete = json!({"QueueUrl": dead, "ReceiptHandle": got["ReceiptHandle"]});
    world.call("sqs:DeleteMessage", delete).await.unwrap();
    assert_eq!(counts(&world, &dead).await, ("0".into(), "0".into(), "0".into()));
}

#[tokio::test]
async fn more_dead_letters_than_fit_a_transaction_all_arrive() {
    let world = World::new(SERVICES);
    create(&world, "dead", json!({})).await;
    let redrive = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:dead"), "maxReceiveCount": 1,
    });
    let attributes = json!({"RedrivePolicy": redrive.to_string(), "VisibilityTimeout": "0"});
    let url = create(&world, "jobs", attributes).await;
    for number in 0..150 {
        send(&world, &url, &number.to_string()).await;
    }
    for _ in 0..15 {
        receive(&world, &url, json!({"MaxNumberOfMessages": 10, "VisibilityTimeout": 1})).await;
    }
    world.clock().advance(1_000);
    for _ in 0..3 {
        receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    }
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
    assert_eq!(counts(&world, "dead").await.0, "150");
    let mut bodies = std::collections::HashSet::new();
    for _ in 0..15 {
        for message in receive(&world, "dead", json!({"MaxNumberOfMessages": 10})).await {
            bodies.insert(message["Body"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(bodies.len(), 150);
}

#[tokio::test]
async fn old_messages_are_never_delivered_and_are_swept() {
    let (world, url) = with_queue(json!({"MessageRetentionPeriod": "60"})).await;
    send(&world, &url, "old").await;
    world.clock().advance(59_000);
    send(&world, &url, "young").await;
    world.clock().advance(1_000);
    let got = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    assert_eq!(got.len(), 1);
    assert_eq!(got[0]["Body"], "young");
    assert_eq!(counts(&world, &url).await, ("0".into(), "1".into(), "0".into()));
    world.clock().advance(120_000);
    let background = world.background();
    for _ in 0..1000 {
        if counts(&world, &url).await.0 == "0" {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(background);
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
}

#[tokio::test]
async fn sizes_are_limited() {
    let (world, url) = with_queue(json!({"MaximumMessageSize": "1024"})).await;
    let input = |len: usize| json!({"QueueUrl": url, "MessageBody": "a".repeat(len)});
    world.call("sqs:SendMessage", input(1024)).await.unwrap();
    assert_eq!(
        error(&world, "sqs:SendMessage", input(1025)).await,
        "InvalidParameterValueException: One or more parameters are invalid. Reason: Message must \
         be shorter than 1024 bytes."
    );
    let batch = json!({"QueueUrl": url, "Entries": [
        {"Id": "good", "MessageBody": "a"},
        {"Id": "long", "MessageBody": "a".repeat(1025)},
        {"Id": "empty", "MessageBody": ""},
    ]});
    let output = world.call("sqs:SendMessageBatch", batch).await.unwrap();
    assert_eq!(output["Successful"].as_array().unwrap().len(), 1);
    assert_eq!(
        output["Failed"],
        json!([
            {
                "Id": "empty", "SenderFault": true, "Code": "MissingParameter",
                "Message": "The request must contain the parameter MessageBody.",
            },
            {
                "Id": "long", "SenderFault": true, "Code": "InvalidParameterValue",
                "Message": "One or more parameters cannot be validated. Reason: Message must be \
                            shorter than 1024 bytes.",
            },
        ])
    );
    let huge = json!({"QueueUrl": url, "Entries": [
        {"Id": "a", "MessageBody": "a".repeat(1_048_576)}, {"Id": "b", "MessageBody": "b"},
    ]});
    assert_eq!(
        error(&world, "sqs:SendMessageBatch", huge).await,
        "BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have sent \
         1048577 bytes."
    );
}

#[tokio::test]
async fn batches_work_entry_by_entry() {
    let (world, url) = with_queue(json!({})).await;
    let entries: Vec<_> =
        (0..10).map(|n| json!({"Id": n.to_string(), "MessageBody": n.to_string()})).collect();
    let sent = json!({"QueueUrl": url, "Entries": entries});
    let sent = world.call("sqs:SendMessageBatch", sent).await.unwrap();
    assert_eq!(sent["Successful"].as_array().unwrap().len(), 10);
    assert_eq!(sent["Failed"], json!(null));
    assert_eq!(sent["Successful"][3]["Id"], "3");
    let got = receive(&world, &url, json!({"MaxNumberOfMessages": 10})).await;
    let ids: std::collections::HashSet<_> =
        got.iter().map(|message| message["MessageId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 10);
    let changes = json!({"QueueUrl": url, "Entries": [
        {"Id": "now", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 0},
        {"Id": "none", "ReceiptHandle": got[1]["ReceiptHandle"]},
    ]});
    let changed = world.call("sqs:ChangeMessageVisibilityBatch", changes).await.unwrap();
    assert_eq!(changed["Successful"], json!([{"Id": "now"}]));
    assert_eq!(changed["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(changed["Failed"][1]["Code"], "MissingParameter");
    let deletes: Vec<_> = got
        .iter()
        .enumerate()
        .map(|(n, message)| json!({"Id": n.to_string(), "ReceiptHandle": message["ReceiptHandle"]}))
        .collect();
    let deleted = json!({"QueueUrl": url, "Entries": deletes});
    let deleted = world.call("sqs:DeleteMessageBatch", deleted).await.unwrap();
    assert_eq!(deleted["Successful"].as_array().unwrap().len(), 10);
    assert_eq!(counts(&world, &url).await, ("0".into(), "0".into(), "0".into()));
    let empty = json!({"QueueUrl": url, "Entries": []});
    assert_eq!(
        error(&world, "sqs:DeleteMessageBatch", empty).await,
        "EmptyBatchRequest: There should be at least one DeleteMessageBatchRequestEntry in the request."
    );
}

#[tokio::test]
async fn parameters_of_receive_are_checked() {
    let (world, url) = with_queue(json!({})).await;
    for (name, value, reason) in [
        ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ("WaitTimeSeconds", -1, "Must be >= 0 and <= 20, if provided."),
    ] {
        let text = error(&world, "sqs:ReceiveMessage", json!({"QueueUrl": url, name: value})).await;
        assert_eq!(
            text,
            format!(
                "InvalidParameterValueException: Value {value} for parameter {name} is invalid. \
                 Reason: {reason}"
            )
        );
    }
}

#[tokio::test]
async fn fair_queues_keep_the_group() {
    let (world, url) = with_queue(json!({})).await;
    let input = json!({"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "tenant-1"});
    world.call("sqs:SendMessage", input).await.unwrap();
    let got = receive(&world, &url, json!({"AttributeNames": ["MessageGroupId"]})).await;
    assert_eq!(got[0]["Attributes"], json!({"MessageGroupId": "tenant-1"}));
    let bad = json!({"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "group 123"});
    assert_eq!(
        error(&world, "sqs:SendMessage", bad).await,
        "InvalidParameterValueException: Value group 123 for parameter MessageGroupId is invalid. \
         Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 \
         in length."
    );
    assert_eq!(attribute(&world, &url, "FifoQueue").await, None);
}
