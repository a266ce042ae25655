//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_testkit::{check_row, expect};

use crate::store::{
    ApiDestination, Archive, ArchiveSize, Archived, Bus, Connection, Http, Input, Replay, Rule,
    Target,
};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn buses_and_rules() {
    let tags = BTreeMap::from([("t".to_owned(), "v".to_owned())]);
    let bus = Bus {
        description: some("d"),
        kms_key: some("k"),
        dead_letter_arn: some("q"),
        log: Some(("INFO".into(), "FULL".into())),
        policy: some("{}"),
        tags: tags.clone(),
        created_millis: Some(1),
        modified_millis: Some(2),
    };
    check_row(
        &bus,
        expect!["0101016401016b0101710104494e464f0446554c4c01027b7d010174017601020104"],
    );
    let rule = Rule {
        pattern: some("{}"),
        schedule: some("rate(1 day)"),
        state: "ENABLED".into(),
        description: some("d"),
        role_arn: some("r"),
        managed_by: some("m"),
        created_by: "1".into(),
        tags,
        since_millis: 1,
        due_millis: Some(2),
    };
    check_row(
        &rule,
        expect![
            "0101027b7d010b726174652831206461792907454e41424c454401016401017201016d01310101740176020104"
        ],
    );
}

#[test]
fn targets() {
    let paths = BTreeMap::from([("a".to_owned(), "$.a".to_owned())]);
    let template =
        Input::Template { paths: paths.clone(), has_paths: true, template: "<a>".into() };
    for (input, expected) in [
        (
            Input::Event,
            expect!["010361726e010172000101016701010101700101016103242e6100010101710101020178"],
        ),
        (
            Input::Constant("1".into()),
            expect!["010361726e0101720101310101016701010101700101016103242e6100010101710101020178"],
        ),
        (
            Input::Path("$".into()),
            expect!["010361726e0101720201240101016701010101700101016103242e6100010101710101020178"],
        ),
        (
            template,
            expect![
                "010361726e0101720301016103242e6101033c613e0101016701010101700101016103242e6100010101710101020178"
            ],
        ),
    ] {
        let target = Target {
            arn: "arn".into(),
            role_arn: some("r"),
            input,
            queue: Some(some("g")),
            http: Some(Http {
                path_values: Some(vec!["p".into()]),
                headers: Some(paths.clone()),
                query: None,
            }),
            dead_letter: Some(some("q")),
            retry: Some((Some(1), Some(60))),
        };
        check_row(&target, expected);
    }
}

#[test]
fn archives_and_replays() {
    let bus = ("1".to_owned(), "us-east-1".to_owned(), "b".to_owned());
    let archive = Archive {
        id: 1,
        bus: bus.clone(),
        description: some("d"),
        pattern: some("{}"),
        retention_days: 2,
        created_millis: 3,
    };
    check_row(&archive, expect!["010101310975732d656173742d31016201016401027b7d0406"]);
    check_row(&Archived { event: "{}".into(), is_forwarded: true }, expect!["01027b7d01"]);
    check_row(&ArchiveSize { events: 1, bytes: 2 }, expect!["010204"]);
    let replay = Replay {
        archive_id: 1,
        archive_arn: "a".into(),
        bus,
        filter_arns: Some(vec!["r".into()]),
        description: some("d"),
        state: "RUNNING".into(),
        from_millis: 1,
        until_millis: 2,
        started_millis: 3,
        ended_millis: Some(4),
        replayed_millis: Some(5),
        after: Some((6, 7, "e".into())),
    };
    check_row(
        &replay,
        expect![
            "0101016101310975732d656173742d310162010101720101640752554e4e494e470204060108010a0106070165"
        ],
    );
}

#[test]
fn connections_and_destinations() {
    let connection = Connection {
        id: "i".into(),
        description: some("d"),
        state: "AUTHORIZED".into(),
        state_reason: some("r"),
        kind: "BASIC".into(),
        sealed: Some(vec![1, 2]),
        created_millis: 1,
        modified_millis: 2,
        authorized_millis: Some(3),
    };
    check_row(
        &connection,
        expect!["0101690101640a415554484f52495a45440101720542415349430102010202040106"],
    );
    let destination = ApiDestination {
        id: "i".into(),
        description: some("d"),
        connection_arn: "c".into(),
        endpoint: "http://h/".into(),
        method: "POST".into(),
        rate_limit: 300,
        created_millis: 1,
        modified_millis: 2,
    };
    check_row(&destination, expect!["010169010164016309687474703a2f2f682f04504f5354d8040204"]);
}
