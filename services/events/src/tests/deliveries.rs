//! Events that reach their targets, or do not.

use fogbank_core::outbox::lanes::EFFECTS;
use fogbank_core::wire::Style;
use fogbank_core::{Access, Effect, Fault, Op, Principal, Run, Service};
use fogbank_testkit::{ACCOUNT, World, json};

use super::{
    OTHER, SERVICES, bodies, call, queue, queue_arn, received, role, rule, send, settle, target,
    waiting,
};

#[tokio::test]
async fn an_event_has_the_form_of_aws() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    rule(&world, "r", json!({"source": ["shop"], "detail": {"n": [{"numeric": [">", 1]}]}})).await;
    target(&world, "r", &arn, json!({})).await;
    send(&world, json!({"n": 1}), json!({})).await;
    let more = json!({"Resources": ["arn:x"], "Time": 1_700_000_000});
    let id = send(&world, json!({"n": 2}), more).await;
    let messages = received(&world, "q", 1).await;
    assert_eq!(
        messages[0]["Body"],
        format!(
            "{{\"version\":\"0\",\"id\":\"{id}\",\"detail-type\":\"Order Placed\",\"source\":\"shop\",\
             \"account\":\"{ACCOUNT}\",\"time\":\"2023-11-14T22:13:20Z\",\"region\":\"us-east-1\",\
             \"resources\":[\"arn:x\"],\"detail\":{{\"n\":2}}}}"
        )
    );
    assert_eq!(waiting(&world), 0);
}

