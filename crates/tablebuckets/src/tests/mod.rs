//! The bytes of every row: whoever changes one must raise its version and read the old form.

use super::*;
use fogbank_testkit::{check_row, expect};

const MILLIS: i64 = 1_767_225_600_000;

#[test]
fn buckets_and_namespaces() {
    let row = TableBucket {
        id: "i".into(),
        created_millis: MILLIS,
        is_managed: true,
        encryption: Some(Encryption { kms_key: Some("k".into()) }),
        storage_class: Some("STANDARD".into()),
        policy: Some("{}".into()),
        tags: vec![("k".into(), "v".into())],
        file_removal: Some(FileRemoval {
            is_enabled: true,
            unreferenced_days: 3,
            non_current_days: 10,
        }),
        metrics: Some("m".into()),
    };
    check_row(
        &row,
        expect!["01016980a0d5edee66010101016b01085354414e4441524401027b7d01016b01760101061401016d"],
    );
    let row = Namespace { id: "i".into(), created_millis: MILLIS, created_by: "1".into() };
    check_row(&row, expect!["01016980a0d5edee660131"]);
}

#[test]
fn tables_and_warehouses() {
    let row = Table {
        id: "i".into(),
        created_millis: MILLIS,
        created_by: "1".into(),
        modified_millis: MILLIS,
        modified_by: "2".into(),
        version_token: "t".into(),
        metadata_location: Some("s3://w/m".into()),
        warehouse: "w".into(),
        managed_by: Some("s".into()),
        encryption: Encryption { kms_key: None },
        storage_class: "STANDARD".into(),
        policy: Some("{}".into()),
        tags: vec![("k".into(), "v".into())],
        compaction: Some(Compaction {
            is_enabled: true,
            target_file_size_mib: 512,
            strategy: "auto".into(),
        }),
        snapshots: Some(Snapshots { is_enabled: false, min_to_keep: 1, max_age_hours: 120 }),
        expiration: Some(Expiration { is_enabled: true, days: Some(7) }),
    };
    check_row(
        &row,
        expect![[r#"
        01016980a0d5edee66013180a0d5edee6601320174010873333a2f2f772f6d017701017300085354414e444152440102
        7b7d01016b017601018008046175746f010002f0010101010e"#]],
    );
    check_row(&Named { namespace: "n".into(), name: "t".into() }, expect!["01016e0174"]);
    let row = Warehouse {
        number: 7,
        account: "1".into(),
        region: "r".into(),
        bucket: "b".into(),
        table: "i".into(),
        created_millis: MILLIS,
        kms_key: Some("k".into()),
        managed_by: Some("s".into()),
    };
    check_row(&row, expect!["0107013101720162016980a0d5edee6601016b010173"]);
}

#[test]
fn maintenance() {
    let job = |outcome| Some(Job { ran_millis: MILLIS, outcome });
    let row =
        Maintained { snapshots: job(Outcome::Disabled), files: job(Outcome::Failed("why".into())) };
    check_row(&row, expect!["010180a0d5edee66020180a0d5edee660103776879"]);
    check_row(
        &Maintained { snapshots: job(Outcome::Successful), files: None },
        expect!["010180a0d5edee660000"],
    );
}
