//! The bytes of every row: whoever changes one must raise its version and read the old form.

use fogbank_testkit::{check_row, expect};

use crate::store::{Chunk, Entry, Job, JobId, Lines, Report, ReportFile, Status, Token};

#[test]
fn jobs() {
    let file = ReportFile { is_of_failed: true, key: "r".into(), md5: [7; 16] };
    let job = Job {
        request: "{}".into(),
        operation: "S3PutObjectTagging".into(),
        token: "t".into(),
        created_millis: 1_767_225_600_000,
        number: 300,
        status: Status::Failing,
        priority: -1,
        reason: Some("so".into()),
        failures: vec![("c".into(), "r".into())],
        suspended_millis: Some(1),
        ended_millis: Some(2),
        total: Some(3),
        succeeded: 4,
        failed: 5,
        active_millis: 6,
        chunks: (7, 8),
        lines: 9,
        report: Some(Report { begun_millis: 10, files: vec![file], after: Some((true, 11)) }),
        manifest: Some(("a".into(), "e".into())),
        tags: vec![("k".into(), "v".into())],
    };
    check_row(
        &job,
        expect![[r#"
        01027b7d1253335075744f626a65637454616767696e67017480a0d5edee66ac020b010102736f010163017201020104
        01030405060708090114010101720707070707070707070707070707070701010b010161016501016b0176"#]],
    );
}

#[test]
fn work() {
    let entry =
        Entry { bucket: "b".into(), key: "k".into(), version: Some("v".into()), attempts: 1 };
    check_row(&Chunk(vec![entry]), expect!["01010162016b01017601"]);
    check_row(&Lines("b,k\n".into()), expect!["0104622c6b0a"]);
}

#[test]
fn names() {
    check_row(
        &Token { id: "i".into(), sha256: [9; 32] },
        expect!["0101690909090909090909090909090909090909090909090909090909090909090909"],
    );
    check_row(&JobId("i".into()), expect!["010169"]);
}
