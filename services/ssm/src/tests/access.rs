//! What a call must be allowed to do.

use fogbank_core::{Principal, PrincipalKind, Service};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::put;

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_iam::SERVICE, &fogbank_kms::SERVICE];

/// A user with one policy statement.
async fn user(world: &World, statement: Value) -> Principal {
    let name = json!({"UserName": "ada"});
    let _ = world.call("iam:CreateUser", name.clone()).await;
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let input = json!({"UserName": "ada", "PolicyName": "p", "PolicyDocument": document});
    world.call("iam:PutUserPolicy", input).await.expect("a policy");
    let user = world.call("iam:GetUser", name).await.expect("a user")["User"].clone();
    let text = |member: &str| user[member].as_str().expect("text").to_owned();
    Principal {
        kind: PrincipalKind::User { name: "ada".to_owned() },
        arn: text("Arn"),
        id: text("UserId"),
        ..Principal::root(ACCOUNT)
    }
}

#[tokio::test]
async fn parameters_are_authorised_by_arn_and_condition() {
    let world = World::new(SERVICES);
    put(&world, "/app/a", "v", json!({})).await;
    put(&world, "plain", "v", json!({})).await;
    let tag = json!({
        "ResourceType": "Parameter", "ResourceId": "/app/a", "Tags": [{"Key": "team", "Value": "blue"}],
    });
    world.call("ssm:AddTagsToResource", tag).await.expect("tagged");
    let on = |name: &str| json!(format!("arn:aws:ssm:us-east-1:000000000000:parameter{name}"));
    let new = |name: &str| json!({"Name": name, "Value": "v", "Type": "String"});
    let over = |name: &str| json!({"Name": name, "Value": "v", "Overwrite": true});
    for (resource, condition, operation, input, is_allowed) in [
        (on("/app/*"), json!({}), "GetParameter", json!({"Name": "/app/a"}), true),
        (on("/app/*"), json!({}), "GetParameter", json!({"Name": "/app/a:1"}), true),
        (on("/app/*"), json!({}), "GetParameter", json!({"Name": "plain"}), false),
        (on("/plain"), json!({}), "GetParameter", json!({"Name": "plain"}), true),
        (on("/app/*"), json!({}), "GetParameters", json!({"Names": ["/app/a", "plain"]}), false),
        (on("/app"), json!({}), "GetParametersByPath", json!({"Path": "/app"}), true),
        (on("/app/*"), json!({}), "GetParametersByPath", json!({"Path": "/app"}), false),
        (
            on("/app"),
            json!({"ssm:Recursive": "false"}),
            "GetParametersByPath",
            json!({"Path": "/app", "Recursive": true}),
            false,
        ),
        (json!("*"), json!({"ssm:Overwrite": "false"}), "PutParameter", over("/app/a"), false),
        (json!("*"), json!({"ssm:Overwrite": "false"}), "PutParameter", new("/app/b"), true),
        (
            json!("*"),
            json!({"ssm:resourceTag/team": "blue"}),
            "GetParameter",
            json!({"Name": "/app/a"}),
            true,
        ),
        (
            json!("*"),
            json!({"aws:ResourceTag/team": "red"}),
            "GetParameter",
            json!({"Name": "/app/a"}),
            false,
        ),
        (on("/app/*"), json!({}), "DescribeParameters", json!({}), false),
    ] {
        let mut statement = json!({"Effect": "Allow", "Action": "ssm:*", "Resource": resource});
        if condition != json!({}) {
            statement["Condition"] = json!({"StringEquals": condition});
        }
        let ada = user(&world, statement).await;
        let outcome = world.call_as(ada, &format!("ssm:{operation}"), input.clone()).await;
        let text = outcome.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        assert_eq!(
            outcome.is_ok(),
            is_allowed,
            "{resource} {condition} {operation} {input}: {text}"
        );
    }
}
