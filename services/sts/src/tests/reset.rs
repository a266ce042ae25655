//! Removing everything.

use fogbank_core::Principal;
use fogbank_testkit::{ACCOUNT, World, json};

use super::credentials::{Key, send};
use super::world;
use crate::SERVICE;

const OTHER: &str = "111122223333";
const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Makes a session of an account's root.
async fn session(world: &World, account: &str) -> Key {
    let who = Principal::root(account);
    let output = world.call_as(who, "sts:GetSessionToken", json!({})).await.expect("a session");
    Key::of(&output["Credentials"])
}

#[tokio::test]
async fn a_reset_removes_all_of_an_account_and_nothing_of_others() {
    let world = world();
    let other = session(&world, OTHER).await;
    let others = world.rows(&SERVICE);
    assert_eq!(others.len(), 2);
    let own = session(&world, ACCOUNT).await;
    assert_eq!(send(&world, &own, "sts", WHO).await.0, 200);
    world.reset(&SERVICE, Some(ACCOUNT)).await;
    assert_eq!(world.rows(&SERVICE), others);
    assert_eq!(send(&world, &own, "sts", WHO).await.0, 403);
    assert_eq!(send(&world, &other, "sts", WHO).await.0, 200);
    session(&world, ACCOUNT).await;
    world.reset(&SERVICE, None).await;
    assert!(world.rows(&SERVICE).is_empty());
    assert_eq!(send(&world, &other, "sts", WHO).await.0, 403);
}
