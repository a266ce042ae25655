//! The bytes of every row: whoever changes one must raise its version and read the old form.

use expect_test::{Expect, expect};
use fogbank_core::store::Value;
use fogbank_core::{Principal, Session};

use crate::rows::{
    AccessKey, Account, Denial, Entity, Grants, Group, InlinePolicy, Kind, LastUse, ManagedPolicy,
    Observation, PolicyVersion, Role, Sighting, TemporaryCredential, User,
};

fn check<V: Value>(row: &V, expected: Expect) {
    let mut bytes = Vec::new();
    row.encode(&mut bytes).expect("a row");
    let lines: Vec<String> = hex::encode(&bytes)
        .as_bytes()
        .chunks(96)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    expected.assert_eq(&lines.join("\n"));
    let mut again = Vec::new();
    let read = V::decode_slice(&bytes).expect("readable");
    read.encode(&mut again).expect("a row");
    assert_eq!(bytes, again);
}

fn grants() -> Grants {
    Grants {
        inline: vec![InlinePolicy { name: "i".into(), document: "{}".into() }],
        attached: vec!["arn:a".into()],
        boundary: Some("arn:b".into()),
    }
}

#[test]
fn users_groups_and_roles() {
    let user = User {
        name: "ann".into(),
        path: "/".into(),
        id: "AIDA1".into(),
        created_secs: 1_767_225_600,
        tags: vec![("k".into(), "v".into())],
        grants: grants(),
        groups: vec!["g".into()],
        access_keys: vec!["AKIA1".into()],
    };
    check(
        &user,
        expect![[r#"
        0103616e6e012f05414944413180e4ad950d01016b0176010169027b7d010561726e3a61010561726e3a620101670105
        414b494131"#]],
    );
    let group = Group {
        name: "g".into(),
        path: "/".into(),
        id: "AGPA1".into(),
        created_secs: 1,
        grants: Grants::default(),
    };
    check(&group, expect!["010167012f05414750413102000000"]);
    let role = Role {
        name: "r".into(),
        path: "/".into(),
        id: "AROA1".into(),
        created_secs: 1,
        description: Some("d".into()),
        trust: "{}".into(),
        trusted: vec![("arn:u".into(), "AIDA1".into())],
        max_session_secs: 3600,
        tags: Vec::new(),
        grants: grants(),
    };
    check(
        &role,
        expect![[r#"
        010172012f0541524f413102010164027b7d010561726e3a75054149444131901c00010169027b7d010561726e3a6101
        0561726e3a62"#]],
    );
    let entity = Entity { account: "000000000000".into(), kind: Kind::Role, folded: "r".into() };
    check(&entity, expect!["010c303030303030303030303030010172"]);
}

#[test]
fn policies() {
    let version = PolicyVersion { number: 2, document: "{}".into(), created_secs: 2 };
    let policy = ManagedPolicy {
        name: "p".into(),
        path: "/".into(),
        id: "ANPA1".into(),
        description: None,
        created_secs: 1,
        updated_secs: 2,
        default_version: 2,
        next_version: 3,
        versions: vec![version],
        tags: Vec::new(),
    };
    check(&policy, expect!["010170012f05414e50413100020402030102027b7d0400"]);
}

#[test]
fn keys_and_sessions() {
    let key = AccessKey {
        account: "000000000000".into(),
        user_id: Some("AIDA1".into()),
        secret: "s".into(),
        active: true,
        created_secs: 1,
    };
    check(&key, expect!["010c3030303030303030303030300105414944413101730102"]);
    let session = Session {
        policies: vec!["{}".into()],
        policy_arns: vec!["arn:a".into()],
        tags: vec![("k".into(), "v".into())],
        mfa: true,
        issued_secs: 1,
        source_identity: Some("ann".into()),
    };
    let principal =
        Principal { session: Some(Box::new(session)), ..Principal::root("000000000000") };
    let credential = TemporaryCredential {
        secret: "s".into(),
        token: "t".into(),
        principal,
        expires_secs: 2,
        transitive_tags: vec!["k".into()],
    };
    check(
        &credential,
        expect![[r#"
        0101730174000c3030303030303030303030301e61726e3a6177733a69616d3a3a3030303030303030303030303a726f
        6f740c303030303030303030303030000101027b7d010561726e3a6101016b017601020103616e6e0401016b"#]],
    );
    let last = LastUse { secs: 1, service: "s3".into(), region: "us-east-1".into() };
    check(&last, expect!["01020273330975732d656173742d31"]);
    check(&Account { root_access_keys: vec!["AKIA1".into()] }, expect!["010105414b494131"]);
}

#[test]
fn decisions() {
    let denial = Denial {
        number: 7,
        request_id: "r".into(),
        account: "000000000000".into(),
        secs: 1,
        explanation: "{}".into(),
    };
    check(&denial, expect!["010701720c30303030303030303030303002027b7d"]);
    let sighting = Sighting { resource: "*".into(), first_secs: 1, last_secs: 2, is_excess: true };
    check(&Observation { resources: vec![sighting] }, expect!["0101012a020401"]);
}
