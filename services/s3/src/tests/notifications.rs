//! Notifications: their configuration, and the events that they send.

use fogbank_core::Effect;
use fogbank_core::outbox::lanes::{self, EFFECTS};
use fogbank_testkit::{Value, World, expect, json};

use super::{call, put, refused, with, with_bucket};

const QUEUE: &str = "arn:aws:sqs:us-east-1:222222222222:jobs";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:resize";

pub(super) async fn configure(
    world: &World,
    configuration: Value,
) -> Result<Value, fogbank_core::Fault> {
    let input = json!({
        "NotificationConfiguration": configuration,
        "SkipDestinationValidation": true,
    });
    call(world, "PutBucketNotificationConfiguration", input).await
}

pub(super) fn queue(events: &[&str]) -> Value {
    json!({"Id": "q", "QueueArn": QUEUE, "Events": events})
}

/// Takes all effects out of the outbox, in the order of their targets.
pub(super) async fn effects(world: &World) -> Vec<Effect> {
    let view = world.cloud().db().snapshot();
    let rows = EFFECTS.list(&view, &()).expect("effects");
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "s3", "test");
    let taken = cx.write(|tx| rows.iter().try_for_each(|(key, _)| lanes::remove(tx, key, false)));
    taken.await.expect("taken");
    let mut effects: Vec<Effect> = rows.into_iter().map(|(_, effect)| effect).collect();
    effects.sort_by(|a, b| a.target.cmp(&b.target));
    effects
}

