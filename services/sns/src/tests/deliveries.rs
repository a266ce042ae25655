//! Publishing, and what arrives.

use fogbank_testkit::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    effects, error, mails, publish, queue, queue_arn, received, subscribe, topic_arn, with_topic,
};

fn body(message: &Value) -> Value {
    serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_queue_receives_the_envelope() {
    let (world, topic) = with_topic().await;
    queue(&world, "jobs").await;
    let arn = subscribe(&world, "sqs", &queue_arn("jobs"), json!({})).await;
    let more = json!({
        "Subject": "1 face found",
        "MessageAttributes": {"faceCount": {"DataType": "Number", "StringValue": "1"}},
    });
    let id = publish(&world, "{\"key\": \"photos/a.png\"}", more).await;
    let messages = received(&world, "jobs", 1).await;
    let mut envelope = body(&messages[0]);
    let fields = envelope.as_object_mut().unwrap();
    assert!(fields.remove("Signature").is_some());
    assert!(fields.remove("SigningCertURL").is_some());
    assert_eq!(
        envelope,
        json!({
            "Type": "Notification",
            "MessageId": id,
            "TopicArn": topic,
            "Subject": "1 face found",
            "Message": "{\"key\": \"photos/a.png\"}",
            "Timestamp": "2026-01-01T00:00:00.000Z",
            "SignatureVersion": "1",
            "UnsubscribeURL":
                format!("http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn={arn}"),
            "MessageAttributes": {"faceCount": {"Type": "Number", "Value": "1"}},
        })
    );
    assert_eq!(messages[0]["Attributes"]["SenderId"], "sns.amazonaws.com");
}

#[tokio::test]
async fn a_raw_queue_receives_the_message_itself() {
    let (world, _) = with_topic().await;
    queue(&world, "jobs").await;
    subscribe(&world, "sqs", &queue_arn("jobs"), json!({"RawMessageDelivery": "true"})).await;
    let more = json!({"MessageAttributes": {
        "attr1": {"DataType": "Number", "StringValue": "99.12"},
        "attr2": {"DataType": "Binary", "BinaryValue": "AQID"},
    }});
    publish(&world, "Test msg", more.clone()).await;
    let messages = received(&world, "jobs", 1).await;
    assert_eq!(messages[0]["Body"], "Test msg");
    assert_eq!(messages[0]["MessageAttributes"], more["MessageAttributes"]);
}

#[tokio::test]
async fn filters_decide_who_hears() {
    let (world, _) = with_topic().await;
    for name in ["attributes", "body", "all"] {
        queue(&world, name).await;
    }
    let filter = json!({"FilterPolicy": "{\"faceCount\":[{\"numeric\":[\">=\",1]}]}"});
    subscribe(&world, "sqs", &queue_arn("attributes"), filter).await;
    let filter = json!({
        "FilterPolicyScope": "MessageBody", "FilterPolicy": "{\"detail\":{\"kind\":[\"photo\"]}}",
    });
    subscribe(&world, "sqs", &queue_arn("body"), filter).await;
    subscribe(&world, "sqs", &queue_arn("all"), json!({})).await;
    let one =
        json!({"MessageAttributes": {"faceCount": {"DataType": "Number", "StringValue": "1"}}});
    publish(&world, "faces", one).await;
    publish(&world, "{\"detail\":{\"kind\":\"photo\"}}", json!({})).await;
    assert_eq!(body(&received(&world, "attributes", 1).await[0])["Message"], "faces");
    let of_body = received(&world, "body", 1).await;
    assert_eq!(body(&of_body[0])["Message"], "{\"detail\":{\"kind\":\"photo\"}}");
    received(&world, "all", 2).await;
}

#[tokio::test]
async fn a_json_message_tells_each_protocol_its_own() {
    let (world, _) = with_topic().await;
    queue(&world, "jobs").await;
    subscribe(&world, "sqs", &queue_arn("jobs"), json!({})).await;
    subscribe(&world, "email", "a@example.com", json!({})).await;
    let message = json!({"default": "for all", "sqs": "for queues"}).to_string();
    publish(&world, &message, json!({"MessageStructure": "json"})).await;
    assert_eq!(body(&received(&world, "jobs", 1).await[0])["Message"], "for queues");
    let mail = mails(&world).await.pop().unwrap();
    assert!(mail["body"].as_str().unwrap().starts_with("for all\n"));
    assert_eq!(mail["subject"], "AWS Notification Message");
}

#[tokio::test]
async fn functions_are_invoked_with_records() {
    let (world, topic) = with_topic().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let arn = subscribe(&world, "lambda", function, json!({})).await;
    publish(&world, "hello", json!({})).await;
    let effect = effects(&world).pop().unwrap();
    assert_eq!((effect.target.as_str(), effect.is_job), ("sns:deliver", true));
    let input = effect.input().unwrap();
    assert_eq!(input["action"], "lambda:Invoke");
    assert_eq!(input["input"]["FunctionName"], function);
    assert_eq!(input["input"]["InvocationType"], "Event");
    let payload = input["input"]["Payload"].as_str().unwrap();
    let event = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(payload).unwrap()
    };
    let event: Value = serde_json::from_slice(&event).unwrap();
    let record = &event["Records"][0];
    assert_eq!(record["EventSource"], "aws:sns");
    assert_eq!(record["EventSubscriptionArn"], *arn);
    assert_eq!(record["Sns"]["Message"], "hello");
    assert_eq!(record["Sns"]["TopicArn"], topic);
    assert_eq!(record["Sns"]["Subject"], Value::Null);
    assert_eq!(record["Sns"]["MessageAttributes"], json!({}));
}

