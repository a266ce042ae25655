//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::{SERVICES, effects};
use crate::SERVICE;

const OTHER: &str = "111122223333";

/// Makes topics with subscriptions, confirmed and pending, mails and texts in an account, and deletes a topic.
async fn fill(world: &World, account: &str) {
    let call = async |operation: &str, input| {
        let action = format!("sns:{operation}");
        world.call_as(Principal::root(account), &action, input).await.expect("an answer")
    };
    let arn = |name: &str| format!("arn:aws:sns:us-east-1:{account}:{name}");
    for name in ["news", "gone"] {
        call("CreateTopic", json!({"Name": name, "Tags": [{"Key": "a", "Value": "b"}]})).await;
        for (protocol, endpoint) in [
            ("email", "ann@example.com".to_owned()),
            ("sms", "+15555550100".to_owned()),
            ("http", "http://127.0.0.1:9/hook".to_owned()),
            ("sqs", format!("arn:aws:sqs:us-east-1:{account}:jobs")),
        ] {
            let input = json!({"TopicArn": arn(name), "Protocol": protocol, "Endpoint": endpoint});
            call("Subscribe", input).await;
        }
    }
    call("Publish", json!({"TopicArn": arn("news"), "Message": "hello"})).await;
    call("Publish", json!({"PhoneNumber": "+15555550101", "Message": "hello"})).await;
    call("DeleteTopic", json!({"TopicArn": arn("gone")})).await;
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = World::new(SERVICES);
    fill(&world, OTHER).await;
    let (others, others_effects) = (world.rows(&SERVICE), effects(&world));
    assert!(others.keys().any(|row| row.starts_with("sns.texts")), "{:?}", others.keys());
    assert!(!others_effects.is_empty());
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    let listed = world.call("sns:ListTopics", json!({})).await.expect("a list");
    assert_eq!(listed, json!({"Topics": []}));
    let listed = world.call("sns:ListSubscriptions", json!({})).await.expect("a list");
    assert_eq!(listed, json!({"Subscriptions": []}));
    assert_eq!(world.rows(&SERVICE), others);
    assert_eq!(effects(&world), others_effects);
    fill(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
    assert!(effects(&world).iter().all(|effect| !effect.target.starts_with("sns:")));
}
