//! Parameter policies by the clock, and resource policies.

use fogbank_core::Principal;
use fogbank_testkit::{World, expect, json};

use super::{DAY, SERVICES, put, value_of};

const POLICIES: &str = r#"[
    {"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2026-01-11T00:00:00.000Z"}},
    {"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"2","Unit":"Days"}},
    {"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"5","Unit":"Days"}}
]"#;

async fn statuses(world: &World) -> String {
    let page = world.call("ssm:DescribeParameters", json!({})).await.expect("a page");
    let policies = page["Parameters"][0]["Policies"].as_array().expect("policies").clone();
    let status = |policy: &serde_json::Value| policy["PolicyStatus"].as_str().unwrap().to_owned();
    policies.iter().map(status).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn policies_act_when_it_is_time() {
    let world = World::new(SERVICES);
    put(&world, "p", "v", json!({"Tier": "Advanced", "Policies": POLICIES})).await;
    let round = async |millis: i64| {
        world.clock().advance(millis);
        world.round(&crate::SERVICE, crate::tasks::DUE).await;
    };
    round(5 * DAY - 1).await;
    assert_eq!(statuses(&world).await, "Pending Pending Pending");
    round(1).await;
    assert_eq!(statuses(&world).await, "Pending Pending Finished");
    // A change begins the time anew, and does not put off the end.
    put(&world, "p", "w", json!({})).await;
    assert_eq!(statuses(&world).await, "Pending Pending Pending");
    round(3 * DAY).await;
    assert_eq!(statuses(&world).await, "Pending Finished Pending");
    round(2 * DAY - 1).await;
    assert_eq!(value_of(&world, "p").await, "w");
    round(1).await;
    assert_eq!(value_of(&world, "p").await, "ParameterNotFound: ");
    assert!(world.rows(&crate::SERVICE).is_empty());
}

#[tokio::test]
async fn policies_are_replaced_and_taken_away() {
    let world = World::new(SERVICES);
    let more = json!({"Tier": "Intelligent-Tiering", "Policies": POLICIES});
    put(&world, "p", "v", more).await;
    put(&world, "p", "v", json!({"Policies": "[{}]"})).await;
    world.clock().advance(20 * DAY);
    world.round(&crate::SERVICE, crate::tasks::DUE).await;
    assert_eq!(value_of(&world, "p").await, "v");
    let input = json!({
        "Name": "p", "Value": "v", "Overwrite": true, "Policies": "[{\"Type\":\"Other\"}]",
    });
    world.check("ssm:PutParameter", input, expect!["InvalidPolicyTypeException: The policy type isn't supported: Other. Parameter Store supports the following policy types: Expiration, ExpirationNotification, and NoChangeNotification."]).await;
}

#[tokio::test]
async fn a_resource_policy_shares_a_parameter() {
    let world = World::new(SERVICES);
    put(&world, "/shared/p", "v", json!({})).await;
    let arn = "arn:aws:ssm:us-east-1:000000000000:parameter/shared/p";
    let other = Principal::root("111122223333");
    let allow = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "a", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "ssm:GetParameter", "Resource": arn,
        },
    })
    .to_string();
    let input = json!({"ResourceArn": arn, "Policy": allow});
    world.check("ssm:PutResourcePolicy", input.clone(), expect!["ResourcePolicyInvalidParameterException: To share a parameter, it must be in the advanced parameter tier."]).await;
    put(&world, "/shared/p", "v", json!({"Tier": "Advanced"})).await;
    let get = json!({"Name": arn});
    let refused = world.call_as(other.clone(), "ssm:GetParameter", get.clone()).await;
    expect!["AccessDenied: User: arn:aws:iam::111122223333:root is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:us-east-1:000000000000:parameter/shared/p because no resource-based policy allows the ssm:GetParameter action"].assert_eq(&refused.expect_err("refused").to_string());
    let made = world.call("ssm:PutResourcePolicy", input).await.expect("shared");
    let got = world.call_as(other.clone(), "ssm:GetParameter", get.clone()).await.expect("read");
    assert_eq!(got["Parameter"]["Value"], "v");
    let listed = world.call("ssm:GetResourcePolicies", json!({"ResourceArn": arn})).await;
    let listed = listed.expect("a list");
    assert_eq!(listed["Policies"][0]["Policy"], allow.as_str());
    assert_eq!(listed["Policies"][0]["PolicyId"], made["PolicyId"]);
    let mut wrong = json!({"ResourceArn": arn, "PolicyId": made["PolicyId"], "PolicyHash": "x"});
    world.check("ssm:DeleteResourcePolicy", wrong.clone(), expect!["ResourcePolicyConflictException: The hash provided in the call doesn't match the stored hash."]).await;
    wrong["PolicyHash"] = made["PolicyHash"].clone();
    world.call("ssm:DeleteResourcePolicy", wrong.clone()).await.expect("deleted");
    world.check("ssm:DeleteResourcePolicy", wrong, expect!["ResourcePolicyNotFoundException: No policies with the specified policy ID and hash could be found."]).await;
    assert!(world.call_as(other, "ssm:GetParameter", get).await.is_err());
    let malformed = json!({"ResourceArn": arn, "Policy": "{"});
    world
        .check(
            "ssm:PutResourcePolicy",
            malformed,
            expect!["MalformedResourcePolicyDocumentException: This policy contains invalid Json"],
        )
        .await;
}

