//! What calls must be allowed to do.

use fogbank_core::{Access, Cx, Principal, PrincipalKind, Request};
use fogbank_testkit::{World, json};

use super::{SERVICES, plain};
use crate::model;

fn checks(access: &Access) -> Vec<(String, String)> {
    let check = |check: &fogbank_core::Check| (check.action.to_string(), check.resource.clone());
    access.checks.iter().map(check).collect()
}

fn request(world: &World) -> Request {
    Cx::background(world.cloud().clone(), "dynamodb", "Test").request().clone()
}

#[test]
fn each_element_of_a_transaction_is_an_action_of_its_own() {
    let request = request(&World::new(SERVICES));
    let mut input = model::TransactWriteItemsInput::default();
    let actions = json!({"TransactItems": [
        {"Put": {"TableName": "one", "Item": {}}},
        {"Put": {"TableName": "one", "Item": {}}},
        {"Delete": {"TableName": "arn:aws:dynamodb:eu-west-1:111111111111:table/two", "Key": {}}},
        {"ConditionCheck": {"TableName": "one", "Key": {}, "ConditionExpression": "a = b"}},
    ]});
    fogbank_core::wire::from_json(&actions, &mut input).expect("an input");
    let access = crate::access::transact_write(&request, &input).expect("an access");
    let one = "arn:aws:dynamodb:us-east-1:000000000000:table/one";
    let expected = [
        ("dynamodb:PutItem", one),
        ("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:111111111111:table/two"),
        ("dynamodb:ConditionCheckItem", one),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(action, arn)| ((*action).to_owned(), (*arn).to_owned())).collect();
    assert_eq!(checks(&access), expected);
}

#[test]
fn queries_of_an_index_are_on_the_index() {
    let request = request(&World::new(SERVICES));
    let input = model::QueryInput {
        table_name: "music".to_owned(),
        index_name: Some("by-year".to_owned()),
        select: Some(model::Select::Count),
        ..model::QueryInput::default()
    };
    let access = crate::access::read(&request, &input).expect("an access");
    let index = "arn:aws:dynamodb:us-east-1:000000000000:table/music/index/by-year";
    assert_eq!(checks(&access), [(String::new(), index.to_owned())]);
    let context = &access.checks[0].context;
    assert_eq!(context[0], ("dynamodb:Select".into(), vec!["COUNT".to_owned()]));
}

#[tokio::test]
async fn who_is_allowed_nothing_gets_nothing() {
    let world = plain().await;
    let role = Principal {
        kind: PrincipalKind::Role {
            name: "reader".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/reader".to_owned(),
            session: "s".to_owned(),
        },
        account: "000000000000".to_owned(),
        arn: "arn:aws:sts::000000000000:assumed-role/reader/s".to_owned(),
        id: "AROAX:s".to_owned(),
        access_key_id: None,
        session: None,
    };
    let input = json!({"TableName": "plain", "Key": {"id": {"S": "a"}}});
    let fault =
        world.call_as(role, "dynamodb:GetItem", input).await.expect_err("no policy allows it");
    assert_eq!(
        fault.message(),
        "User: arn:aws:sts::000000000000:assumed-role/reader/s is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/plain because no identity-based policy allows the dynamodb:GetItem action"
    );
}

#[tokio::test]
async fn policies_can_ask_for_partitions_and_attributes() {
    let world = super::music().await;
    let cx = Cx::background(world.cloud().clone(), "dynamodb", "Test");
    let mut input = model::UpdateItemInput::default();
    let update = json!({
        "TableName": "music",
        "Key": {"artist": {"S": "ann"}, "song": {"S": "a1"}},
        "UpdateExpression": "SET #p = :p REMOVE notes.x",
        "ConditionExpression": "attribute_exists(label)",
        "ExpressionAttributeNames": {"#p": "price"},
        "ExpressionAttributeValues": {":p": {"N": "1"}},
    });
    fogbank_core::wire::from_json(&update, &mut input).expect("an input");
    let mut access = crate::access::write(cx.request(), &input).expect("an access");
    let refine = access.refine.expect("it depends on rows");
    cx.read(|tx| refine(tx, &input, &mut access.checks)).expect("condition keys");
    let names = ["artist", "label", "notes", "price", "song"].map(str::to_owned).to_vec();
    assert_eq!(
        access.checks[0].context,
        [
            ("dynamodb:LeadingKeys".into(), vec!["ann".to_owned()]),
            ("dynamodb:Attributes".into(), names),
        ]
    );
    let mut input = model::QueryInput::default();
    let query = json!({
        "TableName": "music",
        "IndexName": "by-label",
        "KeyConditionExpression": "label = :l",
        "ExpressionAttributeValues": {":l": {"S": "x"}},
    });
    fogbank_core::wire::from_json(&query, &mut input).expect("an input");
    let mut access = crate::access::read(cx.request(), &input).expect("an access");
    cx.read(|tx| refine(tx, &input, &mut access.checks)).expect("condition keys");
    let context = &access.checks[0].context;
    assert_eq!(context[0], ("dynamodb:LeadingKeys".into(), vec!["x".to_owned()]));
}
