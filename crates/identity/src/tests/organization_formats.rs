//! The bytes of every row of organizations: whoever changes one must raise its version and read the old form.

use expect_test::expect;

use super::formats::check;
use crate::organizations::{Account, Creation, Handshake, Organization, Policy, Unit};

fn tags() -> Vec<(String, String)> {
    vec![("team".to_owned(), "blue".to_owned())]
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn rows_keep_their_bytes() {
    let organization = Organization {
        management: text("000000000000"),
        root: text("r-ab12"),
        policy_types: vec![text("SERVICE_CONTROL_POLICY")],
        services: vec![(text("ram.amazonaws.com"), 1_767_225_600)],
    };
    check(
        &organization,
        expect![[r#"
        010c30303030303030303030303006722d616231320116534552564943455f434f4e54524f4c5f504f4c494359011172
        616d2e616d617a6f6e6177732e636f6d80e4ad950d"#]],
    );
    let account = Account {
        organization: text("o-a1b2c3d4e5"),
        parent: text("r-ab12"),
        name: text("one"),
        email: text("one@example.org"),
        closed: false,
        invited: true,
        joined_secs: 1_767_225_600,
        tags: tags(),
    };
    check(
        &account,
        expect![[r#"
        010c6f2d6131623263336434653506722d61623132036f6e650f6f6e65406578616d706c652e6f7267000180e4ad950d
        01047465616d04626c7565"#]],
    );
    let unit = Unit { name: text("dev"), parent: text("r-ab12"), tags: tags() };
    check(&unit, expect!["010364657606722d6162313201047465616d04626c7565"]);
    let policy = Policy {
        name: text("p"),
        description: text("d"),
        kind: text("TAG_POLICY"),
        content: text("{}"),
        tags: tags(),
    };
    check(&policy, expect!["01017001640a5441475f504f4c494359027b7d01047465616d04626c7565"]);
    let creation = Creation {
        name: text("one"),
        email: text("one@example.org"),
        role: text("Role"),
        account: text("111122223333"),
        requested_secs: 1_767_225_600,
        completed_secs: Some(1_767_225_601),
        failure: Some(text("EMAIL_ALREADY_EXISTS")),
        tags: tags(),
    };
    check(
        &creation,
        expect![[r#"
        01036f6e650f6f6e65406578616d706c652e6f726704526f6c650c31313131323232323333333380e4ad950d0182e4ad
        950d0114454d41494c5f414c52454144595f45584953545301047465616d04626c7565"#]],
    );
    let handshake = Handshake {
        organization: text("o-a1b2c3d4e5"),
        account: text("111122223333"),
        state: text("OPEN"),
        notes: Some(text("come")),
        requested_secs: 1_767_225_600,
        expires_secs: 1_767_225_601,
        tags: tags(),
    };
    check(
        &handshake,
        expect![[r#"
        010c6f2d613162326333643465350c313131313232323233333333044f50454e0104636f6d6580e4ad950d82e4ad950d
        01047465616d04626c7565"#]],
    );
}
