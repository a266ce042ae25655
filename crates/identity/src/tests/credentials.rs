//! Access keys, sessions and the keys that exist without having been created.

use fogbank_core::{Principal, Session, Timestamp};

use super::{ACCOUNT, House, NOW};
use crate::rows::{self, TemporaryCredential};
use crate::{LookUp, Mode, keys};

fn look_up(house: &House, key: &str, token: Option<&str>, now: Timestamp) -> LookUp {
    let directory = &house.directory;
    let found = house.cloud.db().read(|rows| directory.credential(rows, key, token, now));
    found.expect("the engine in memory reads")
}

fn name(look_up: &LookUp) -> String {
    match look_up {
        LookUp::Found(found) => {
            format!("{} {}", found.principal.arn, found.secret.as_deref().unwrap_or("any"))
        }
        LookUp::Unknown => "unknown".to_owned(),
        LookUp::Inactive => "inactive".to_owned(),
        LookUp::Closed => "closed".to_owned(),
        LookUp::Expired => "expired".to_owned(),
        LookUp::InvalidToken => "invalid token".to_owned(),
    }
}

fn outcome(house: &House, key: &str, token: Option<&str>) -> String {
    name(&look_up(house, key, token, NOW))
}

#[test]
fn built_in_keys_exist_only_where_the_mode_says() {
    let root = "arn:aws:iam::000000000000:root";
    let dev = House::dev();
    assert_eq!(outcome(&dev, "test", None), format!("{root} test"));
    assert_eq!(outcome(&dev, "test", Some("whatever")), format!("{root} test"));
    assert_eq!(outcome(&dev, "111122223333", None), "arn:aws:iam::111122223333:root test");
    assert_eq!(outcome(&dev, "AKIAIOSFODNN7EXAMPLE", None), "unknown");
    assert_eq!(outcome(&dev, "foobar", None), "unknown");
    let lax = House::new(Mode::Dev { accept_any_credentials: true }, true);
    assert_eq!(outcome(&lax, "AKIAIOSFODNN7EXAMPLE", None), format!("{root} any"));
    assert_eq!(outcome(&lax, "foobar", None), format!("{root} any"));
    let server = House::new(Mode::Server, true);
    for key in ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE"] {
        assert_eq!(outcome(&server, key, None), "unknown", "{key}");
    }
}

#[test]
fn created_keys_are_verified_in_every_mode() {
    for mode in [Mode::Server, Mode::Dev { accept_any_credentials: true }] {
        for is_connected in [true, false] {
            let house = House::new(mode.clone(), is_connected);
            let ann = house.user("ann", &[]);
            assert_ne!(
                outcome(&house, "AKIAANN", None),
                "arn:aws:iam::000000000000:user/ann secret"
            );
            house.key("AKIAANN", Some(&ann), true);
            assert_eq!(
                outcome(&house, "AKIAANN", None),
                "arn:aws:iam::000000000000:user/ann secret"
            );
            assert_eq!(outcome(&house, "AKIAANN", Some("token")), "invalid token");
            house.key("AKIAANN", Some(&ann), false);
            assert_eq!(outcome(&house, "AKIAANN", None), "inactive");
            house.write(|tx| {
                rows::ACCESS_KEYS.delete(tx, "AKIAANN")?;
                rows::changed(tx)
            });
            assert_ne!(outcome(&house, "AKIAANN", None), "inactive");
        }
    }
}

#[test]
fn sessions_need_their_token_and_end() {
    let house = House::dev();
    let ann = house.user("ann", &[]);
    let mut principal = ann.principal(ACCOUNT);
    principal.session = Some(Box::new(Session { issued_secs: NOW.secs(), ..Session::default() }));
    let session = TemporaryCredential {
        secret: "s".to_owned(),
        token: "token".to_owned(),
        principal,
        expires_secs: NOW.secs() + 900,
        transitive_tags: Vec::new(),
        keys: Vec::new(),
    };
    house.write(|tx| rows::SESSIONS.put(tx, "ASIAX", &session));
    let good = "arn:aws:iam::000000000000:user/ann s";
    assert_eq!(outcome(&house, "ASIAX", Some("token")), good);
    assert_eq!(outcome(&house, "ASIAX", Some("toker")), "invalid token");
    assert_eq!(outcome(&house, "ASIAX", Some("")), "invalid token");
    assert_eq!(outcome(&house, "ASIAX", None), "invalid token");
    let at = |secs: i64| name(&look_up(&house, "ASIAX", Some("token"), NOW.plus_secs(secs)));
    assert_eq!(at(899), good);
    assert_eq!(at(900), "expired");
    house.write(|tx| {
        rows::ENTITIES.delete(tx, &ann.id)?;
        rows::changed(tx)
    });
    assert_eq!(outcome(&house, "ASIAX", Some("token")), "invalid token");
}

#[tokio::test]
async fn a_server_makes_one_root_key() {
    let house = House::new(Mode::Server, true);
    let (db, ids) = (house.cloud.db(), house.cloud.ids());
    let ensure = || house.directory.ensure_root(db, ids, "111122223333", NOW);
    let (id, secret) = ensure().await.expect("written").expect("the first start");
    assert_eq!(outcome(&house, &id, None), format!("arn:aws:iam::111122223333:root {secret}"));
    assert_eq!(keys::account_of(&id).as_deref(), Some("111122223333"));
    assert!(ensure().await.expect("read").is_none());
    let dev = House::dev();
    let made = dev.directory.ensure_root(dev.cloud.db(), dev.cloud.ids(), ACCOUNT, NOW).await;
    assert!(made.expect("nothing to do").is_none());
}

#[test]
fn the_principal_names_its_key() {
    let LookUp::Found(found) = look_up(&House::dev(), "test", None, NOW) else {
        panic!("the root has a key")
    };
    assert_eq!(found.principal.access_key_id.as_deref(), Some("test"));
    assert_eq!(
        Principal { access_key_id: None, ..Principal::clone(&found.principal) },
        Principal::root(ACCOUNT)
    );
}
