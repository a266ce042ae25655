//! The bytes of every row: whoever changes one must raise its version and read the old form.

use crate::{AccessPoint, Block, Named, Replication};
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
    };
    check_row(
        &row,
        expect![
            "0101620c30303030303030303030303009612d7333616c69617380a0d5edee660101760100010001027b7d01016b0176"
        ],
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
