//! Organizational units.

use fogbank_testkit::{ACCOUNT, expect, json};

use super::{account, bad, good, organization, root_of, world};

#[tokio::test]
async fn an_organization_begins_and_ends() {
    let world = world();
    let nothing = expect![
        "AWSOrganizationsNotInUseException: Your account is not a member of an organization."
    ];
    world.check("organizations:DescribeOrganization", json!({}), nothing).await;
    let root = organization(&world).await;
    world
        .check(
            "organizations:CreateOrganization",
            json!({}),
            expect![
                "AlreadyInOrganizationException: The AWS account is already a member of an organization."
            ],
        )
        .await;
    let shown = good(&world, "DescribeOrganization", json!({})).await["Organization"].clone();
    assert_eq!(shown["MasterAccountId"], ACCOUNT);
    assert_eq!(shown["FeatureSet"], "ALL");
    let unit = json!({ "ParentId": root, "Name": "dev" });
    good(&world, "CreateOrganizationalUnit", unit.clone()).await;
    let again = bad(&world, "CreateOrganizationalUnit", unit).await;
    assert!(again.starts_with("DuplicateOrganizationalUnitException: "), "{again}");
    let number = account(&world, "one").await;
    let full = bad(&world, "DeleteOrganization", json!({})).await;
    assert!(full.starts_with("OrganizationNotEmptyException: "), "{full}");
    let input = json!({ "AccountId": number });
    good(&world, "RemoveAccountFromOrganization", input).await;
    good(&world, "DeleteOrganization", json!({})).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
    organization(&world).await;
}

#[tokio::test]
async fn units_hold_units_and_accounts() {
    let world = world();
    let root = organization(&world).await;
    let mut parent = root.clone();
    let mut ids = Vec::new();
    for level in 1..=5 {
        let input = json!({ "ParentId": parent, "Name": format!("level {level}") });
        let made = good(&world, "CreateOrganizationalUnit", input).await;
        parent = made["OrganizationalUnit"]["Id"].as_str().expect("an id").to_owned();
        ids.push(parent.clone());
    }
    let deeper = json!({ "ParentId": parent, "Name": "level 6" });
    let refusal = bad(&world, "CreateOrganizationalUnit", deeper).await;
    assert!(refusal.starts_with("ConstraintViolationException: "), "{refusal}");
    let number = account(&world, "one").await;
    let input =
        json!({ "AccountId": number, "SourceParentId": root, "DestinationParentId": ids[1] });
    good(&world, "MoveAccount", input.clone()).await;
    let again = bad(&world, "MoveAccount", input).await;
    assert!(again.starts_with("SourceParentNotFoundException: "), "{again}");
    let parents = good(&world, "ListParents", json!({ "ChildId": number })).await;
    assert_eq!(parents["Parents"], json!([{ "Id": ids[1], "Type": "ORGANIZATIONAL_UNIT" }]));
    let children = json!({ "ParentId": ids[1], "ChildType": "ACCOUNT" });
    let children = good(&world, "ListChildren", children).await;
    assert_eq!(children["Children"], json!([{ "Id": number, "Type": "ACCOUNT" }]));
    let refusal =
        bad(&world, "DeleteOrganizationalUnit", json!({ "OrganizationalUnitId": ids[1] }));
    assert!(refusal.await.starts_with("OrganizationalUnitNotEmptyException: "));
    good(&world, "DeleteOrganizationalUnit", json!({ "OrganizationalUnitId": ids[4] })).await;
    let listed = json!({ "ParentId": ids[3] });
    let listed = good(&world, "ListOrganizationalUnitsForParent", listed).await;
    assert_eq!(listed["OrganizationalUnits"], json!([]));
    let input = json!({ "OrganizationalUnitId": ids[3], "Name": "renamed" });
    let renamed = good(&world, "UpdateOrganizationalUnit", input).await;
    assert_eq!(renamed["OrganizationalUnit"]["Name"], "renamed");
    let tags = json!([{ "Key": "team", "Value": "blue" }]);
    for id in [&*number, &*ids[3], &*root] {
        good(&world, "TagResource", json!({ "ResourceId": id, "Tags": tags })).await;
        let listed = good(&world, "ListTagsForResource", json!({ "ResourceId": id })).await;
        assert_eq!(listed["Tags"], tags);
        good(&world, "UntagResource", json!({ "ResourceId": id, "TagKeys": ["team"] })).await;
    }
    // A member sees that there is an organization, and no more of it.
    let member = root_of(&number);
    let seen = world.call_as(member.clone(), "organizations:DescribeOrganization", json!({})).await;
    assert_eq!(seen.expect("an answer")["Organization"]["MasterAccountId"], ACCOUNT);
    let refused = world.call_as(member, "organizations:ListAccounts", json!({})).await;
    let refused = refused.expect_err("a refusal");
    assert_eq!(
        refused.to_string(),
        "AccessDeniedException: You don't have permissions to access this resource."
    );
}