#[tokio::test]
async fn what_others_share_is_described_to_whom_it_is_shared_with() {
    let world = World::new(SERVICES);
    for name in ["/shared/a", "/shared/b", "/own"] {
        put(&world, name, "v", json!({"Tier": "Advanced"})).await;
    }
    let (friend, stranger) = (Principal::root("111122223333"), Principal::root("222233334444"));
    let share = |name: &str, action: &str| {
        let arn = format!("arn:aws:ssm:us-east-1:000000000000:parameter{name}");
        let allow = json!({
            "Version": "2012-10-17",
            "Statement": {
                "Sid": "a", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": action, "Resource": arn,
            },
        });
        json!({"ResourceArn": arn, "Policy": allow.to_string()})
    };
    for (name, action) in
        [("/shared/b", "ssm:GetParameter"), ("/shared/a", "ssm:*"), ("/own", "ssm:PutParameter")]
    {
        world.call("ssm:PutResourcePolicy", share(name, action)).await.expect("a policy");
    }
    let names = async |who: &Principal, more: serde_json::Value| {
        let mut input = json!({"Shared": true});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        let page = world.call_as(who.clone(), "ssm:DescribeParameters", input).await;
        let page = page.expect("a page");
        let shown = page["Parameters"].as_array().expect("parameters").iter();
        let arns: Vec<_> =
            shown.map(|one| one["ARN"].as_str().expect("an ARN").to_owned()).collect();
        (arns, page["NextToken"].clone())
    };
    let arn = |name: &str| format!("arn:aws:ssm:us-east-1:000000000000:parameter{name}");
    let all = vec![arn("/shared/a"), arn("/shared/b")];
    assert_eq!(names(&friend, json!({})).await.0, all);
    let (first, token) = names(&friend, json!({"MaxResults": 1})).await;
    assert_eq!(first, all[..1]);
    let (rest, end) = names(&friend, json!({"MaxResults": 1, "NextToken": token})).await;
    assert_eq!((rest, end), (all[1..].to_vec(), serde_json::Value::Null));
    let filter = json!({"ParameterFilters": [{"Key": "Name", "Values": ["/shared/b"]}]});
    assert_eq!(names(&friend, filter).await.0, all[1..]);
    assert!(names(&stranger, json!({})).await.0.is_empty());
    assert!(names(&Principal::root(fogbank_testkit::ACCOUNT), json!({})).await.0.is_empty());
    let input = json!({"Names": [arn("/shared/b"), arn("/own")]});
    let got = world.call_as(friend, "ssm:GetParameters", input).await;
    assert_eq!(got.expect_err("one is not shared for this").name(), "AccessDenied");
}
