//! Topics with keys of KMS.

use fogbank_core::{Principal, PrincipalKind};
use fogbank_testkit::{ACCOUNT, Value, World, expect, json};

use super::{SERVICES, effects, publish, queue, queue_arn, received, subscribe, topic_arn};

const HIDDEN: &str = "a hidden text";

async fn world(key: &str) -> World {
    let world = World::new(SERVICES);
    let input = json!({"Name": "news", "Attributes": {"KmsMasterKeyId": key}});
    world.call("sns:CreateTopic", input).await.expect("a topic");
    world
}

async fn key(world: &World, policy: Value) -> String {
    let made = world.call("kms:CreateKey", policy).await.expect("a key");
    made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned()
}

async fn use_key(world: &World, key: &str) {
    let input = json!({
        "TopicArn": topic_arn("news"), "AttributeName": "KmsMasterKeyId", "AttributeValue": key,
    });
    world.call("sns:SetTopicAttributes", input).await.expect("it is set");
}

fn is_in_effects(world: &World) -> bool {
    effects(world).iter().any(|effect| {
        let otherwise = effect.otherwise.as_ref().map(|effect| effect.input.as_str());
        effect.input.contains(HIDDEN) || otherwise.unwrap_or_default().contains(HIDDEN)
    })
}

#[tokio::test]
async fn what_waits_is_sealed_and_arrives() {
    let world = world("alias/aws/sns").await;
    queue(&world, "jobs").await;
    queue(&world, "dead").await;
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    let more = json!({"RawMessageDelivery": "true", "RedrivePolicy": redrive});
    subscribe(&world, "sqs", &queue_arn("jobs"), more.clone()).await;
    subscribe(&world, "sqs", &queue_arn("none"), more).await;
    publish(&world, HIDDEN, json!({"Subject": HIDDEN})).await;
    let entries = json!([{"Id": "a", "Message": HIDDEN}]);
    let input = json!({"TopicArn": topic_arn("news"), "PublishBatchRequestEntries": entries});
    world.call("sns:PublishBatch", input).await.expect("published");
    assert_eq!(effects(&world).len(), 4);
    assert!(!is_in_effects(&world));
    let arrived = received(&world, "jobs", 2).await;
    assert!(arrived.iter().all(|message| message["Body"] == HIDDEN));
    let dead = received(&world, "dead", 2).await;
    assert!(dead.iter().all(|message| message["Body"] == HIDDEN));
    use_key(&world, "").await;
    publish(&world, HIDDEN, json!({})).await;
    assert!(is_in_effects(&world));
    assert_eq!(received(&world, "jobs", 1).await[0]["Body"], HIDDEN);
}

#[tokio::test]
async fn very_many_subscribers_are_served_sealed() {
    let world = world("alias/aws/sns").await;
    queue(&world, "jobs").await;
    let raw = json!({"RawMessageDelivery": "true"});
    // A transaction serves five hundred.
    for number in 0..501 {
        let endpoint = format!("none-{number:03}");
        subscribe(&world, "sqs", &queue_arn(&endpoint), raw.clone()).await;
    }
    subscribe(&world, "sqs", &queue_arn("jobs"), raw).await;
    publish(&world, HIDDEN, json!({})).await;
    assert!(!is_in_effects(&world));
    assert_eq!(received(&world, "jobs", 1).await[0]["Body"], HIDDEN);
}

