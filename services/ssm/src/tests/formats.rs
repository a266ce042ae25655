//! The bytes of every row: whoever changes one must raise its version and read the old form.

use fogbank_testkit::{check_row, expect};

use crate::store::{Parameter, Policy, ResourcePolicyRow, Setting, Version};

#[test]
fn parameters_and_versions() {
    let policy = Policy {
        kind: "Expiration".into(),
        text: "{}".into(),
        at_millis: 1_767_225_600_000,
        is_done: true,
    };
    let parameter =
        Parameter { latest: 300, tags: vec![("a".into(), "b".into())], policies: vec![policy] };
    check_row(&parameter, expect!["01ac020101610162010a45787069726174696f6e027b7d80a0d5edee6601"]);
    let version = Version {
        kind: "SecureString".into(),
        value: vec![1, 255],
        key_id: Some("alias/aws/ssm".into()),
        modified_millis: 1_767_225_600_000,
        modified_by: "arn".into(),
        description: Some("d".into()),
        allowed_pattern: Some(".*".into()),
        labels: vec!["prod".into()],
        is_advanced: true,
        data_type: "text".into(),
    };
    check_row(
        &version,
        expect![[r#"
        010c536563757265537472696e670201ff010d616c6961732f6177732f73736d80a0d5edee660361726e01016401022e
        2a010470726f64010474657874"#]],
    );
}

#[test]
fn policies_and_settings() {
    check_row(
        &ResourcePolicyRow { document: "{}".into(), hash: "h".into() },
        expect!["01027b7d0168"],
    );
    let setting = Setting { value: "true".into(), modified_millis: 1, modified_by: "arn".into() };
    check_row(&setting, expect!["010474727565020361726e"]);
}
