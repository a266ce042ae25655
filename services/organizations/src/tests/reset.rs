//! What a reset leaves.

use fogbank_testkit::{ACCOUNT, json};

use super::{account, good, organization, root_of, world};

#[tokio::test]
async fn a_reset_leaves_other_organizations_as_they_are() {
    let world = world();
    let other = root_of("999999999999");
    let made = world.call_as(other.clone(), "organizations:CreateOrganization", json!({})).await;
    made.expect("an organization");
    let before = world.rows(&crate::SERVICE);
    let root = organization(&world).await;
    account(&world, "one").await;
    good(&world, "CreateOrganizationalUnit", json!({ "ParentId": root, "Name": "dev" })).await;
    let input = json!({ "Target": { "Id": "333333333333", "Type": "ACCOUNT" } });
    good(&world, "InviteAccountToOrganization", input).await;
    let kind = "SERVICE_CONTROL_POLICY";
    good(&world, "EnablePolicyType", json!({ "RootId": root, "PolicyType": kind })).await;
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    let mut after = world.rows(&crate::SERVICE);
    // Which organization a policy belongs to is told by its key alone.
    after.retain(|key, _| !before.contains_key(key));
    assert!(after.is_empty(), "{after:?}");
    world.reset(&crate::SERVICE, None).await;
    assert!(world.rows(&crate::SERVICE).is_empty());
}