#[tokio::test]
async fn what_waits_needs_its_key() {
    let world = world("").await;
    let key = key(&world, json!({})).await;
    use_key(&world, &key).await;
    queue(&world, "jobs").await;
    subscribe(&world, "sqs", &queue_arn("jobs"), json!({"RawMessageDelivery": "true"})).await;
    publish(&world, HIDDEN, json!({})).await;
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("it is off");
    world.clock().advance(301_000);
    let input = json!({"TopicArn": topic_arn("news"), "Message": "more"});
    let refused = world.call("sns:Publish", input).await.expect_err("a refusal");
    assert_eq!(refused.name(), "KMSDisabledException");
    {
        let _background = world.background();
        while effects(&world).iter().any(|effect| effect.attempts == 0) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(effects(&world).len(), 1);
    world.call("kms:EnableKey", json!({"KeyId": key})).await.expect("it is on");
    world.clock().advance(3_600_000);
    assert_eq!(received(&world, "jobs", 1).await[0]["Body"], HIDDEN);
}

#[tokio::test]
async fn the_key_decides_who_publishes() {
    let world = world("alias/none").await;
    let input = json!({"TopicArn": topic_arn("news"), "Message": "x"});
    let words = |error: fogbank_core::Fault| {
        let text = error.to_string();
        text.split("Request ID").next().unwrap_or_default().to_owned()
    };
    let refused = async || words(world.call("sns:Publish", input.clone()).await.expect_err("no"));
    expect!["KMSNotFoundException: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found. (Service: AWSKMS; Status Code: 400; Error Code: NotFoundException; "].assert_eq(&refused().await);
    let asymmetric = json!({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"});
    use_key(&world, &key(&world, asymmetric).await).await;
    expect!["KMSInvalidStateException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048. (Service: AWSKMS; Status Code: 400; Error Code: InvalidKeyUsageException; "].assert_eq(&refused().await);
    let mine = key(&world, json!({})).await;
    use_key(&world, &mine).await;
    world.call("sns:Publish", input.clone()).await.expect("published");
    let context =
        json!({"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": topic_arn("news")}});
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/somebody");
    let statement = |actions: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
                "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": actions, "Resource": "*",
                "Condition": context},
        ]});
        json!({"KeyId": mine, "Policy": policy.to_string()})
    };
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic_arn("news"),
    }]});
    let attributes = json!({
        "TopicArn": topic_arn("news"), "AttributeName": "Policy", "AttributeValue": policy.to_string(),
    });
    world.call("sns:SetTopicAttributes", attributes).await.expect("it is set");
    let kind = PrincipalKind::User { name: "somebody".to_owned() };
    let somebody = Principal { kind, arn, ..Principal::root(ACCOUNT) };
    for (actions, expected) in [
        (
            json!(["kms:GenerateDataKey"]),
            Some(expect![
                "KMSAccessDeniedException: User: arn:aws:iam::000000000000:user/somebody is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:000000000000:key/70f268cb-270a-4d43-bc0d-c84bb165180d because no identity-based policy allows the kms:Decrypt action (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; "
            ]),
        ),
        (json!(["kms:GenerateDataKey", "kms:Decrypt"]), None),
    ] {
        world.call("kms:PutKeyPolicy", statement(actions)).await.expect("it is put");
        let answer = world.call_as(somebody.clone(), "sns:Publish", input.clone()).await;
        match expected {
            Some(expected) => expected.assert_eq(&words(answer.expect_err("a refusal"))),
            None => drop(answer.expect("published")),
        }
    }
}

#[tokio::test]
async fn a_queue_with_a_key_must_let_sns_use_it() {
    let world = world("alias/aws/sns").await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*"},
    ]});
    let open = key(&world, json!({"Policy": policy.to_string()})).await;
    let closed = key(&world, json!({})).await;
    queue(&world, "dead").await;
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    for (name, key) in [("open", open), ("closed", closed)] {
        queue(&world, name).await;
        let input = json!({"QueueUrl": queue_arn(name), "Attributes": {"KmsMasterKeyId": key}});
        world.call("sqs:SetQueueAttributes", input).await.expect("it is set");
        let more = json!({"RawMessageDelivery": "true", "RedrivePolicy": redrive});
        subscribe(&world, "sqs", &queue_arn(name), more).await;
    }
    publish(&world, HIDDEN, json!({})).await;
    assert_eq!(received(&world, "open", 1).await[0]["Body"], HIDDEN);
    assert_eq!(received(&world, "dead", 1).await[0]["Body"], HIDDEN);
}
