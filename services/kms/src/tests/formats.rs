//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_testkit::{check_row, expect};

use crate::store::{
    Alias, Deletion, Grant, Imported, Key, LastUse, Material, MultiRegion, Rotated, Rotation,
};

#[test]
fn keys() {
    let key = Key {
        created_millis: 1_767_225_600_000,
        description: "d".into(),
        spec: "SYMMETRIC_DEFAULT".into(),
        usage: "ENCRYPT_DECRYPT".into(),
        origin: "AWS_KMS".into(),
        enabled: true,
        managed_by: Some("s3".into()),
        deletion: Some(Deletion { window_days: 7, at_millis: Some(1) }),
        policy: "{}".into(),
        tags: BTreeMap::from([("t".into(), "v".into())]),
        multi_region: Some(MultiRegion { primary: "a".into(), replicas: vec!["b".into()] }),
        rotation: Some(Rotation { period_days: 90, next_millis: 2 }),
        rotations_on_demand: 3,
        material: Some("m".into()),
        expires_millis: Some(4),
        lacks_material: true,
        due_millis: Some(5),
    };
    check_row(
        &key,
        expect![[r#"
        0180a0d5edee6601641153594d4d45545249435f44454641554c540f454e43525950545f44454352595054074157535f
        4b4d530101027333010e0102027b7d010174017601016101016201b401040301016d010801010a"#]],
    );
}

#[test]
fn materials() {
    let material = Material {
        number: 1,
        created_millis: 1_767_225_600_000,
        sealed: Some(vec![1, 2, 3]),
        public: Some(vec![4]),
        rotated: Some(Rotated { at_millis: 5, on_demand: true }),
        imported: Some(Imported {
            expires_millis: Some(6),
            description: Some("d".into()),
            is_pending: true,
        }),
    };
    check_row(&material, expect!["010180a0d5edee660103010203010104010a0101010c01016401"]);
}

#[test]
fn aliases_and_grants() {
    let alias = Alias { key_id: "k".into(), created_millis: 1, updated_millis: 2 };
    check_row(&alias, expect!["01016b0204"]);
    let context = BTreeMap::from([("a".into(), "b".into())]);
    let grant = Grant {
        name: Some("n".into()),
        created_millis: 1,
        grantee: "g".into(),
        retiring: Some("r".into()),
        issuing_account: "000000000000".into(),
        operations: vec!["Decrypt".into()],
        context_equals: Some(context.clone()),
        context_subset: Some(context),
        source_arn: Some("s".into()),
    };
    check_row(
        &grant,
        expect![
            "0101016e0201670101720c303030303030303030303030010744656372797074010101610162010101610162010173"
        ],
    );
}

#[test]
fn last_uses() {
    let operation = "Decrypt".into();
    let last = LastUse { operation, at_millis: 1_767_225_600_000, request_id: "r".into() };
    check_row(&last, expect!["01074465637279707480a0d5edee660172"]);
}