#[tokio::test]
async fn what_a_queue_refuses_becomes_a_dead_letter_at_once() {
    let (world, _) = with_topic().await;
    queue(&world, "dead").await;
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    subscribe(&world, "sqs", &queue_arn("gone"), json!({"RedrivePolicy": redrive})).await;
    publish(&world, "nobody listens", json!({})).await;
    let messages = received(&world, "dead", 1).await;
    assert_eq!(body(&messages[0])["Message"], "nobody listens");
    subscribe(&world, "sqs", &queue_arn("gone-too"), json!({})).await;
    publish(&world, "again", json!({})).await;
    received(&world, "dead", 1).await;
    assert!(effects(&world).is_empty(), "nothing is tried for ever");
}

#[tokio::test]
async fn an_http_endpoint_gets_a_post() {
    let (world, topic) = with_topic().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !String::from_utf8_lossy(&bytes).trim_end().ends_with('}') {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..count]);
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            requests.push(String::from_utf8(bytes).unwrap());
        }
        requests
    });
    let input = json!({
        "TopicArn": topic, "Protocol": "http", "Endpoint": url, "ReturnSubscriptionArn": true,
    });
    let arn = world.call("sns:Subscribe", input).await.unwrap()["SubscriptionArn"].clone();
    let post = effects(&world)[0].input().unwrap();
    let token: Value = serde_json::from_str(post["body"].as_str().unwrap()).unwrap();
    let _background = world.background();
    let confirm = json!({"TopicArn": topic, "Token": token["Token"]});
    let confirmed = world.call("sns:ConfirmSubscription", confirm).await.unwrap();
    assert_eq!(confirmed["SubscriptionArn"], arn);
    publish(&world, "hello", json!({})).await;
    let done = tokio::time::timeout(std::time::Duration::from_secs(20), server).await;
    let requests = done.expect("two requests").unwrap();
    let asked = requests.iter().find(|text| text.contains("SubscriptionConfirmation")).unwrap();
    assert!(asked.starts_with("POST /hook HTTP/1.1\r\n"), "{asked}");
    let told = requests.iter().find(|text| text.contains("\"Notification\"")).unwrap();
    let lower = told.to_ascii_lowercase();
    for header in [
        "x-amz-sns-message-type: notification",
        "content-type: text/plain; charset=utf-8",
        "user-agent: amazon simple notification service agent",
        &format!("x-amz-sns-subscription-arn: {}", arn.as_str().unwrap()),
    ] {
        assert!(lower.contains(header), "{header} in {told}");
    }
    assert!(told.contains("\"Message\" : \"hello\""), "{told}");
}

