//! The bytes of every row: whoever changes one must raise its version and read the old form.

use fogbank_testkit::{check_row, expect};

use crate::store::{Attempt, Link, Replica, Rotation, Secret, Version};

#[test]
fn secrets() {
    let rotation = Rotation {
        is_enabled: true,
        lambda_arn: "f".into(),
        after_days: Some(7),
        schedule: Some("rate(4 hours)".into()),
        duration: Some("2h".into()),
        rotated_millis: Some(1),
        next_millis: Some((2, 3)),
        attempt: Some(Attempt {
            version_id: "v".into(),
            rotation_token: "t".into(),
            is_test: true,
            tried_until_millis: 4,
        }),
    };
    let replica = Replica {
        region: "eu-west-1".into(),
        kms_key_id: Some("k".into()),
        is_in_sync: true,
        message: Some("m".into()),
    };
    let secret = Secret {
        suffix: "AbCdEf".into(),
        description: Some("d".into()),
        kms_key_id: Some("alias/k".into()),
        created_millis: 1_767_225_600_000,
        changed_millis: 1_767_225_600_001,
        accessed_millis: Some(1_767_225_600_000),
        deletion_millis: Some(-1),
        stages: [("AWSCURRENT".into(), "v1".into())].into(),
        version_count: 300,
        prune_millis: 5,
        tags: vec![("a".into(), "b".into())],
        rotation: Some(rotation),
        primary_region: Some("us-east-1".into()),
        replicas: vec![replica],
    };
    check_row(
        &secret,
        expect![[r#"
        01064162436445660101640107616c6961732f6b80a0d5edee6682a0d5edee660180a0d5edee660101010a4157534355
        5252454e54027631ac020a010161016201010166010e010d72617465283420686f757273290102326801020104060101
        7601740108010975732d656173742d31010965752d776573742d3101016b0101016d"#]],
    );
    check_row(&Secret::default(), expect!["010000000000000000000000000000"]);
}

#[test]
fn versions() {
    let version = Version {
        created_millis: 1_767_225_600_000,
        accessed_millis: Some(1),
        kms_key_id: Some("k".into()),
    };
    check_row(&version, expect!["0180a0d5edee66010201016b"]);
}

#[test]
fn links() {
    let link = Link {
        other: "arn".into(),
        is_primary: true,
        role_arn: Some("role".into()),
        status: "InSync".into(),
        message: Some("m".into()),
    };
    check_row(&link, expect!["010361726e010104726f6c6506496e53796e6301016d"]);
}
