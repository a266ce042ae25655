//! The bytes of every row: whoever changes one must raise its version and read the old form.

use crate::{
    AccessPoint, Block, Bucket, Grant, Instance, InstancePolicy, Location, Named, Replication,
    Scope, Tags,
};
use fogbank_core::store::Value;
use fogbank_testkit::{check_row, expect};

#[test]
fn access_points() {
    let block = Block { acls: true, ignore_acls: false, policy: true, restrict: false };
    let row = AccessPoint {
        bucket: "b".into(),
        bucket_account: "000000000000".into(),
        alias: "a-s3alias".into(),
        created_millis: 1_767_225_600_000,
        vpc: Some("v".into()),
        block,
        policy: Some("{}".into()),
        tags: vec![("k".into(), "v".into())],
        scope: Some(Scope { permissions: vec!["p".into()], prefixes: vec!["a/".into()] }),
    };
    check_row(
        &row,
        expect![[r#"
        0201620c30303030303030303030303009612d7333616c69617380a0d5edee660101760100010001027b7d01016b0176
        010101700102612f"#]],
    );
    check_row(&block, expect!["0101000100"]);
    let named = Named { account: "1".into(), region: "r".into(), name: "n".into() };
    check_row(&named, expect!["0101310172016e"]);
}

#[test]
fn replications() {
    let refusal = Some((404, "c".into(), "m".into()));
    check_row(&Replication { refusal }, expect!["010194030163016d"]);
}

#[test]
fn access_points_of_the_first_version_have_no_scope() {
    let old = "0101620c30303030303030303030303009612d7333616c69617380a0d5edee660101760100010001027b7d01016b0176";
    let row = AccessPoint::decode_slice(&bytes(old)).expect("a row");
    assert_eq!(row.scope, None);
    assert_eq!(row.tags, [("k".to_owned(), "v".to_owned())]);
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn buckets() {
    check_row(&Tags(vec![("k".into(), "v".into())]), expect!["0101016b0176"]);
    for version in ["01", "02", "03"] {
        let row = format!("{version}0101610172ffff");
        let bucket = Bucket::decode_slice(&bytes(&row)).expect("a row");
        assert_eq!(bucket, Bucket { id: 1, account: "a".into(), region: "r".into() });
    }
}

#[test]
fn access_grants() {
    let tags = || vec![("k".into(), "v".into())];
    let policy =
        InstancePolicy { document: "{}".into(), organization: Some("o".into()), created_millis: 2 };
    let row = Instance {
        created_millis: 1,
        locations: 3,
        grants: 300,
        policy: Some(policy),
        tags: tags(),
    };
    check_row(&row, expect!["010203ac0201027b7d01016f0401016b0176"]);
    let row = Location {
        scope: "s3://".into(),
        role_arn: "r".into(),
        created_millis: 1,
        grants: 2,
        tags: tags(),
    };
    check_row(&row, expect!["010573333a2f2f0172020201016b0176"]);
    let row = Grant {
        location: "l".into(),
        sub_prefix: Some("b/p*".into()),
        scope: "s3://b/p*".into(),
        is_object: false,
        grantee: "g".into(),
        reads: true,
        writes: false,
        created_millis: 1,
        tags: tags(),
    };
    check_row(&row, expect!["01016c0104622f702a0973333a2f2f622f702a00016701000201016b0176"]);
}