#[tokio::test]
async fn very_many_subscribers_all_hear() {
    let (world, _) = with_topic().await;
    for number in 0..1203 {
        subscribe(&world, "sms", &format!("+1555{number:07}"), json!({})).await;
    }
    publish(&world, "hello", json!({})).await;
    let _background = world.background();
    for _ in 0..2000 {
        if effects(&world).is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let texts = world.cloud().db().read(|rows| crate::store::TEXTS.list(rows, &())).unwrap();
    let numbers: std::collections::HashSet<_> = texts.iter().map(|(_, text)| &text.to).collect();
    assert_eq!((texts.len(), numbers.len()), (1203, 1203));
}

#[tokio::test]
async fn batches_are_published_or_refused_as_a_whole() {
    let (world, topic) = with_topic().await;
    queue(&world, "jobs").await;
    subscribe(&world, "sqs", &queue_arn("jobs"), json!({"RawMessageDelivery": "true"})).await;
    let batch = |entries: Value| json!({"TopicArn": topic, "PublishBatchRequestEntries": entries});
    let good = json!([{"Id": "1", "Message": "one"}, {"Id": "2", "Message": "two"}]);
    let output = world.call("sns:PublishBatch", batch(good)).await.unwrap();
    assert_eq!(output["Successful"].as_array().unwrap().len(), 2);
    assert_eq!(output["Failed"], json!([]));
    received(&world, "jobs", 2).await;
    for (entries, text) in [
        (json!([]), "EmptyBatchRequestException: The batch request doesn't contain any entries."),
        (
            json!([{"Id": "1", "Message": "a"}, {"Id": "1", "Message": "b"}]),
            "BatchEntryIdsNotDistinctException: Two or more batch entries in the request have the \
             same Id.",
        ),
        (
            json!([{"Id": "message.id", "Message": "a"}]),
            "InvalidBatchEntryIdException: The Id of a batch entry in the batch request contains an \
             impermissible character: message.id",
        ),
        (
            json!([{"Id": "1", "Message": "a".repeat(262_144)}, {"Id": "2", "Message": "b"}]),
            "BatchRequestTooLongException: The length of all the messages put together is more than \
             the limit.",
        ),
    ] {
        assert_eq!(error(&world, "sns:PublishBatch", batch(entries)).await, text);
    }
    assert!(effects(&world).is_empty());
}

#[tokio::test]
async fn messages_are_checked() {
    let (world, topic) = with_topic().await;
    for (input, text) in [
        (json!({"TopicArn": topic, "Message": ""}), "Invalid parameter: Empty message"),
        (json!({"TopicArn": topic, "Message": "x", "Subject": ""}), "Invalid parameter: Subject"),
        (
            json!({"TopicArn": topic, "Message": "x".repeat(262_145)}),
            "Invalid parameter: Message too long",
        ),
        (
            json!({"TopicArn": topic, "Message": "x", "MessageDeduplicationId": "d"}),
            "Invalid parameter: MessageDeduplicationId Reason: The request includes \
             MessageDeduplicationId parameter that is not valid for this topic type",
        ),
        (
            json!({"PhoneNumber": "+1a234", "Message": "x"}),
            "Invalid parameter: PhoneNumber Reason: +1a234 is not valid to publish to",
        ),
        (
            json!({"Message": "x"}),
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
        ),
    ] {
        let text = format!("InvalidParameterException: {text}");
        assert_eq!(error(&world, "sns:Publish", input).await, text);
    }
    let input = json!({"PhoneNumber": "+15551234567", "Message": "x"});
    world.call("sns:Publish", input).await.unwrap();
    let target = json!({"TargetArn": topic_arn("news"), "Message": "x"});
    world.call("sns:Publish", target).await.unwrap();
}
