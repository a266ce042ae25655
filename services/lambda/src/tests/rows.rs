//! The bytes of every row: what an older server wrote must be read, so that a change here needs a new version.

use std::collections::BTreeMap;

use fogbank_core::store::{BlobRef, Value};
use fogbank_testkit::{Expect, expect};

use crate::store::{
    Alias, AttachedLayer, Code, Event, Function, InvokeConfig, LastRun, Layer, LayerVersion,
    Logging, Mapping, Phase, Policy, State, Version,
};

fn check<V: Value + std::fmt::Debug>(row: &V, expected: Expect) {
    let mut bytes = Vec::new();
    row.encode(&mut bytes).expect("a row");
    let back = V::decode_slice(&bytes).expect("the row again");
    assert_eq!(format!("{back:?}"), format!("{row:?}"));
    expected.assert_eq(&hex::encode(bytes));
}

fn code() -> Code {
    Code {
        zip: BlobRef::inline(bytes::Bytes::from_static(b"PK")),
        sha256: "00ff".to_owned(),
        bytes: 2,
        unzipped_bytes: 300,
        download_key: "k".to_owned(),
    }
}

#[test]
fn functions_and_versions() {
    let tags = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    let function = Function {
        id: "id".to_owned(),
        next_version: 3,
        published: Some(("d".to_owned(), 2)),
        reserved: Some(7),
        tags: tags.clone(),
    };
    check(&function, expect!["01026964030101640201070101610131"]);
    let version = Version {
        runtime: "python3.12".to_owned(),
        handler: "app.handler".to_owned(),
        role: "arn".to_owned(),
        description: "d".to_owned(),
        timeout_secs: 3,
        memory_mb: 128,
        scratch_mb: 512,
        variables: Some(tags),
        dead_letter_arn: None,
        traces: true,
        architecture: "x86_64".to_owned(),
        snap_start: false,
        vpc: false,
        layers: vec![AttachedLayer { arn: "l".to_owned(), code: code() }],
        logging: Logging {
            json: true,
            application_level: Some("INFO".to_owned()),
            system_level: None,
            group: None,
        },
        code: code(),
        last_modified_millis: 1000,
        revision_id: "r".to_owned(),
        deployment: "d".to_owned(),
        state: State::Updating,
    };
    check(
        &version,
        expect![
            "010a707974686f6e332e31320b6170702e68616e646c65720361726e016403800180040101016101310001067838365f3634000001016c0002504b043030666602ac02016b010104494e464f00000002504b043030666602ac02016bd00f0172016402"
        ],
    );
    let alias = Alias {
        version: 1,
        description: "d".to_owned(),
        also: Some((2, 0.5)),
        revision_id: "r".to_owned(),
    };
    check(&alias, expect!["010101640102000000000000e03f0172"]);
    let policy =
        Policy { revision_id: "r".to_owned(), statements: vec![("s".to_owned(), "{}".to_owned())] };
    check(&policy, expect!["010172010173027b7d"]);
}

#[test]
fn events_and_their_configuration() {
    let config = InvokeConfig {
        max_retries: Some(0),
        max_age_secs: None,
        on_success: None,
        on_failure: Some("q".to_owned()),
        last_modified_millis: 1,
    };
    check(&config, expect!["010100000001017102"]);
    let event = Event {
        account: "1".to_owned(),
        region: "r".to_owned(),
        name: "f".to_owned(),
        qualifier: Some("live".to_owned()),
        payload: BlobRef::inline(bytes::Bytes::from_static(b"{}")),
        client_context: None,
        queued_millis: 5,
        failures: 1,
        refusals: 2,
        last: Some(LastRun { executed_version: "1".to_owned(), payload: "p".to_owned() }),
    };
    check(&event, expect!["0101310172016601046c69766500027b7d000a01020101310170"]);
}

#[test]
fn mappings_and_layers() {
    let mapping = Mapping {
        queue_arn: "q".to_owned(),
        function: "f".to_owned(),
        qualifier: None,
        enabled: true,
        phase: Phase::Settled,
        batch_size: 10,
        window_secs: 0,
        reports_failures: true,
        max_concurrency: None,
        modified_millis: 1,
        revision: "r".to_owned(),
        tags: BTreeMap::new(),
    };
    check(&mapping, expect!["01017101660001050a00010002017200"]);
    check(&Layer { next_version: 2 }, expect!["0102"]);
    let version = LayerVersion {
        description: "d".to_owned(),
        license: None,
        runtimes: Some(vec!["python3.12".to_owned()]),
        architectures: None,
        created_millis: 1,
        code: code(),
    };
    check(&version, expect!["0101640001010a707974686f6e332e313200020002504b043030666602ac02016b"]);
}