pub(super) fn message(effect: &Effect) -> Value {
    let input = effect.input().expect("an input");
    serde_json::from_str(input["MessageBody"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test]
async fn an_event_is_written_as_aws_does() {
    let world = with_bucket().await;
    configure(&world, json!({"QueueConfigurations": [queue(&["s3:ObjectCreated:*"])]}))
        .await
        .expect("set");
    put(&world, "in/a b+ü.png", "hello".to_owned()).await;
    let effects = effects(&world).await;
    let [effect] = &effects[..] else { panic!("one event") };
    assert_eq!(effect.target, "sqs:SendMessage");
    assert_eq!((&*effect.account, &*effect.region), ("222222222222", "us-east-1"));
    assert_eq!(effect.source, Some(("arn:aws:s3:::photos".into(), "000000000000".into())));
    assert_eq!(effect.principal.arn, "s3.amazonaws.com");
    let input = effect.input().expect("an input");
    assert_eq!(input["QueueUrl"], "http://127.0.0.1/222222222222/jobs");
    let mut text = input["MessageBody"].as_str().expect("a body").to_owned();
    let event = message(effect);
    let record = &event["Records"][0];
    for value in [
        &record["responseElements"]["x-amz-request-id"],
        &record["s3"]["object"]["sequencer"],
        &record["userIdentity"]["principalId"],
    ] {
        text = text.replace(value.as_str().expect("text"), "…");
    }
    expect![[r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"…"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-request-id":"…","x-amz-id-2":"…"},"s3":{"s3SchemaVersion":"1.0","configurationId":"q","bucket":{"name":"photos","ownerIdentity":{"principalId":"…"},"arn":"arn:aws:s3:::photos"},"object":{"key":"in/a+b%2B%C3%BC.png","size":5,"eTag":"5d41402abc4b2a76b9719d911017c592","sequencer":"…"}}}]}"#]]
        .assert_eq(&text);
}

#[tokio::test]
async fn every_kind_of_change_has_its_event() {
    let world = with_bucket().await;
    let all = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"];
    configure(&world, json!({"QueueConfigurations": [queue(&all)]})).await.expect("set");
    let at = json!({"Key": "a"});
    let names = |effects: Vec<Effect>| -> Vec<String> {
        let name = |effect: &Effect| message(effect)["Records"][0]["eventName"].clone();
        let text = |value: Value| value.as_str().expect("a name").to_owned();
        effects.iter().map(name).map(text).collect()
    };
    put(&world, "a", "x".to_owned()).await;
    assert_eq!(names(effects(&world).await), ["ObjectCreated:Put"]);
    let tags = json!({"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}});
    call(&world, "PutObjectTagging", with(at.clone(), tags)).await.expect("tagged");
    assert_eq!(names(effects(&world).await), ["ObjectTagging:Put"]);
    call(&world, "DeleteObjectTagging", at.clone()).await.expect("untagged");
    assert_eq!(names(effects(&world).await), ["ObjectTagging:Delete"]);
    let copy = json!({"Key": "b", "CopySource": "photos/a"});
    call(&world, "CopyObject", copy).await.expect("copied");
    assert_eq!(names(effects(&world).await), ["ObjectCreated:Copy"]);
    call(&world, "DeleteObject", at.clone()).await.expect("removed");
    assert_eq!(names(effects(&world).await), ["ObjectRemoved:Delete"]);
    call(&world, "DeleteObject", at.clone()).await.expect("nothing to remove");
    assert!(effects(&world).await.is_empty());
    let many = json!({"Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}});
    call(&world, "DeleteObjects", many).await.expect("removed");
    assert_eq!(names(effects(&world).await), ["ObjectRemoved:Delete"]);
    let output = call(&world, "CreateMultipartUpload", at.clone()).await.expect("an upload");
    let upload = with(at, json!({"UploadId": output["UploadId"]}));
    let part = with(upload.clone(), json!({"PartNumber": 1}));
    let told = super::send(&world, "UploadPart", part, "x".to_owned()).await.expect("a part");
    assert!(effects(&world).await.is_empty());
    let parts = json!({"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": told["ETag"]}]}});
    call(&world, "CompleteMultipartUpload", with(upload, parts)).await.expect("done");
    assert_eq!(names(effects(&world).await), ["ObjectCreated:CompleteMultipartUpload"]);
}

#[tokio::test]
async fn sequencers_grow_with_every_write() {
    let world = with_bucket().await;
    configure(
        &world,
        json!({"QueueConfigurations": [queue(&["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])]}),
    )
    .await
    .expect("set");
    let mut last = String::new();
    for _ in 0..3 {
        put(&world, "a", "x".to_owned()).await;
        let sequencer =
            message(&effects(&world).await[0])["Records"][0]["s3"]["object"]["sequencer"].clone();
        let sequencer = sequencer.as_str().expect("digits").to_owned();
        assert!(sequencer > last);
        last = sequencer;
        call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
        effects(&world).await;
    }
}

#[tokio::test]
async fn destinations_hear_what_they_asked_for() {
    let world = with_bucket().await;
    let rules = json!([{"Name": "prefix", "Value": "in/"}, {"Name": "SUFFIX", "Value": ".png"}]);
    configure(
        &world,
        json!({
            "TopicConfigurations": [{"Id": "t", "TopicArn": TOPIC, "Events": ["s3:ObjectCreated:Put"]}],
            "LambdaFunctionConfigurations": [{
                "LambdaFunctionArn": FUNCTION,
                "Events": ["s3:ObjectRemoved:Delete"],
                "Filter": {"Key": {"FilterRules": rules}},
            }],
            "EventBridgeConfiguration": {},
        }),
    )
    .await
    .expect("set");
    put(&world, "in/a.png", "x".to_owned()).await;
    let targets = |effects: &[Effect]| -> Vec<String> {
        effects.iter().map(|effect| effect.target.clone()).collect()
    };
    let found = effects(&world).await;
    assert_eq!(targets(&found), ["events:PutEvents", "sns:Publish"]);
    let entry = &found[0].input().expect("an input")["Entries"][0];
    assert_eq!(
        (&entry["Source"], &entry["DetailType"]),
        (&json!("aws.s3"), &json!("Object Created"))
    );
    let news = found[1].input().expect("an input");
    assert_eq!(news["Subject"], "Amazon S3 Notification");
    assert!(news["Message"].as_str().expect("a message").contains("\"configurationId\":\"t\""));
    call(&world, "DeleteObject", json!({"Key": "in/a.png"})).await.expect("removed");
    let found = effects(&world).await;
    assert_eq!(targets(&found), ["events:PutEvents", "lambda:Invoke"]);
    let invoked = found[1].input().expect("an input");
    assert_eq!(
        (&invoked["FunctionName"], &invoked["InvocationType"]),
        (&json!(FUNCTION), &json!("Event"))
    );
    put(&world, "out/a.png", "x".to_owned()).await;
    call(&world, "DeleteObject", json!({"Key": "out/a.png"})).await.expect("removed");
    let found = effects(&world).await;
    assert!(!targets(&found).contains(&"lambda:Invoke".to_owned()));
    let shown = call(&world, "GetBucketNotificationConfiguration", json!({})).await.expect("it");
    assert_eq!(shown["EventBridgeConfiguration"], json!({}));
    let function = &shown["LambdaFunctionConfigurations"][0];
    assert!(function["Id"].is_string());
    assert_eq!(
        function["Filter"]["Key"]["FilterRules"],
        json!([{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".png"}])
    );
    configure(&world, json!({})).await.expect("cleared");
    put(&world, "in/a.png", "x".to_owned()).await;
    assert!(effects(&world).await.is_empty());
}

#[tokio::test]
async fn configurations_that_cannot_be() {
    let world = with_bucket().await;
    let wrong =
        json!({"QueueConfigurations": [{"QueueArn": "queue", "Events": ["s3:ObjectCreated:*"]}]});
    assert_eq!(
        refused(configure(&world, wrong).await),
        "InvalidArgument: The ARN could not be parsed ArgumentName=Queue ArgumentValue=queue"
    );
    let wrong = json!({"QueueConfigurations": [queue(&["s3:Nothing"])]});
    assert!(refused(configure(&world, wrong).await).starts_with("MalformedXML: "));
    let mut filtered = queue(&["s3:ObjectCreated:*"]);
    filtered["Filter"] = json!({"Key": {"FilterRules": [{"Name": "middle", "Value": "x"}]}});
    assert_eq!(
        refused(configure(&world, json!({"QueueConfigurations": [filtered]})).await),
        "InvalidArgument: filter rule name must be either prefix or suffix ArgumentName=FilterRule.Name ArgumentValue=middle"
    );
    let mut other = queue(&["s3:ObjectCreated:Put"]);
    other["Id"] = json!("r");
    let both = json!({"QueueConfigurations": [queue(&["s3:ObjectCreated:*"]), other]});
    assert!(
        refused(configure(&world, both).await)
            .starts_with("InvalidArgument: Configurations overlap. ")
    );
    let filtered = |id: &str, name: &str, value: &str| {
        let rules = json!([{"Name": name, "Value": value}]);
        let more = json!({"Id": id, "Filter": {"Key": {"FilterRules": rules}}});
        with(queue(&["s3:ObjectCreated:*"]), more)
    };
    for (one, other, overlaps) in [
        (("prefix", "in/"), ("prefix", "in/a"), true),
        (("prefix", "in/"), ("suffix", ".png"), true),
        (("suffix", "g"), ("suffix", ".png"), true),
        (("prefix", "in/"), ("prefix", "out/"), false),
        (("suffix", ".jpg"), ("suffix", ".png"), false),
    ] {
        let both = [filtered("a", one.0, one.1), filtered("b", other.0, other.1)];
        let outcome = configure(&world, json!({"QueueConfigurations": both})).await;
        match overlaps {
            true => assert!(refused(outcome).contains("ambiguously defined"), "{one:?} {other:?}"),
            false => assert!(outcome.is_ok(), "{one:?} {other:?}"),
        }
    }
    configure(&world, json!({})).await.expect("cleared");
    let mut far = queue(&["s3:ObjectCreated:*"]);
    far["QueueArn"] = json!(QUEUE.replace("us-east-1", "eu-west-1"));
    let refusal = refused(configure(&world, json!({"QueueConfigurations": [far]})).await);
    assert!(
        refusal.contains("region is not valid for the bucket location constraint"),
        "{refusal}"
    );
    let unvalidated = json!({
        "NotificationConfiguration": {
            "QueueConfigurations": [queue(&["s3:ObjectCreated:*"])],
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectRemoved:*"]},
            ],
        },
    });
    let outcome = call(&world, "PutBucketNotificationConfiguration", unvalidated).await;
    assert_eq!(
        refused(outcome),
        format!(
            "InvalidArgument: Unable to validate the following destination configurations ArgumentName1={QUEUE} ArgumentValue1=The destination queue does not exist ArgumentName2={FUNCTION}, null ArgumentValue2=Not authorized to invoke function [{FUNCTION}]"
        )
    );
    let none = call(&world, "GetBucketNotificationConfiguration", json!({})).await.expect("none");
    assert_eq!(none, json!({}));
}

#[tokio::test]
async fn restores_tell_when_they_begin_end_and_are_over() {
    let world = with_bucket().await;
    let queue = queue(&["s3:ObjectRestore:*"]);
    configure(&world, json!({"QueueConfigurations": [queue]})).await.expect("set");
    let input = json!({"Key": "a", "StorageClass": "GLACIER"});
    super::send(&world, "PutObject", input, "cold".to_owned()).await.expect("written");
    let request = json!({"Key": "a", "RestoreRequest": {"Days": 1}});
    call(&world, "RestoreObject", request).await.expect("begun");
    let mut names = Vec::new();
    for wait in [5 * 3_600_000, 2 * 86_400_000, 0] {
        let effects = effects(&world).await;
        let told = effects.iter().filter(|effect| effect.target == "sqs:SendMessage");
        names.extend(told.map(|effect| message(effect)["Records"][0]["eventName"].clone()));
        world.clock().advance(wait);
        for job in effects.iter().filter(|effect| effect.target == "s3:restore") {
            let cx = fogbank_core::Cx::background(world.cloud().clone(), "s3", "restore");
            crate::restores::run(cx, job.input().expect("an input")).await.expect("done");
        }
    }
    assert_eq!(names, ["ObjectRestore:Post", "ObjectRestore:Completed", "ObjectRestore:Delete"]);
}