#[tokio::test]
async fn entries_are_taken_or_refused_each_by_itself() {
    let world = World::new(SERVICES);
    let entry =
        |source: &str, detail: &str| json!({"Source": source, "DetailType": "d", "Detail": detail});
    let entries = json!({"Entries": [
        entry("shop", "{}"), entry("", "{}"), entry("aws.ec2", "{}"), entry("shop", "[]"),
        entry("shop", "{"), {"Source": "shop", "DetailType": "d"}, {"Source": "shop", "Detail": "{}"},
        {"Source": "shop", "DetailType": "d", "Detail": "{}", "EventBusName": "none"},
    ]});
    let answer = call(&world, "PutEvents", entries).await;
    assert_eq!(answer["FailedEntryCount"], 6);
    let codes: Vec<&str> = answer["Entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["ErrorCode"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        [
            "-",
            "InvalidArgument",
            "NotAuthorizedForSourceException",
            "MalformedDetail",
            "MalformedDetail",
            "InvalidArgument",
            "InvalidArgument",
            "-"
        ]
    );
    assert_eq!(
        answer["Entries"][5]["ErrorMessage"],
        "Parameter Detail is not valid. Reason: Detail is a required argument."
    );
    let eleven = vec![entry("shop", "{}"); 11];
    let refused = world.call("events:PutEvents", json!({"Entries": eleven})).await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("Member must have length less than or equal to 10"), "{refused}");
    let whole = |length: usize| {
        let padding = "x".repeat(length - "shop".len() - "d".len() - r#"{"p":""}"#.len());
        json!({"Entries": [entry("shop", &format!(r#"{{"p":"{padding}"}}"#))]})
    };
    let answer = call(&world, "PutEvents", whole(1024 * 1024)).await;
    assert_eq!(answer["FailedEntryCount"], 0);
    let refused = world.call("events:PutEvents", whole(1024 * 1024 + 1)).await;
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "ValidationException: Total size of the entries in the request is over the limit."
    );
}

#[tokio::test]
async fn targets_get_what_they_asked_for() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let targets = json!([
        {"Id": "a", "Arn": arn, "Input": "{\"constant\":1}"},
        {"Id": "b", "Arn": arn, "InputPath": "$.detail.who"},
        {"Id": "c", "Arn": arn, "InputTransformer": {
            "InputPathsMap": {"who": "$.detail.who", "n": "$.detail.n"},
            "InputTemplate": "{\"name\": <who>, \"n\": <n>, \"rule\": \"<aws.events.rule-name>\"}",
        }},
        {"Id": "d", "Arn": arn, "InputPath": "$.detail.none"},
    ]);
    call(&world, "PutTargets", json!({"Rule": "r", "Targets": targets})).await;
    send(&world, json!({"who": "ann", "n": 1.50}), json!({})).await;
    let mut found: Vec<String> =
        bodies(&world, "q", 4).await.iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(
        found,
        [r#""ann""#, "null", r#"{"constant":1}"#, r#"{"n":1.5,"name":"ann","rule":"r"}"#]
            .map(String::from)
            .iter()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn queues_with_order_get_the_group() {
    let world = World::new(SERVICES);
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let arn = queue(&world, "q.fifo", attributes).await;
    rule(&world, "r", json!({"source": ["shop"]})).await;
    target(&world, "r", &arn, json!({"SqsParameters": {"MessageGroupId": "g"}})).await;
    send(&world, json!({}), json!({})).await;
    let messages = received(&world, "q.fifo", 1).await;
    assert_eq!(messages[0]["Attributes"]["MessageGroupId"], "g");
}

#[tokio::test]
async fn topics_and_log_groups() {
    let world = World::new(SERVICES);
    let topic = "arn:aws:sns:us-east-1:000000000000:news";
    world.call("sns:CreateTopic", json!({"Name": "news"})).await.expect("a topic");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish", "Resource": topic,
    }]});
    let input = json!({
        "TopicArn": topic, "AttributeName": "Policy", "AttributeValue": policy.to_string(),
    });
    world.call("sns:SetTopicAttributes", input).await.expect("a policy");
    let input = json!({"TopicArn": topic, "Protocol": "sms", "Endpoint": "+15555550100"});
    world.call("sns:Subscribe", input).await.expect("a subscription");
    world
        .call("logs:CreateLogGroup", json!({"logGroupName": "/aws/events/g"}))
        .await
        .expect("a group");
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let log = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/g";
    let targets = json!([
        {"Id": "t", "Arn": topic},
        {"Id": "l", "Arn": log},
        {"Id": "m", "Arn": format!("{log}:*"), "InputTransformer": {
            "InputPathsMap": {"d": "$.detail"},
            "InputTemplate": "{\"timestamp\": <aws.events.event.ingestion-time>, \"message\": <d>}",
        }},
    ]);
    call(&world, "PutTargets", json!({"Rule": "r", "Targets": targets})).await;
    let id = send(&world, json!({"a": 1}), json!({})).await;
    settle(&world).await;
    let found = world
        .call("logs:FilterLogEvents", json!({"logGroupName": "/aws/events/g"}))
        .await
        .expect("lines");
    let mut lines: Vec<&str> = found["events"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| line["message"].as_str().expect("a message"))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], r#"{"a":1}"#);
    assert!(lines[1].contains(&id), "{lines:?}");
    let outbox = fogbank_core::Cx::background(world.cloud().clone(), "sns", "test");
    let sent =
        fogbank_sns::sms_outbox(outbox, http::Request::new(fogbank_core::Body::empty())).await;
    let sent = sent.into_body().collect(1 << 20).await.expect("a body");
    assert!(String::from_utf8_lossy(&sent).contains(&id));
}

#[tokio::test]
async fn a_target_that_refuses_sends_to_the_dead_letter_queue() {
    let world = World::new(SERVICES);
    queue(&world, "dead", json!({})).await;
    world.call("sqs:CreateQueue", json!({"QueueName": "closed"})).await.expect("a queue");
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let may = role(&world, "may", "sqs:SendMessage").await;
    let dead = json!({"Arn": queue_arn(ACCOUNT, "dead")});
    let targets = json!([
        {"Id": "a", "Arn": queue_arn(ACCOUNT, "closed"), "DeadLetterConfig": dead, "Input": "1"},
        {"Id": "b", "Arn": queue_arn(ACCOUNT, "none"), "DeadLetterConfig": dead, "RoleArn": may},
    ]);
    call(&world, "PutTargets", json!({"Rule": "r", "Targets": targets})).await;
    let id = send(&world, json!({}), json!({})).await;
    let mut messages = received(&world, "dead", 2).await;
    messages.sort_by_key(|message| message["MessageAttributes"]["TARGET_ARN"].to_string());
    let attribute = |at: usize, name: &str| {
        messages[at]["MessageAttributes"][name]["StringValue"].as_str().map(str::to_owned)
    };
    assert_eq!(attribute(0, "ERROR_CODE").as_deref(), Some("NO_PERMISSIONS"));
    assert_eq!(
        attribute(0, "RULE_ARN").as_deref(),
        Some("arn:aws:events:us-east-1:000000000000:rule/r")
    );
    assert_eq!(attribute(0, "EXHAUSTED_RETRY_CONDITION"), None);
    assert_eq!(attribute(1, "ERROR_CODE").as_deref(), Some("NO_RESOURCE"));
    for message in &messages {
        assert!(message["Body"].as_str().expect("a body").contains(&id), "{message}");
    }
}

#[tokio::test]
async fn roles_decide_about_targets_without_a_policy() {
    let world = World::new(SERVICES);
    world.call("sqs:CreateQueue", json!({"QueueName": "closed"})).await.expect("a queue");
    queue(&world, "dead", json!({})).await;
    let may = role(&world, "may", "sqs:SendMessage").await;
    let may_not = role(&world, "may-not", "sqs:ReceiveMessage").await;
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let closed = queue_arn(ACCOUNT, "closed");
    let dead = json!({"Arn": queue_arn(ACCOUNT, "dead")});
    let targets = json!([
        {"Id": "a", "Arn": closed, "RoleArn": may},
        {"Id": "b", "Arn": closed, "RoleArn": may_not, "DeadLetterConfig": dead},
        {"Id": "c", "Arn": closed, "RoleArn": format!("{may}-none"), "DeadLetterConfig": dead},
    ]);
    call(&world, "PutTargets", json!({"Rule": "r", "Targets": targets})).await;
    send(&world, json!({}), json!({})).await;
    received(&world, "closed", 1).await;
    for message in received(&world, "dead", 2).await {
        assert_eq!(message["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_PERMISSIONS");
    }
}

/// EventBridge, and an SQS that takes nothing at the moment.
fn broken() -> &'static [&'static Service] {
    let sqs = &fogbank_sqs::SERVICE;
    let known = sqs.operations.iter().find(|op| op.model.name == "SendMessage");
    let known = known.expect("the operation");
    let broken = Op {
        model: known.model,
        input: known.input,
        run: Run::Read(|_, _| Err(Fault::new("ServiceUnavailable", "later"))),
        access: |_, _| Ok(Access::open()),
    };
    let operations: &'static [Op] = Box::leak(Box::new([broken]));
    let sqs = Box::leak(Box::new(Service::new(sqs.model, Style::DEFAULT, operations)));
    Box::leak(Box::new([&crate::SERVICE, &*sqs]))
}

/// Lets the background work until the only effect is as wanted.
async fn until(world: &World, wanted: impl Fn(&Effect) -> bool) -> Effect {
    let _background = world.background();
    for _ in 0..5000 {
        let effects = world.cloud().db().read(|rows| EFFECTS.list(rows, &())).expect("rows");
        if let [(_, effect)] = &effects[..]
            && wanted(effect)
        {
            return effect.clone();
        }
        tokio::task::yield_now().await;
    }
    panic!("it did not come so far");
}

#[tokio::test]
async fn a_service_that_fails_is_tried_again_for_as_long_as_the_policy_says() {
    for (policy, advances, condition, retries) in [
        (json!({"MaximumRetryAttempts": 2}), &[1, 2][..], "MaximumRetryAttempts", "2"),
        (json!({"MaximumRetryAttempts": 0}), &[], "MaximumRetryAttempts", "0"),
        (json!({"MaximumEventAgeInSeconds": 60}), &[1, 61], "MaximumEventAgeInSeconds", "1"),
    ] {
        let world = World::new(broken());
        rule(&world, "r", json!({"source": ["shop"]})).await;
        let more = json!({
            "RetryPolicy": policy, "DeadLetterConfig": {"Arn": queue_arn(ACCOUNT, "dead")},
        });
        target(&world, "r", &queue_arn(ACCOUNT, "q"), more).await;
        let id = send(&world, json!({}), json!({})).await;
        for (at, secs) in advances.iter().enumerate() {
            let tried = until(&world, |effect| effect.attempts == at as u32 + 1).await;
            let failure = tried.input().expect("an input")["failure"].clone();
            assert_eq!(failure["name"], "ServiceUnavailable");
            world.clock().advance(secs * 1000);
        }
        let buried = until(&world, |effect| !effect.is_job).await;
        let input = buried.input().expect("an input");
        assert!(input["MessageBody"].as_str().expect("a body").contains(&id));
        let attributes = &input["MessageAttributes"];
        assert_eq!(attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"], condition);
        assert_eq!(attributes["RETRY_ATTEMPTS"]["StringValue"], retries);
        assert_eq!(attributes["ERROR_CODE"]["StringValue"], "ServiceUnavailable");
        assert_eq!(attributes["ERROR_MESSAGE"]["StringValue"], "later");
    }
}

#[tokio::test]
async fn events_go_on_to_other_buses_and_no_further() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    let role = role(&world, "sender", "events:PutEvents").await;
    let bus = |name: &str| format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{name}");
    for name in ["second", "third"] {
        call(&world, "CreateEventBus", json!({"Name": name})).await;
        let pattern = json!({"source": ["shop"]}).to_string();
        let rule = json!({"Name": "r", "EventBusName": name, "EventPattern": pattern});
        call(&world, "PutRule", rule).await;
        let targets = json!([
            {"Id": "q", "Arn": arn, "InputTransformer": {
                "InputPathsMap": {"id": "$.id"}, "InputTemplate": format!("{{\"id\": <id>, \"bus\": \"{name}\"}}"),
            }},
        ]);
        call(&world, "PutTargets", json!({"Rule": "r", "EventBusName": name, "Targets": targets}))
            .await;
    }
    rule(&world, "r", json!({"source": ["shop"]})).await;
    target(&world, "r", &bus("second"), json!({"RoleArn": role})).await;
    let further = json!([{"Id": "b", "Arn": bus("third"), "RoleArn": role}]);
    call(&world, "PutTargets", json!({"Rule": "r", "EventBusName": "second", "Targets": further}))
        .await;
    let id = send(&world, json!({}), json!({})).await;
    assert_eq!(bodies(&world, "q", 1).await, [json!({"id": id, "bus": "second"})]);
}

#[tokio::test]
async fn a_bus_of_another_account_lets_events_in_or_not() {
    let world = World::new(SERVICES);
    let theirs = format!("arn:aws:events:us-east-1:{OTHER}:event-bus/default");
    queue(&world, "dead", json!({})).await;
    rule(&world, "r", json!({"source": ["shop"]})).await;
    let dead = json!({"DeadLetterConfig": {"Arn": queue_arn(ACCOUNT, "dead")}});
    target(&world, "r", &theirs, dead).await;
    send(&world, json!({}), json!({})).await;
    let refused = received(&world, "dead", 1).await;
    assert_eq!(refused[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_PERMISSIONS");
    let as_them = async |action: &str, input| {
        world.call_as(Principal::root(OTHER), action, input).await.expect("an answer")
    };
    let allowed = json!({
        "Action": "events:PutEvents", "Principal": ACCOUNT, "StatementId": "s",
    });
    as_them("events:PutPermission", allowed).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue_arn(OTHER, "q"),
    }]});
    let theirs = json!({"QueueName": "q", "Attributes": {"Policy": policy.to_string()}});
    as_them("sqs:CreateQueue", theirs).await;
    let pattern = json!({"account": [ACCOUNT]}).to_string();
    as_them("events:PutRule", json!({"Name": "t", "EventPattern": pattern})).await;
    let targets = json!([{"Id": "q", "Arn": queue_arn(OTHER, "q")}]);
    as_them("events:PutTargets", json!({"Rule": "t", "Targets": targets})).await;
    let id = send(&world, json!({}), json!({})).await;
    settle(&world).await;
    let input = json!({"QueueUrl": queue_arn(OTHER, "q")});
    let output = as_them("sqs:ReceiveMessage", input).await;
    let body = output["Messages"][0]["Body"].as_str().expect("a body");
    assert!(body.contains(&id) && body.contains(&format!("\"account\":\"{ACCOUNT}\"")), "{body}");
}

#[tokio::test]
async fn very_many_targets_are_served_in_several_transactions() {
    let world = World::new(SERVICES);
    let arn = queue(&world, "q", json!({})).await;
    for at in 0..6 {
        let name = format!("r{at}");
        rule(&world, &name, json!({"source": ["shop"]})).await;
        let targets: Vec<_> =
            (0..5).map(|id| json!({"Id": format!("t{id}"), "Arn": arn})).collect();
        call(&world, "PutTargets", json!({"Rule": name, "Targets": targets})).await;
    }
    let large = "x".repeat(900 * 1024);
    send(&world, json!({"large": large}), json!({})).await;
    assert!(waiting(&world) < 20, "{}", waiting(&world));
    received(&world, "q", 30).await;
}
